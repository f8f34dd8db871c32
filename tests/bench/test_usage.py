"""Processor time: whose it was, and how much of it an order cost."""

import pytest

from bench.usage import Reading, Usage, growth


def test_what_nobody_of_ours_used_was_used_by_others() -> None:
    before = Reading({"web": 1.0, "clients": 0.5}, busy=10.0, at=100.0)
    after = Reading({"web": 9.0, "clients": 1.5}, busy=24.0, at=110.0)

    assert before.until(after) == Usage({"web": 8.0, "clients": 1.0}, others_cores=0.5)


def test_rounding_of_the_counters_is_not_held_against_others() -> None:
    before = Reading({"web": 1.0}, busy=10.0, at=100.0)
    after = Reading({"web": 2.01}, busy=11.0, at=101.0)

    assert before.until(after).others_cores == 0.0


def test_time_is_shared_out_among_the_requests() -> None:
    assert Usage({"web": 2.0, "mariadb": 0.5}, 0.0).per(1_000) == {"web": 2_000, "mariadb": 500}


def test_no_request_has_no_price() -> None:
    assert Usage({"web": 2.0}, 0.0).per(0) == {}


def test_growth_is_that_of_the_process_that_grew_most() -> None:
    assert growth([30.0, 100.0, 101.0], [30.0, 104.5, 99.0]) == 4.5


def test_growth_is_not_told_of_processes_that_came_or_went() -> None:
    with pytest.raises(ValueError, match="zip"):
        growth([30.0, 100.0], [30.0])
