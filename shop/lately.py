"""What a process has read a moment ago, for paths where reading it each time costs more than the
moment matters. Only what somebody behind judges anew may be as old as that.
"""

import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

SECONDS = 0.5


class Lately(Generic[T]):
    """`read(id)`, or what it returned less than SECONDS ago where `may_be_old` says so of it."""

    def __init__(self, read: Callable[[int], T], *, may_be_old: Callable[[T], bool]) -> None:
        self._read = read
        self._may_be_old = may_be_old
        self._seen: dict[int, tuple[float, T]] = {}

    def __call__(self, number: int) -> T:
        """Raises what `read` raises."""
        seen = self._seen.get(number)
        now = time.monotonic()
        if seen is None or not self._may_be_old(seen[1]) or now - seen[0] > SECONDS:
            self._seen[number] = seen = now, self._read(number)
        return seen[1]

    def forget(self) -> None:
        """Knows nothing any more."""
        self._seen.clear()
