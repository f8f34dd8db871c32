"""Where shots of a pool are kept between those who watch it: one is made a second, whoever asks and
however many do.

With a Redis for gates it is kept there, beside the gate, so all processes share it: a look is one
call, and making a shot is one more. Without one, or where Redis does not answer, each process keeps
its own. Redis is asked as politely as can be: what fails here says nothing to the gate.
"""

import threading
import time
from abc import ABC, abstractmethod
from collections import OrderedDict, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from redis import RedisError

from shop.errors import Unavailable
from shop.pools import gate

# How long (seconds) one shot serves everybody.
SHOT_SECONDS = 1.0
# Whoever makes one and dies over it holds up the next for this long (seconds).
LEASE_SECONDS = 5.0
# Points of a curve, one a second, and how long (seconds) they are kept after the last one.
MOST_POINTS = 900
CURVE_SECONDS = 900
# Pools that a process keeps shots of.
MOST_POOLS = 100


@dataclass(frozen=True, slots=True)
class Tallies:
    """What a gate has counted: units that remain; requests that it let through, that came when
    nothing was left, and that it refused otherwise."""

    remaining: int
    admitted: int
    too_late: int
    refused: int


class Kept(ABC):
    """What is kept of one pool, for one who looks. `is_due`: it is theirs to make the next shot and
    to `keep` it. `answers`: whether Redis does, where there is one."""

    text: str = ""
    is_due: bool = False
    answers: bool = False
    tallies: Tallies | None = None

    @abstractmethod
    def keep(self, text: str, *, point: str) -> None:
        """Keeps a shot, for whoever looks in the next second, and its point of the curve."""

    @abstractmethod
    def curve(self) -> Sequence[str]:
        """The points kept, oldest first."""


def look(pool_id: int) -> Kept:
    """What is kept of the pool, and whether the next shot is due."""
    if gate.configured():
        with suppress(RedisError, Unavailable):
            return _InRedis(pool_id)
    return _InProcess(pool_id)


class _InRedis(Kept):
    """Raises RedisError, Unavailable."""

    answers = True

    def __init__(self, pool_id: int) -> None:
        gate.client()
        self._began = time.monotonic()
        self._counters, self._figures, self._lease, self._curve = gate.names(
            pool_id, "live", "live:lease", "live:curve"
        )
        won, figures, *counted = gate.script("look")(
            [self._counters, self._figures, self._lease], [int(LEASE_SECONDS * 1000)]
        )
        self.is_due = bool(won)
        self.text = figures.decode() if figures else ""
        if counted and counted[0] is not None:
            self.tallies = Tallies(*(int(count or 0) for count in counted))

    def keep(self, text: str, *, point: str) -> None:
        left = SHOT_SECONDS - (time.monotonic() - self._began)
        with suppress(RedisError, Unavailable):
            gate.client()
            gate.script("keep")(
                [self._figures, self._lease, self._curve],
                [text, point, MOST_POINTS, CURVE_SECONDS, int(left * 1000)],
            )

    def curve(self) -> Sequence[str]:
        with suppress(RedisError, Unavailable):
            points = gate.client().lrange(self._curve, 0, MOST_POINTS - 1)
            return [point.decode() for point in reversed(points)]
        return ()


@dataclass(slots=True)
class _Memory:
    """`due_at` by the monotonic clock."""

    due_at: float = 0.0
    text: str = ""
    points: deque[str] = field(default_factory=lambda: deque(maxlen=MOST_POINTS))


_memories: OrderedDict[int, _Memory] = OrderedDict()
_mutex = threading.Lock()


def forget() -> None:
    """Forgets what this process keeps."""
    with _mutex:
        _memories.clear()


class _InProcess(Kept):
    def __init__(self, pool_id: int) -> None:
        self._began = time.monotonic()
        with _mutex:
            self._memory = _memories.setdefault(pool_id, _Memory())
            _memories.move_to_end(pool_id)
            if len(_memories) > MOST_POOLS:
                _memories.popitem(last=False)
            self.text = self._memory.text
            self.is_due = self._began >= self._memory.due_at
            if self.is_due:
                self._memory.due_at = self._began + LEASE_SECONDS

    def keep(self, text: str, *, point: str) -> None:
        with _mutex:
            self._memory.due_at = self._began + SHOT_SECONDS
            self._memory.text = text
            self._memory.points.append(point)

    def curve(self) -> Sequence[str]:
        with _mutex:
            return list(self._memory.points)
