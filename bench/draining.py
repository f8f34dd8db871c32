"""The drain alone, beside transactions of one order each: what was measured, printed and judged.
Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.sales import Outcome
from bench.verdict import Check, at_least, none_of

# What must be reached.
DRAIN_RATIO = 15.0


@dataclass(frozen=True, slots=True)
class Pace:
    """`orders` of one sale in `seconds`, by one process."""

    orders: int
    seconds: float
    outcome: Outcome

    @property
    def per_second(self) -> float:
        return self.orders / self.seconds


@dataclass(frozen=True, slots=True)
class Draining:
    """All of it (`bench.verdict.Part`). `batch`: orders of one transaction of the drain.
    `commit_ms`: a statement that commits itself."""

    batch: int
    drained: Pace
    direct: Pace
    commit_ms: float
    broken: Sequence[str]

    def _wrong(self) -> dict[str, int]:
        paces = (self.drained, self.direct)
        found = [pace.outcome.wrong(wanted=pace.orders) for pace in paces]
        return {name: sum(one[name] for one in found) for name in found[0]}

    def checks(self) -> list[Check]:
        return [
            *(none_of(f"drain alone: {name}", [count]) for name, count in self._wrong().items()),
            none_of("drain alone: promises the audit finds broken", [len(self.broken)]),
            at_least(
                f"drain of {self.drained.orders:,} orders, of one-order transactions",
                self.drained.per_second / self.direct.per_second,
                DRAIN_RATIO,
                digits=1,
            ),
        ]

    def table(self) -> str:
        rows = {
            f"pending, {self.batch} a transaction": self.drained,
            "direct, 1 a transaction": self.direct,
        }
        lines = [f"{'one process alone':34}{'orders':>8}{'per s':>9}{'ratio':>7}"]
        for name, pace in rows.items():
            lines.append(
                f"{name:34}{pace.orders:>8,}{pace.per_second:>9,.0f}"
                f"{pace.per_second / self.direct.per_second:>7.1f}"
            )
        return "\n".join([*lines, f"a statement that commits itself: {self.commit_ms:.2f} ms"])

    def as_dict(self) -> dict[str, Any]:
        return {
            "batch": self.batch,
            "drained": _pace_dict(self.drained),
            "direct": _pace_dict(self.direct),
            "ratio": round(self.drained.per_second / self.direct.per_second, 2),
            "commit_ms": round(self.commit_ms, 3),
            "wrong": self._wrong(),
            "broken": list(self.broken),
        }


def _pace_dict(pace: Pace) -> dict[str, Any]:
    return {
        "orders": pace.orders,
        "seconds": round(pace.seconds, 3),
        "per_second": round(pace.per_second, 1),
        "outcome": asdict(pace.outcome),
    }
