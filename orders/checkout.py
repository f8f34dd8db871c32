"""From a basket to an order.

Everything that a plain read can refuse is refused here, without a lock, so that a crowd after the
last unit does not queue on its row. Only what looks possible is placed (`orders.placement`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.translation import gettext

from orders import cart
from orders.basket import Basket, BasketLine, CouponOf, quote
from orders.models import Order
from orders.pending import checkout_queue
from orders.placement import place_direct, place_queued
from shop.accounts.selectors import address_snapshot
from shop.api.idempotency import Answer, RequestKey, once
from shop.errors import Busy, Ended, Invalid, PriceChanged
from shop.numbers import new_number
from shop.pools.models import Placement
from shop.pools.refusals import No, refusal_of, short
from shop.pools.services import Terms
from shop.pools.waiting import Queued

if TYPE_CHECKING:
    from shop.accounts.models import User

CART_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Checkout:
    """What a shopper asks for. `items`: SKU id -> count, or None for the whole cart."""

    items: Mapping[int, int] | None
    address_id: int
    shipping_method_id: int | None = None
    coupon_id: int | None = None
    remark: str = ""
    expected_total_fen: int | None = None


def order_place(*, user: "User", key: RequestKey, checkout: Checkout) -> Answer[Order]:
    """Places the order, or finds the one that an earlier request with `key` placed.

    Raises SoldOut, InsufficientStock, Ended, PriceChanged, CouponUnusable, NotFound, Invalid (an
    empty cart), Busy, Unavailable, RequestInProgress, IdempotencyKeyReused. Then nothing of it is
    stored.
    """
    return once(key, Order.objects.all(), lambda key: _place(user, key, checkout))


def _place(user: "User", key: RequestKey, checkout: Checkout) -> Order:
    for _ in range(CART_ATTEMPTS):
        try:
            return _place_basket(user, key, checkout)
        except cart.CartChanged:
            continue  # the shopper's other device was faster: price what is there now
    raise Busy


def _place_basket(user: "User", key: RequestKey, checkout: Checkout) -> Order:
    address = address_snapshot(user_id=user.pk, address_id=checkout.address_id)
    wanted = checkout.items if checkout.items is not None else cart.cart_lines(user)
    if not wanted:
        raise Invalid.field("items", gettext("There is nothing to order."), code="empty")
    basket = quote(
        wanted,
        shipping_method_id=checkout.shipping_method_id,
        region=address["region"],
        coupon=CouponOf(user.pk, checkout.coupon_id) if checkout.coupon_id is not None else None,
    )
    _refuse_early(basket, checkout)

    order = _new_order(basket, key=key, address=address, checkout=checkout)
    if settings.CHECKOUT_PLACEMENT == Placement.QUEUED:
        return place_queued(order, queued=Queued(checkout_queue()))
    try:
        return place_direct(
            order,
            terms={line.pool_id: Terms(strategy=line.strategy) for line in basket.lines},
            alongside=partial(_lose_cart, user, wanted, checkout),
        )
    except No as no:
        raise refusal_of(no, sku=_line_of(basket, no.pool_id).sku_id) from no


def _lose_cart(user: "User", wanted: Mapping[int, int], checkout: Checkout) -> None:
    if checkout.items is None:
        cart.cart_lose(user=user, lines=wanted)


def _refuse_early(basket: Basket, checkout: Checkout) -> None:
    """Says no to what a plain read shows already. Only a yes needs the locks."""
    total_fen = basket.price.total_fen
    if checkout.expected_total_fen is not None and checkout.expected_total_fen != total_fen:
        raise PriceChanged(total_fen=total_fen)
    for line in basket.lines:
        if not line.is_open:
            raise Ended(sku=line.sku_id)
        if line.stock < line.count:
            raise short(line.stock, sku=line.sku_id)


def _new_order(
    basket: Basket, *, key: RequestKey, address: dict[str, str], checkout: Checkout
) -> Order:
    """The row as the shopper is told of it; placing says in which state it is stored."""
    now = basket.read_at
    return Order(
        **key.columns(),
        order_no=new_number(now),
        kind=Order.Kind.GOODS,
        snapshot=[line.snapshot() for line in basket.lines],
        goods_fen=basket.price.goods_fen,
        freight_fen=basket.price.freight_fen,
        discount_fen=basket.price.discount_fen,
        total_fen=basket.price.total_fen,
        shipping_method_id=basket.shipping_method_id,
        coupon_id=checkout.coupon_id,
        breakdown=basket.breakdown,
        address=address,
        remark=checkout.remark,
        from_cart=checkout.items is None,
        created_at=now,
    )


def _line_of(basket: Basket, pool_id: int) -> BasketLine:
    return next(line for line in basket.lines if line.pool_id == pool_id)
