"""A shop with one order of each fate, and hands that reach into its tables behind its back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connection

from goods.models import Sku
from orders import lifecycle
from orders.models import Order
from orders.payments import services as payments
from shop.accounts.models import User
from tests.factories import make_sku, make_user, pay, place, start_payment

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
    assert payments.refunds_execute() == 2
    return shop


@contextmanager
def checks_off() -> Iterator[None]:
    """The last line of defence taken away, as a bug in the database or a hand in it would."""
    off, on = {
        "sqlite": ("PRAGMA ignore_check_constraints = ON", "PRAGMA ignore_check_constraints = OFF"),
        "mysql": ("SET check_constraint_checks = 0", "SET check_constraint_checks = 1"),
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(off)
        try:
            yield
        finally:
            cursor.execute(on)


def plant(*statements: str, shop: Shop) -> None:
    with checks_off(), connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement.format(**shop.columns()))


def ago(seconds: int) -> str:
    """SQL: the moment so many seconds ago, by the database's clock."""
    return {
        "sqlite": f"STRFTIME('%Y-%m-%d %H:%M:%f', 'now', '-{seconds} seconds')",
        "mysql": f"UTC_TIMESTAMP(6) - INTERVAL {seconds} SECOND",
    }[connection.vendor]
