"""The draw of scheme commit-beacon: a share among those sold, from three things nobody can turn.

The seed was fixed before the first share was sold, the root before the round, and the beacon's
value was known to nobody before its time. Every sold share is equally likely.
"""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from struct import unpack

from lottery.draws.terms import draw_key

_WORD = 2**64


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a beacon said in a round: `value` is SHA-256 of `signature`."""

    round: int
    value: bytes
    signature: bytes


def winning_index(
    *, seed: bytes, root: bytes, round_number: int, value: bytes, shares_sold: int
) -> int:
    """The index of the winning share, 0 to shares_sold - 1. `root`, `value`: 32 bytes each."""
    if not (len(root) == len(value) == 32 and 1 <= shares_sold < _WORD):
        raise ValueError("a draw needs a root, a beacon's value and a share")
    message = root + round_number.to_bytes(8, "big") + value
    return fair_index(words(draw_key(seed), message), shares_sold)


def fair_index(candidates: Iterator[int], shares: int) -> int:
    """0 to shares - 1 by the first word that makes none of them likelier than the others."""
    # The words from here on are fewer than there are shares: they would favour the first few.
    unfair = _WORD - _WORD % shares
    return next(word % shares for word in candidates if word < unfair)


def words(key: bytes, message: bytes) -> Iterator[int]:
    """64-bit integers without end: four of each HMAC-SHA-256(key, message || counter), in their
    order, for the counters 0, 1, 2, ... (4 bytes); all most significant byte first."""
    counter = 0
    while True:
        digest = hmac.digest(key, message + counter.to_bytes(4, "big"), "sha256")
        yield from unpack(">4Q", digest)
        counter += 1
