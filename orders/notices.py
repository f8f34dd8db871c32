"""What shoppers are told of their orders: each in the transaction in which it happens.

An order that is placed, or paid for at once because nothing is to pay, is told by the answer to
whoever placed it: that path writes no notice.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from orders.models import Order
from orders.states import State
from shop.notices.events import Event, register
from shop.notices.services import News, tell

if TYPE_CHECKING:
    from orders.payments.models import Refund

ORDER = frozenset({"order_no", "title", "count", "total_fen"})

PAID = register(Event("order_paid", _("order paid"), ORDER))
REFUSED = register(Event("order_refused", _("order refused"), ORDER))
SHIPPED = register(Event("order_shipped", _("order shipped"), ORDER | {"courier", "tracking_no"}))
EXPIRED = register(Event("order_expired", _("order expired"), ORDER))
REFUNDED = register(
    Event("order_refunded", _("money paid back"), ORDER | {"refund_no", "refund_fen"})
)

BY_STATE: Mapping[State, Event] = {
    State.PAID: PAID,
    State.SHIPPED: SHIPPED,
    State.EXPIRED: EXPIRED,
}


def orders_moved(orders: Sequence[Order], target: State) -> None:
    """Tells of a move that says by itself what happened."""
    if event := BY_STATE.get(target):
        tell(event, (_news(event, order) for order in orders))


def order_refused(order: Order) -> None:
    """The merchant does not take it; of its money another notice tells, once it is back."""
    tell(REFUSED, [_news(REFUSED, order)])


def order_refunded(order: Order, refund: "Refund") -> None:
    """Money of an order is back, all of it or a part; each time is told by itself."""
    facts = _facts(order) | {"refund_no": refund.refund_no, "refund_fen": refund.amount_fen}
    tell(REFUNDED, [News(order.user_id, refund.refund_no, facts)])


def _news(event: Event, order: Order) -> News:
    facts = _facts(order)
    if event is SHIPPED:
        facts |= {"courier": order.courier, "tracking_no": order.tracking_no}
    return News(order.user_id, order.order_no, facts)


def _facts(order: Order) -> dict[str, str | int]:
    return {
        "order_no": order.order_no,
        "title": order.snapshot[0]["goods_title"],
        "count": sum(line["count"] for line in order.snapshot),
        "total_fen": order.total_fen,
    }
