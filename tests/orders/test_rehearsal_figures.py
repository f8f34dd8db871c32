"""How what was seen becomes figures, and figures a verdict."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders.rehearsal.figures import (
    Purchase,
    Sample,
    Seen,
    Trouble,
    answer_ms,
    outcomes,
    percentile,
    settled_ms,
    timeline,
)
from orders.rehearsal.verdict import Check, Stock, judge, units_due

CLEAN = Stock(before=500, after=0, back=0, added=0, sold=500)


def bought(due=0.0, answered=0.1, settled=0.3):
    return Purchase("k", due, order_no="1", status="unpaid", answered=answered, settled=settled)


def refused(due=0.0, answered=0.1, code="sold_out"):
    return Purchase("k", due, refusal=code, answered=answered)


def failed(due=0.0, answered=0.1, settled=2.5, code="sold_out"):
    return Purchase(
        "k",
        due,
        order_no="1",
        status="failed",
        failure=code,
        answered=answered,
        settled=settled,
    )


def a_rehearsal(*, sold=500, told=4500):
    return Seen(purchases=[*(bought() for _ in range(sold)), *(refused() for _ in range(told))])


def broken(seen=None, *, stock=CLEAN, pending=0, disagreements=(), promises=()):
    checks = judge(
        seen=seen or a_rehearsal(),
        stock=stock,
        pending=pending,
        disagreements=disagreements,
        broken_promises=promises,
    )
    assert len(checks) == 5
    return [check for check in checks if not check.ok]


# --- percentiles


@given(st.lists(st.floats(allow_nan=False), min_size=1), st.floats(0, 1))
def test_a_percentile_is_the_least_value_that_so_many_do_not_exceed(values, share):
    found = percentile(values, share)

    assert found in values
    assert sum(value <= found for value in values) >= share * len(values)
    below = sum(value < found for value in values)
    assert below == 0 or below < share * len(values)


def test_percentiles_of_a_hundred_values_are_these():
    values = range(1, 101)

    assert [percentile(values, share) for share in (0, 0.5, 0.99, 1)] == [1, 50, 99, 100]
    assert percentile([], 0.5) is None


# --- seconds


def test_everything_is_counted_in_its_own_second():
    seen = Seen(
        purchases=[bought(0.0, 0.4, 1.2), bought(0.9, 1.9, 2.0), refused(1.0, 3.5), failed(0.2)],
        troubles=[Trouble(1.1, "busy"), Trouble(1.9, "timeout"), Trouble(3.0, "busy")],
    )

    line = timeline(seen, [])

    assert list(line.due) == [3, 1, 0, 0]
    assert list(line.accepted) == [2, 1, 0, 0]  # an order that fails later was accepted too
    assert list(line.sold_out) == [0, 0, 1, 1]  # at once, or when it turned out
    assert list(line.errors) == [0, 2, 0, 1]


def test_latency_belongs_to_the_second_of_the_intended_click():
    """So a stall shows where it hit people, and at its full length."""
    seen = Seen(purchases=[bought(0.5, 0.51), bought(0.9, 5.9), refused(2.0, 2.2)])

    line = timeline(seen, [])

    assert line.p50_ms[0] == pytest.approx(10)
    assert line.p99_ms[0] == pytest.approx(5000)
    assert list(line.p99_ms[1:]) == [None, pytest.approx(200), None, None, None]


def test_who_never_got_an_answer_has_no_latency():
    unknown = Purchase("k", 0.0, gave_up="timeout")

    assert answer_ms([unknown, bought(0.0, 0.1)]) == [pytest.approx(100)]
    assert settled_ms([failed(), bought(1.0, 1.1, 1.5)]) == [pytest.approx(500)]
    assert outcomes([unknown, bought(), failed(), failed()]) == {
        "failed: sold_out": 2,
        "gave up: timeout": 1,
        "unpaid": 1,
    }


def test_samples_become_a_depth_and_a_growth_and_silence_stays_a_gap():
    samples = [
        Sample(0.9, pending=10, settled=0),
        Sample(1.9, pending=40, settled=25),
        Sample(2.9, pending=None, settled=None),
        Sample(3.9, pending=None, settled=30),
        Sample(4.9, pending=0, settled=90),
    ]

    line = timeline(Seen(), samples)

    assert list(line.pending) == [10, 40, None, None, 0]
    assert list(line.settled) == [0, 25, None, None, 65]


def test_nothing_at_all_is_a_second_of_nothing():
    line = timeline(Seen(), [])

    assert (line.seconds, list(line.due), list(line.pending)) == (1, [0], [None])


# --- how many units it must have been


@pytest.mark.parametrize(
    ("stock", "visits", "told", "expected"),
    [
        pytest.param(CLEAN, 5000, 4500, (500, 500), id="more demand than stock"),
        pytest.param(
            Stock(before=500, after=400, back=0, added=0, sold=100),
            100,
            0,
            (100, 100),
            id="more stock than demand",
        ),
        pytest.param(
            Stock(before=500, after=402, back=0, added=0, sold=98),
            100,
            0,
            (98, 100),
            id="two never heard, and may have bought or not",
        ),
        pytest.param(
            Stock(before=500, after=0, back=0, added=0, sold=440),
            5000,
            4560,
            (440, 500),
            id="others bought sixty",
        ),
        pytest.param(
            Stock(before=500, after=0, back=7, added=0, sold=507),
            5000,
            4493,
            (500, 507),
            id="seven came back and were sold again",
        ),
        pytest.param(
            Stock(before=500, after=0, back=0, added=50, sold=550),
            5000,
            4450,
            (500, 550),
            id="fifty were added",
        ),
        pytest.param(
            Stock(before=500, after=0, back=0, added=-200, sold=300),
            5000,
            0,
            (300, 500),
            id="ended early, the rest withdrawn",
        ),
    ],
)
def test_the_smaller_of_stock_and_demand(stock, visits, told, expected):
    assert units_due(stock, visits=visits, told_sold_out=told) == expected


# --- the verdict


def test_a_clean_rehearsal_breaks_nothing():
    assert broken() == []


def test_one_unit_more_than_there_was_is_broken():
    oversold = replace(CLEAN, sold=501)

    [check] = broken(a_rehearsal(sold=501, told=4499), stock=oversold)

    assert check.figure == "501 sold, 500 expected"
    assert str(check).startswith("BROKEN  units sold")


def test_a_unit_left_while_shoppers_were_told_sold_out_is_broken():
    [check] = broken(a_rehearsal(sold=499, told=4501), stock=replace(CLEAN, sold=499, after=1))

    assert check.figure == "499 sold, 500 expected"


def test_queued_orders_that_fail_because_nothing_is_left_count_as_told():
    seen = Seen(purchases=[*(bought() for _ in range(499)), failed(), failed()])

    assert [check.figure for check in broken(seen, stock=replace(CLEAN, sold=499, after=1))] == [
        "499 sold, 500 expected"
    ]


@pytest.mark.parametrize(
    ("wrong", "figure"),
    [
        ({"pending": 3}, "3 pending"),
        ({"disagreements": ["k1: answered ['1'], stored []"]}, "1 disagreements"),
        ({"promises": ["1: pool 3"]}, "1 rows that break one"),
        ({"seen": replace(a_rehearsal(), unexpected=["POST x: 500 http 500"])}, "1 others"),
    ],
)
def test_each_other_thing_breaks_the_verdict_by_itself(wrong, figure):
    [check] = broken(wrong.pop("seen", None), **wrong)

    assert check.figure == figure


def test_a_long_list_is_cut_short():
    [check] = broken(disagreements=[f"k{n}" for n in range(100)])

    assert isinstance(check, Check)
    assert check.figure == "100 disagreements"
    assert list(check.broken)[-2:] == ["k19", "and more"]
