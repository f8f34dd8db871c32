"""The drain: settles what waits in a queue, oldest first, many at a time, one drain per queue.

The lease is the queue's row lock, in the same transaction as the writes; whoever finds it taken
leaves, since the holder looks once more after it has let go. A batch that fails is halved until the
row that makes it fail stands alone: that one is counted and left for the next ring, all others
are settled.
"""

import logging
import time
from collections.abc import Collection, Sequence

from django.conf import settings
from prometheus_client import Histogram

from shop import transactions
from shop.errors import Refusal
from shop.failpoints import failpoint
from shop.pools.kinds import QueueKind, queue_kinds
from shop.pools.models import Queue

logger = logging.getLogger(__name__)

# A drain yields after this long, so that one hot queue starves no other.
BUDGET_SECONDS = 2.0
# Between two batches that were not full: larger batches cost less an order, and nobody waits long.
PACE_SECONDS = 0.04

SETTLED = Histogram(
    "shop_drain_batch_size",
    "Rows settled in one transaction.",
    buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500),
)


class _TakenByAnother(Exception):
    """Somebody else drains this queue now."""


def drain(queue_id: int, *, linger: float = 0.0) -> bool:
    """Settles what waits in the queue; returns whether something may be left.

    `linger`: seconds without further work after which it leaves. A drain that stays a little longer
    than bells are apart finds what they would have told, so that they can be rare.

    Raises Busy, Unavailable: what waits goes on waiting, the next ring tries again.
    """
    draining = _Draining(queue_id)
    # A bell that others have answered already must cost next to nothing: in a rush there are many,
    # and whoever rings for another queue stands behind them. So nobody lingers who found nothing.
    now = idle_until = time.monotonic()
    deadline = now + BUDGET_SECONDS
    while now < deadline:
        try:
            settled = draining.batch()
        except _TakenByAnother:
            return False
        if settled:
            idle_until = time.monotonic() + linger
        elif time.monotonic() >= idle_until:
            # What came during this last look has found the queue taken.
            return draining.has_more()
        if settled < settings.DRAIN_BATCH:
            time.sleep(PACE_SECONDS)
        now = time.monotonic()
    return True


def waiting() -> list[int]:
    """The queues of every kind that something waits in."""
    return [queue_id for kind in queue_kinds.values() for queue_id in kind.waiting()]


def has_waiting(queue_id: int) -> bool:
    """Whether something waits in the queue, whose row the caller has locked."""
    kind = queue_kinds[Queue.objects.get(pk=queue_id).kind]
    return bool(kind.pending(queue_id, most=1, only=None, without=()))


class _Draining:
    def __init__(self, queue_id: int) -> None:
        self._queue_id = queue_id
        self._kind: QueueKind = queue_kinds[Queue.objects.get(pk=queue_id).kind]
        # Rows that failed alone, left for the next ring.
        self._left_alone: set[int] = set()
        self._ids: Sequence[int] = ()

    def batch(self) -> int:
        """Settles one batch; returns how many rows it dealt with. Raises _TakenByAnother."""
        try:
            return self._settle(only=None)
        except (Refusal, _TakenByAnother):
            raise
        except Exception:  # noqa: BLE001  # whatever it is, it must not hold up the others
            return self._split(self._ids)

    def has_more(self) -> bool:
        """Whether something has come since the last batch."""
        return self._kind.waits(self._queue_id, without=self._left_alone)

    def _split(self, ids: Sequence[int]) -> int:
        """Settles `ids`, of which one at least makes the rest fail."""
        middle = len(ids) // 2
        for part in (ids[:middle], ids[middle:]) if len(ids) > 1 else (ids,):
            try:
                self._settle(only=part)
            except (Refusal, _TakenByAnother):
                raise
            except Exception:  # noqa: BLE001  # as above
                if len(part) > 1:
                    self._split(part)
                else:
                    self._give_up(part[0])
        return len(ids)

    def _settle(self, *, only: Collection[int] | None) -> int:
        def work() -> int:
            lease = Queue.objects.for_draining().filter(pk=self._queue_id)
            if not list(lease.values_list("pk")):
                raise _TakenByAnother
            rows = self._kind.pending(
                self._queue_id, most=settings.DRAIN_BATCH, only=only, without=self._left_alone
            )
            self._ids = [row.pk for row in rows]
            if rows:
                failpoint("drain.before")
                self._kind.settle(rows)
                failpoint("drain.settled")
            return len(rows)

        settled = transactions.run(work)
        if settled:
            failpoint("drain.after")
            SETTLED.observe(settled)
        return settled

    def _give_up(self, row_id: int) -> None:
        logger.exception("drain: settling row %s of queue %s failed", row_id, self._queue_id)
        self._left_alone.add(row_id)
        try:
            transactions.run(lambda: self._kind.failed(row_id))
        except Refusal:
            raise
        except Exception:
            # It stays where it is, which the audit tells of; the others go on.
            logger.exception("drain: row %s can't be given up", row_id)
