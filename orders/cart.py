"""The cart: lines in the database that reserve nothing and survive a failed order."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.db.models import Q
from django.utils.translation import gettext

from goods.models import Sku
from orders.basket import BasketLine, basket_lines
from orders.models import CartItem
from shop import transactions
from shop.accounts.services import user_lock
from shop.errors import Invalid, NotFound

if TYPE_CHECKING:
    from shop.accounts.models import User

MAX_LINES = 100


class CartChanged(Exception):
    """The cart is no longer what the order was priced from."""


def cart_item_set(*, user: "User", sku_id: int, count: int) -> None:
    """Puts `count` units of a SKU on sale into the cart, whatever was there of it.

    Raises NotFound for a SKU that is not on sale, Invalid when the cart is full.
    """
    if not Sku.objects.filter(pk=sku_id, on_shelf=True, goods__on_shelf=True).exists():
        raise NotFound(sku=sku_id)

    def write() -> None:
        user_lock(user)  # together they would overfill it
        mine = CartItem.objects.filter(user=user)
        if mine.filter(sku_id=sku_id).update(count=count):
            return
        if mine.count() >= MAX_LINES:
            message = gettext("A cart holds at most %(most)d lines.") % {"most": MAX_LINES}
            raise Invalid.field("sku", message, code="max_length")
        CartItem.objects.create(user=user, sku_id=sku_id, count=count)

    transactions.run(write)


def cart_item_remove(*, user: "User", sku_id: int) -> None:
    """Takes a SKU out of the cart; one that is not there is out already."""
    transactions.run(lambda: CartItem.objects.filter(user=user, sku_id=sku_id).delete())


def cart_lines(user: "User") -> dict[int, int]:
    """SKU id -> count of what is in the cart."""
    return dict(CartItem.objects.filter(user=user).order_by("pk").values_list("sku_id", "count"))


def cart_lose(*, user: "User", lines: Mapping[int, int]) -> None:
    """Takes exactly `lines` (SKU id -> count) out of the cart, in the caller's transaction.

    Raises CartChanged when the cart does not hold each of them with just that count any more.
    """
    ordered = Q()
    for sku_id, count in lines.items():
        ordered |= Q(sku_id=sku_id, count=count)
    deleted, _ = CartItem.objects.filter(ordered, user=user).delete()
    if deleted != len(lines):
        raise CartChanged


def cart_view(user: "User") -> list[BasketLine]:
    """The cart as a shopper sees it, with prices and stock as they are now."""
    return basket_lines(cart_lines(user))
