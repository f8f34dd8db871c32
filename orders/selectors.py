"""Orders as they stand now: reading them, and locking one to move it.

Time is a predicate. An unpaid order past `expires_at` *is* expired, or closing while a payment is
open, whether or not a sweeper has been there; so every read goes through `orders_now`.
"""

from typing import TYPE_CHECKING, Any

from django.db.models import Case, CharField, Exists, F, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Now

from orders.models import Order
from orders.payments.models import OPEN, Payment
from orders.states import State
from shop.errors import NotFound

if TYPE_CHECKING:
    from shop.accounts.models import User


def is_overdue() -> Q:
    """Unpaid past its time, by the database's clock."""
    return Q(status=State.UNPAID, expires_at__lte=Now())


def orders_now(orders: QuerySet[Order]) -> QuerySet[Order]:
    """`orders` with `status_now`, the state that holds at this moment, and `db_now`, the moment."""
    has_open_payment = Exists(Payment.objects.filter(order=OuterRef("pk"), status__in=OPEN))
    return orders.annotate(  # type: ignore[no-redef]  # declared on the model, filled here
        db_now=Now(),
        status_now=Case(
            When(is_overdue() & has_open_payment, then=Value(State.CLOSING.value)),
            When(is_overdue(), then=Value(State.EXPIRED.value)),
            default=F("status"),
            output_field=CharField(),
        ),
    )


def orders_of(user: "User", *, status: str | None = None) -> QuerySet[Order]:
    """A shopper's orders as they stand now, newest first; `status` keeps those in that state."""
    orders = orders_now(Order.objects.filter(user=user)).order_by("-pk")
    return orders.filter(status_now=status) if status else orders  # type: ignore[misc]


def order_of(user: "User", order_no: str) -> Order:
    """One order of this shopper as it stands now. Raises NotFound, also for somebody else's."""
    order = orders_of(user).filter(order_no=order_no).first()
    if order is None:
        raise NotFound
    return order


def order_locked(**lookup: Any) -> Order:
    """The one order that fits `lookup`, its row locked until the transaction ends, as it stands
    now. Raises NotFound."""
    order = orders_now(Order.objects.select_for_update()).filter(**lookup).first()
    if order is None:
        raise NotFound
    return order
