"""The numbers of a period: each exactly once, back to their index, and nobody's favourites."""

import hashlib
from collections import Counter
from itertools import pairwise, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lottery.draws import permutation
from lottery.draws.permutation import Numbers
from lottery.verify_draw import Permutation
from tests.lottery.draws.statistics import ONE_IN_TEN_THOUSAND, equally, surprise

SEED = bytes(range(32))

seeds = st.binary(min_size=32, max_size=32)
totals = st.one_of(
    st.integers(1, 10**12),
    st.integers(1, 5_000),
    # Where tables end and where the number of rounds changes.
    st.sampled_from([2**9, 2**13, 2**19, 2**31, 4096**2]).flatmap(
        lambda edge: st.integers(edge - 1, edge + 2)
    ),
    st.sampled_from([1, 2, 3, 10**12 - 1, 10**12]),
)


@pytest.fixture(autouse=True)
def _remembers_no_tables():
    permutation._round_functions.cache_clear()


def seed_number(number):
    return hashlib.sha256(b"seed %d" % number).digest()


def test_every_number_up_to_two_thousand_shares_is_given_once():
    for total in (*range(1, 600), *range(600, 2_001, 13)):
        numbers = Numbers(SEED, total, 0).numbers(0, total)
        assert sorted(numbers) == list(range(total)), total


@pytest.mark.parametrize("total", [4_095, 4_096, 4_097, 30_011, 100_000])
def test_every_number_of_a_larger_period_is_given_once(total):
    numbers = Numbers(SEED, total).numbers(0, total)
    assert sorted(numbers) == list(range(1_000_002, 1_000_002 + total))


@given(seeds, totals, st.data())
def test_a_number_leads_back_to_its_index(seed, total, data):
    index = data.draw(st.integers(0, total - 1))
    first_number = data.draw(st.integers(0, 10**12))
    numbers = Numbers(seed, total, first_number)
    number = numbers.number(index)
    assert first_number <= number < first_number + total
    assert numbers.index(number) == index


@given(seeds, totals, st.data())
def test_an_index_leads_back_to_its_number(seed, total, data):
    number = data.draw(st.integers(1_000_002, 1_000_001 + total))
    numbers = Numbers(seed, total)
    index = numbers.index(number)
    assert 0 <= index < total
    assert numbers.number(index) == number


@given(seeds, totals, st.data())
def test_many_numbers_are_what_each_one_is(seed, total, data):
    first = data.draw(st.integers(0, total - 1))
    count = data.draw(st.integers(0, min(40, total - first)))
    numbers = Numbers(seed, total)
    expected = [numbers.number(index) for index in range(first, first + count)]
    assert numbers.numbers(first, count) == expected
    assert len(set(expected)) == count


@given(seeds, totals, st.data())
def test_a_program_written_from_the_page_alone_gives_the_same_numbers(seed, total, data):
    index = data.draw(st.integers(0, total - 1))
    other, number = Permutation(seed, total), Numbers(seed, total, 0).number(index)
    assert other.forth(index) == number
    assert other.back(number) == index


def test_more_numbers_than_are_computed_at_once_are_in_their_order():
    numbers = Numbers(SEED, 20_000)
    assert numbers.numbers(0, 10_000) == numbers.numbers(0, 4_000) + numbers.numbers(4_000, 6_000)


def test_the_default_numbers_are_1000002_to_1000001_plus_n():
    assert sorted(Numbers(SEED, 3).numbers(0, 3)) == [1_000_002, 1_000_003, 1_000_004]


@pytest.mark.parametrize("total", [0, -1, 10**12 + 1])
def test_there_are_no_periods_of_other_sizes(total):
    with pytest.raises(ValueError, match="1 to 1000000000000 shares"):
        Numbers(SEED, total)


@pytest.mark.parametrize(("first", "count"), [(-1, 1), (0, 11), (10, 1), (3, -1)])
def test_there_are_no_numbers_beyond_the_shares(first, count):
    with pytest.raises(ValueError, match="in 10"):
        Numbers(SEED, 10).numbers(first, count)


@pytest.mark.parametrize("number", [1_000_001, 1_000_012, 0, -1])
def test_a_number_that_was_never_sold_has_no_index(number):
    with pytest.raises(ValueError, match="no number of this period"):
        Numbers(SEED, 10).index(number)


def test_another_seed_gives_other_numbers():
    ours, theirs = (Numbers(seed_number(n), 10**6).numbers(0, 50) for n in (1, 2))
    assert len(set(ours) & set(theirs)) < 5


def orders_of_three(keys=6_000):
    return Counter(tuple(Numbers(seed_number(n), 3, 0).numbers(0, 3)) for n in range(keys))


def test_the_smallest_periods_have_each_order_equally_often():
    assert surprise(orders_of_three(), equally(permutations(range(3)))) < ONE_IN_TEN_THOUSAND


def test_with_two_rounds_they_would_not(monkeypatch):
    monkeypatch.setattr(permutation, "_ROUNDS", ((9, 2),))
    assert surprise(orders_of_three(), equally(permutations(range(3)))) > 10


def test_the_first_two_numbers_of_a_small_period_are_any_two():
    pairs = Counter(tuple(Numbers(seed_number(n), 11, 0).numbers(0, 2)) for n in range(6_000))
    assert surprise(pairs, equally(permutations(range(11), 2))) < ONE_IN_TEN_THOUSAND


@pytest.mark.parametrize("index", [0, 1, 10**12 - 1])
def test_over_many_seeds_a_share_of_a_huge_period_has_any_number(index):
    parts = Counter(
        Numbers(seed_number(n), 10**12, 0).number(index) * 40 // 10**12 for n in range(4_000)
    )
    assert surprise(parts, equally(range(40))) < ONE_IN_TEN_THOUSAND


def test_neighbours_of_a_large_period_are_strewn_over_all_of_it():
    numbers = Numbers(SEED, 10**7, 0).numbers(123_456, 10_000)
    parts = Counter(number * 50 // 10**7 for number in numbers)
    steps = Counter((b - a) % 10**7 * 50 // 10**7 for a, b in pairwise(numbers))
    assert surprise(parts, equally(range(50))) < ONE_IN_TEN_THOUSAND
    assert surprise(steps, equally(range(50))) < ONE_IN_TEN_THOUSAND


def test_what_is_remembered_is_bounded():
    for number in range(permutation._REMEMBERED_PERIODS + 10):
        Numbers(seed_number(number), 100).number(0)
    assert permutation._round_functions.cache_info().currsize == permutation._REMEMBERED_PERIODS
    largest = permutation._round_functions(SEED, 4_096, 4_096, 18)
    size = sum(table.itemsize * len(table) for pair in largest for table in pair)
    assert size * permutation._REMEMBERED_PERIODS < 10 * 2**20


def test_opening_a_period_makes_no_tables():
    Numbers(SEED, 10**7)
    assert permutation._round_functions.cache_info().currsize == 0
