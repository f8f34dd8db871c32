"""What was paid for each unit of an order, and what of it a refund is: integer fen. Pure.

What is left of a line is its money and its units. A refund takes its part of both out of what is
left, and a refund that is declined puts its part back: so in whatever order they come the parts
never add up to more than was paid, and those of all units add up to it exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Paid:
    """What was paid for the units of each line, and for sending them (fen)."""

    lines: Sequence[int]
    freight_fen: int


def paid(
    subtotals: Sequence[int],
    *,
    freight_fen: int,
    discount_fen: int,
    of_lines: Sequence[int] | None = None,
) -> Paid:
    """Takes the discount off the lines, and what is left of it off the freight. `of_lines`: how
    much of it is each line's; None: it is spread over them by what they cost."""
    if of_lines is None:
        of_lines = spread(min(discount_fen, sum(subtotals)), over=subtotals)
    return Paid(
        lines=[subtotal - off for subtotal, off in zip(subtotals, of_lines, strict=True)],
        freight_fen=freight_fen - (discount_fen - sum(of_lines)),
    )


def spread(amount: int, *, over: Sequence[int]) -> list[int]:
    """Splits `amount` in proportion to `over`, exactly: what rounding leaves goes fen by fen to the
    largest remainders, the first of equal ones before the others (Hamilton's method)."""
    whole = sum(over)
    if whole == 0:
        return [0] * len(over)
    shares = [amount * weight // whole for weight in over]
    by_remainder = sorted(range(len(over)), key=lambda index: -(amount * over[index] % whole))
    for index in by_remainder[: amount - sum(shares)]:
        shares[index] += 1
    return shares


def part(*, left_fen: int, left: int, count: int) -> int:
    """The money of `count` units out of `left` for which `left_fen` were paid; rounded down, and
    all of it where they are the last."""
    return left_fen * count // left
