"""Shops with one order of each fate, and hands that reach into their tables behind their backs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from django.db import connection

from goods.models import Sku
from goods.sales.models import FlashSale
from orders import lifecycle
from orders.models import Order, OrderLine
from orders.payments import refunding
from orders.payments import services as payments
from shop.accounts.models import User
from shop.pools.drain import drain
from shop.pools.models import PoolMovement
from tests.factories import (
    make_sale,
    make_sku,
    make_user,
    pay,
    place,
    place_in,
    start_payment,
    switch,
)
from tests.kit.controls import checks_off

STOCK = 20
PRICE_FEN = 1000

# Rows that no service writes.
MOVE = (
    "INSERT INTO orders_ordermove (order_id, source, target, actor, reason, created_at)"
    " VALUES ({%s}, '%s', '%s', 'hand', '', '2026-01-01 00:00:00')"
)
MOVEMENT = (
    "INSERT INTO pools_poolmovement (pool_id, kind, delta, reference, reason, created_at)"
    " VALUES (%s, '%s', %d, '%s', '', '2026-01-01 00:00:00')"
)


@dataclass(frozen=True, slots=True)
class Shop:
    """One SKU of 20 at 1,000 fen; orders of one unit, named after what became of them."""

    user: User
    sku: Sku
    unpaid: Order
    paid: Order
    cancelled: Order
    late: Order
    refunded: Order

    def columns(self) -> dict[str, object]:
        """What the planted SQL may name."""
        orders = ("unpaid", "paid", "cancelled", "late", "refunded")
        return {
            "pool": self.sku.pool_id,
            **{name: getattr(self, name).pk for name in orders},
            **{f"{name}_no": getattr(self, name).order_no for name in orders},
            "refund_no": self.refunded.refund_requests.get().refund_no,
        }


def make_shop() -> Shop:
    user, sku = make_user(), make_sku(stock=STOCK, price_fen=PRICE_FEN)
    shop = Shop(user, sku, *(place(user, {sku: 1}) for _ in range(5)))
    pay(user, shop.paid)
    lifecycle.order_cancel(user=user, order_no=shop.cancelled.order_no)
    # Cancelled with a payment open, whose money comes all the same.
    late = start_payment(user, shop.late)
    lifecycle.order_cancel(user=user, order_no=shop.late.order_no)
    payments.sandbox.succeed(payment_no=late.payment_no)
    payments.payments_close()
    pay(user, shop.refunded)
    lifecycle.order_refuse(order_no=shop.refunded.order_no, operator=user, reason="none left")
    assert refunding.refunds_execute() == 2
    return shop


@dataclass(frozen=True, slots=True)
class SaleShop:
    """A sale of 10 of a SKU's 20, at 100 fen, at most 2 for one user. A batch settled one order of
    each of two shoppers; the second cancelled it. The first placed one more, direct, and the second
    waits."""

    sale: FlashSale
    first: User
    second: User
    settled: Order
    cancelled: Order
    direct: Order
    pending: Order

    def columns(self) -> dict[str, object]:
        """What the planted SQL may name."""
        orders = ("settled", "cancelled", "direct", "pending")
        return {
            "pool": self.sale.pool_id,
            "sku_pool": self.sale.sku.pool_id,
            "transfer": PoolMovement.objects.get(pool=self.sale.pool_id, kind="transfer").reference,
            "first": self.first.pk,
            "second": self.second.pk,
            "batch": OrderLine.objects.get(order=self.settled).reference,
            **{name: getattr(self, name).pk for name in orders},
            **{f"{name}_no": getattr(self, name).order_no for name in orders},
        }


def make_sale_shop() -> SaleShop:
    first, second = make_user(), make_user()
    sale = make_sale(make_sku(stock=STOCK), total=10, price_fen=100, per_user_limit=2)
    settled, cancelled = place_in(sale, first), place_in(sale, second)
    assert not drain(sale.queue_id)
    lifecycle.order_cancel(user=second, order_no=cancelled.order_no)
    direct = place_in(switch(sale, "direct"), first)
    pending = place_in(switch(sale, "queued"), second)
    return SaleShop(sale, first, second, settled, cancelled, direct, pending)


class Planted(Protocol):
    """A shop whose rows planted SQL may name."""

    def columns(self) -> Mapping[str, object]:
        """Name -> value."""


def plant(*statements: str, shop: Planted) -> None:
    """Runs SQL that no service would, in which `{name}` is one of the shop's columns."""
    with checks_off(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.format(**shop.columns()))


def ago(seconds: int) -> str:
    """SQL: the moment so many seconds ago, by the database's clock."""
    return {
        "sqlite": f"STRFTIME('%Y-%m-%d %H:%M:%f', 'now', '-{seconds} seconds')",
        "mysql": f"UTC_TIMESTAMP(6) - INTERVAL {seconds} SECOND",
    }[connection.vendor]
