"""What coupons promise, as checks of `manage.py audit`: their issue, whose they are, and what they
take off.

The SQL names tables directly, and reads ranges of ids: see `shop.pools.audit`.
"""

import json
from collections.abc import Mapping
from typing import Any

from orders.coupons.models import Coupon
from orders.pricing import Freight, NoDiscount, PricedItem, discount_of, price, terms_of
from orders.states import State
from orders.transitions import LETS_COUPON_GO
from shop.pools.audit import NAMED, Finding, Holder, Snapshot, holders, promise, repeated_keys

holders.append(
    Holder(
        "coupons_issuedcoupon",
        """
        SELECT i.id AS row_id, i.pool_id AS pool_id, i.user_id AS user_id, i.coupon_no AS took,
               i.coupon_no AS returned, 1 AS taken, 0 AS given_back
        FROM coupons_issuedcoupon i
        """,
    )
)

# --- 1

MISISSUED = """
    SELECT c.id, c.total, c.pool_id, p.available + p.taken
    FROM coupons_coupon c LEFT JOIN pools_pool p ON p.id = c.pool_id
    WHERE c.id BETWEEN %(low)s AND %(high)s
      AND (p.id IS NULL OR c.total <> p.available + p.taken)
"""
FOREIGN = """
    SELECT i.coupon_no, i.pool_id, i.coupon_id
    FROM coupons_issuedcoupon i LEFT JOIN coupons_coupon c ON c.id = i.coupon_id
    WHERE i.id BETWEEN %(low)s AND %(high)s AND (c.id IS NULL OR c.pool_id <> i.pool_id)
"""


@promise(1, "a coupon's pool has its issue, and each piece is taken from it")
def issues_are_pools(seen: Snapshot) -> Finding:
    broken = [
        f"coupon {coupon_id}: {total} were issued, its pool {pool_id} has {units}"
        for coupon_id, total, pool_id, units in seen.search("coupons_coupon", MISISSUED)
    ]
    broken += [
        f"issued coupon {number}: is of pool {pool_id}, which is not that of coupon {coupon_id}"
        for number, pool_id, coupon_id in seen.search("coupons_issuedcoupon", FOREIGN)
    ]
    return Finding({}, broken)


# --- 3


@promise(3, "one issued coupon for each user, route and idempotency key")
def claims_are_keyed_once(seen: Snapshot) -> Finding:
    broken = repeated_keys(seen, table="coupons_issuedcoupon", number="coupon_no")
    return Finding({}, broken)


# --- 8: one living order has it

# An order that waits has used nothing yet.
_WITHOUT = ", ".join(f"'{state}'" for state in sorted({State.PENDING, *LETS_COUPON_GO}))
LIVES = f"o.status NOT IN ({_WITHOUT})"
USED_BY_NONE = f"""
    SELECT i.coupon_no, i.user_id, o.order_no, o.status, o.user_id, o.coupon_id
    FROM coupons_issuedcoupon i LEFT JOIN orders_order o ON o.id = i.order_id
    WHERE i.id BETWEEN %(low)s AND %(high)s AND i.status = 'used'
      AND (o.id IS NULL OR o.coupon_id IS NULL OR o.coupon_id <> i.id OR o.user_id <> i.user_id
        OR NOT ({LIVES}))
"""  # noqa: S608
USES_NONE = f"""
    SELECT o.order_no, o.status, o.coupon_id, i.order_id
    FROM orders_order o LEFT JOIN coupons_issuedcoupon i ON i.id = o.coupon_id
    WHERE o.id BETWEEN %(low)s AND %(high)s AND o.coupon_id IS NOT NULL AND {LIVES}
      AND (i.id IS NULL OR i.status <> 'used' OR i.order_id IS NULL OR i.order_id <> o.id)
"""  # noqa: S608


@promise(8, "each used coupon has one living order, and each such order its coupon")
def coupons_are_used_once(seen: Snapshot) -> Finding:
    broken = [
        f"issued coupon {number} of user {user_id}: is used by order {order_no or 'none'}"
        + (f", which is {status}, of user {buyer_id}, and names {named}" if order_no else "")
        for number, user_id, order_no, status, buyer_id, named in seen.search(
            "coupons_issuedcoupon", USED_BY_NONE
        )
    ]
    broken += [
        f"order {order_no}: is {status} with coupon {coupon_id}, which order {order_id} has"
        for order_no, status, coupon_id, order_id in seen.search("orders_order", USES_NONE)
    ]
    return Finding({}, broken)


# --- 7: what it takes off

_TERMS = (
    "kind",
    "minimum_fen",
    "off_fen",
    "percent",
    "most_fen",
)
DISCOUNTED = f"""
    SELECT o.order_no, o.goods_fen, o.freight_fen, o.discount_fen, o.snapshot, o.breakdown,
           {", ".join(f"c.{name}" for name in _TERMS)}, c.scope, c.sku_ids
    FROM orders_order o
    LEFT JOIN coupons_issuedcoupon i ON i.id = o.coupon_id
    LEFT JOIN coupons_coupon c ON c.id = i.coupon_id
    WHERE o.id BETWEEN %(low)s AND %(high)s
      AND (o.discount_fen <> 0 OR o.coupon_id IS NOT NULL OR o.breakdown IS NOT NULL)
"""  # noqa: S608


@promise(7, "an order's discount is what its coupon gives, line by line")
def discounts_are_their_coupons(seen: Snapshot) -> Finding:
    """By the breakdown that the order keeps, whose terms are the coupon's own."""
    orders = discounts_fen = 0
    broken: list[str] = []
    for row in seen.each("orders_order", DISCOUNTED):
        order_no, goods_fen, freight_fen, discount_fen, snapshot, breakdown, *rest = row
        *terms, scope, sku_ids = rest
        orders += 1
        discounts_fen += discount_fen
        fault = _fault(
            goods_fen=goods_fen,
            freight_fen=freight_fen,
            discount_fen=discount_fen,
            snapshot=snapshot,
            breakdown=breakdown,
            coupon=dict(zip(_TERMS, terms, strict=True)),
            sku_ids=json.loads(sku_ids) if scope == "skus" else None,
        )
        if fault and len(broken) <= NAMED:
            broken.append(f"order {order_no}: {fault}")
    return Finding({"discounted_orders": orders, "discounts_fen": discounts_fen}, broken)


def _fault(
    *,
    goods_fen: int,
    freight_fen: int,
    discount_fen: int,
    snapshot: str,
    breakdown: str | None,
    coupon: Mapping[str, Any],
    sku_ids: list[int] | None,
) -> str:
    """What is wrong with an order's discount; "" for nothing."""
    if breakdown is None or coupon["kind"] is None:
        return f"{discount_fen} fen are off without a coupon, or without its breakdown"
    try:
        lines, kept = json.loads(snapshot), json.loads(breakdown)
        parts = kept["lines"]
        discount = discount_of(kept["coupon"])
        if [line["sku"] for line in lines] != [part["sku"] for part in parts]:
            return "its breakdown is of other lines"
        items = [
            PricedItem(line["price_fen"], line["count"], in_scope=part["in_scope"])
            for line, part in zip(lines, parts, strict=True)
        ]
    except (LookupError, TypeError, ValueError) as error:
        return f"its breakdown can't be read: {error!r}"
    if terms_of(discount) != terms_of(Coupon(**coupon).discount):
        return f"its terms, {kept['coupon']}, are not its coupon's"
    if sku_ids is not None and any(part["in_scope"] != (part["sku"] in sku_ids) for part in parts):
        return "its coupon is for other SKUs"
    try:
        whole = price(items, freight=Freight(freight_fen), discount=discount)
    except NoDiscount as no:
        return f"{discount_fen} fen are off, its coupon gives nothing: {no.why}"
    said = goods_fen, discount_fen, [part["discount_fen"] for part in parts]
    gives = whole.goods_fen, whole.discount_fen, list(whole.line_discounts)
    return "" if said == gives else f"goods, discount, lines: says {said}, its coupon gives {gives}"
