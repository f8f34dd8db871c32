"""What is measured of anything scarce: one way of handing it out at one number of clients, the rush
for all there is of it, and what one request costs MariaDB and Redis."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from bench.inside import counts, shop
from bench.load import Answers, Requests
from bench.measuring.bench import WARM_UP_SECONDS, Bench, progress
from bench.sales import REFUSALS, Cell, Outcome, Price, Rush, Settling, Way

SHOPPERS = 5_000
# More than anyone can get in a timed run; and a limit that nobody reaches, though it is looked at.
HOT_STOCK, HIGH_LIMIT = 10_000_000, 10_000
PRICED_REQUESTS, PRICED_CLIENTS = 1_000, 8

R = TypeVar("R", bound=Requests)


class Race(Protocol[R]):
    """Something that shoppers race for over HTTP, and what the rows say became of it."""

    def requests(self, shoppers: Path, *, run: str, acknowledged: Path, clicks: int = 1) -> R:
        """One unit each."""

    def wait_settled(self) -> int:
        """Waits until nothing of it is pending; returns how much still is."""

    def outcome(self, sent: R) -> Outcome:
        """Waits until it is settled, then says what it came to. What was acknowledged in any run is
        in the file that `sent` names."""

    def settling(self, sent: R, run: Answers) -> Settling:
        """How what was accepted in one run was settled."""

    def last_settled(self, run: Answers) -> float:
        """Seconds from the start of `run` until the last of it had its unit."""

    def end(self) -> None:
        """Ends what has been measured: what is open goes on costing beat and the gates' keeper."""


def words(way: Way) -> tuple[str, ...]:
    """A way in the name of a run."""
    return way.placement, way.strategy, "gate" if way.gated else "open"


def cell(
    bench: Bench,
    race: Race[R],
    way: Way,
    clients: int,
    *,
    name: str,
    rushes: Callable[[], Sequence[Rush]] = tuple,
    unit: str = "orders",
) -> Cell:
    """A timed run of `race`, which is hot, and then the `rushes`. `unit`: what it hands out."""
    shoppers, acknowledged = bench.shoppers(SHOPPERS), bench.acknowledged(name)
    retried = shop.retries(bench.base)
    warm = race.requests(shoppers, run=f"{name}-warm", acknowledged=acknowledged)
    bench.wrk.buy(warm, clients=clients, seconds=WARM_UP_SECONDS)
    race.wait_settled()
    hot = race.requests(shoppers, run=f"{name}-run", acknowledged=acknowledged)
    before = bench.meter.read()
    run = bench.wrk.buy(hot, clients=clients, seconds=bench.seconds)
    usage = before.until(bench.meter.read())
    found = race.outcome(hot)
    settling = race.settling(hot, run)
    race.end()
    measured = Cell(
        way=way,
        clients=clients,
        run=run,
        settling=settling,
        outcome=found,
        rushes=rushes(),
        retries=shop.retries(bench.base) - retried,
        usage=usage,
    )
    progress(f"{way}, {clients} clients, settled", measured.settled, unit=unit)
    return measured


def rush(
    bench: Bench,
    race: Race[R],
    clients: int,
    *,
    name: str,
    stock: int,
    requests: int,
    clicks: int,
    refusals: Sequence[str] = REFUSALS,
) -> Rush:
    """Shoppers after all `stock` units of `race` at once, each asking `clicks` times."""
    wanted = race.requests(
        bench.shoppers(SHOPPERS), run=name, acknowledged=bench.acknowledged(name), clicks=clicks
    )
    answers = bench.wrk.rush(wanted, clients=clients, requests=requests)
    found = race.outcome(wanted)
    seconds = race.last_settled(answers)
    race.end()
    return Rush(stock, requests, answers, found, seconds, refusals)


def price(bench: Bench, race: Race[R], way: Way, *, name: str, places: str) -> Price:
    """Clients that ask often enough for the drain to find many at a time. `places`: how a statement
    begins that only whoever answers these requests sends."""
    wanted = race.requests(
        bench.shoppers(SHOPPERS), run=name, acknowledged=bench.acknowledged(name)
    )

    def work() -> None:
        bench.wrk.rush(wanted, clients=PRICED_CLIENTS, requests=PRICED_REQUESTS)
        race.wait_settled()

    sent = counts.sent_during(work, places=places)
    race.end()
    return Price(
        way,
        PRICED_REQUESTS,
        web_statements=sent.web_statements / PRICED_REQUESTS,
        other_statements=sent.other_statements / PRICED_REQUESTS,
        redis_calls=sent.redis_calls / PRICED_REQUESTS,
    )
