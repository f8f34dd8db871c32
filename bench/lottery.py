"""Entries of a lottery, grabs from red packets, and what a period costs at its ends: from what was
measured to what is printed, written and judged. Pure.

An entry is worth nothing unless its shares lie where the ones before end and were paid for to the
point, nor a grab unless its packet's money adds up: a row in which that is not so is void, like one
of sales in which too many were sold.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from bench import checkout
from bench.sales import (
    GATED_QUEUE,
    Cell,
    Outcome,
    Price,
    cell_dict,
    cells_table,
    prices_table,
    rushes_table,
)
from bench.verdict import Check, Yardstick, at_least, at_most, none_of

# What must be reached.
YARDSTICK_SHARE = 0.15
CHECKOUT_SHARE = 1.0
OPENING_MS = 50.0
NUMBERS_MS = 10.0
PROOF_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Entered(Outcome):
    """What a period came to. `gaps`: entries whose shares do not begin where the ones before end.
    `unpaid`: entries whose wallets gave more or less than their shares cost, and one more where the
    house has more or less of all. `misnumbered`: shares without a number of their own."""

    gaps: int
    unpaid: int
    misnumbered: int

    def wrong(self, *, wanted: int) -> dict[str, int]:
        return Outcome.wrong(self, wanted=wanted) | {
            "gaps": self.gaps,
            "unpaid": self.unpaid,
            "misnumbered": self.misnumbered,
        }


@dataclass(frozen=True, slots=True)
class Grabbed(Outcome):
    """What red packets came to, once they have ended. `unequal`: packets whose grabs and refund are
    not their total, of which a slot has nothing, or two have one place. `unpaid`: grabs, and
    senders, whose wallets moved by something else than they should have."""

    unequal: int
    unpaid: int

    def wrong(self, *, wanted: int) -> dict[str, int]:
        return Outcome.wrong(self, wanted=wanted) | {
            "unequal": self.unequal,
            "unpaid": self.unpaid,
        }


@dataclass(frozen=True, slots=True)
class Ends:
    """What periods of `shares` cost at both ends. `opening_ms`: each time that one was opened.
    `numbers_ms`: for one buyer's `numbers`, each time in a process that had not computed any of
    that period. `proof_seconds`: for the verifier, a process of its own, to check a proof of
    `proof_entries`; `proof_wrong`: whether it found fault with it."""

    shares: int
    opening_ms: Sequence[float]
    numbers: int
    numbers_ms: Sequence[float]
    proof_entries: int
    proof_seconds: float
    proof_wrong: bool

    def checks(self) -> Iterator[Check]:
        yield at_most(
            f"opening a period of {self.shares:,} shares",
            median(self.opening_ms),
            OPENING_MS,
            unit=" ms",
            digits=1,
        )
        yield at_most(
            f"{self.numbers:,} numbers of such a period, the first that are asked for",
            median(self.numbers_ms),
            NUMBERS_MS,
            unit=" ms",
            digits=1,
        )
        yield at_most(
            f"a proof of {self.proof_entries:,} entries, verified",
            self.proof_seconds,
            PROOF_SECONDS,
            unit=" s",
        )

    def table(self) -> Iterator[str]:
        yield f"{'at the ends of a period':44}{'middle':>9}{'slowest':>9}"
        for what, times in (
            (f"opening one of {self.shares:,} shares, ms", self.opening_ms),
            (f"{self.numbers:,} numbers, none known, ms", self.numbers_ms),
        ):
            yield f"{what:44}{median(times):>9.1f}{max(times):>9.1f}"
        what = f"a proof of {self.proof_entries:,} entries, verified, s"
        yield f"{what:44}{self.proof_seconds:>9.2f}"

    def as_dict(self) -> dict[str, Any]:
        return {
            "shares": self.shares,
            "opening_ms": [round(one, 2) for one in self.opening_ms],
            "numbers": self.numbers,
            "numbers_ms": [round(one, 2) for one in self.numbers_ms],
            "proof_entries": self.proof_entries,
            "proof_seconds": round(self.proof_seconds, 3),
        }


@dataclass(frozen=True, slots=True)
class Draws:
    """The periods that were sold out: those whose draw came, those whose draw did not come in time,
    and those in whose proof the verifier, a process of its own, finds fault."""

    drawn: int
    late: int
    wrong: int


@dataclass(frozen=True, slots=True)
class Lottery:
    """All of it (`bench.verdict.Part`), at one number of clients. `checkouts`: ordinary checkout by
    each strategy, beside the rest."""

    yardstick: Yardstick
    checkouts: Sequence[checkout.Cell]
    entries: Sequence[Cell]
    grabs: Sequence[Cell]
    entry_prices: Sequence[Price]
    grab_prices: Sequence[Price]
    draws: Draws
    ends: Ends
    broken: Sequence[str]

    def checks(self) -> list[Check]:
        return [*self._correctness(), *self._speed()]

    def _correctness(self) -> Iterator[Check]:
        for name in self.entries[0].wrong():
            yield none_of(f"entries: {name}", (cell.wrong()[name] for cell in self.entries))
        for name in self.grabs[0].wrong():
            yield none_of(f"grabs: {name}", (cell.wrong()[name] for cell in self.grabs))
        yield none_of(
            "checkout beside the lottery: oversold, undersold or lost",
            (cell.oversold + cell.undersold + cell.lost for cell in self.checkouts),
        )
        yield none_of("lottery: periods that were not drawn in time", [self.draws.late])
        yield none_of(
            "lottery: proofs in which the verifier finds fault",
            [self.draws.wrong, int(self.ends.proof_wrong)],
        )
        yield none_of("lottery: promises the audit finds broken", [len(self.broken)])
        yield none_of(
            "lottery: 5xx other than `busy`, or no answer",
            [
                *(cell.broken for cell in (*self.entries, *self.grabs)),
                *(cell.run.broken + cell.rush.broken for cell in self.checkouts),
                self.yardstick.errors,
            ],
        )

    def _speed(self) -> Iterator[Check]:
        yield from _compared("entries", self.entries, self.yardstick, self.checkouts)
        yield from _compared("grabs", self.grabs, self.yardstick, self.checkouts)
        yield from self.ends.checks()

    def table(self) -> str:
        sold = max(self.checkouts, key=lambda cell: cell.per_second)
        return "\n".join(
            [
                *cells_table("entries", self.entries, [self.yardstick]),
                f"{f'checkout, {sold.strategy}':29}{sold.clients:>4}{sold.per_second:>9,.0f}",
                "",
                *rushes_table(self.entries),
                "",
                *prices_table("an entry costs", self.entry_prices),
                "",
                *cells_table("grabs", self.grabs, [self.yardstick]),
                "",
                *rushes_table(self.grabs),
                "",
                *prices_table("a grab costs", self.grab_prices),
                "",
                *self.ends.table(),
                f"{self.draws.drawn} periods were drawn, all proofs went to the verifier",
            ]
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "yardstick": self.yardstick.as_dict(),
            "checkouts": [checkout.cell_dict(cell, self.yardstick) for cell in self.checkouts],
            "entries": [cell_dict(cell, self.yardstick) for cell in self.entries],
            "grabs": [cell_dict(cell, self.yardstick) for cell in self.grabs],
            "entry_prices": [price.as_dict() for price in self.entry_prices],
            "grab_prices": [price.as_dict() for price in self.grab_prices],
            "draws": asdict(self.draws),
            "ends": self.ends.as_dict(),
            "broken": list(self.broken),
        }


def _compared(
    what: str, cells: Sequence[Cell], yardstick: Yardstick, checkouts: Sequence[checkout.Cell]
) -> Iterator[Check]:
    """Queued by the yardstick, direct by ordinary checkout: the better way of each."""
    queued = next(cell for cell in cells if cell.way == GATED_QUEUE)
    yield at_least(
        f"{what} settled, queued behind the gate, {queued.clients} clients, of the yardstick",
        queued.settled / yardstick.per_second,
        YARDSTICK_SHARE,
        digits=3,
    )
    direct = max((cell for cell in cells if not cell.way.queued), key=lambda cell: cell.settled)
    sold = max(checkouts, key=lambda cell: cell.per_second)
    yield at_least(
        f"{what}, {direct.way}, {direct.clients} clients, of {sold.strategy} checkout there",
        direct.settled / sold.per_second,
        CHECKOUT_SHARE,
    )
