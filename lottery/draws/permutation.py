"""The numbers of a period's shares: a keyed permutation, so that no pool of numbers exists.

The share with index i (0 for the first one sold) gets one number of first_number ..
first_number + total - 1, unique by construction; whoever does not know the seed can't tell which.

An unbalanced Feistel network on a x b >= total with modular addition, and cycle walking into
[0, total): Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002. Its rounds are
those of FFX-A2 (Bellare, Rogaway, Spies, "The FFX Mode of Operation for Format-Preserving
Encryption", draft 1.1, 2010), which takes more of them the smaller the domain is. Five can be told
from a random permutation, and of small ones more are needed (Patarin, "Generic Attacks on Feistel
Schemes", ASIACRYPT 2001). The draw's fairness needs only that it is a permutation.
"""

import hashlib
import hmac
from array import array
from collections.abc import Sequence
from functools import lru_cache
from itertools import islice
from math import isqrt
from struct import unpack
from typing import Protocol

from lottery.draws.terms import MAX_SHARES, permutation_key

FIRST_NUMBER = 1_000_002

# (bits of total - 1, rounds), the table of FFX-A2; below its 8 bits as many as for 8.
_ROUNDS = ((9, 36), (13, 30), (19, 24), (31, 18))
_FEWEST_ROUNDS = 12

# 64-bit words of one digest: the round function of four neighbouring inputs.
_WORDS = 4
# Up to this side a whole period fits in tables: at most 18 x 4096 x 2 bytes up to 16.7 million
# shares, so that all that are remembered are a few megabytes.
_TABLE_SIDE = 4096
_REMEMBERED_PERIODS = 64
_CHUNK = 4096


class _Round(Protocol):
    """A round function, already reduced by its modulus."""

    def __getitem__(self, value: int, /) -> int: ...


class Numbers:
    """The numbers of one period. `total` is 1 to 10^12; needs no memory that grows with it."""

    __slots__ = ("_a", "_b", "_first", "_key", "_total")

    def __init__(self, seed: bytes, total: int, first_number: int = FIRST_NUMBER) -> None:
        if not 1 <= total <= MAX_SHARES:
            raise ValueError(f"a period has 1 to {MAX_SHARES} shares: {total}")
        self._total = total
        self._first = first_number
        self._a = isqrt(total - 1) + 1
        self._b = -(-total // self._a)
        self._key = permutation_key(seed)

    def number(self, index: int) -> int:
        """The number of the share with this index (0 to total - 1)."""
        return self.numbers(index, 1)[0]

    def numbers(self, first: int, count: int) -> list[int]:
        """The numbers of `count` shares from index `first` on, in the order of their indices."""
        if not (first >= 0 and count >= 0 and first + count <= self._total):
            raise ValueError(f"no {count} shares from {first} on in {self._total}")
        indices = iter(range(first, first + count))
        numbers: list[int] = []
        while chunk := list(islice(indices, _CHUNK)):
            numbers += [self._first + self._walked(place) for place in self._enciphered(chunk)]
        return numbers

    def index(self, number: int) -> int:
        """The index of the share that has this number. ValueError if the period has no such."""
        place = number - self._first
        if not 0 <= place < self._total:
            raise ValueError(f"{number} is no number of this period")
        place = self._deciphered(place)
        while place >= self._total:
            place = self._deciphered(place)
        return place

    def _walked(self, place: int) -> int:
        # The permutation of a x b followed until it comes back into [0, total).
        while place >= self._total:
            place = self._enciphered([place])[0]
        return place

    def _rounds(self) -> tuple[tuple[_Round, _Round], ...]:
        # Asked for each time: whoever only opens a period does not pay for its tables.
        return _round_functions(self._key, self._a, self._b, rounds_of(self._total))

    def _enciphered(self, places: Sequence[int]) -> list[int]:
        a, b = self._a, self._b
        lows, highs = [place % a for place in places], [place // a for place in places]
        for odd, even in self._rounds():
            lows = [(low + odd[high]) % a for low, high in zip(lows, highs, strict=True)]
            highs = [(high + even[low]) % b for low, high in zip(lows, highs, strict=True)]
        return [a * high + low for low, high in zip(lows, highs, strict=True)]

    def _deciphered(self, place: int) -> int:
        a, b = self._a, self._b
        high, low = divmod(place, a)
        for odd, even in reversed(self._rounds()):
            high = (high - even[low]) % b
            low = (low - odd[high]) % a
        return a * high + low


def rounds_of(total: int) -> int:
    """How many rounds, always an even number."""
    bits = (total - 1).bit_length()
    return next((rounds for limit, rounds in _ROUNDS if bits <= limit), _FEWEST_ROUNDS)


@lru_cache(maxsize=_REMEMBERED_PERIODS)
def _round_functions(key: bytes, a: int, b: int, rounds: int) -> tuple[tuple[_Round, _Round], ...]:
    # Odd rounds map the high part to a change of the low one, even rounds the other way round.
    make = _table if a <= _TABLE_SIDE else _Computed
    return tuple(
        (make(key, number, inputs=b, modulus=a), make(key, number + 1, inputs=a, modulus=b))
        for number in range(1, rounds, 2)
    )


def _table(key: bytes, number: int, *, inputs: int, modulus: int) -> "array[int]":
    # PBKDF2 of one iteration is HMAC(key, salt || counter) for the counters 1, 2, ...: the digests
    # that `_Computed` asks for one by one, all in one call.
    digests = -(-inputs // _WORDS)
    words = hashlib.pbkdf2_hmac("sha256", key, bytes([number]), 1, dklen=32 * digests)
    return array("H", [word % modulus for word in unpack(f">{_WORDS * digests}Q", words)])


class _Computed:
    """The round function of a period too large for tables."""

    __slots__ = ("_key", "_modulus", "_number")

    def __init__(self, key: bytes, number: int, *, inputs: int, modulus: int) -> None:
        self._key = key
        self._number = bytes([number])
        self._modulus = modulus

    def __getitem__(self, value: int, /) -> int:
        block, word = divmod(value, _WORDS)
        digest = hmac.digest(self._key, self._number + (block + 1).to_bytes(4, "big"), "sha256")
        return int.from_bytes(digest[8 * word : 8 * word + 8], "big") % self._modulus
