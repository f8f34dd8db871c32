"""A TCP relay to a server that is some milliseconds away.

What a client sends arrives that much later, in order, and is not held up by what came before it;
answers come back at once. It understands nothing of what passes. For the few packets of a replica,
not for the many of a shop.
"""

import asyncio
import selectors
import threading
from collections import deque
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar, cast

T = TypeVar("T")

BOUND_SECONDS = 10.0


class Relay:
    """Listens on `port`, a free one of 127.0.0.1, while inside the `with`."""

    def __init__(self, *, host: str, port: int, delay_seconds: float) -> None:
        self.port = 0
        self._target = host, port
        self._delay = delay_seconds
        self._open: set[asyncio.WriteTransport] = set()
        # Others round a timeout up to whole milliseconds.
        self._loop = asyncio.SelectorEventLoop(selectors.SelectSelector())
        self._thread = threading.Thread(target=self._loop.run_forever, name="relay", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = self._call(self._listen())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(BOUND_SECONDS)
        self._loop.close()

    async def _listen(self) -> int:
        self._server = await self._loop.create_server(
            lambda: _FromClient(self._loop, self._target, self._delay, self._open), "127.0.0.1", 0
        )
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _stop(self) -> None:
        self._server.close()
        for transport in list(self._open):
            transport.abort()
        # What ends a connection is called in the loop's next round.
        await asyncio.sleep(0)

    def _call(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(BOUND_SECONDS)


class _FromClient(asyncio.Protocol):
    """A client's end of one connection."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        target: tuple[str, int],
        delay: float,
        all_open: set[asyncio.WriteTransport],
    ) -> None:
        self._loop = loop
        self._target = target
        self._delay = delay
        self._all_open = all_open
        self._held: deque[bytes] = deque()
        self._server: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._client = cast(asyncio.WriteTransport, transport)
        self._all_open.add(self._client)
        self._connecting = self._loop.create_task(self._connect())

    async def _connect(self) -> None:
        try:
            self._server, _ = await self._loop.create_connection(
                lambda: _FromServer(self._client), *self._target
            )
        except OSError:
            self._client.close()

    def data_received(self, data: bytes) -> None:
        self._held.append(data)
        self._loop.call_later(self._delay, self._pass)

    def _pass(self) -> None:
        data = self._held.popleft()
        if self._server is not None:
            self._server.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._all_open.discard(self._client)
        if self._server is not None:
            self._server.close()


class _FromServer(asyncio.Protocol):
    """The server's end of it."""

    def __init__(self, client: asyncio.WriteTransport) -> None:
        self._client = client

    def data_received(self, data: bytes) -> None:
        self._client.write(data)

    def connection_lost(self, error: Exception | None) -> None:
        self._client.close()
