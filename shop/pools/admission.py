"""At most N requests of this process work on one pool at a time.

A hot row serves its waiters one after the other however many there are, and each further one makes
it slower (lock queues, deadlock checks). So they wait here, where waiting costs nothing, for a
short bounded time. This is a matter of speed only: correctness never depends on it.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from shop.errors import Busy


class _Turnstile:
    __slots__ = ("semaphore", "users")

    def __init__(self, limit: int) -> None:
        self.semaphore = threading.BoundedSemaphore(limit)
        self.users = 0


class Admission:
    """Turnstiles by pool id, made when first asked for and forgotten with their last user."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._turnstiles: dict[int, _Turnstile] = {}

    @contextmanager
    def enter(self, pool_ids: Iterable[int], *, limit: int, wait: float) -> Iterator[None]:
        """Holds one of `limit` places at each pool. Waits at most `wait` seconds for all of them,
        then raises Busy. Pools are entered in ascending id, so that two requests cannot each
        hold what the other waits for."""
        deadline = time.monotonic() + wait
        entered: list[int] = []
        try:
            for pool_id in sorted(set(pool_ids)):
                turnstile = self._join(pool_id, limit)
                if not turnstile.semaphore.acquire(timeout=max(0.0, deadline - time.monotonic())):
                    self._leave(pool_id)
                    raise Busy
                entered.append(pool_id)
            yield
        finally:
            for pool_id in entered:
                self._turnstiles[pool_id].semaphore.release()
                self._leave(pool_id)

    def _join(self, pool_id: int, limit: int) -> _Turnstile:
        with self._mutex:
            turnstile = self._turnstiles.get(pool_id)
            if turnstile is None:
                turnstile = self._turnstiles[pool_id] = _Turnstile(limit)
            turnstile.users += 1
            return turnstile

    def _leave(self, pool_id: int) -> None:
        with self._mutex:
            turnstile = self._turnstiles[pool_id]
            turnstile.users -= 1
            if not turnstile.users:
                del self._turnstiles[pool_id]


admission = Admission()
