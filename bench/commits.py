"""Sales while each commit waits for a replica: what was measured, printed and judged. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.sales import GATED_QUEUE, Cell, cell_dict
from bench.verdict import Check, at_least, none_of

# What must be reached.
QUEUED_SHARE = 4.0
SLOWER_MS = 2.0


@dataclass(frozen=True, slots=True)
class Commits:
    """All of it (`bench.verdict.Part`). `commit_ms`, `alone_ms`: a statement that commits itself,
    waiting for the replica and not. `unwaited`: commits that did not wait for it though they had
    to; `waited`: those that did."""

    cells: Sequence[Cell]
    commit_ms: float
    alone_ms: float
    waited: int
    unwaited: int
    broken: Sequence[str]

    def checks(self) -> list[Check]:
        names = self.cells[0].wrong()
        what = "slow commits"
        found = [
            *(none_of(f"{what}: {name}", (c.wrong()[name] for c in self.cells)) for name in names),
            none_of(f"{what}: promises the audit finds broken", [len(self.broken)]),
            none_of(f"{what}: 5xx other than `busy`, or no answer", (c.broken for c in self.cells)),
            none_of(f"{what}: commits that did not wait for the replica", [self.unwaited]),
            at_least(
                f"{what}: milliseconds that one takes longer",
                self.commit_ms - self.alone_ms,
                SLOWER_MS,
            ),
        ]
        queued = next(cell for cell in self.cells if cell.way == GATED_QUEUE)
        best = max((c for c in self.cells if not c.way.queued), key=lambda cell: cell.settled)
        ratio = queued.settled / best.settled
        words = f"{what}: settled, queued behind the gate, {queued.clients} clients, of {best.way}"
        return [*found, at_least(words, ratio, QUEUED_SHARE)]

    def table(self) -> str:
        lines = [
            f"a commit takes {self.commit_ms:.2f} ms, without the replica {self.alone_ms:.2f} ms;"
            f" {self.waited:,} waited for it, {self.unwaited} did not",
            f"{'slow commits':29}{'':4}{'accepted':>9}{'settled':>9}{'p50 ms':>8}{'p99 ms':>8}"
            f"{'settle50':>9}{'99 ms':>7}{'drain s':>8}{'errors':>7}{'others':>7}",
        ]
        for cell in self.cells:
            lines.append(
                f"{cell.way!s:29}{cell.clients:>4}{cell.accepted:>9,.0f}{cell.settled:>9,.0f}"
                f"{cell.run.p50_ms:>8.1f}{cell.run.p99_ms:>8.1f}"
                f"{cell.settling.p50_ms:>9.0f}{cell.settling.p99_ms:>7.0f}"
                f"{cell.settling.drain_seconds:>8.2f}{cell.errors:>7}"
                f"{cell.usage.others_cores:>7.2f}"
            )
        return "\n".join(lines)

    def as_dict(self) -> dict[str, Any]:
        return {
            "commit_ms": round(self.commit_ms, 3),
            "alone_ms": round(self.alone_ms, 3),
            "waited": self.waited,
            "unwaited": self.unwaited,
            "cells": [cell_dict(cell) for cell in self.cells],
            "broken": list(self.broken),
        }
