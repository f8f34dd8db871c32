"""Orders that wait: how the drain finds and settles them, and what gates know of them
(`shop.pools.kinds`)."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db.models import Q
from django.db.models.functions import Now

from goods.sales.figures import order_counts
from goods.sales.models import POOL_KIND, FlashSale
from goods.sales.selectors import gate_terms
from goods.sales.services import QUEUE_KIND
from orders.models import Order
from orders.settlement import PendingOrder, settle_pending, units_asked, write_failed
from orders.states import State
from shop.pools.figures import Failures, failures_among, waiting_in
from shop.pools.kinds import GateTerms, pool_kinds, queue_kinds
from shop.pools.live import Funnel, counted
from shop.pools.models import Queue
from shop.pools.waiting import INTERNAL, WaitingRows, is_given_up

# The queue of cart checkout; each sale has one of its own.
CHECKOUT = "checkout"
# What settling reads of an order, by the fields of PendingOrder.
SETTLED_FROM = (
    "pk",
    "order_no",
    "user_id",
    "snapshot",
    "total_fen",
    "from_cart",
    "coupon_id",
    Now(),
)

# How far orders have come, whatever became of them afterwards, and where they have left that way.
# What was settled had a time to be paid in, or nothing to be paid.
_PAID = Q(paid_at__isnull=False)
FUNNEL: Mapping[str, Q] = {
    "placed": ~Q(status=""),
    "settled": Q(expires_at__isnull=False) | _PAID,
    "paid": _PAID,
    "shipped": ~Q(courier=""),
    "gone": Q(status__in=(State.CANCELLED, State.EXPIRED)),
    "failed": Q(status=State.FAILED),
}


class OrderQueue(WaitingRows[PendingOrder]):
    """`shop.pools.kinds.QueueKind` for orders."""

    model = Order
    columns = SETTLED_FROM
    row = PendingOrder

    def settle(self, rows: Sequence[PendingOrder]) -> None:
        settle_pending(rows)

    def give_up(self, row: PendingOrder) -> None:
        write_failed([row], {row.pk: INTERNAL})


class SalePool:
    """`shop.pools.kinds.PoolKind` for flash sales."""

    def gate_terms(self, pool_id: int) -> GateTerms:
        return gate_terms(pool_id)

    def pending(self, pool_id: int) -> Mapping[int, int]:
        users: Counter[int] = Counter()
        waiting = Order.objects.filter(queue__sale__pool_id=pool_id)
        for user_id, snapshot in waiting.values_list("user_id", "snapshot"):
            users[user_id] += units_asked(snapshot).get(pool_id, 0)
        return users

    def keys(self, pool_id: int) -> Iterable[tuple[int, str]]:
        orders = Order.objects.filter(sale__pool_id=pool_id).order_by("pk")
        return orders.values_list("user_id", "idempotency_key").iterator(chunk_size=5_000)


class SaleOrders:
    """`goods.sales.figures.OrderCounts`, each through an index."""

    def waiting(self, queue_ids: Collection[int]) -> Mapping[int, int]:
        return waiting_in(Order, queue_ids)

    def failed(self, sale: FlashSale) -> Failures:
        return failures_among(Order.objects.filter(sale=sale))

    def funnel(self, sale_id: int) -> Funnel:
        return counted(Order.objects.filter(sale_id=sale_id), FUNNEL)


queue_kinds[QUEUE_KIND] = OrderQueue()
pool_kinds[POOL_KIND] = SalePool()
order_counts[QUEUE_KIND] = SaleOrders()


def was_given_up() -> Q:
    """Failed of an error of ours, and no operator has dealt with it yet. Nothing that failed ever
    had a time to expire, so the index order_due finds what failed."""
    return is_given_up() & Q(expires_at=None)


def checkout_queue() -> int:
    """The id of the queue of cart checkout."""
    if CHECKOUT not in _queues:
        queue, _ = Queue.objects.get_or_create(name=CHECKOUT, defaults={"kind": QUEUE_KIND})
        _queues[CHECKOUT] = queue.pk
    return _queues[CHECKOUT]


_queues: dict[str, int] = {}
