"""What an order costs: one function, integer fen, the same for a quote and for an order. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PricedItem:
    """`count` units at `price_fen` each."""

    price_fen: int
    count: int

    @property
    def subtotal_fen(self) -> int:
        return self.price_fen * self.count


@dataclass(frozen=True, slots=True)
class Freight:
    """A flat fee, free from a goods total of `free_above_fen` on (None: never free)."""

    fee_fen: int
    free_above_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """A breakdown that adds up: total = goods + freight - discount, never negative."""

    goods_fen: int
    freight_fen: int
    discount_fen: int

    @property
    def total_fen(self) -> int:
        return self.goods_fen + self.freight_fen - self.discount_fen


def price(items: Sequence[PricedItem], *, freight: Freight) -> Price:
    """The price of `items` sent with `freight`."""
    goods_fen = sum(item.subtotal_fen for item in items)
    is_free = freight.free_above_fen is not None and goods_fen >= freight.free_above_fen
    return Price(
        goods_fen=goods_fen,
        freight_fen=0 if is_free else freight.fee_fen,
        discount_fen=0,
    )
