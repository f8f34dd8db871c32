"""What it costs a sale to be watched: counted, printed and judged."""

from dataclasses import replace

from bench.live import Live, Renewals, Round
from bench.load import Answers
from bench.usage import Usage


def a_run(per_second: int) -> Answers:
    return Answers({"202": 4 * per_second}, seconds=4.0)


def used(**seconds: float) -> Usage:
    return Usage({"redis": 0.01, "clients": 3.0, **seconds}, others_cores=0.0)


def a_live(*watched: int) -> Live:
    """Rounds with 1,000 orders a second alone, and so many while they were watched."""
    return Live(
        rounds=[Round(a_run(1_000), a_run(one), [20.0, 30.0]) for one in watched],
        usual=Renewals(100, used(web=0.8, mariadb=0.1)),
        counting=Renewals(10, used(web=0.08, mariadb=0.26)),
        cores=2,
        failed=0,
        broken=(),
    )


def test_pairs_are_compared_and_their_median_judged() -> None:
    cheap, dear = a_live(990, 985, 900), a_live(990, 970, 960)

    assert cheap.ratios == [0.99, 0.985, 0.9]
    assert all(check.ok for check in cheap.checks())
    assert [check.figure for check in dear.checks() if not check.ok] == ["3.00 %, at most 2 %"]


def test_a_renewal_is_what_the_shop_s_processes_used_for_it() -> None:
    live = a_live(1_000, 1_000)

    assert live.usual.each_us == {"web": 8_000, "mariadb": 1_000, "redis": 100}
    assert live.counting.each_us == {"web": 8_000, "mariadb": 26_000, "redis": 1_000}
    # 9,100 us each second, and 25,900 more each fifth one, of two cores.
    assert live.share == (9_100 + 25_900 / 5) / 2e6
    assert "0.71% of 2 cores" in live.table()


def test_renewals_that_fail_and_broken_promises_fail_the_command() -> None:
    live = replace(a_live(1_000, 1_000), failed=1, broken=["pools"])

    assert [check.hard for check in live.checks() if not check.ok] == [True, True]
