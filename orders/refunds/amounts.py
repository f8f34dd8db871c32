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
    subtotals: Sequence[int], *, off: Sequence[int], freight_fen: int, discount_fen: int
) -> Paid:
    """`off`: what the discount takes off each line; the rest of it is off the freight."""
    return Paid(
        lines=[subtotal - part for subtotal, part in zip(subtotals, off, strict=True)],
        freight_fen=freight_fen - (discount_fen - sum(off)),
    )


def part(*, left_fen: int, left: int, count: int) -> int:
    """The money of `count` units out of `left` for which `left_fen` were paid; rounded down, and
    all of it where they are the last."""
    return left_fen * count // left
