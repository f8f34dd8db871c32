"""How figures of the lottery become a verdict, and what makes a row void."""

from dataclasses import replace
from typing import Any

import pytest

from bench.checkout import OPTIMISTIC, PESSIMISTIC
from bench.lottery import Draws, Ends, Entered, Grabbed, Lottery
from bench.sales import DIRECT, WAYS, Cell, Price, Way
from bench.verdict import Check
from tests.bench import test_checkout
from tests.bench.figures import a_cell, a_rush, a_yardstick, an_outcome

GRAB_WAYS = [way for way in WAYS if way.strategy == OPTIMISTIC]
DIRECT_WAY = Way(DIRECT, "pessimistic", True)
ENDS = Ends(
    shares=10_000_000,
    opening_ms=[8.0, 9.5, 70.0],
    numbers=1_000,
    numbers_ms=[6.0, 7.0, 30.0],
    proof_entries=100_000,
    proof_seconds=2.5,
    proof_wrong=False,
)


def entered(sold: int, *, loaded: int = 10_000_000, **faults: int) -> Entered:
    """Everything right but for the faults."""
    right = an_outcome(sold, loaded=loaded)
    figures = {name: getattr(right, name) for name in right.__slots__}
    return Entered(**figures | {"gaps": 0, "unpaid": 0, "misnumbered": 0} | faults)


def grabbed(sold: int, *, loaded: int = 50_000, **faults: int) -> Grabbed:
    """Everything right but for the faults."""
    right = an_outcome(sold, loaded=loaded)
    figures = {name: getattr(right, name) for name in right.__slots__}
    return Grabbed(**figures | {"unequal": 0, "unpaid": 0} | faults)


def entries(way: Way, per_second: int, **faults: int) -> Cell:
    """A timed run with these faults, and a rush without."""
    cell = a_cell(way, per_second)
    rush = replace(a_rush(1_000), outcome=entered(1_000, loaded=1_000))
    return replace(cell, outcome=entered(cell.run.accepted, **faults), rushes=[rush])


def grabs(way: Way, per_second: int, **faults: int) -> Cell:
    """As with entries."""
    cell = a_cell(way, per_second)
    rush = replace(a_rush(1_000), outcome=grabbed(1_000, loaded=1_000))
    return replace(cell, outcome=grabbed(cell.run.accepted, **faults), rushes=[rush])


def a_run(*cells: Cell, **changes: Any) -> Lottery:
    found = Lottery(
        yardstick=a_yardstick(),
        checkouts=[
            test_checkout.a_cell(OPTIMISTIC, 64, 600),
            test_checkout.a_cell(PESSIMISTIC, 64, 500),
        ],
        entries=cells or [entries(way, 1_300 if way.queued else 700) for way in WAYS],
        grabs=[grabs(way, 1_400 if way.queued else 750) for way in GRAB_WAYS],
        entry_prices=[Price(way, 1_000, 1.0, 0.3, 1.1) for way in WAYS],
        grab_prices=[Price(way, 1_000, 1.0, 0.3, 1.1) for way in GRAB_WAYS],
        draws=Draws(drawn=18, late=0, wrong=0),
        ends=ENDS,
        broken=(),
    )
    return replace(found, **changes)


def failed(run: Lottery) -> list[Check]:
    return [check for check in run.checks() if not check.ok]


def test_a_clean_fast_run_passes_every_line() -> None:
    run = a_run()

    assert failed(run) == []
    assert [check.figure for check in run.checks() if not check.hard] == [
        "0.161, at least 0.15",
        "1.16, at least 1",
        "0.173, at least 0.15",
        "1.24, at least 1",
        "9.5 ms, at most 50 ms",
        "7.0 ms, at most 10 ms",
        "2.50 s, at most 5 s",
    ]


@pytest.mark.parametrize("fault", ["gaps", "unpaid", "misnumbered", "lost", "duplicates"])
def test_whatever_is_not_right_voids_the_row_and_fails_the_command(fault: str) -> None:
    cells = [entries(way, 1_300) for way in WAYS[:-1]]
    wrong = entries(WAYS[-1], 1_300, **{fault: 2})

    run = a_run(*cells, wrong)

    assert [(check.what, check.figure, check.hard) for check in failed(run)] == [
        (f"entries: {fault}", "2, must be 0", True)
    ]
    assert f"{WAYS[-1]!s:29}  64  void: {fault} 2" in run.table()


@pytest.mark.parametrize("fault", ["unequal", "unpaid", "lost", "duplicates", "breaches"])
def test_whatever_is_not_right_with_grabs_fails_the_command(fault: str) -> None:
    wrong = grabs(GRAB_WAYS[0], 1_000, **{fault: 3})

    run = a_run(grabs=[wrong, *(grabs(way, 1_400) for way in GRAB_WAYS[1:])])

    name = "limit breaches" if fault == "breaches" else fault
    assert [(check.what, check.figure, check.hard) for check in failed(run)] == [
        (f"grabs: {name}", "3, must be 0", True)
    ]
    assert f"void: {name} 3" in run.table()


def test_a_gap_in_a_rush_voids_its_row() -> None:
    cell = entries(DIRECT_WAY, 700)
    rush = replace(cell.rushes[0], outcome=entered(1_000, loaded=1_000, gaps=1))

    assert replace(cell, rushes=[rush]).wrong()["gaps"] == 1


def test_a_share_left_in_a_rush_is_undersold() -> None:
    cell = entries(DIRECT_WAY, 700)
    rush = replace(cell.rushes[0], outcome=entered(999, loaded=1_000))

    assert replace(cell, rushes=[rush]).wrong()["undersold"] == 1


def test_who_asks_a_period_that_was_just_closed_is_refused_rightly() -> None:
    rush = a_rush(1_000)
    late = replace(rush, answers=replace(rush.answers, counts={"201": 1_000, "409 ended": 7}))

    assert late.errors == 7
    assert replace(late, refusals=("409 ended",)).errors == 0


def test_direct_entries_are_compared_with_the_better_strategy_of_checkout() -> None:
    slow = [entries(way, 1_300 if way.queued else 590) for way in WAYS]

    assert [(check.what, check.figure, check.hard) for check in failed(a_run(*slow))] == [
        (
            "entries, direct optimistic, gate, 64 clients, of optimistic checkout there",
            "0.97, at least 1",
            False,
        )
    ]


def test_queued_entries_are_compared_with_the_yardstick() -> None:
    slow = [entries(way, 1_200 if way.queued else 700) for way in WAYS]

    assert [(check.figure, check.hard) for check in failed(a_run(*slow))] == [
        ("0.148, at least 0.15", False)
    ]


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"draws": Draws(drawn=17, late=1, wrong=0)},
            "lottery: periods that were not drawn in time",
        ),
        (
            {"draws": Draws(drawn=18, late=0, wrong=1)},
            "lottery: proofs in which the verifier finds fault",
        ),
        (
            {"ends": replace(ENDS, proof_wrong=True)},
            "lottery: proofs in which the verifier finds fault",
        ),
        ({"broken": ("4: pool 7",)}, "lottery: promises the audit finds broken"),
    ],
)
def test_a_draw_or_a_promise_that_does_not_hold_fails_the_command(
    change: dict[str, object], line: str
) -> None:
    assert [(check.what, check.figure, check.hard) for check in failed(a_run(**change))] == [
        (line, "1, must be 0", True)
    ]


def test_a_lost_order_of_the_checkout_beside_it_fails_the_command() -> None:
    checkout = replace(test_checkout.a_cell(OPTIMISTIC, 64), lost=1)

    [check] = failed(
        a_run(
            checkouts=[checkout],
            entries=[entries(way, 2_000) for way in WAYS],
            grabs=[grabs(way, 2_000) for way in GRAB_WAYS],
        )
    )

    assert (check.what, check.hard) == (
        "checkout beside the lottery: oversold, undersold or lost",
        True,
    )


def test_what_is_slow_at_the_ends_is_said() -> None:
    slow = replace(ENDS, opening_ms=[50.1], numbers_ms=[10.1], proof_seconds=5.01)

    assert [(check.figure, check.hard) for check in failed(a_run(ends=slow))] == [
        ("50.1 ms, at most 50 ms", False),
        ("10.1 ms, at most 10 ms", False),
        ("5.01 s, at most 5 s", False),
    ]


def test_the_table_has_a_row_for_each_cell_and_one_for_checkout() -> None:
    table = a_run().table()

    assert table.count("queued, gate ") == 6
    assert "checkout, optimistic           64      600" in table
    assert "1,000 numbers, none known, ms" in table


def test_the_file_has_each_cell_with_its_ratio() -> None:
    written = a_run().as_dict()

    assert [cell["ratio"]["settled"] for cell in written["entries"]][2] == 0.1609
    assert written["checkouts"][0]["orders_per_second"] == 600
    assert written["draws"] == {"drawn": 18, "late": 0, "wrong": 0}
    assert written["ends"]["opening_ms"] == [8.0, 9.5, 70.0]
