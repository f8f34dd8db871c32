"""What an order costs: one function, integer fen, the same for a quote and for an order. Pure.

total = lines + freight - discount, never negative. A coupon's discount is spread over the lines it
is for, to the fen, so that what was paid for any units of any line is known for ever, and what
units cost that come back one after the other adds up to what was paid for all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a coupon takes off."""

    AMOUNT = "amount"  # so many fen, at most what its goods cost
    PERCENT = "percent"  # of what its goods cost, rounded down, at most so many fen
    FREIGHT = "freight"  # all of the freight


class Why(StrEnum):
    """Why a coupon takes nothing off."""

    OUT_OF_SCOPE = "out_of_scope"
    BELOW_MINIMUM = "below_minimum"
    # Free goods, or freight that is free already: it would be used up for nothing.
    NOTHING_OFF = "nothing_off"


class NoDiscount(Exception):
    """The coupon can't be used for these items."""

    def __init__(self, why: Why) -> None:
        super().__init__(why.value)
        self.why = why


@dataclass(frozen=True, slots=True)
class PricedItem:
    """`count` units at `price_fen` each, each of so many grams; `in_scope`: the coupon is for
    them."""

    price_fen: int
    count: int
    grams: int = 0
    in_scope: bool = True

    @property
    def subtotal_fen(self) -> int:
        return self.price_fen * self.count


@dataclass(frozen=True, slots=True)
class Freight:
    """What sending costs: the fee of the first of `regions` (prefix of the address's region, fee)
    that is the longest to fit, else `fee_fen`; and `step_fee_fen` for each begun `step_grams` above
    `first_grams`. All of it is free from a goods total of `free_above_fen` on (None: never)."""

    fee_fen: int
    free_above_fen: int | None = None
    first_grams: int = 0
    step_grams: int | None = None
    step_fee_fen: int = 0
    regions: Sequence[tuple[str, int]] = ()


@dataclass(frozen=True, slots=True)
class Discount:
    """What a coupon takes off if the goods it is for cost `minimum_fen` or more; which of the other
    numbers counts is its kind's affair."""

    kind: Kind
    minimum_fen: int = 0
    off_fen: int = 0
    percent: int = 0
    most_fen: int | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """A breakdown that adds up. With a coupon, `line_discounts` says how much of the discount is
    each item's, in their order; what is not theirs is the freight's."""

    goods_fen: int
    freight_fen: int
    discount_fen: int
    line_discounts: Sequence[int] = ()

    @property
    def total_fen(self) -> int:
        return self.goods_fen + self.freight_fen - self.discount_fen


def price(
    items: Sequence[PricedItem],
    *,
    freight: Freight,
    region: str = "",
    discount: Discount | None = None,
) -> Price:
    """The price of `items` sent with `freight` to `region`. Raises NoDiscount."""
    goods_fen = sum(item.subtotal_fen for item in items)
    freight_fen = _freight_fen(freight, goods_fen=goods_fen, items=items, region=region)
    if discount is None:
        return Price(goods_fen, freight_fen, discount_fen=0)
    off_fen, freight_off_fen = _off(discount, items, freight_fen=freight_fen)
    costs = [item.subtotal_fen if item.in_scope else 0 for item in items]
    return Price(
        goods_fen,
        freight_fen,
        discount_fen=off_fen + freight_off_fen,
        line_discounts=spread(off_fen, costs),
    )


def _freight_fen(
    freight: Freight, *, goods_fen: int, items: Sequence[PricedItem], region: str
) -> int:
    if freight.free_above_fen is not None and goods_fen >= freight.free_above_fen:
        return 0
    fee_fen = freight.fee_fen
    if freight.regions:
        fee_fen = region_fee(freight.regions, region, otherwise=fee_fen)
    if freight.step_grams:
        beyond = sum(item.grams * item.count for item in items) - freight.first_grams
        fee_fen += max(0, -(-beyond // freight.step_grams)) * freight.step_fee_fen
    return fee_fen


def region_fee(regions: Sequence[tuple[str, int]], region: str, *, otherwise: int) -> int:
    """The fee of the longest prefix that `region` begins with; blanks and case say nothing."""
    place = plain(region)
    fitting = [
        (len(plain(prefix)), fee) for prefix, fee in regions if place.startswith(plain(prefix))
    ]
    return max(fitting, key=lambda one: one[0])[1] if fitting else otherwise


def plain(region: str) -> str:
    """A region's text as it is compared."""
    return "".join(region.split()).casefold()


def _off(discount: Discount, items: Sequence[PricedItem], *, freight_fen: int) -> tuple[int, int]:
    """What the coupon takes off the goods, and off the freight; one of them, and not nothing."""
    if not any(item.in_scope for item in items):
        raise NoDiscount(Why.OUT_OF_SCOPE)
    base_fen = sum(item.subtotal_fen for item in items if item.in_scope)
    if base_fen < discount.minimum_fen:
        raise NoDiscount(Why.BELOW_MINIMUM)
    off_fen = freight_off_fen = 0
    match discount.kind:
        case Kind.AMOUNT:
            off_fen = min(discount.off_fen, base_fen)
        case Kind.PERCENT:
            off_fen = base_fen * discount.percent // 100
            if discount.most_fen is not None:
                off_fen = min(off_fen, discount.most_fen)
        case Kind.FREIGHT:
            freight_off_fen = freight_fen
    if off_fen + freight_off_fen <= 0:
        raise NoDiscount(Why.NOTHING_OFF)
    return off_fen, freight_off_fen


def spread(total: int, weights: Sequence[int]) -> Sequence[int]:
    """`total` split by `weights`, whose sum it does not exceed: adds up, and no part exceeds its
    weight. The method of the largest remainder (Hamilton's); of equal ones the first comes first.
    """
    whole = sum(weights)
    if not 0 <= total <= whole:
        raise ValueError(f"{total} is not within the sum of the weights, {whole}")
    if whole == 0:
        return [0] * len(weights)
    parts = [total * weight // whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda place: -(total * weights[place] % whole))
    for place in by_remainder[: total - sum(parts)]:
        parts[place] += 1
    return parts


def line_discounts(breakdown: Mapping[str, Any] | None) -> Mapping[int, int]:
    """SKU id -> its part (fen) of what was taken off an order with this breakdown; without one
    nothing was. What is no line's was off the freight."""
    return {part["sku"]: part["discount_fen"] for part in (breakdown or {}).get("lines", ())}


def discount_of(terms: Mapping[str, object]) -> Discount:
    """The discount that `terms_of` wrote down."""
    numbers = {
        name: value for name, value in terms.items() if name != "kind" and isinstance(value, int)
    }
    return Discount(Kind(str(terms["kind"])), **numbers)


def terms_of(discount: Discount) -> dict[str, str | int]:
    """The discount as an order keeps it for ever."""
    terms: dict[str, str | int] = {"kind": discount.kind.value}
    for name in ("minimum_fen", "off_fen", "percent", "most_fen"):
        if (value := getattr(discount, name)) is not None:
            terms[name] = value
    return terms
