"""Entries of a lottery and grabs from red packets, each way of placing them, beside the yardstick
and ordinary checkout; and what a period costs at its ends."""

import time
from dataclasses import dataclass, field

from bench.checkout import OPTIMISTIC, STRATEGIES
from bench.inside import lottery, proofs, shop
from bench.inside.lottery import Selling
from bench.inside.packets import Crowd
from bench.lottery import Draws, Ends, Lottery
from bench.measuring import cells, checkout
from bench.measuring.bench import Bench
from bench.measuring.cells import SHOPPERS, words
from bench.sales import JUDGED_AT, REFUSALS, WAYS, Cell, Price, Rush, Way
from lottery.numbers import numbers_of
from shop.wallet.models import Currency

CLIENTS = JUDGED_AT
# More than anyone can buy in a timed run; and a limit that nobody reaches, though it is looked at.
HOT_SHARES = 10_000_000
RUSH_SHARES, RUSH_LIMIT, RUSH_REQUESTS = 1_000, 3, 1_600
# Of one buyer: as many as one request may ask for.
NUMBERS = 1_000
PROOF_ENTRIES = 100_000
# Grabs that nobody makes in a second; so many packets, of a slot for each shopper, are prepared.
MOST_GRABS = SHOPPERS
RUSH_SLOTS, RUSH_CLICKS, RUSH_GRABS = 1_000, 2, 4_000
# Packets take units by the shop's own strategy.
GRAB_WAYS = tuple(way for way in WAYS if way.strategy == OPTIMISTIC)
PLACES_ENTRIES, PLACES_GRABS = "INSERT INTO `lottery_entry` ", "INSERT INTO `packets_grab` "
# A period is closed within a second of its last share; who asks then is told so.
ENTRY_REFUSALS = (*REFUSALS, "409 ended")
GRAB_REFUSALS = (*REFUSALS, "409 already_grabbed")


def measure(bench: Bench) -> Lottery:
    """The yardstick, checkout by each strategy, each way of entering and of grabbing, the yardstick
    again. Everybody has both wallets before."""
    shoppers, rich = shop.users_of(bench.shoppers(SHOPPERS)), lottery.rich_user()
    lottery.grant(shoppers, amount=lottery.SHOPPER_POINTS)
    lottery.grant(shoppers, amount=1, currency=Currency.CNY)
    periods = _Periods(rich)
    before = bench.yardstick(CLIENTS)
    checkouts = [checkout.cell(bench, strategy, CLIENTS) for strategy in STRATEGIES]
    entries = [_cell(bench, periods, way) for way in WAYS]
    grabs = [_grab_cell(bench, rich, way) for way in GRAB_WAYS]
    yardstick = bench.yardsticks(CLIENTS, before)
    entry_prices = [_price(bench, periods, way) for way in WAYS]
    grab_prices = [_grab_price(bench, rich, way) for way in GRAB_WAYS]
    return Lottery(
        yardstick=yardstick,
        checkouts=checkouts,
        entries=entries,
        grabs=grabs,
        entry_prices=entry_prices,
        grab_prices=grab_prices,
        draws=_draws(bench, periods),
        ends=_ends(bench, periods),
        broken=shop.broken_promises(),
    )


@dataclass(slots=True)
class _Periods:
    """All that were opened, and how long it took (milliseconds) with hot ones."""

    buyer: int
    opened: list[Selling] = field(default_factory=list)
    opening_ms: list[float] = field(default_factory=list)
    numbers_ms: list[float] = field(default_factory=list)

    def hot(self, way: Way) -> Selling:
        started = time.perf_counter()
        selling = self.open(way, shares=HOT_SHARES, limit=HOT_SHARES, is_hot=True)
        opened = time.perf_counter()
        # This process has not computed any number of it before.
        numbers_of(selling.period).numbers(HOT_SHARES // 2, NUMBERS)
        computed = time.perf_counter()
        self.opening_ms.append(1000 * (opened - started))
        self.numbers_ms.append(1000 * (computed - opened))
        return selling

    def open(self, way: Way, *, shares: int, limit: int, is_hot: bool = False) -> Selling:
        period = lottery.fresh_period(way, shares=shares, limit=limit)
        selling = Selling(period, way, self.buyer, is_hot)
        self.opened.append(selling)
        return selling


def _cell(bench: Bench, periods: _Periods, way: Way) -> Cell:
    return cells.cell(
        bench,
        periods.hot(way),
        way,
        CLIENTS,
        name=bench.run("entries", *words(way)),
        rushes=lambda: [_rush(bench, periods, way)],
        unit="entries",
    )


def _rush(bench: Bench, periods: _Periods, way: Way) -> Rush:
    """Shoppers after all shares of a period, each asking once more than the limit allows."""
    return cells.rush(
        bench,
        periods.open(way, shares=RUSH_SHARES, limit=RUSH_LIMIT),
        CLIENTS,
        name=bench.run("entries", *words(way), "rush"),
        stock=RUSH_SHARES,
        requests=RUSH_REQUESTS,
        clicks=RUSH_LIMIT + 1,
        refusals=ENTRY_REFUSALS,
    )


def _price(bench: Bench, periods: _Periods, way: Way) -> Price:
    return cells.price(
        bench,
        periods.open(way, shares=HOT_SHARES, limit=HOT_SHARES),
        way,
        name=bench.run("entries", *words(way), "price"),
        places=PLACES_ENTRIES,
    )


def _grab_cell(bench: Bench, sender: int, way: Way) -> Cell:
    packets = bench.seconds * MOST_GRABS // SHOPPERS + 1
    return cells.cell(
        bench,
        Crowd(way, sender, slots=SHOPPERS, packets=packets),
        way,
        CLIENTS,
        name=bench.run("grabs", *words(way)),
        rushes=lambda: [_grab_rush(bench, sender, way)],
        unit="grabs",
    )


def _grab_rush(bench: Bench, sender: int, way: Way) -> Rush:
    """Twice as many shoppers as there are slots, each asking once more than there is to get."""
    return cells.rush(
        bench,
        Crowd(way, sender, slots=RUSH_SLOTS, packets=1),
        CLIENTS,
        name=bench.run("grabs", *words(way), "rush"),
        stock=RUSH_SLOTS,
        requests=RUSH_GRABS,
        clicks=RUSH_CLICKS,
        refusals=GRAB_REFUSALS,
    )


def _grab_price(bench: Bench, sender: int, way: Way) -> Price:
    return cells.price(
        bench,
        Crowd(way, sender, slots=SHOPPERS, packets=1),
        way,
        name=bench.run("grabs", *words(way), "price"),
        places=PLACES_GRABS,
    )


def _draws(bench: Bench, periods: _Periods) -> Draws:
    late = [selling.is_late() for selling in periods.opened]
    drawn = [one for one, is_late in zip(periods.opened, late, strict=True) if not is_late]
    return Draws(
        drawn=len(drawn),
        late=sum(late),
        wrong=sum(selling.has_faulty_proof(bench.folder) for selling in drawn),
    )


def _ends(bench: Bench, periods: _Periods) -> Ends:
    proof = bench.folder / "large-proof.json"
    commitment = proofs.write_proof(proof, entries=PROOF_ENTRIES, shares=HOT_SHARES)
    verified = proofs.verified(proof, commitment=commitment)
    return Ends(
        shares=HOT_SHARES,
        opening_ms=periods.opening_ms,
        numbers=NUMBERS,
        numbers_ms=periods.numbers_ms,
        proof_entries=PROOF_ENTRIES,
        proof_seconds=verified.seconds,
        proof_wrong=verified.is_faulty,
    )
