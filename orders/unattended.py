"""What becomes of paid orders by the clock alone: accepted, refused when the merchant does not
answer, completed some days after they were sent. Each where the shop's settings say so.

Sweepers call these; any number may run at once, since each locks its own orders and skips those of
others. An order that somebody asks a refund of waits for the answer to that, whatever its time is;
so does a prize before it is refused, for nobody wins it twice.
"""

from datetime import timedelta

from django.conf import settings
from django.db.models import DateTimeField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from orders.models import Order, OrderMove
from orders.refunds.models import RefundRequest
from orders.refunds.services import refuse_rest
from orders.selectors import orders_now
from orders.states import State
from orders.transitions import move
from shop import transactions
from shop.pools import services as pools
from shop.pools.services import Claim

# Orders of one sweep: a lock on each is held until all are moved.
BATCH = 100
SWEEPER = "sweeper"


def orders_accept() -> int:
    """Accepts one batch of paid orders, where the shop accepts all; returns how many."""
    if not settings.ORDER_AUTO_ACCEPT:
        return 0

    def write() -> int:
        orders = _locked(Q(status=State.PAID))
        if orders:
            move(orders, State.ACCEPTED, actor=SWEEPER)
        return len(orders)

    return transactions.run(write)


def orders_refuse() -> int:
    """Refuses one batch of paid orders that the merchant has not answered in time: units and money
    go back; returns how many."""
    if not settings.ORDER_REFUSE_SECONDS:
        return 0
    unanswered = Q(status=State.PAID, paid_at__lte=_ago(seconds=settings.ORDER_REFUSE_SECONDS))

    def write() -> int:
        orders = _locked(unanswered & ~Q(kind=Order.Kind.PRIZE))
        returned: list[Claim] = []
        for order in orders:
            returned += refuse_rest(order, actor=SWEEPER, operator=None, reason="no answer")
        pools.give_back(returned)
        return len(orders)

    return transactions.run(write)


def orders_complete() -> int:
    """Completes one batch of orders that were sent long enough ago; returns how many."""
    days = settings.ORDER_COMPLETE_DAYS
    if not days:
        return 0
    sent = OrderMove.objects.filter(
        order=OuterRef("pk"), target=State.SHIPPED, created_at__lte=_ago(days=days)
    )
    # The index need not be read further: an order is sent after it is paid, and expires so long
    # after it could be; a prize never does.
    longest = days * 86_400 - settings.ORDER_PAY_SECONDS
    placed = Q(expires_at__lte=_ago(seconds=longest)) | Q(expires_at=None)

    def write() -> int:
        orders = _locked(placed & Q(Exists(sent), status=State.SHIPPED))
        if orders:
            move(orders, State.COMPLETED, actor=SWEEPER)
        return len(orders)

    return transactions.run(write)


def _locked(due: Q) -> list[Order]:
    """Of the orders that are due a batch, the first to expire first, through the index over state
    and that moment."""
    still_open = RefundRequest.objects.filter(status=RefundRequest.Status.REQUESTED)
    orders: QuerySet[Order] = orders_now(Order.objects.select_for_update(skip_locked=True))
    is_asked_for = Exists(still_open.filter(order=OuterRef("pk")))
    batch = list(orders.filter(due, ~is_asked_for).order_by("expires_at")[:BATCH])
    # Looked at again: what was asked for while that statement ran, it has not seen.
    asked_for = set(still_open.filter(order__in=batch).values_list("order_id", flat=True))
    return [order for order in batch if order.pk not in asked_for]


def _ago(**distance: float) -> Combinable:
    return ExpressionWrapper(Now() - timedelta(**distance), output_field=DateTimeField())
