"""How figures of flash sales become a verdict, and what makes a row void."""

from dataclasses import replace

import pytest

from bench.load import Answers
from bench.sales import DIRECT, GATED_QUEUE, QUEUED, WAYS, Cell, Price, Sales, Way
from bench.verdict import Check, Tally
from tests.bench.figures import a_cell, a_rush, a_yardstick, an_outcome

OPTIMISTIC = Way(DIRECT, "optimistic", True)
PESSIMISTIC = Way(DIRECT, "pessimistic", False)


def a_report(*cells: Cell, broken: tuple[str, ...] = ()) -> Sales:
    return Sales(
        yardsticks=[a_yardstick()],
        cells=cells,
        prices=[Price(cell.way, 1_000, 1.0, 0.3, 1.1) for cell in cells],
        memory={"web": [30.0, 100.0, 101.0], "beat": [90.0]},
        broken=broken,
    )


def failed(report: Sales) -> list[Check]:
    return [check for check in report.checks() if not check.ok]


def test_every_way_is_measured_once() -> None:
    assert len(set(WAYS)) == len({str(way) for way in WAYS}) == 6
    assert GATED_QUEUE in WAYS
    assert str(Way(QUEUED, "optimistic", False)) == "queued, no gate"
    assert str(PESSIMISTIC) == "direct pessimistic, no gate"


def test_a_clean_fast_run_passes_every_line() -> None:
    report = a_report(a_cell(), a_cell(OPTIMISTIC, 800), a_cell(PESSIMISTIC, 700))

    assert failed(report) == []
    assert [check.figure for check in report.checks() if not check.hard] == [
        "0.247, at least 0.15",
        "2.50, at least 1.5",
    ]


def test_settled_counts_what_had_its_units_by_the_end_of_the_run() -> None:
    cell = a_cell(per_second=2_000)

    assert cell.accepted == 2_000
    assert cell.settled == 1_980


def test_queued_is_compared_with_the_better_of_the_direct_ways() -> None:
    report = a_report(a_cell(per_second=1_300), a_cell(OPTIMISTIC, 800), a_cell(PESSIMISTIC, 1_000))

    assert [(check.what, check.hard) for check in failed(report)] == [
        ("settled, queued behind the gate, 64 clients, of direct pessimistic, no gate", False)
    ]


@pytest.mark.parametrize(
    ("fault", "line"),
    [
        ({"pending": 3}, "flash sales: pending"),
        ({"breaches": 1}, "flash sales: limit breaches"),
        ({"duplicates": 2}, "flash sales: duplicates"),
        ({"lost": 1}, "flash sales: lost"),
        ({"sold": Tally(1_000_000, 980_001, 20_000, 20_000)}, "flash sales: oversold"),
        ({"sold": Tally(1_000_000, 979_999, 20_000, 20_000)}, "flash sales: undersold"),
    ],
)
def test_whatever_is_not_right_voids_the_row_and_fails_the_command(
    fault: dict[str, object], line: str
) -> None:
    cell = replace(a_cell(), outcome=replace(an_outcome(20_000), **fault))

    report = a_report(cell)

    assert [(check.what, check.hard) for check in failed(report)] == [(line, True)]
    assert cell.void
    assert "void" in report.table()
    assert report.as_dict()["cells"][0]["void"]


def test_a_unit_left_in_a_rush_is_undersold() -> None:
    rush = replace(a_rush(100), outcome=an_outcome(99, loaded=100))

    cell = replace(a_cell(), rushes=[rush])

    assert cell.wrong()["undersold"] == 1


def test_refusals_of_a_rush_are_right_and_of_a_timed_run_errors() -> None:
    assert a_cell().errors == 0

    refused = {"202": 19_990, "409 purchase_limit": 10}
    cell = replace(a_cell(), run=Answers(counts=refused, seconds=10.0))

    assert cell.errors == 10


def test_an_order_that_was_accepted_and_failed_is_an_error_and_not_undersold() -> None:
    cell = replace(a_cell(), outcome=replace(an_outcome(19_995), failed=5))

    assert cell.errors == 5
    assert cell.wrong()["undersold"] == 0


def test_a_broken_promise_fails_the_command() -> None:
    assert [check.hard for check in failed(a_report(a_cell(), broken=("1: pool 7",)))] == [True]


def test_the_table_has_a_row_for_each_cell_and_for_what_an_order_costs() -> None:
    table = a_report(a_cell(), a_cell(OPTIMISTIC, 800)).table()

    assert table.count("queued, gate ") == 3
    assert table.count("direct optimistic, gate ") == 3
    assert "web 30+100+101, beat 90" in table


def test_the_file_has_what_an_order_cost_and_its_ratio() -> None:
    [cell] = a_report(a_cell()).as_dict()["cells"]

    assert cell["ratio"] == {"accepted": 0.25, "settled": 0.2475}
    assert cell["cpu_us_per_order"] == {"web": 500, "drains": 100, "mariadb": 250, "redis": 50}
    assert cell["rushes"][0]["sold"] == 100
