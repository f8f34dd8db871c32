"""How figures of checkout become a verdict: what counts as oversold, what fails the command."""

from dataclasses import replace

from bench.checkout import OPTIMISTIC, PESSIMISTIC, Cell, Checkout
from bench.load import Answers
from bench.usage import Usage
from bench.verdict import Check, Tally, Yardstick

YARDSTICK_PER_SECOND = 8_000


def a_run(per_second: int, *, p50_ms: float = 10.0, p99_ms: float = 30.0) -> Answers:
    return Answers(counts={"201": per_second * 10}, seconds=10.0, p50_ms=p50_ms, p99_ms=p99_ms)


def a_cell(strategy: str, clients: int, per_second: int = 800) -> Cell:
    sold = per_second * 10
    return Cell(
        strategy=strategy,
        clients=clients,
        run=a_run(per_second),
        sold=Tally(loaded=1_000_000, available=1_000_000 - sold, orders=sold, units=sold),
        rush=Answers(counts={"201": 100, "409 sold_out": 300}),
        rush_requests=400,
        rush_sold=Tally(loaded=100, available=0, orders=100, units=100),
        lost=0,
        retries=0,
        broken=(),
        usage=Usage({"web": 20.0, "mariadb": 8.0, "clients": 0.4}, others_cores=0.1),
    )


def a_report(*cells: Cell) -> Checkout:
    bare = Answers(counts={"200": YARDSTICK_PER_SECOND * 5}, seconds=5.0, p50_ms=2.0, p99_ms=6.0)
    clients = sorted({cell.clients for cell in cells})
    return Checkout(
        yardsticks=[Yardstick(count, [bare, bare]) for count in clients],
        cells=cells,
        statements=["BEGIN", "COMMIT"],
    )


def failed(report: Checkout) -> list[Check]:
    return [check for check in report.checks() if not check.ok]


def test_a_clean_fast_run_passes_every_line() -> None:
    report = a_report(
        *(a_cell(name, count) for count in (8, 32, 64) for name in (OPTIMISTIC, PESSIMISTIC))
    )

    assert failed(report) == []
    assert len(report.checks()) == 11


def test_more_units_in_orders_than_were_loaded_are_oversold() -> None:
    assert Tally(loaded=100, available=0, orders=117, units=117).oversold == 17


def test_units_in_orders_that_the_counter_forgot_are_oversold() -> None:
    assert Tally(loaded=100, available=95, orders=12, units=12).oversold == 7


def test_units_that_stayed_although_they_were_wanted_are_undersold() -> None:
    tally = Tally(loaded=100, available=3, orders=97, units=97)

    assert tally.undersold(wanted=400) == 3
    assert tally.undersold(wanted=97) == 0


def test_units_gone_from_the_counter_and_in_no_order_are_undersold() -> None:
    assert Tally(loaded=100, available=0, orders=98, units=98).undersold(wanted=98) == 2


def test_sold_out_is_an_error_while_there_is_stock_and_right_in_the_rush() -> None:
    cell = a_cell(OPTIMISTIC, 32)
    assert cell.errors == 0

    refused = replace(cell, run=replace(cell.run, counts={"201": 10, "409 sold_out": 4}))

    assert refused.errors == 4


def test_an_oversold_unit_in_one_cell_fails_the_command() -> None:
    cell = a_cell(OPTIMISTIC, 32)
    oversold = Tally(loaded=100, available=0, orders=101, units=101)

    [check] = failed(a_report(replace(cell, rush_sold=oversold)))

    assert (check.what, check.figure, check.hard) == (
        "oversold in every cell",
        "1, must be 0",
        True,
    )


def test_lost_orders_and_broken_promises_fail_the_command() -> None:
    cell = replace(a_cell(OPTIMISTIC, 32), lost=2, broken=("1: pool 7",))

    assert [(check.what, check.hard) for check in failed(a_report(cell))] == [
        ("acknowledged orders that are not stored", True),
        ("promises the audit finds broken", True),
    ]


def test_slow_is_said_and_does_not_fail_the_command() -> None:
    report = a_report(
        a_cell(OPTIMISTIC, 8, 1_000),
        a_cell(OPTIMISTIC, 32, 400),
        a_cell(PESSIMISTIC, 32, 300),
        a_cell(OPTIMISTIC, 64, 790),
        a_cell(PESSIMISTIC, 64, 800),
    )

    assert [(check.figure, check.hard) for check in failed(report)] == [
        ("0.050, at least 0.06", False),
        ("0.79, at least 0.8", False),
        ("0.99, at least 1", False),
    ]


def test_a_long_tail_at_32_clients_is_said() -> None:
    cell = a_cell(OPTIMISTIC, 32)
    slow = replace(cell, run=a_run(800, p50_ms=10.0, p99_ms=40.1))

    assert [check.figure for check in failed(a_report(slow))] == ["4.01, at most 4"]


def test_the_yardstick_is_the_mean_of_its_runs_and_tells_their_distance() -> None:
    bare = Yardstick(
        8,
        [
            Answers(counts={"200": 9_000}, seconds=1.0, p50_ms=2.0, p99_ms=5.0),
            Answers(counts={"200": 7_000, "other": 1}, seconds=1.0, p50_ms=4.0, p99_ms=7.0),
        ],
    )

    assert (bare.per_second, bare.p50_ms, bare.p99_ms) == (8_000, 3.0, 6.0)
    assert (bare.drift, bare.errors) == (0.25, 1)


def test_the_file_holds_each_figure_with_its_ratio_to_the_yardstick() -> None:
    written = a_report(a_cell(OPTIMISTIC, 32)).as_dict()

    [cell] = written["cells"]
    assert cell["orders_per_second"] == 800
    assert cell["ratio"] == {"per_second": 0.1, "p50": 5.0, "p99": 5.0}
    assert (cell["oversold"], cell["undersold"], cell["errors"], cell["retries"]) == (0, 0, 0, 0)
    assert cell["cpu_us_per_order"] == {"web": 2_500, "mariadb": 1_000, "clients": 50}
    assert written["yardstick"][0]["per_second"] == YARDSTICK_PER_SECOND


def test_the_table_has_a_row_for_each_cell_below_its_yardstick() -> None:
    rows = a_report(a_cell(OPTIMISTIC, 8), a_cell(PESSIMISTIC, 8)).table().splitlines()

    assert [row.split()[:3] for row in rows[1:]] == [
        ["yardstick", "8", "8,000"],
        ["optimistic", "8", "800"],
        ["pessimistic", "8", "800"],
    ]
