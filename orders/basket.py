"""SKUs on sale with what they cost and what is left of them: what a quote, a cart page and an order
start from. Reads only; nothing here is reserved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models.functions import Now
from django.utils.translation import gettext

from goods.models import Sku, in_reader_language
from orders.models import ShippingMethod
from orders.pricing import Freight, Price, PricedItem, price
from shop.api.fields import BIGINT_MAX
from shop.errors import Invalid, NotFound
from shop.statements import Select

_offered = ShippingMethod.objects.filter(is_active=True).values_list(
    "pk", "fee_fen", "free_above_fen"
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
            "spec",
            "price_fen",
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
    goods_title: str
    spec: str
    price_fen: int
    count: int
    on_sale: bool
    pool_id: int
    strategy: str
    stock: int
    is_open: bool

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
    """Lines by SKU id with their price, and the database's clock when they were read."""

    lines: Sequence[BasketLine]
    price: Price
    shipping_method_id: int | None
    read_at: datetime


def quote(items: Mapping[int, int], *, shipping_method_id: int | None = None) -> Basket:
    """What `items` (SKU id -> count, at least one) would cost now.

    Raises NotFound for a SKU that is not on sale or a shipping method that is not offered, Invalid
    for more than an amount of money can say.
    """
    method_id, freight = _freight(shipping_method_id)
    lines, read_at = _read(items)
    missing = set(items) - {line.sku_id for line in lines if line.on_sale}
    if missing or read_at is None:
        raise NotFound(sku=min(missing))
    breakdown = price([PricedItem(line.price_fen, line.count) for line in lines], freight=freight)
    if breakdown.total_fen > BIGINT_MAX:
        message = gettext("More than an order can cost.")
        raise Invalid.field("items", message, code="max_value")
    return Basket(lines, breakdown, method_id, read_at)


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
    method_id, fee_fen, free_above_fen = row
    return method_id, Freight(fee_fen, free_above_fen)


def _read(items: Mapping[int, int]) -> tuple[list[BasketLine], datetime | None]:
    """SKUs with goods and pool, and the database's clock, in one statement, by SKU id."""
    lines = []
    read_at = None
    for row in _skus.rows(*items):
        pk, title, title_en, spec, price_fen, on_shelf, goods_on_shelf, *pool, read_at = row
        pool_id, strategy, stock, is_open = pool
        lines.append(
            BasketLine(
                sku_id=pk,
                goods_title=in_reader_language(title, title_en),
                spec=spec,
                price_fen=price_fen,
                count=items[pk],
                on_sale=on_shelf and goods_on_shelf,
                pool_id=pool_id,
                strategy=strategy,
                stock=stock,
                is_open=is_open,
            )
        )
    return lines, read_at
