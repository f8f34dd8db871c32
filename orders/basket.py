"""SKUs on sale with what they cost and what is left of them: what a quote, a cart page and an order
start from. Reads only; nothing here is reserved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models.functions import Now
from django.utils.translation import gettext

from goods.models import Sku, in_reader_language
from orders.coupons.models import IssuedCoupon
from orders.coupons.using import EXPIRED, NOT_YET, coupon_held
from orders.models import ShippingMethod
from orders.pricing import Freight, NoDiscount, Price, PricedItem, Why, price, terms_of
from shop.api.fields import BIGINT_MAX
from shop.errors import CouponUnusable, Invalid, NotFound
from shop.statements import Select

_offered = ShippingMethod.objects.filter(is_active=True).values_list(
    "pk",
    "kind",
    "fee_fen",
    "free_above_fen",
    "first_grams",
    "step_grams",
    "step_fee_fen",
    "regions",
)
_first_shipping = Select(lambda: _offered.order_by("position", "pk")[:1])
_shipping = Select(lambda pk: _offered.filter(pk=pk).order_by())
_skus = Select(
    lambda *sku_ids: (
        Sku.objects.filter(pk__in=sku_ids)
        .order_by("pk")
        .values_list(
            "pk",
            "goods__title",
            "goods__title_en",
            "goods__category_id",
            "spec",
            "price_fen",
            "grams",
            "on_shelf",
            "goods__on_shelf",
            "pool_id",
            "pool__strategy",
            "pool__available",
            "pool__open",
            Now(),
        )
    )
)


@dataclass(frozen=True, slots=True)
class BasketLine:
    """A SKU as one read of the database showed it, and how many are wanted."""

    sku_id: int
    category_id: int
    goods_title: str
    spec: str
    price_fen: int
    grams: int
    count: int
    on_sale: bool
    pool_id: int
    strategy: str
    stock: int
    is_open: bool
    # Its part of what a coupon takes off.
    discount_fen: int = 0

    @property
    def subtotal_fen(self) -> int:
        return self.price_fen * self.count

    @property
    def available(self) -> int:
        """Units that can be bought now."""
        return self.stock if self.on_sale and self.is_open else 0

    def snapshot(self) -> dict[str, str | int]:
        """What an order keeps of it for ever."""
        return {
            "sku": self.sku_id,
            "pool": self.pool_id,
            "goods_title": self.goods_title,
            "spec": self.spec,
            "price_fen": self.price_fen,
            "count": self.count,
        }


@dataclass(frozen=True, slots=True)
class Basket:
    """Lines by SKU id with their price, and the database's clock when they were read. `breakdown`:
    how a coupon's discount came about, as an order keeps it for ever ({coupon: its terms, lines:
    [{sku, in_scope, discount_fen}]}); what is no line's is off the freight."""

    lines: Sequence[BasketLine]
    price: Price
    shipping_method_id: int | None
    read_at: datetime
    breakdown: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class CouponOf:
    """An issued coupon that a user wants to use."""

    user_id: int
    coupon_id: int


def quote(
    items: Mapping[int, int],
    *,
    shipping_method_id: int | None = None,
    region: str = "",
    coupon: CouponOf | None = None,
) -> Basket:
    """What `items` (SKU id -> count, at least one) would cost now, sent to `region` (of an
    address; "": as to a region that no method names), with the coupon.

    Raises NotFound for a SKU that is not on sale, a shipping method that is not offered or a coupon
    that is not the user's, CouponUnusable, Invalid for more than an amount of money can say.
    """
    method_id, freight = _freight(shipping_method_id)
    lines, read_at = _read(items)
    missing = set(items) - {line.sku_id for line in lines if line.on_sale}
    if missing or read_at is None:
        raise NotFound(sku=min(missing))
    priced = [PricedItem(line.price_fen, line.count, line.grams) for line in lines]
    whole = price(priced, freight=freight, region=region)
    # No part is more than this sum, which the database computes too.
    if whole.total_fen > BIGINT_MAX:
        message = gettext("More than an order can cost.")
        raise Invalid.field("items", message, code="max_value")
    basket = Basket(lines, whole, method_id, read_at)
    return _with_coupon(basket, coupon, freight=Freight(whole.freight_fen)) if coupon else basket


def _with_coupon(basket: Basket, wanted: CouponOf, *, freight: Freight) -> Basket:
    """The basket, cheaper. `freight`: what it costs to send. Raises NotFound, CouponUnusable."""
    issued = coupon_held(coupon_id=wanted.coupon_id, user_id=wanted.user_id)
    _refuse_outside(issued, basket.read_at)
    coupon = issued.coupon
    priced = [
        PricedItem(
            line.price_fen,
            line.count,
            in_scope=coupon.covers(sku_id=line.sku_id, category_id=line.category_id),
        )
        for line in basket.lines
    ]
    try:
        cheaper = price(priced, freight=freight, discount=coupon.discount)
    except NoDiscount as no:
        minimum = {"minimum_fen": coupon.minimum_fen} if no.why is Why.BELOW_MINIMUM else {}
        raise CouponUnusable(reason=no.why.value, **minimum) from no
    lines = [
        replace(line, discount_fen=off_fen)
        for line, off_fen in zip(basket.lines, cheaper.line_discounts, strict=True)
    ]
    breakdown = {
        "coupon": terms_of(coupon.discount),
        "lines": [
            {"sku": line.sku_id, "in_scope": item.in_scope, "discount_fen": line.discount_fen}
            for line, item in zip(lines, priced, strict=True)
        ],
    }
    return replace(basket, lines=lines, price=cheaper, breakdown=breakdown)


def _refuse_outside(issued: IssuedCoupon, now: datetime) -> None:
    if now < issued.valid_from:
        raise CouponUnusable(reason=NOT_YET, valid_from=issued.valid_from.isoformat())
    if now >= issued.expires_at:
        raise CouponUnusable(reason=EXPIRED)


def basket_lines(items: Mapping[int, int]) -> list[BasketLine]:
    """The lines of `items` (SKU id -> count), also of SKUs that are off the shelf by now."""
    return _read(items)[0]


def _freight(shipping_method_id: int | None) -> tuple[int | None, Freight]:
    """The method asked for, else the first that is offered, else none: a shop that hands over."""
    if shipping_method_id is None:
        row = _first_shipping.row()
    else:
        row = _shipping.row(shipping_method_id)
        if row is None:
            raise NotFound(shipping_method=shipping_method_id)
    if row is None:
        return None, Freight(0)
    method_id, kind, fee_fen, free_above_fen, first_grams, step_grams, step_fee_fen, regions = row
    match kind:
        case ShippingMethod.Kind.WEIGHT:
            freight = Freight(
                fee_fen,
                free_above_fen,
                first_grams=first_grams,
                step_grams=step_grams,
                step_fee_fen=step_fee_fen,
            )
        case ShippingMethod.Kind.REGION:
            named = [(one["prefix"], one["fee_fen"]) for one in regions or ()]
            freight = Freight(fee_fen, free_above_fen, regions=named)
        case _:
            freight = Freight(fee_fen, free_above_fen)
    return method_id, freight


def _read(items: Mapping[int, int]) -> tuple[list[BasketLine], datetime | None]:
    """SKUs with goods and pool, and the database's clock, in one statement, by SKU id."""
    lines = []
    read_at = None
    for row in _skus.rows(*items):
        pk, title, title_en, category_id, spec, price_fen, grams, *rest, read_at = row
        on_shelf, goods_on_shelf, *pool = rest
        pool_id, strategy, stock, is_open = pool
        lines.append(
            BasketLine(
                sku_id=pk,
                category_id=category_id,
                goods_title=in_reader_language(title, title_en),
                spec=spec,
                price_fen=price_fen,
                grams=grams,
                count=items[pk],
                on_sale=on_shelf and goods_on_shelf,
                pool_id=pool_id,
                strategy=strategy,
                stock=stock,
                is_open=is_open,
            )
        )
    return lines, read_at
