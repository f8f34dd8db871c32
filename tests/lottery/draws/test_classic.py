"""The classic draw: every remainder is a number that was sold, none is beyond, none is missed."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lottery.draws.classic import clock_digits, last_buy_times, winning_number
from lottery.draws.permutation import Numbers
from lottery.verify_draw import clock_digits as digits_by_the_page
from tests.lottery.draws.facts import SEED, buy_times

MIDNIGHT = datetime(2026, 8, 30, 16, tzinfo=UTC)  # in China

moments = st.datetimes(datetime(2015, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))


def number_of(times, public_number, *, total, first_number=1_000_002):
    return winning_number(
        buy_times=times, public_number=public_number, total=total, first_number=first_number
    )


@pytest.mark.parametrize("total", [1, 2, 7, 100, 1_000, 99_991])
def test_every_remainder_wins_with_a_number_that_was_sold(total):
    times = buy_times(3)
    base = -sum(map(clock_digits, times)) % total
    won = [number_of(times, (base + remainder) % total, total=total) for remainder in range(total)]
    assert won == list(range(1_000_002, 1_000_002 + total))


def test_its_winners_are_exactly_the_numbers_of_the_shares():
    total = 250
    won = {number_of(buy_times(), public, total=total) for public in range(total)}
    numbers = Numbers(SEED, total)
    assert {numbers.index(number) for number in won} == set(range(total))


def test_the_formula_that_is_often_published_misses_a_number_and_reaches_one_too_many():
    # 1,000,001 + remainder + 1 is ours; without the + 1 the first number is one nobody bought.
    total = 10
    sold = set(range(1_000_002, 1_000_012))
    published = {1_000_001 + remainder for remainder in range(total)}
    assert published - sold == {1_000_001}
    assert sold - published == {1_000_011}
    ours = {number_of([MIDNIGHT], remainder, total=total) for remainder in range(total)}
    assert ours == sold


@pytest.mark.parametrize(
    ("moment", "digits"),
    [
        (datetime(2026, 8, 30, 1, 5, 7, 42_999, tzinfo=UTC), 90_507_042),
        (MIDNIGHT, 0),
        (MIDNIGHT - timedelta(microseconds=1), 235_959_999),
        (datetime(2026, 8, 31, 9, 5, 7, 42_000, timezone(timedelta(hours=8))), 90_507_042),
        (datetime(2026, 8, 31, 12, 34, 56, 789_012, timezone(timedelta(hours=8))), 123_456_789),
    ],
)
def test_a_clock_in_china_is_read_to_the_millisecond(moment, digits):
    assert clock_digits(moment) == digits


@given(moments)
def test_a_program_written_from_the_page_alone_reads_the_same_clock(moment):
    text = moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
    assert clock_digits(moment) == digits_by_the_page(text)


@given(st.lists(moments, min_size=1, max_size=80), st.integers(0, 99_999), st.integers(1, 10**12))
def test_the_last_fifty_decide_in_whatever_order_they_come(times, public_number, total):
    last = sorted(times)[-50:]
    number = number_of(times, public_number, total=total)
    assert number == number_of(last[::-1], public_number, total=total)
    assert number == 1_000_002 + (sum(map(clock_digits, last)) + public_number) % total
    assert [clock_digits(time) for time in last_buy_times(times)] == [clock_digits(t) for t in last]


def test_of_more_buy_times_the_last_fifty_count():
    times = buy_times(200)
    assert last_buy_times(times) == last_buy_times(sorted(times)[150:])
    assert number_of(times, 0, total=10**9) == number_of(sorted(times)[150:], 0, total=10**9)
    assert number_of(times, 0, total=10**9) != number_of(sorted(times)[149:199], 0, total=10**9)


@pytest.mark.parametrize("public_number", [-1, 100_000, 1.0, "12345", True, None])
def test_a_public_number_has_five_digits(public_number):
    with pytest.raises(ValueError, match="five digits"):
        number_of([MIDNIGHT], public_number, total=10)


def test_without_buy_times_there_is_no_draw():
    with pytest.raises(ValueError, match="buy times"):
        number_of([], 5, total=10)
