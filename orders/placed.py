"""How a POST that placed an order is answered: shape, status and headers. No decisions."""

from orders import selectors
from orders.models import Order
from orders.placement import ACCEPTED
from orders.serializers import OrderSerializer
from shop.api.idempotency import REPLAYED, Answer
from shop.api.placed import Placed


def placed(answer: Answer[Order]) -> Placed:
    """The order as it is now when this is a repeat; where it waits to be settled, with where to
    look for it and when."""
    order = answer.row
    if answer.replayed:
        order = selectors.order_of(order.user, order.order_no)
    headers = dict(REPLAYED) if answer.replayed else {}
    if order.first_status == ACCEPTED:
        headers |= {"Location": f"/api/v1/orders/{order.order_no}", "Retry-After": "1"}
        if order.kind == Order.Kind.FLASH_SALE and not answer.replayed:
            pending = {"order_no": order.order_no, "status": order.status}
            return Placed(pending, order.first_status, headers)
    return Placed(OrderSerializer(order).data, order.first_status, headers)
