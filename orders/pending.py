"""Orders that wait: how the drain finds and settles them, and what gates know of them
(`shop.pools.kinds`)."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from django.db.models import Count, Q
from django.db.models.functions import Now
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from goods.sales.figures import Failures, order_counts
from goods.sales.models import POOL_KIND, FlashSale
from goods.sales.selectors import gate_terms
from goods.sales.services import QUEUE_KIND
from orders.models import Order
from orders.settlement import PendingOrder, settle_pending, units_asked, write_failed
from orders.states import State
from shop.errors import Ended, PermissionDenied, PurchaseLimit, SoldOut
from shop.pools.kinds import GateTerms, pool_kinds, queue_kinds
from shop.pools.models import Queue
from shop.pools.waiting import INTERNAL, WaitingRows

# The queue of cart checkout; each sale has one of its own.
CHECKOUT = "checkout"
# The words for operators; clients are told the codes.
FAILURE_LABELS: Mapping[str, "str | Promise"] = {
    SoldOut.code: _("sold out"),
    PurchaseLimit.code: _("limit per shopper reached"),
    Ended.code: _("sale was over"),
    PermissionDenied.code: _("shopper is disabled"),
    INTERNAL: _("error of ours"),
}
# Orders of one sale that operators' figures look at.
NEWEST = 5_000
# What settling reads of an order, by the fields of PendingOrder.
SETTLED_FROM = ("pk", "order_no", "user_id", "snapshot", "total_fen", "from_cart", Now())


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
        waiting = Order.objects.filter(queue_id__in=queue_ids).order_by()
        counted = waiting.values_list("queue_id").annotate(orders=Count("pk"))
        return {queue_id: orders for queue_id, orders in counted if queue_id is not None}

    def failed(self, sale: FlashSale) -> Failures:
        newest = Order.objects.filter(sale=sale).order_by("-pk")
        seen = list(newest.values_list("status", "failure")[: NEWEST + 1])
        looked_at = seen[:NEWEST]
        causes = Counter(failure for status, failure in looked_at if status == State.FAILED)
        return Failures(
            [(FAILURE_LABELS.get(code, code), count) for code, count in causes.most_common()],
            looked_at=len(looked_at),
            all_seen=len(seen) == len(looked_at),
        )


queue_kinds[QUEUE_KIND] = OrderQueue()
pool_kinds[POOL_KIND] = SalePool()
order_counts[QUEUE_KIND] = SaleOrders()


def was_given_up() -> Q:
    """Failed of an error of ours, and no operator has dealt with it yet. Nothing that failed ever
    had a time to expire, so the index order_due finds what failed."""
    return Q(status=State.FAILED, expires_at=None, failure=INTERNAL, attempts__gt=0)


def checkout_queue() -> int:
    """The id of the queue of cart checkout."""
    if CHECKOUT not in _queues:
        queue, _ = Queue.objects.get_or_create(name=CHECKOUT, defaults={"kind": QUEUE_KIND})
        _queues[CHECKOUT] = queue.pk
    return _queues[CHECKOUT]


_queues: dict[str, int] = {}
