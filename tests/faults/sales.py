"""Flash sales for tests of races and faults: made, bought from, and what came of them."""

from collections import Counter
from datetime import datetime
from typing import Any

from goods.sales.models import FlashSale
from orders.models import Order, OrderLine, OrderMove
from orders.sale_orders import SaleRequest, sale_order_place
from shop.accounts.models import User
from shop.pools.audit import audit
from shop.pools.models import Placement, PoolMovement, Strategy
from tests.factories import make_sale, make_sku, request_key_of
from tests.kit.hows import How
from tests.kit.units import counters

# Orders that hold units; without payments there are no others.
HOLDING = ("unpaid", "paid")


def sale_of(how: How, *, stock: int, **terms: Any) -> FlashSale:
    """A sale of all `stock` units of a SKU that has begun, without a limit; `terms`: more of its
    terms, `sku` one that has more."""
    defaults = {
        "sku": terms.pop("sku", None) or make_sku(stock=stock),
        "per_user_limit": None,
        "placement": Placement(how.placement),
        "strategy": Strategy(how.strategy),
        "gated": how.gated,
    }
    return make_sale(total=stock, **defaults | terms)


def buy(user: User, sale: FlashSale, *, count: int = 1, key: str = "") -> Order:
    """Buys as the view would. Raises the refusal."""
    wanted = SaleRequest(sale_id=sale.pk, count=count, client_address="203.0.113.7")
    request_key = request_key_of(user, key, body=str(count), route="sale-orders")
    return sale_order_place(key=request_key, wanted=wanted).row


def states(sale: FlashSale) -> Counter[str]:
    """Its orders by state, or by failure."""
    rows = Order.objects.filter(sale=sale).values_list("status", "failure")
    return Counter(failure or status for status, failure in rows)


def units_held(sale: FlashSale) -> int:
    """Units that its orders hold, by their own lines."""
    lines = OrderLine.objects.filter(order__sale=sale)
    return sum(count - back for count, back in lines.values_list("count", "given_back"))


def assert_sold(sale: FlashSale, *, units: int, of: int) -> None:
    """Exactly so many units are sold, each order was settled once, and every promise holds."""
    assert units_held(sale) == units
    assert counters(sale.pool) == (of - units, units)
    taken = PoolMovement.objects.filter(pool=sale.pool_id, kind="take")
    back = PoolMovement.objects.filter(pool=sale.pool_id, kind="give_back")
    deltas = [*taken.values_list("delta", flat=True), *back.values_list("delta", flat=True)]
    assert -sum(deltas) == units
    settled = OrderMove.objects.filter(order__sale=sale, source="pending")
    assert settled.count() == settled.values("order_id").distinct().count()
    assert audit().broken == {}


def ended_at(sale: FlashSale) -> datetime:
    """When it ends, as stored now."""
    return FlashSale.objects.values_list("ends_at", flat=True).get(pk=sale.pk)
