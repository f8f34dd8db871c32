"""How an order's state moves and how it gives its units back: for every service of this app.

A move is an UPDATE on the condition that the old state allows it, in the caller's transaction, with
its line of history and, when an operator moves it, one in the operators' log. Who moves an order
out of a state that holds units also gives them back, there; its coupon is given back by the move.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db.models import F

from orders import notices
from orders.coupons.using import coupons_return
from orders.models import Order, OrderLine, OrderMove
from orders.states import State, sources
from shop.errors import OrderState
from shop.operators_log import changed
from shop.pools import services as pools
from shop.pools.services import Claim
from shop.pools.strategies import Take

if TYPE_CHECKING:
    from shop.accounts.models import User

# A dead order has no coupon. A whole refund has it back as soon as it is decided, as units are.
LETS_COUPON_GO = frozenset(
    {State.CANCELLED, State.EXPIRED, State.FAILED, State.REFUNDING, State.REFUNDED}
)


def move(
    orders: Sequence[Order],
    target: State,
    *,
    actor: str,
    operator: "User | None" = None,
    reason: str = "",
    **changes: Any,
) -> None:
    """Moves all of `orders`, whose rows the caller has locked, to `target`; `changes` are further
    columns. Raises OrderState, with nothing of it kept, when one of them is not in a state that
    allows it."""
    allowed = sources(target)
    for order in orders:
        if order.status not in allowed:
            raise OrderState(order_status=order.status)
    moved = Order.objects.filter(pk__in=[order.pk for order in orders], status__in=allowed).update(
        status=target, **changes
    )
    if moved != len(orders):
        raise OrderState(order_status=orders[0].status)
    OrderMove.objects.bulk_create(
        OrderMove(
            order=order,
            source=order.status,
            target=target,
            actor=actor,
            operator=operator,
            reason=reason,
        )
        for order in orders
    )
    if operator is not None:
        for order in orders:
            said = f"{target}: {reason}" if reason else str(target)
            changed(operator, order, said, status=target, **changes)
    if target in LETS_COUPON_GO:
        coupons_return(orders)
    for order in orders:
        order.status = target
        for column, value in changes.items():
            setattr(order, column, value)
    notices.orders_moved(orders, target)


def release(orders: Sequence[Order]) -> None:
    """Gives back all units that `orders` still hold. Touches the counters: call it last."""
    lines = OrderLine.objects.filter(order__in=orders, given_back__lt=F("count"))
    returns: dict[int, list[Take]] = defaultdict(list)
    for line in lines:
        returns[line.order_id].append(Take(line.pool_id, line.count - line.given_back))
    lines.update(given_back=F("count"))
    pools.give_back(
        [
            Claim(order.order_no, order.user_id, returns[order.pk])
            for order in orders
            if order.pk in returns
        ]
    )
