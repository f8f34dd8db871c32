"""Orders for what somebody has won: nothing to pay, and a unit that was set apart long before."""

from datetime import datetime

from goods.models import Sku
from orders.models import Order
from orders.placement import CREATED
from orders.settlement import insert_lines
from orders.states import State
from shop.api.idempotency import insert
from shop.numbers import new_number

# In place of the route and key of a request: an order carries its key, or its draw.
ROUTE = "draw"


def prize_order_create(
    *, user_id: int, sku: Sku, reference: str, draw: str, now: datetime
) -> Order:
    """Stores the order of one unit of `sku`, paid for, in the caller's transaction; `now` is the
    database's clock.

    The unit was taken under `reference` and is the order's from here on; where it goes is said
    later. `draw`: what it was won in. Raises IntegrityError when that has an order of the user's.
    """
    order = Order(
        user_id=user_id,
        idempotency_route=ROUTE,
        idempotency_key=draw,
        request_hash="",
        first_status=CREATED,
        order_no=new_number(now),
        kind=Order.Kind.PRIZE,
        status=State.PAID,
        snapshot=[
            {
                "sku": sku.pk,
                "pool": sku.pool_id,
                "goods_title": sku.goods.title,
                "spec": sku.spec,
                "price_fen": 0,
                "count": 1,
            }
        ],
        goods_fen=0,
        freight_fen=0,
        total_fen=0,
        created_at=now,
        paid_at=now,
    )
    insert(order)
    insert_lines([order], reference=reference)
    return order
