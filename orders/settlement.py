"""The only code that turns accepted orders into taken units.

Checkout settles one order inside the request's transaction, by its pools' strategies; the drain
settles hundreds that were stored as pending, in the order they came, with one take per pool. Both
write what is the order's own and leave the hot counters to `shop.pools`.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F

from orders.models import CartItem, Order, OrderLine, OrderMove
from orders.states import State
from shop import errors
from shop.accounts.models import User
from shop.numbers import new_number
from shop.pools import gate
from shop.pools import services as pools
from shop.pools.limits import LimitReached
from shop.pools.services import Claim, Terms
from shop.pools.strategies import Closed, Shortage, Take
from shop.statements import insert

# What a pool's refusal is called in an order that failed of it.
FAILURES: Mapping[type[Exception], str] = {
    Shortage: errors.SoldOut.code,
    LimitReached: errors.PurchaseLimit.code,
    Closed: errors.Ended.code,
}


def settle(order: Order, *, terms: Mapping[int, Terms]) -> None:
    """Writes the lines of one new order from its snapshot and takes their units, all or none.

    `terms`: by pool id. Raises LimitReached, Shortage, Closed or Busy; the caller rolls back.
    """
    claim = claim_of(order)
    insert(list(_lines([order], reference=claim.reference)))
    pools.take(claim, terms=terms)


def settle_pending(orders: Sequence[Order], *, now: datetime) -> None:
    """Settles orders that wait, whose rows the caller has locked: each becomes `unpaid` (`paid`
    where nothing is to pay) with its units, or `failed` without any. `now`: the database's clock.
    """
    failures = _disabled(orders)
    candidates = [order for order in orders if order.pk not in failures]
    reference = f"batch-{new_number(now)}"
    verdicts = pools.take_batch([claim_of(order) for order in candidates], reference=reference)
    settled = []
    for order, refusal in zip(candidates, verdicts, strict=True):
        if refusal is None:
            settled.append(order)
        else:
            failures[order.pk] = FAILURES[type(refusal)]
    _write_settled(settled, reference=reference, now=now)
    write_failed([order for order in orders if order.pk in failures], failures)


def claim_of(order: Order) -> Claim:
    """What the order takes, by its snapshot."""
    return Claim(
        order.order_no,
        order.user_id,
        [Take(line["pool"], line["count"]) for line in order.snapshot],
    )


def write_failed(orders: Sequence[Order], failures: Mapping[int, str]) -> None:
    """Moves pending `orders` to `failed`, each with the code that `failures` (order id -> code)
    has for it; their gates hear of it."""
    by_code: dict[str, list[Order]] = defaultdict(list)
    for order in orders:
        by_code[failures[order.pk]].append(order)
    for code, failed in by_code.items():
        _move(failed, State.FAILED, failure=code)
    tell_gates(orders)


def tell_gates(orders: Iterable[Order]) -> None:
    """The units that pending `orders` were let through for can be had again."""
    returned: dict[tuple[int, int], int] = defaultdict(int)
    for order in orders:
        for line in order.snapshot:
            returned[line["pool"], order.user_id] += line["count"]
    gate.give_back_after_commit(returned)


def _write_settled(orders: Sequence[Order], *, reference: str, now: datetime) -> None:
    if not orders:
        return
    insert(list(_lines(orders, reference=reference)))
    for order in orders:
        if order.from_cart:
            _lose_cart(order)
    free = [order for order in orders if order.total_fen == 0]
    owing = [order for order in orders if order.total_fen > 0]
    _move(owing, State.UNPAID, expires_at=now + timedelta(seconds=settings.ORDER_PAY_SECONDS))
    _move(free, State.PAID, paid_at=now)


def _move(orders: Sequence[Order], target: State, **changes: object) -> None:
    """Moves locked, pending orders: `orders.transitions.move` for hundreds at once."""
    if not orders:
        return
    ids = [order.pk for order in orders]
    Order.objects.filter(pk__in=ids).update(status=target, queue=None, **changes)
    insert(
        [OrderMove(order_id=pk, source=State.PENDING, target=target, actor="drain") for pk in ids]
    )


def _lines(orders: Iterable[Order], *, reference: str) -> Iterable[OrderLine]:
    for order in orders:
        for line in order.snapshot:
            yield OrderLine(
                order_id=order.pk,
                sku_id=line["sku"],
                pool_id=line["pool"],
                reference=reference,
                price_fen=line["price_fen"],
                count=line["count"],
            )


def _lose_cart(order: Order) -> None:
    """Takes what was ordered out of the cart as it is now: what was added since stays."""
    for line in order.snapshot:
        mine = CartItem.objects.filter(user_id=order.user_id, sku_id=line["sku"])
        if not mine.filter(count__lte=line["count"]).delete()[0]:
            mine.update(count=F("count") - line["count"])


def _disabled(orders: Sequence[Order]) -> dict[int, str]:
    """Order id -> failure, for orders of users who may not buy any more."""
    active = set(
        User.objects.filter(pk__in={order.user_id for order in orders}, is_active=True).values_list(
            "pk", flat=True
        )
    )
    return {
        order.pk: errors.PermissionDenied.code for order in orders if order.user_id not in active
    }
