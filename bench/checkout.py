"""Checkout of one hot SKU: from what was measured to what is printed, written and judged. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.load import Answers
from bench.usage import Usage
from bench.verdict import Check, Tally, Yardstick, at_least, at_most, none_of

OPTIMISTIC, PESSIMISTIC = "optimistic", "pessimistic"
STRATEGIES = (OPTIMISTIC, PESSIMISTIC)

# What must be reached.
STATEMENTS = 12
YARDSTICK_SHARE = 0.06
KEPT_SHARE = 0.8
TAIL = 4.0


@dataclass(frozen=True, slots=True)
class Cell:
    """Checkout of one hot SKU by one strategy: the timed run, and a rush after 100 units.

    `lost`: order numbers that clients were given and the database does not hold. `retries`:
    transactions run again, by the server's count. `broken`: promises that the audit found broken
    afterwards.
    """

    strategy: str
    clients: int
    run: Answers
    sold: Tally
    rush: Answers
    rush_requests: int
    rush_sold: Tally
    lost: int
    retries: int
    broken: Sequence[str]
    usage: Usage

    @property
    def per_second(self) -> float:
        return self.run.count("201") / self.run.seconds

    @property
    def errors(self) -> int:
        """Answers that a shopper did not come for. In the rush, `sold_out` is a right answer."""
        return self.run.other_than("201") + self.rush.other_than("201", "409 sold_out")

    @property
    def oversold(self) -> int:
        return self.sold.oversold + self.rush_sold.oversold

    @property
    def undersold(self) -> int:
        acknowledged = self.run.count("201")
        return self.sold.undersold(wanted=acknowledged) + self.rush_sold.undersold(
            wanted=self.rush_requests
        )


@dataclass(frozen=True, slots=True)
class Checkout:
    """All of its cells (`bench.verdict.Part`). `statements`: what one checkout sends to the
    database."""

    yardsticks: Sequence[Yardstick]
    cells: Sequence[Cell]
    statements: Sequence[str]

    def yardstick(self, clients: int) -> Yardstick:
        return next(one for one in self.yardsticks if one.clients == clients)

    def cell(self, strategy: str, clients: int) -> Cell | None:
        """None where that cell was not measured."""
        found = (c for c in self.cells if (c.strategy, c.clients) == (strategy, clients))
        return next(found, None)

    def checks(self) -> list[Check]:
        return [*self._correctness(), *self._speed()]

    def _correctness(self) -> Iterator[Check]:
        yield none_of("oversold in every cell", (cell.oversold for cell in self.cells))
        yield none_of("undersold in every cell", (cell.undersold for cell in self.cells))
        yield none_of("acknowledged orders that are not stored", (cell.lost for cell in self.cells))
        yield none_of("promises the audit finds broken", (len(cell.broken) for cell in self.cells))
        broken = [cell.run.broken + cell.rush.broken for cell in self.cells]
        yield none_of(
            "5xx other than `busy`, or no answer",
            [*broken, *(one.errors for one in self.yardsticks)],
        )
        count = len(self.statements)
        yield Check(
            "SQL statements of a one-line checkout",
            count <= STATEMENTS,
            f"{count}, at most {STATEMENTS}",
            hard=True,
        )

    def _speed(self) -> Iterator[Check]:
        at_32 = [cell for name in STRATEGIES if (cell := self.cell(name, 32))]
        if at_32:
            best = max(at_32, key=lambda cell: cell.per_second)
            yield at_least(
                f"better strategy at 32 clients ({best.strategy}), of the yardstick",
                best.per_second / self.yardstick(32).per_second,
                YARDSTICK_SHARE,
                digits=3,
            )
        at_8, at_64 = self.cell(OPTIMISTIC, 8), self.cell(OPTIMISTIC, 64)
        if at_8 and at_64:
            yield at_least(
                "optimistic at 64 clients, of itself at 8",
                at_64.per_second / at_8.per_second,
                KEPT_SHARE,
            )
        other = self.cell(PESSIMISTIC, 64)
        if at_64 and other:
            yield at_least(
                "optimistic at 64 clients, of pessimistic there",
                at_64.per_second / other.per_second,
                1,
            )
        for cell in at_32:
            yield at_most(
                f"p99 of {cell.strategy} at 32 clients, of its p50",
                cell.run.p99_ms / cell.run.p50_ms,
                TAIL,
            )

    def table(self) -> str:
        """Rows of figures, each beside its ratio to the yardstick at as many clients."""
        head = (
            f"{'checkout':12}{'clients':>8}{'per s':>9}{'ratio':>8}{'p50 ms':>9}{'ratio':>7}"
            f"{'p99 ms':>9}{'ratio':>7}{'errors':>8}{'retries':>8}{'over':>6}{'under':>6}"
            f"{'web us':>8}{'db us':>7}{'others':>8}"
        )
        lines = [head]
        for bare in self.yardsticks:
            lines.append(
                f"{'yardstick':12}{bare.clients:>8}{bare.per_second:>9,.0f}{'':>8}"
                f"{bare.p50_ms:>9.2f}{'':>7}{bare.p99_ms:>9.2f}{'':>7}{bare.errors:>8}"
                f"   two runs {bare.drift:.0%} apart"
            )
            for cell in self.cells:
                if cell.clients == bare.clients:
                    lines.append(_row(cell, bare))
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        return {
            "yardstick": [one.as_dict() for one in self.yardsticks],
            "cells": [cell_dict(c, self.yardstick(c.clients)) for c in self.cells],
            "statements": list(self.statements),
        }


def _row(cell: Cell, bare: Yardstick) -> str:
    used = cell.usage.per(cell.run.count("201"))
    return (
        f"{cell.strategy:12}{cell.clients:>8}{cell.per_second:>9,.0f}"
        f"{cell.per_second / bare.per_second:>8.3f}"
        f"{cell.run.p50_ms:>9.2f}{cell.run.p50_ms / bare.p50_ms:>7.1f}"
        f"{cell.run.p99_ms:>9.2f}{cell.run.p99_ms / bare.p99_ms:>7.1f}"
        f"{cell.errors:>8}{cell.retries:>8}{cell.oversold:>6}{cell.undersold:>6}"
        f"{used.get('web', 0):>8}{used.get('mariadb', 0):>7}{cell.usage.others_cores:>8.2f}"
    )


def cell_dict(cell: Cell, bare: Yardstick) -> dict[str, Any]:
    """A cell for the results file, with its ratios to the yardstick."""
    return {
        "strategy": cell.strategy,
        "clients": cell.clients,
        "orders_per_second": round(cell.per_second, 1),
        "p50_ms": cell.run.p50_ms,
        "p99_ms": cell.run.p99_ms,
        "errors": cell.errors,
        "retries": cell.retries,
        "oversold": cell.oversold,
        "undersold": cell.undersold,
        "ratio": {
            "per_second": round(cell.per_second / bare.per_second, 4),
            "p50": round(cell.run.p50_ms / bare.p50_ms, 2),
            "p99": round(cell.run.p99_ms / bare.p99_ms, 2),
        },
        "cpu_us_per_order": cell.usage.per(cell.run.count("201")),
        "cores_used_by_others": round(cell.usage.others_cores, 2),
        "lost": cell.lost,
        "broken": list(cell.broken),
        "run": {**asdict(cell.run), "sold": asdict(cell.sold)},
        "rush": {
            "requests": cell.rush_requests,
            "counts": dict(cell.rush.counts),
            "sold": asdict(cell.rush_sold),
        },
    }
