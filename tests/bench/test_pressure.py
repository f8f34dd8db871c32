"""A sale under pressure: which figures of it are judged, and by what."""

from dataclasses import replace

import pytest

from bench.load import Answers
from bench.pressure import Beside, Flood, Latency, Memory, Paced, Pressure
from bench.usage import Usage
from bench.verdict import Check, Tally
from tests.bench.figures import a_cell, a_yardstick, an_outcome

USAGE = Usage({"web": 5.0}, others_cores=0.1)


def a_flood(replies: int = 60_000, **others: int) -> Flood:
    return Flood(
        clients=64,
        yardstick=a_yardstick(8_000),
        shoppers=5_000,
        holders=100,
        seconds=10.0,
        answers={"409": replies, **others},
        usage=USAGE,
    )


def a_paced(share: float, settled_p99_ms: float = 120.0) -> Paced:
    return Paced(
        share=share,
        rate=1_000.0,
        answers=Answers(counts={"202": 10_000}, seconds=10.0),
        answered=Latency(10_000, 4.0, 20.0, 30.0),
        settled=Latency(10_000, 40.0, settled_p99_ms, 300.0),
        outcome=an_outcome(10_000),
        usage=USAGE,
    )


def a_beside(what: str, p99_ms: float) -> Beside:
    return Beside(
        what=what,
        storm=1_000.0,
        answers=Answers(counts={"201": 600}, seconds=10.0),
        answered=Latency(600, 5.0, p99_ms, 2 * p99_ms),
        sold=Tally(loaded=1_000, available=400, orders=600, units=600),
        lost=0,
    )


def a_memory(*after: float) -> Memory:
    return Memory(
        requests=100_000,
        before={"web": [30.0, 100.0, 100.0]},
        after={"web": list(after)},
        answers=Answers(counts={"202": 10_000, "409 sold_out": 90_000}, seconds=20.0),
        outcome=an_outcome(10_000, loaded=10_000),
        stock=10_000,
    )


A_RUN = Pressure(
    top=a_cell(),
    flood=a_flood(80_000),
    paced=[a_paced(0.25), a_paced(0.5), a_paced(0.75, 900.0)],
    besides=[a_beside("nothing", 10.0), a_beside("a sale", 25.0)],
    memory=a_memory(30.0, 104.0, 109.0),
    broken=(),
)


def failed(run: Pressure) -> list[Check]:
    return [check for check in run.checks() if not check.ok]


def test_a_good_run_passes_every_line() -> None:
    assert failed(A_RUN) == []
    assert [check.figure for check in A_RUN.checks() if not check.hard] == [
        "1.00, at least 0.8",
        "120 ms, at most 250 ms",
        "2.50, at most 3",
        "9.0 MiB, at most 10 MiB",
    ]


@pytest.mark.parametrize(
    ("run", "figure"),
    [
        (replace(A_RUN, flood=a_flood(63_000)), "0.79, at least 0.8"),
        (replace(A_RUN, paced=[a_paced(0.5, 251.0)]), "251 ms, at most 250 ms"),
        (
            replace(A_RUN, besides=[a_beside("nothing", 10.0), a_beside("a sale", 31.0)]),
            "3.10, at most 3",
        ),
        (replace(A_RUN, memory=a_memory(30.0, 95.0, 111.0)), "11.0 MiB, at most 10 MiB"),
    ],
)
def test_what_is_slow_or_grows_is_said_and_does_not_fail_the_command(
    run: Pressure, figure: str
) -> None:
    assert [(check.figure, check.hard) for check in failed(run)] == [(figure, False)]


def test_a_sold_out_sale_that_answers_anything_else_fails_the_command() -> None:
    run = replace(A_RUN, flood=a_flood(80_000, **{"503": 2}))

    assert [(check.what, check.figure, check.hard) for check in failed(run)] == [
        ("under pressure: answers of a sold-out sale but 409", "2, must be 0", True)
    ]


def test_an_order_lost_beside_a_storm_fails_the_command() -> None:
    run = replace(A_RUN, besides=[A_RUN.besides[0], replace(A_RUN.besides[1], lost=1)])

    assert [(check.what, check.hard) for check in failed(run)] == [("under pressure: lost", True)]


def test_a_storm_that_did_not_sell_everything_fails_the_command() -> None:
    memory = replace(A_RUN.memory, outcome=an_outcome(9_999, loaded=10_000))

    assert [check.what for check in failed(replace(A_RUN, memory=memory))] == [
        "under pressure: undersold"
    ]


def test_the_file_has_the_growth_and_the_rates() -> None:
    written = A_RUN.as_dict()

    assert written["memory"]["web_growth_mib"] == 9.0
    assert [one["share"] for one in written["open_loop"]] == [0.25, 0.5, 0.75]
    assert written["sold_out"]["ratio"] == 1.0
    assert "75% of the top rate" in A_RUN.table()
