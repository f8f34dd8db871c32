"""Figures as a run could have them, for tests of what is made of them."""

from bench.load import Answers
from bench.sales import GATED_QUEUE, Cell, Outcome, Rush, Settling, Way
from bench.usage import Usage
from bench.verdict import Tally, Yardstick

SECONDS = 10.0


def a_yardstick(per_second: int = 8_000, *, clients: int = 64) -> Yardstick:
    bare = Answers(counts={"200": per_second * 5}, seconds=5.0, p50_ms=2.0, p99_ms=6.0)
    return Yardstick(clients, [bare, bare])


def an_outcome(sold: int, *, loaded: int = 1_000_000) -> Outcome:
    """Everything right: `sold` orders of one unit each."""
    tally = Tally(loaded=loaded, available=loaded - sold, orders=sold, units=sold)
    return Outcome(tally, pending=0, failed=0, breaches=0, duplicates=0, lost=0)


def a_rush(stock: int = 100) -> Rush:
    answers = Answers(counts={"202": stock, "409 sold_out": 3 * stock}, seconds=0.5)
    return Rush(stock, 4 * stock, answers, an_outcome(stock, loaded=stock), seconds=0.6)


def a_cell(way: Way = GATED_QUEUE, per_second: int = 2_000, *, clients: int = 64) -> Cell:
    """A timed run of which a tenth of a second's orders were settled after its end."""
    accepted = round(per_second * SECONDS)
    code = "202" if way.queued else "201"
    return Cell(
        way=way,
        clients=clients,
        run=Answers(counts={code: accepted}, seconds=SECONDS, p50_ms=20.0, p99_ms=60.0),
        settling=Settling(accepted - per_second // 10, 0.1, p50_ms=40.0, p99_ms=120.0),
        outcome=an_outcome(accepted),
        rushes=[a_rush()],
        retries=0,
        usage=Usage({"web": 10.0, "drains": 2.0, "mariadb": 5.0, "redis": 1.0}, others_cores=0.1),
    )
