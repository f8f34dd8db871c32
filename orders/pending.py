"""Orders that wait: how the drain finds and settles them (`shop.pools.kinds`), and how a request
tells that too many do."""

import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from django.conf import settings
from django.db.models import F
from django.db.models.functions import Now

from goods.sales.models import POOL_KIND
from goods.sales.selectors import gate_terms
from goods.sales.services import QUEUE_KIND
from orders.models import Order
from orders.settlement import settle_pending, write_failed
from orders.states import State
from shop.errors import Busy
from shop.pools.kinds import GateTerms, pool_kinds, queue_kinds
from shop.pools.models import Queue

# The queue of cart checkout; each sale has one of its own.
CHECKOUT = "checkout"
# What an order failed of whose settling ended in an error of ours, time and again.
INTERNAL = "internal"
# What settling reads of an order; the rest of the row stays where it is.
SETTLED_FROM = ("order_no", "user_id", "snapshot", "total_fen", "from_cart", "status")
# A count of the waiting serves this process for so many seconds, where it may be large.
COUNT_SECONDS = 0.2
SMALL = 200


class OrderQueue:
    """`shop.pools.kinds.QueueKind` for orders."""

    def waiting(self) -> Sequence[int]:
        rows = Order.objects.filter(queue__isnull=False)
        return list(rows.order_by("queue_id").values_list("queue_id", flat=True).distinct())

    def pending(
        self, queue_id: int, *, most: int, only: Collection[int] | None, without: Collection[int]
    ) -> Sequence[Order]:
        rows = Order.objects.filter(queue_id=queue_id).order_by("pk")
        if only is not None:
            rows = rows.filter(pk__in=only)
        if without:
            rows = rows.exclude(pk__in=without)
        locked = rows.select_for_update(skip_locked=True).only(*SETTLED_FROM)
        return list(locked.annotate(db_now=Now())[:most])  # type: ignore[no-redef]

    def settle(self, rows: Sequence[Any]) -> None:
        settle_pending(rows, now=rows[0].db_now)

    def failed(self, row_id: int) -> None:
        order = Order.objects.select_for_update().get(pk=row_id)
        if order.status != State.PENDING:
            return
        Order.objects.filter(pk=row_id).update(attempts=F("attempts") + 1)
        if order.attempts + 1 >= settings.DRAIN_ATTEMPTS:
            write_failed([order], {order.pk: INTERNAL})


class SalePool:
    """`shop.pools.kinds.PoolKind` for flash sales."""

    def gate_terms(self, pool_id: int) -> GateTerms:
        return gate_terms(pool_id)

    def pending(self, pool_id: int) -> Mapping[int, int]:
        users: Counter[int] = Counter()
        waiting = Order.objects.filter(queue__sale__pool_id=pool_id)
        for user_id, snapshot in waiting.values_list("user_id", "snapshot"):
            users[user_id] += sum(line["count"] for line in snapshot)
        return users

    def keys(self, pool_id: int) -> Iterable[tuple[int, str]]:
        orders = Order.objects.filter(sale__pool_id=pool_id).order_by("pk")
        return orders.values_list("user_id", "idempotency_key").iterator(chunk_size=5_000)


queue_kinds[QUEUE_KIND] = OrderQueue()
pool_kinds[POOL_KIND] = SalePool()


def checkout_queue() -> int:
    """The id of the queue of cart checkout."""
    if CHECKOUT not in _queues:
        queue, _ = Queue.objects.get_or_create(name=CHECKOUT, defaults={"kind": QUEUE_KIND})
        _queues[CHECKOUT] = queue.pk
    return _queues[CHECKOUT]


_queues: dict[str, int] = {}
_counts: dict[int, tuple[float, int]] = {}


def refuse_when_full(queue_id: int, *, limit: int) -> None:
    """Raises Busy when `limit` orders wait in the queue: it can't be emptied as fast as it fills.

    A large number is counted a few times a second only, so it may be passed by what comes in
    between.
    """
    counted_at, count = _counts.get(queue_id, (0.0, 0))
    if limit <= SMALL or time.monotonic() - counted_at > COUNT_SECONDS:
        count = Order.objects.filter(queue_id=queue_id).order_by().values("pk")[:limit].count()
        _counts[queue_id] = (time.monotonic(), count)
    if count >= limit:
        raise Busy
