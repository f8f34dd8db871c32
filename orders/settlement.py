"""The only code that turns accepted orders into taken units.

Checkout calls it with one order inside the request's transaction. It writes what is the order's
own first and the pools' counters last, so that a hot counter is locked for one statement and the
commit.
"""

from collections.abc import Mapping, Sequence

from orders.models import Order, OrderLine
from shop.pools import services as pools
from shop.pools.strategies import Take
from shop.statements import insert


def settle(orders: Sequence[Order], *, strategies: Mapping[int, str]) -> None:
    """Writes the lines of `orders` from their snapshots and takes their units, all or none.

    `strategies`: pool id -> the pool's own strategy, "" for the setting. Raises Shortage, Closed
    or Busy; the caller rolls back.
    """
    insert(
        [
            OrderLine(
                order=order,
                sku_id=line["sku"],
                pool_id=line["pool"],
                price_fen=line["price_fen"],
                count=line["count"],
            )
            for order in orders
            for line in order.snapshot
        ]
    )
    for order in orders:
        pools.take(
            [Take(line["pool"], line["count"]) for line in order.snapshot],
            strategies=strategies,
            reference=order.order_no,
        )
