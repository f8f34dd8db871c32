"""How the money of a red packet is split: a pure function of total, count and a secret seed.

The k-th amount goes to whoever takes the k-th slot. All amounts are whole fen, at least 1 each, and
sum to the total. Being early is worth nothing: what is expected of an amount is exactly total /
count, whatever its place.

The generator is stated, so that anyone with the seed gets the same amounts for ever: block i is
SHA-256("scarce red packet 1" + seed + i as 8 bytes), i = 0, 1, ...; each block is four numbers of 8
bytes, all big-endian. A number below n is the next of them that is smaller than the largest
multiple of n below 2^64, modulo n: nothing is likelier than anything else.
"""

from collections.abc import Callable, Iterator
from enum import StrEnum
from hashlib import sha256

SEED_BYTES = 32
DOMAIN = b"scarce red packet 1"
# Twice as much is still one number of the generator.
MOST_FEN = 2**62

# below(n): a whole number from 0 to n - 1.
Below = Callable[[int], int]


class How(StrEnum):
    """Random: by double mean; equal: a difference of 1 fen at most."""

    RANDOM = "random"
    EQUAL = "equal"


def split(*, total_fen: int, count: int, how: How, seed: bytes) -> list[int]:
    """The amounts (fen) of `count` slots, in the order in which slots are taken.

    Raises ValueError unless 1 <= count <= total_fen <= MOST_FEN and `seed` has SEED_BYTES bytes.
    """
    if not 1 <= count <= total_fen <= MOST_FEN:
        raise ValueError(f"{total_fen} fen can't be split among {count}")
    if len(seed) != SEED_BYTES:
        raise ValueError(f"a seed has {SEED_BYTES} bytes, not {len(seed)}")
    below = generator(seed)
    if how is How.EQUAL:
        return equal_amounts(total_fen, count, below)
    return random_amounts(total_fen, count, below)


def random_amounts(total_fen: int, count: int, below: Below) -> list[int]:
    """By double mean: each amount is uniform from 1 to twice the mean of what is left, less 1.

    Twice the mean is rarely whole. The range then ends one later as often as the fraction says, so
    that the expectation is exactly the mean of what is left. All who come later get at least a fen:
    of the `spare` fen beyond one each, an amount has at most 2 * spare / still, rounded up, and for
    two or more that is not more than `spare`.
    """
    amounts, left = [], total_fen
    for still in range(count, 1, -1):
        double, fraction = divmod(2 * left, still)
        most = double if below(still) < fraction else double - 1
        amounts.append(1 + below(most))
        left -= amounts[-1]
    return [*amounts, left]


def equal_amounts(total_fen: int, count: int, below: Below) -> list[int]:
    """The same for everybody; the fen that are left over go to as many slots, each as likely."""
    share, over = divmod(total_fen, count)
    amounts = []
    for still in range(count, 0, -1):
        # Selection sampling (Knuth, The Art of Computer Programming, volume 2, 3.4.2, algorithm S).
        one_more = below(still) < over
        amounts.append(share + one_more)
        over -= one_more
    return amounts


def generator(seed: bytes) -> Below:
    """The numbers that follow from a seed."""
    numbers = _numbers(seed)

    def below(n: int) -> int:
        fair = 2**64 - 2**64 % n
        return next(number for number in numbers if number < fair) % n

    return below


def _numbers(seed: bytes) -> Iterator[int]:
    block = 0
    while True:
        digest = sha256(DOMAIN + seed + block.to_bytes(8)).digest()
        for start in range(0, len(digest), 8):
            yield int.from_bytes(digest[start : start + 8])
        block += 1
