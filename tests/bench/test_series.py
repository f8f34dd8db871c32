"""The drain alone, and slow commits: their ratios, and what fails the command."""

from dataclasses import replace

from bench.commits import Commits
from bench.draining import Draining, Pace
from bench.sales import DIRECT, GATED_QUEUE, Way
from tests.bench.figures import a_cell, an_outcome

DRAINING = Draining(
    batch=500,
    drained=Pace(10_000, 0.8, an_outcome(10_000)),
    direct=Pace(2_000, 2.5, an_outcome(2_000)),
    commit_ms=0.4,
    broken=(),
)
COMMITS = Commits(
    cells=[a_cell(per_second=1_300), a_cell(Way(DIRECT, "optimistic", True), 300)],
    commit_ms=2.8,
    alone_ms=0.5,
    waited=9_000,
    unwaited=0,
    broken=(),
)


def test_the_drain_is_compared_with_one_order_transactions() -> None:
    assert [check.figure for check in DRAINING.checks() if not check.hard] == ["15.6, at least 15"]
    assert all(check.ok for check in DRAINING.checks())
    assert DRAINING.as_dict()["ratio"] == 15.62


def test_a_slower_drain_is_said() -> None:
    slow = replace(DRAINING, drained=Pace(10_000, 1.0, an_outcome(10_000)))

    assert [(check.figure, check.hard) for check in slow.checks() if not check.ok] == [
        ("12.5, at least 15", False)
    ]


def test_an_order_that_stays_pending_fails_the_command() -> None:
    left = replace(an_outcome(10_000), pending=1)
    wrong = replace(DRAINING, drained=Pace(10_000, 0.8, left))

    assert [(check.what, check.hard) for check in wrong.checks() if not check.ok] == [
        ("drain alone: pending", True)
    ]


def test_slow_commits_are_judged_by_the_better_of_the_direct_ways() -> None:
    better = a_cell(Way(DIRECT, "pessimistic", False), 330)
    run = replace(COMMITS, cells=[*COMMITS.cells, better])

    assert all(check.ok for check in COMMITS.checks())
    [slow] = [check for check in run.checks() if not check.ok]
    assert slow.figure == "3.94, at least 4"
    assert "direct pessimistic, no gate" in slow.what


def test_a_commit_that_waited_for_nobody_fails_the_command() -> None:
    run = replace(COMMITS, unwaited=7)

    assert [(check.figure, check.hard) for check in run.checks() if not check.ok] == [
        ("7, must be 0", True)
    ]


def test_commits_that_were_not_slower_are_said() -> None:
    run = replace(COMMITS, commit_ms=2.4)

    assert [check.figure for check in run.checks() if not check.ok] == ["1.90, at least 2"]
    assert str(GATED_QUEUE) in run.table()
