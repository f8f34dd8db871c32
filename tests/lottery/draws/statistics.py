"""Whether counts are what chance would make of equal (or given) chances."""

from collections import Counter
from collections.abc import Hashable, Mapping
from math import sqrt

# Of the normal distribution: a fair source exceeds it once in 10,000 tests.
ONE_IN_TEN_THOUSAND = 3.719


def surprise(counts: Counter, chances: Mapping[Hashable, float]) -> float:
    """How far `counts` are from `chances` (which add up to 1), in standard deviations.

    Pearson's chi-square, by Wilson and Hilferty's approximation of its distribution. Infinite where
    something happened that can't.
    """
    if not counts.keys() <= chances.keys():
        return float("inf")
    total = sum(counts.values())
    square = sum(
        (counts[of] - total * chance) ** 2 / (total * chance) for of, chance in chances.items()
    )
    spread = 2 / (9 * (len(chances) - 1))
    return ((square / (len(chances) - 1)) ** (1 / 3) - (1 - spread)) / sqrt(spread)


def equally(outcomes) -> dict:
    """The same chance for each."""
    outcomes = list(outcomes)
    return dict.fromkeys(outcomes, 1 / len(outcomes))
