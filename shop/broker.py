"""The embedded shop's broker: kombu's folder of files, in which every file appears whole.

kombu opens a message's file under its final name and fills it afterwards; a worker that looks in
between reads nothing, takes that for a broken message and ends (likewise for the table of an
exchange that is just being made). Here a file is written under another name first and then renamed.
How messages are found, taken and routed stays kombu's.
"""

import os
import time
import uuid
from pathlib import Path
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps


class Channel(filesystem.Channel):
    def _put(self, queue: str, payload: dict[str, Any], **_: Any) -> None:
        """Adds a message; names sort by the time of sending, also across a reboot."""
        folder = Path(self.data_folder_out)
        unique = uuid.uuid4().hex
        draft = folder / f"{unique}.draft"
        draft.write_text(dumps(payload))
        draft.rename(folder / f"{time.time_ns()}_{unique}.{queue}.msg")

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        table = self._exchange_file(exchange)
        if not table.exists():
            draft = table.with_name(f"{uuid.uuid4().hex}.draft")
            draft.write_text("[]")
            try:
                os.link(draft, table)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        super()._queue_bind(exchange, routing_key, pattern, queue)


class Transport(filesystem.Transport):
    Channel = Channel

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:
        """Waits half a second at most: a worker looks at its signals only between two calls."""
        super().drain_events(connection, timeout=min(timeout or 0.5, 0.5))
