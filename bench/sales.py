"""Flash sales: from what was measured to what is printed, written and judged. Pure.

A cell is one way of selling at one number of clients. Whatever its speed, it counts only if what it
sold is right: a unit too many or too few, a limit passed, an order stored twice or not at all makes
the row void and fails the command.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.load import ACCEPTED, Answers
from bench.usage import Usage
from bench.verdict import Check, Tally, Yardstick, at_least, none_of

DIRECT, QUEUED = "direct", "queued"
# What must be reached, at so many clients.
JUDGED_AT = 64
YARDSTICK_SHARE = 0.15
QUEUED_SHARE = 1.5

# Right answers to those who come too late, or too often.
REFUSALS = ("409 sold_out", "409 insufficient_stock", "409 purchase_limit")


@dataclass(frozen=True, slots=True)
class Way:
    """How a sale is sold."""

    placement: str
    strategy: str
    gated: bool

    @property
    def queued(self) -> bool:
        return self.placement == QUEUED

    def __str__(self) -> str:
        # A batch is taken the same way whatever the strategy.
        how = self.placement if self.queued else f"{self.placement} {self.strategy}"
        return f"{how}, {'gate' if self.gated else 'no gate'}"


WAYS = tuple(
    Way(placement, strategy, gated)
    for gated in (True, False)
    for placement, strategy in (
        (DIRECT, "optimistic"),
        (DIRECT, "pessimistic"),
        (QUEUED, "optimistic"),
    )
)
GATED_QUEUE = Way(QUEUED, "optimistic", True)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a sale came to, by the database, once nothing was pending any more (or nobody wanted to
    wait longer: `pending` is then not 0).

    `breaches`: shoppers who hold more than the limit. `duplicates`: orders beyond one for each key,
    and numbers that two clients were given. `lost`: acknowledged, not stored. `failed`: accepted,
    and refused when it was settled.
    """

    sold: Tally
    pending: int
    failed: int
    breaches: int
    duplicates: int
    lost: int

    def wrong(self, *, wanted: int) -> dict[str, int]:
        """What must be zero. `wanted`: units that shoppers came for and were not refused."""
        return {
            "oversold": self.sold.oversold,
            "undersold": self.sold.undersold(wanted=wanted),
            "limit breaches": self.breaches,
            "duplicates": self.duplicates,
            "lost": self.lost,
            "pending": self.pending,
        }


@dataclass(frozen=True, slots=True)
class Rush:
    """More shoppers than units: exactly `stock` must be sold. `seconds`: until the last unit was
    settled. `refusals`: answers that are right for who comes too late, or too often."""

    stock: int
    requests: int
    answers: Answers
    outcome: Outcome
    seconds: float
    refusals: Sequence[str] = REFUSALS

    @property
    def errors(self) -> int:
        """Answers that a shopper did not come for, besides refusals that are right."""
        return self.answers.other_than(*ACCEPTED, *self.refusals)

    def wrong(self) -> dict[str, int]:
        return self.outcome.wrong(wanted=self.stock)

    def as_dict(self) -> dict[str, Any]:
        return {
            "stock": self.stock,
            "requests": self.requests,
            "sold": self.outcome.sold.units,
            "seconds": round(self.seconds, 3),
            "answers": dict(self.answers.counts),
            "failed_when_settled": self.outcome.failed,
            **self.wrong(),
        }


@dataclass(frozen=True, slots=True)
class Settling:
    """How orders of a run were settled: how many by the end of the run, how long (seconds) the rest
    took, and percentiles of the time (ms) from an order's moment to that of its units."""

    in_time: int
    drain_seconds: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True, slots=True)
class Cell:
    """One way of selling at one number of clients: the timed run, and the rushes after it."""

    way: Way
    clients: int
    run: Answers
    settling: Settling
    outcome: Outcome
    rushes: Sequence[Rush]
    retries: int
    usage: Usage

    @property
    def accepted(self) -> float:
        """Orders acknowledged per second."""
        return self.run.accepted / self.run.seconds

    @property
    def settled(self) -> float:
        """Orders that had their units by the end of the run, per second of it."""
        return self.settling.in_time / self.run.seconds

    @property
    def errors(self) -> int:
        refused = self.run.other_than(*ACCEPTED) + self.outcome.failed
        return refused + sum(rush.errors for rush in self.rushes)

    def wrong(self) -> dict[str, int]:
        """What must be zero, over all runs of the cell."""
        found = self.outcome.wrong(wanted=self.run.accepted - self.outcome.failed)
        for rush in self.rushes:
            found = {name: count + rush.wrong()[name] for name, count in found.items()}
        return found

    @property
    def void(self) -> bool:
        return any(self.wrong().values())

    @property
    def broken(self) -> int:
        return self.run.broken + sum(rush.answers.broken for rush in self.rushes)


@dataclass(frozen=True, slots=True)
class Price:
    """What an order costs others: SQL statements of the web processes and of all other processes,
    and Redis calls (of a script: one), per order, over `orders` of them."""

    way: Way
    orders: int
    web_statements: float
    other_statements: float
    redis_calls: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "way": str(self.way),
            "orders": self.orders,
            "web_statements": round(self.web_statements, 2),
            "other_statements": round(self.other_statements, 2),
            "redis_calls": round(self.redis_calls, 2),
        }


@dataclass(frozen=True, slots=True)
class Sales:
    """All cells of flash sales (`bench.verdict.Part`). `memory`: resident MiB of each process at
    the end, by name. `broken`: promises that the audit found broken then."""

    yardsticks: Sequence[Yardstick]
    cells: Sequence[Cell]
    prices: Sequence[Price]
    memory: Mapping[str, Sequence[float]]
    broken: Sequence[str]

    def yardstick(self, clients: int) -> Yardstick:
        return next(one for one in self.yardsticks if one.clients == clients)

    def checks(self) -> list[Check]:
        return [*self._correctness(), *self._speed()]

    def _correctness(self) -> Iterator[Check]:
        for name in self.cells[0].wrong():
            yield none_of(f"flash sales: {name}", (cell.wrong()[name] for cell in self.cells))
        yield none_of("flash sales: promises the audit finds broken", [len(self.broken)])
        yield none_of(
            "flash sales: 5xx other than `busy`, or no answer",
            [*(cell.broken for cell in self.cells), *(one.errors for one in self.yardsticks)],
        )

    def _speed(self) -> Iterator[Check]:
        judged = [cell for cell in self.cells if cell.clients == JUDGED_AT]
        queued = next((cell for cell in judged if cell.way == GATED_QUEUE), None)
        direct = [cell for cell in judged if not cell.way.queued]
        if queued:
            yield at_least(
                f"settled, queued behind the gate, {JUDGED_AT} clients, of the yardstick",
                queued.settled / self.yardstick(JUDGED_AT).per_second,
                YARDSTICK_SHARE,
                digits=3,
            )
        if queued and direct:
            best = max(direct, key=lambda cell: cell.settled)
            yield at_least(
                f"settled, queued behind the gate, {JUDGED_AT} clients, of {best.way}",
                queued.settled / best.settled,
                QUEUED_SHARE,
            )

    def table(self) -> str:
        lines = [
            *cells_table("flash sale", self.cells, self.yardsticks),
            "",
            *rushes_table(self.cells),
            "",
            *prices_table("an order costs", self.prices),
        ]
        sizes = (
            f"{name} {'+'.join(f'{one:.0f}' for one in each)}" for name, each in self.memory.items()
        )
        return "\n".join([*lines, "", f"resident MiB: {', '.join(sizes)}"])

    def as_dict(self) -> dict[str, Any]:
        return {
            "yardstick": [one.as_dict() for one in self.yardsticks],
            "cells": [cell_dict(cell, self.yardstick(cell.clients)) for cell in self.cells],
            "prices": [price.as_dict() for price in self.prices],
            "memory_mib": dict(self.memory),
            "broken": list(self.broken),
        }


def cells_table(what: str, cells: Sequence[Cell], yardsticks: Sequence[Yardstick]) -> Iterator[str]:
    """A line for each cell, below that of the yardstick at as many clients."""
    yield (
        f"{what:29}{'':4}{'accepted':>9}{'ratio':>7}{'settled':>9}{'ratio':>6}"
        f"{'p50 ms':>7}{'p99 ms':>8}{'settle50':>9}{'99 ms':>7}{'drain s':>8}{'errors':>7}"
        f"{'retry':>6}{'web us':>8}{'drain':>6}{'db':>6}{'redis':>6}{'wrk':>5}{'others':>7}"
    )
    for bare in yardsticks:
        yield (
            f"{'yardstick':29}{bare.clients:>4}{bare.per_second:>9,.0f}{'':>22}"
            f"{bare.p50_ms:>7.1f}{bare.p99_ms:>8.1f}   two runs {bare.drift:.0%} apart"
        )
        yield from (_row(cell, bare) for cell in cells if cell.clients == bare.clients)


def rushes_table(cells: Sequence[Cell]) -> Iterator[str]:
    """A line for each rush."""
    yield f"{'sell-out':29}{'':4}{'stock':>8}{'sold':>8}{'seconds':>9}"
    for cell in cells:
        for rush in cell.rushes:
            yield (
                f"{cell.way!s:29}{cell.clients:>4}{rush.stock:>8,}"
                f"{rush.outcome.sold.units:>8,}{rush.seconds:>9.2f}"
            )


def prices_table(what: str, prices: Sequence[Price]) -> Iterator[str]:
    """A line for each way."""
    yield f"{what:29}{'SQL, web':>12}{'SQL, others':>13}{'Redis':>8}"
    for price in prices:
        yield (
            f"{price.way!s:29}{price.web_statements:>12.2f}{price.other_statements:>13.2f}"
            f"{price.redis_calls:>8.2f}"
        )


def _row(cell: Cell, bare: Yardstick) -> str:
    head = f"{cell.way!s:29}{cell.clients:>4}"
    if cell.void:
        return f"{head}  void: " + ", ".join(f"{n} {c}" for n, c in cell.wrong().items() if c)
    used = cell.usage.per(cell.run.accepted)
    return (
        f"{head}{cell.accepted:>9,.0f}{cell.accepted / bare.per_second:>7.3f}"
        f"{cell.settled:>9,.0f}{cell.settled / bare.per_second:>6.3f}"
        f"{cell.run.p50_ms:>7.1f}{cell.run.p99_ms:>8.1f}"
        f"{cell.settling.p50_ms:>9.0f}{cell.settling.p99_ms:>7.0f}"
        f"{cell.settling.drain_seconds:>8.2f}{cell.errors:>7}{cell.retries:>6}"
        f"{used.get('web', 0):>8}{used.get('drains', 0):>6}{used.get('mariadb', 0):>6}"
        f"{used.get('redis', 0):>6}{used.get('clients', 0):>5}{cell.usage.others_cores:>7.2f}"
    )


def cell_dict(cell: Cell, bare: Yardstick | None = None) -> dict[str, Any]:
    """A cell for the results file; with its ratios where a yardstick was measured beside it."""
    figures: dict[str, Any] = {
        "way": str(cell.way),
        **asdict(cell.way),
        "clients": cell.clients,
        "void": cell.void,
        "accepted_per_second": round(cell.accepted, 1),
        "settled_per_second": round(cell.settled, 1),
    }
    if bare is not None:
        figures["ratio"] = {
            "accepted": round(cell.accepted / bare.per_second, 4),
            "settled": round(cell.settled / bare.per_second, 4),
        }
    return figures | {
        "answer_ms": {"p50": cell.run.p50_ms, "p99": cell.run.p99_ms, "max": cell.run.max_ms},
        "click_to_settled_ms": {
            "p50": round(cell.settling.p50_ms, 1),
            "p99": round(cell.settling.p99_ms, 1),
        },
        "drain_seconds": round(cell.settling.drain_seconds, 3),
        "errors": cell.errors,
        "retries": cell.retries,
        "wrong": cell.wrong(),
        "answers": dict(cell.run.counts),
        "failed_when_settled": cell.outcome.failed,
        "cpu_us_per_order": cell.usage.per(cell.run.accepted),
        "cores_used_by_others": round(cell.usage.others_cores, 2),
        "rushes": [rush.as_dict() for rush in cell.rushes],
    }
