"""How a packet's money is split: whole fen, all of them, fair in every place, the same for ever."""

from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from hashlib import sha256
from itertools import accumulate, islice
from math import ceil, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lottery.packets.split import (
    MOST_FEN,
    Below,
    How,
    equal_amounts,
    generator,
    random_amounts,
    split,
)

SEEDS = st.binary(min_size=32, max_size=32)
HOWS = st.sampled_from(How)
Amounts = Callable[[int, int, Below], list[int]]


@st.composite
def packets(draw: st.DrawFn, most: int = MOST_FEN) -> tuple[int, int]:
    """(total, count), the tightest ones often: a fen each."""
    count = draw(st.integers(1, 500))
    return draw(st.one_of(st.just(count), st.integers(count, most))), count


# --- for every packet


@given(packet=packets(), how=HOWS, seed=SEEDS)
def test_all_of_it_is_split_and_everybody_gets_at_least_a_fen(
    packet: tuple[int, int], how: How, seed: bytes
) -> None:
    total, count = packet

    amounts = split(total_fen=total, count=count, how=how, seed=seed)

    assert len(amounts) == count
    assert sum(amounts) == total
    assert min(amounts) >= 1
    assert {type(amount) for amount in amounts} == {int}


@given(packet=packets(), seed=SEEDS)
def test_a_random_amount_is_less_than_twice_the_mean_of_what_is_left(
    packet: tuple[int, int], seed: bytes
) -> None:
    total, count = packet
    amounts = split(total_fen=total, count=count, how=How.RANDOM, seed=seed)
    left = [total, *(total - taken for taken in accumulate(amounts))]

    for place, amount in enumerate(amounts[:-1]):
        assert amount <= ceil(Fraction(2 * left[place], count - place)) - 1


@given(packet=packets(), seed=SEEDS)
def test_equal_amounts_differ_by_a_fen_at_most(packet: tuple[int, int], seed: bytes) -> None:
    total, count = packet
    amounts = split(total_fen=total, count=count, how=How.EQUAL, seed=seed)

    assert Counter(amounts)[total // count + 1] == total % count
    assert max(amounts) - min(amounts) <= 1


@given(packet=packets(), how=HOWS, seed=SEEDS)
def test_a_seed_says_it_all(packet: tuple[int, int], how: How, seed: bytes) -> None:
    total, count = packet
    other = bytes([seed[0] ^ 1]) + seed[1:]

    once, again, elsewhere = (
        split(total_fen=total, count=count, how=how, seed=one) for one in (seed, seed, other)
    )

    assert once == again
    if how is How.RANDOM and count > 50 and total > 100 * count:
        assert elsewhere != once


@pytest.mark.parametrize(
    ("total", "count", "seed_bytes"),
    [
        (0, 1, 32),
        (3, 0, 32),
        (3, -1, 32),
        (3, 4, 32),
        (-3, 1, 32),
        (MOST_FEN + 1, 1, 32),
        (3, 1, 31),
    ],
)
def test_what_can_not_be_split_is_refused(total: int, count: int, seed_bytes: int) -> None:
    with pytest.raises(ValueError, match=r"\d"):
        split(total_fen=total, count=count, how=How.RANDOM, seed=bytes(seed_bytes))


# --- fairness


def outcomes(amounts: Amounts, total: int, count: int) -> Iterator[tuple[Fraction, list[int]]]:
    """Every way in which chance can fall, and how likely it is."""
    chosen: list[int] = []
    while True:
        sizes: list[int] = []

        def below(n: int, sizes: list[int] = sizes) -> int:
            sizes.append(n)
            if len(sizes) > len(chosen):
                chosen.append(0)
            return chosen[len(sizes) - 1]

        likely = Fraction(1)
        found = amounts(total, count, below)
        for size in sizes:
            likely /= size
        yield likely, found
        while chosen and chosen[-1] + 1 == sizes[len(chosen) - 1]:
            chosen.pop()
        if not chosen:
            return
        chosen[-1] += 1


def expectations(amounts: Amounts, total: int, count: int) -> list[Fraction]:
    """What each place gets, over all that can happen."""
    sums = [Fraction(0)] * count
    for likely, found in outcomes(amounts, total, count):
        for place, amount in enumerate(found):
            sums[place] += likely * amount
    return sums


SMALL = [(total, count) for count in range(1, 5) for total in range(count, 12)]


@pytest.mark.parametrize("amounts", [random_amounts, equal_amounts])
@pytest.mark.parametrize(("total", "count"), SMALL)
def test_the_expectation_is_the_mean_in_every_place(
    amounts: Amounts, total: int, count: int
) -> None:
    assert expectations(amounts, total, count) == [Fraction(total, count)] * count


def test_cutting_off_the_fraction_would_not_be_fair() -> None:
    """The usual double mean, whole numbers only: the control of the test above."""

    def cut_off(total: int, count: int, below: Below) -> list[int]:
        amounts, left = [], total
        for still in range(count, 1, -1):
            amounts.append(1 + below(max(1, 2 * left // still - 1)))
            left -= amounts[-1]
        return [*amounts, left]

    first, *_, last = expectations(cut_off, 10, 3)

    assert first < Fraction(10, 3) < last


@pytest.mark.parametrize("how", list(How))
def test_over_many_seeds_each_place_gets_the_mean(how: How) -> None:
    """1,003 fen for 10, 4,000 times: no place's mean is off by more than chance explains."""
    total, count, rounds = 1_003, 10, 4_000
    packets = [
        split(total_fen=total, count=count, how=how, seed=sha256(b"%d" % n).digest())
        for n in range(rounds)
    ]

    for place in zip(*packets, strict=True):
        mean = sum(place) / rounds
        deviation = sqrt(sum((amount - mean) ** 2 for amount in place) / rounds)
        assert abs(mean - total / count) < 4 * deviation / sqrt(rounds)
    if how is How.RANDOM:
        # Random in every place, not only on average.
        assert min(len(set(place)) for place in zip(*packets, strict=True)) > 100


# --- the generator


def written_out(seed: bytes) -> Iterator[int]:
    """The generator once more, as its module describes it."""
    block = 0
    while True:
        digest = sha256(b"scarce red packet 1" + seed + block.to_bytes(8, "big")).digest()
        yield from (int(digest[start : start + 8].hex(), 16) for start in (0, 8, 16, 24))
        block += 1


@given(seed=SEEDS, n=st.integers(1, 2**64))
def test_numbers_follow_from_the_seed_as_stated(seed: bytes, n: int) -> None:
    fair = (number for number in written_out(seed) if number < 2**64 // n * n)
    below = generator(seed)

    assert [below(n) for _ in range(20)] == [number % n for number in islice(fair, 20)]


def test_no_number_is_likelier_than_another() -> None:
    """Of 3 * 2^62 numbers a plain modulo would find the first third twice as often."""
    n, below = 3 * 2**62, generator(bytes(32))
    rounds = 3_000

    thirds = Counter(below(n) >> 62 for _ in range(rounds))

    for third in range(3):
        assert abs(thirds[third] - rounds / 3) < 4 * sqrt(rounds * 2 / 9)


def test_a_packet_of_today_is_split_the_same_for_ever() -> None:
    seed = bytes(range(32))

    def amounts(how: How) -> list[int]:
        return split(total_fen=1000, count=7, how=how, seed=seed)

    assert amounts(How.RANDOM) == [253, 98, 195, 78, 175, 26, 175]
    assert amounts(How.EQUAL) == [143, 143, 143, 143, 142, 143, 143]
