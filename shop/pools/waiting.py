"""Rows that wait in a queue: storing them, turning them away when too many do, and what a drain
needs of their table. Storing one is one INSERT, which touches no counter.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from django.conf import settings
from django.db import models
from django.db.models import F, Min, Q

from shop import transactions
from shop.api.idempotency import insert
from shop.errors import Busy
from shop.operators_log import changed
from shop.ops.health import age
from shop.pools.kinds import Waiting
from shop.pools.models import Waits
from shop.pools.tasks import drain_bell

if TYPE_CHECKING:
    from shop.accounts.models import User

# The state of a row that was not settled, and never will be, ...
FAILED = "failed"
# ... and of what it failed if its settling ended in an error of ours, time and again.
INTERNAL = "internal"
# A count of the waiting serves this process for so many seconds, where it may be large.
COUNT_SECONDS = 0.2
SMALL = 200
# Queues whose count is kept in mind.
MOST_COUNTED = 1_000

R = TypeVar("R", bound=Waiting)


@dataclass(frozen=True, slots=True)
class Queued:
    """Into which queue, and how many rows may be waiting in it; None: as the settings say."""

    queue_id: int
    limit: int | None = None


def wait_in(row: Waits, queued: Queued) -> None:
    """Stores a new row that waits in the queue. Raises Busy, Unavailable, RequestInProgress,
    IntegrityError."""
    _refuse_when_full(type(row), queued)
    row.queue_id = queued.queue_id
    transactions.run_statement(lambda: insert(row))
    drain_bell.ring(queued.queue_id)


_counts: dict[int, tuple[float, int]] = {}


def forget() -> None:
    """Forgets what was counted."""
    _counts.clear()


def _refuse_when_full(model: type[Waits], queued: Queued) -> None:
    """Raises Busy when the queue can't be emptied as fast as it fills.

    A large number is counted a few times a second only, so it may be passed by what comes in
    between.
    """
    limit = queued.limit or settings.PENDING_LIMIT
    counted_at, count = _counts.get(queued.queue_id, (-inf, 0))
    if limit <= SMALL or time.monotonic() - counted_at > COUNT_SECONDS:
        count = _counted(model, queued.queue_id, most=limit)
        if len(_counts) >= MOST_COUNTED:
            forget()
        _counts[queued.queue_id] = (time.monotonic(), count)
    if count >= limit:
        raise Busy


def _counted(model: type[Waits], queue_id: int, *, most: int) -> int:
    waiting = model._default_manager.filter(queue_id=queue_id).order_by()
    return waiting.values("pk")[:most].count()


def is_given_up() -> Q:
    """Failed of an error of ours, and no operator has dealt with it yet."""
    return Q(status=FAILED, failure=INTERNAL, attempts__gt=0)


def drop_given_up(row: Waits, *, operator: "User") -> None:
    """Leaves a row that was given up, locked by the caller, as it is, and those to look after
    without it: its attempts are forgotten. Dropping a dropped one changes nothing."""
    if row.attempts:
        type(row)._default_manager.filter(pk=row.pk).update(attempts=0)
        changed(operator, row, "dropped", attempts=0)
        row.attempts = 0


class WaitingRows(ABC, Generic[R]):
    """`shop.pools.kinds.QueueKind` for the rows of one model: `row` is made of its `columns`, whose
    first is the id, and is all that settling reads of it."""

    model: ClassVar[type[Waits]]
    columns: ClassVar[Sequence[Any]]
    row: ClassVar[Callable[..., Any]]
    # Since when a row waits.
    since: ClassVar[Any] = F("created_at")

    @abstractmethod
    def settle(self, rows: Sequence[R]) -> None:
        """Each of the rows, all locked, gets its units or fails."""

    @abstractmethod
    def give_up(self, row: R) -> None:
        """Ends a row, locked, whose settling has failed as often as the settings allow."""

    def waiting(self) -> Sequence[int]:
        rows = self._rows().filter(queue__isnull=False).order_by("queue_id")
        return list(rows.values_list("queue_id", flat=True).distinct())

    def pending(
        self, queue_id: int, *, most: int, only: Collection[int] | None, without: Collection[int]
    ) -> Sequence[R]:
        rows = self._rows().filter(queue_id=queue_id).order_by("pk")
        if only is not None:
            rows = rows.filter(pk__in=only)
        if without:
            rows = rows.exclude(pk__in=without)
        locked = rows.select_for_update(skip_locked=True)
        return [self._read(row) for row in locked.values_list(*self.columns)[:most]]

    def waits(self, queue_id: int, *, without: Collection[int]) -> bool:
        return self._rows().filter(queue_id=queue_id).exclude(pk__in=without).exists()

    def depth(self, queue_id: int, *, most: int) -> int:
        return _counted(self.model, queue_id, most=most)

    def waits_for(self, queue_id: int) -> float:
        return age(self._rows().filter(queue_id=queue_id).order_by("pk"), self.since)

    def waited(self) -> float:
        """Seconds that the first row of any queue has waited at most; 0.0 where nothing waits."""
        waiting = self._rows().filter(queue__isnull=False).order_by()
        # The first of each queue, by the index that the queue has anyway.
        firsts = (
            waiting.values("queue_id").annotate(first=Min("pk")).values_list("first", flat=True)
        )
        return age(self._rows().filter(pk__in=list(firsts)).order_by(self.since), self.since)

    def failed(self, row_id: int) -> None:
        waiting = self._rows().select_for_update().filter(pk=row_id, queue__isnull=False)
        for row in list(waiting.values_list(*self.columns)):
            waiting.update(attempts=F("attempts") + 1)
            if waiting.filter(attempts__gte=settings.DRAIN_ATTEMPTS).exists():
                self.give_up(self._read(row))

    def _rows(self) -> models.QuerySet[Any]:
        return self.model._default_manager.all()

    def _read(self, row: Sequence[Any]) -> R:
        read: R = type(self).row(*row)
        return read
