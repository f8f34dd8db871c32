"""Bells: telling Celery that something waits, from a request, without making the request wait.

A ring is sent by a thread of its own, so a slow or broken broker costs a request nothing. While one
was sent within the last moment the next is delayed, never dropped: a bell that stays silent would
leave it to beat, which looks once a second in any case.
"""

import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

# Numbers whose last ring is kept in mind: with a queue for each of many things, there is no end of
# them.
MOST_SENT = 1_000


class Bell:
    """Calls `send(number)` soon after `ring(number)`, at most once per `interval` seconds each."""

    def __init__(self, send: Callable[[int], object], *, interval: float) -> None:
        self._send = send
        self._interval = interval
        self._changed = threading.Condition()
        # number -> when it may be sent (monotonic).
        self._due: dict[int, float] = {}
        self._sent: dict[int, float] = {}
        self._thread: threading.Thread | None = None

    def ring(self, number: int) -> None:
        """Returns at once."""
        if number in self._due:
            return
        with self._changed:
            self._due[number] = max(time.monotonic(), self._sent.get(number, 0.0) + self._interval)
            # Started when first rung, so that it lives in the process that serves, not its parent.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="bell", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            number = self._next()
            try:
                self._send(number)
            except Exception as error:  # noqa: BLE001  # beat rings for what stays unsaid here
                logger.warning("bell: not sent: %s", type(error).__name__)

    def _next(self) -> int:
        """Waits for the first number that is due."""
        with self._changed:
            while True:
                now = time.monotonic()
                if self._due:
                    number = min(self._due, key=self._due.__getitem__)
                    wait = self._due[number] - now
                    if wait <= 0:
                        # Taken off before it is sent: a ring from now on is another one.
                        del self._due[number]
                        self._sent[number] = now
                        if len(self._sent) > MOST_SENT:
                            self._forget(now)
                        return number
                    self._changed.wait(wait)
                else:
                    self._changed.wait()

    def _forget(self, now: float) -> None:
        """Forgets rings that delay nothing any more."""
        since = now - self._interval
        self._sent = {number: at for number, at in self._sent.items() if at > since}
