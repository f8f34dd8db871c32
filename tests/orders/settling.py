"""Orders that wait, and what a worker does a moment later, for tests that have no worker."""

from typing import Any

from goods.sales.models import FlashSale
from orders.models import Order
from shop.pools.drain import drain
from tests.factories import make_sale, make_user, place_in


def settle(sale: FlashSale) -> None:
    """Does what a worker does a moment later; nothing where orders are settled at once."""
    assert not drain(sale.queue_id)


def queued_sale(total: int, **terms: Any) -> FlashSale:
    return make_sale(total=total, placement="queued", **{"per_user_limit": None} | terms)


def wait_in(sale: FlashSale, *counts: int) -> list[Order]:
    """Orders of so many units that wait, each of another shopper."""
    return [place_in(sale, make_user(), count) for count in counts]


def fates(orders: list[Order]) -> list[str]:
    """What became of each: its failure, or its state."""
    rows = Order.objects.in_bulk([order.pk for order in orders])
    return [rows[order.pk].failure or rows[order.pk].status for order in orders]
