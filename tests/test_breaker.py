"""A breaker opens, probes and closes by its clock alone."""

import pytest

from shop.breaker import Breaker
from tests.kit.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(failures=3, seconds=10, clock=clock)


def fail(breaker: Breaker, times: int) -> list[bool]:
    return [breaker.failed() for _ in range(times)]


def test_it_opens_with_the_last_failure_in_a_row_and_says_so_once(breaker: Breaker) -> None:
    assert fail(breaker, 2) == [False, False]
    assert breaker.lets_through()
    assert fail(breaker, 2) == [True, False]
    assert not breaker.lets_through()


def test_a_success_in_between_starts_the_count_anew(breaker: Breaker) -> None:
    fail(breaker, 2)
    breaker.succeeded()
    fail(breaker, 2)
    assert breaker.lets_through()


def test_when_its_time_is_over_one_probe_passes_and_the_others_do_not(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, 3)
    clock.now += 9.999
    assert not breaker.lets_through()
    clock.now += 0.001
    assert [breaker.lets_through() for _ in range(3)] == [True, False, False]


def test_a_probe_that_succeeds_closes_it(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 10
    assert breaker.lets_through()
    breaker.succeeded()
    assert all(breaker.lets_through() for _ in range(5))
    assert fail(breaker, 3) == [False, False, True]


def test_a_probe_that_fails_keeps_it_open_for_as_long_again(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 10
    assert breaker.lets_through()
    clock.now += 2
    assert fail(breaker, 1) == [False]
    clock.now += 9.999
    assert not breaker.lets_through()
    clock.now += 0.001
    assert breaker.lets_through()


def test_a_probe_that_nobody_reports_on_holds_up_nobody(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, 3)
    clock.now += 10
    assert breaker.lets_through()
    clock.now += 10
    assert breaker.lets_through()
