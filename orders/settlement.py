"""The only code that turns accepted orders into taken units.

Checkout settles one order inside the request's transaction, by its pools' strategies; the drain
settles hundreds that were stored as pending, in the order they came, with one take per pool. Both
write what is the order's own and leave the hot counters to `shop.pools`.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import F

from orders.coupons.using import CouponCondition, Wish, coupon_use
from orders.models import CartItem, Order, OrderLine, OrderMove
from orders.states import State
from shop.accounts.selectors import disabled_among
from shop.errors import PermissionDenied
from shop.numbers import new_number
from shop.pools import gate
from shop.pools import services as pools
from shop.pools.batch import Grant, take_batch
from shop.pools.refusals import failure_of
from shop.pools.services import Claim, Terms
from shop.pools.strategies import Take
from shop.statements import insert_values

LINE = ("order_id", "sku_id", "pool_id", "reference", "price_fen", "count", "given_back")
# The history of hundreds of orders in one statement that carries nothing but their ids.
MOVED = f"""
    INSERT INTO {OrderMove._meta.db_table} (order_id, source, target, actor, reason, created_at)
    SELECT id, '{State.PENDING}', %s, 'drain', '', %s FROM {Order._meta.db_table}
    WHERE id IN """  # noqa: S608


@dataclass(frozen=True, slots=True)
class PendingOrder:
    """What settling needs of an order that waits, its row locked. `now`: the database's clock."""

    pk: int
    order_no: str
    user_id: int
    snapshot: Sequence[Mapping[str, Any]]
    total_fen: int
    from_cart: bool
    coupon_id: int | None
    now: datetime


def settle(order: Order, *, terms: Mapping[int, Terms]) -> None:
    """Writes the lines of one new order from its snapshot, uses its coupon and takes their units,
    all or none.

    `terms`: by pool id. Raises LimitReached, Shortage, Closed, CouponUnusable or Busy; the caller
    rolls back.
    """
    claim = claim_of(order)
    insert_lines([order], reference=claim.reference)
    if order.coupon_id is None:
        pools.take(claim, terms=terms)
    else:
        pools.take(claim, terms=terms, alongside=partial(coupon_use, order))


def settle_pending(orders: Sequence[PendingOrder]) -> None:
    """Settles orders that wait: each becomes `unpaid` (`paid` where nothing is to pay) with its
    units, or `failed` without any."""
    now = orders[0].now
    disabled = disabled_among({order.user_id for order in orders})
    failures = {order.pk: PermissionDenied.code for order in orders if order.user_id in disabled}
    candidates = [order for order in orders if order.pk not in failures]
    reference = f"batch-{new_number(now)}"
    verdicts = take_batch(
        [claim_of(order) for order in candidates],
        reference=reference,
        condition=_coupons_of(candidates),
    )
    settled = []
    for order, verdict in zip(candidates, verdicts, strict=True):
        if isinstance(verdict, Grant):
            settled.append(order)
        else:
            failures[order.pk] = failure_of(verdict)
    _write_settled(settled, reference=reference, now=now)
    write_failed([order for order in orders if order.pk in failures], failures)


def _coupons_of(orders: Sequence[PendingOrder]) -> CouponCondition | None:
    """What `orders` need of coupons; None where none has one."""
    wishes = {
        order.order_no: Wish(order.pk, order.coupon_id)
        for order in orders
        if order.coupon_id is not None
    }
    return CouponCondition(wishes) if wishes else None


def claim_of(order: Order | PendingOrder) -> Claim:
    """What the order takes, by its snapshot."""
    takes = [Take(line["pool"], line["count"]) for line in order.snapshot]
    return Claim(order.order_no, order.user_id, takes)


def write_failed(orders: Sequence[PendingOrder], failures: Mapping[int, str]) -> None:
    """Moves pending `orders` to `failed`, each with the code that `failures` (order id -> code)
    has for it; their gates hear of it."""
    by_code: dict[str, list[PendingOrder]] = defaultdict(list)
    for order in orders:
        by_code[failures[order.pk]].append(order)
    for code, failed in by_code.items():
        _move(failed, State.FAILED, now=orders[0].now, failure=code)
    tell_gates(orders)


def tell_gates(orders: Iterable[Order | PendingOrder]) -> None:
    """The units that pending `orders` were let through for can be had again."""
    returned: Counter[tuple[int, int]] = Counter()
    for order in orders:
        for pool_id, count in units_asked(order.snapshot).items():
            returned[pool_id, order.user_id] += count
    gate.give_back_after_commit(returned)


def units_asked(snapshot: Any) -> Mapping[int, int]:
    """Pool id -> units that an order with this snapshot waits for. One that can't be read, which is
    why its order fails, says nothing of units; its gate is corrected a moment later."""
    units: Counter[int] = Counter()
    with suppress(LookupError, TypeError):
        for line in snapshot:
            units[line["pool"]] += line["count"]
    return units


def _write_settled(orders: Sequence[PendingOrder], *, reference: str, now: datetime) -> None:
    if not orders:
        return
    insert_lines(orders, reference=reference)
    for order in orders:
        if order.from_cart:
            _lose_cart(order)
    free = [order for order in orders if order.total_fen == 0]
    owing = [order for order in orders if order.total_fen > 0]
    pay_until = now + timedelta(seconds=settings.ORDER_PAY_SECONDS)
    _move(owing, State.UNPAID, now=now, expires_at=pay_until)
    _move(free, State.PAID, now=now, paid_at=now)


def _move(
    orders: Sequence[PendingOrder], target: State, *, now: datetime, **changes: object
) -> None:
    """Moves locked, pending orders: `orders.transitions.move` for hundreds at once."""
    if not orders:
        return
    ids = [order.pk for order in orders]
    Order.objects.filter(pk__in=ids).update(status=target, queue=None, **changes)
    with connection.cursor() as cursor:
        moment = connection.ops.adapt_datetimefield_value(now)
        cursor.execute(f"{MOVED}({', '.join(['%s'] * len(ids))})", [target, moment, *ids])


def insert_lines(orders: Iterable[Order | PendingOrder], *, reference: str) -> None:
    """Stores the lines that the orders' snapshots promise; the movement `reference` took them."""
    insert_values(
        OrderLine,
        LINE,
        [
            (order.pk, line["sku"], line["pool"], reference, line["price_fen"], line["count"], 0)
            for order in orders
            for line in order.snapshot
        ],
    )


def _lose_cart(order: PendingOrder) -> None:
    """Takes what was ordered out of the cart as it is now: what was added since stays."""
    for line in order.snapshot:
        mine = CartItem.objects.filter(user_id=order.user_id, sku_id=line["sku"])
        if not mine.filter(count__lte=line["count"]).delete()[0]:
            mine.update(count=F("count") - line["count"])
