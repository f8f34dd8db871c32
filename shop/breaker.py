"""A circuit breaker: what has failed several times in a row is not asked for a while.

Each process learns for itself. Nothing here waits or starts a thread: time is only looked at.
"""

import threading
import time
from collections.abc import Callable


class Breaker:
    """Closed, it lets everything through. After `failures` in a row it is open: nothing passes for
    `seconds`, then one call as a probe, and another each `seconds` until one succeeds.

    A probe that is never reported on holds up nobody: the next one is let through in its time.
    """

    def __init__(
        self, *, failures: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._most_failures = failures
        self._seconds = seconds
        self._clock = clock
        self._mutex = threading.Lock()
        self._failures = 0
        self._next_probe_at = 0.0

    def lets_through(self) -> bool:
        """Whether to make a call now. Who does reports on it."""
        with self._mutex:
            if self._failures < self._most_failures:
                return True
            now = self._clock()
            if now < self._next_probe_at:
                return False
            self._next_probe_at = now + self._seconds
            return True

    def succeeded(self) -> None:
        """A call was answered: whatever failed before, it works now."""
        with self._mutex:
            self._failures = 0

    def failed(self) -> bool:
        """A call was not answered. Returns whether this opened the breaker."""
        with self._mutex:
            self._failures += 1
            if self._failures < self._most_failures:
                return False
            self._next_probe_at = self._clock() + self._seconds
            return self._failures == self._most_failures
