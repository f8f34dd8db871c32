"""What it costs a sale to be watched: from what was measured to what is printed and judged. Pure.

Orders a second are compared in pairs of runs, one with somebody who watches and one without, so
that what the machine does meanwhile is in both. What one renewal of the page costs is measured
apart, in processor time, which says almost the same however busy the machine is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median, quantiles
from typing import Any

from bench.load import Answers
from bench.usage import Usage
from bench.verdict import Check, at_most, none_of

# What must be reached: the share of a sale's orders that watching it may cost.
MOST_SHARE = 0.02
# Of the shop's own processes, those that a renewal keeps busy.
BUSY = ("web", "mariadb", "redis")
# A renewal counts how far the orders have come once in so long (`shop.pools.live`).
FUNNEL_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Round:
    """Two runs, one after the other. `renewal_ms`: how long each renewal of the page took."""

    alone: Answers
    watched: Answers
    renewal_ms: Sequence[float]

    @property
    def alone_per_second(self) -> float:
        return self.alone.accepted / self.alone.seconds

    @property
    def watched_per_second(self) -> float:
        return self.watched.accepted / self.watched.seconds

    @property
    def ratio(self) -> float:
        """Orders a second while it was watched, of those while it was not."""
        return self.watched_per_second / self.alone_per_second


@dataclass(frozen=True, slots=True)
class Renewals:
    """So many with nobody else there, each of which made a shot, and what that used."""

    count: int
    usage: Usage

    @property
    def each_us(self) -> Mapping[str, int]:
        """Processor time (microseconds) of one, by process."""
        used = self.usage.per(self.count)
        return {name: used.get(name, 0) for name in BUSY}


@dataclass(frozen=True, slots=True)
class Live:
    """All of it (`bench.verdict.Part`). `usual`, `counting`: renewals that had the funnel and that
    had to count it. `cores`: of the machine; `failed`: renewals not answered with 200."""

    rounds: Sequence[Round]
    usual: Renewals
    counting: Renewals
    cores: int
    failed: int
    broken: Sequence[str]

    @property
    def ratios(self) -> list[float]:
        return [one.ratio for one in self.rounds]

    @property
    def orders(self) -> tuple[float, float]:
        """Median orders a second, alone and watched."""
        alone = median(one.alone_per_second for one in self.rounds)
        return alone, median(one.watched_per_second for one in self.rounds)

    @property
    def share(self) -> float:
        """Of all the processor time there is, what one who watches takes."""
        usual, counting = (sum(one.each_us.values()) for one in (self.usual, self.counting))
        each_second = usual + max(counting - usual, 0) / FUNNEL_SECONDS
        return each_second / 1e6 / self.cores

    def checks(self) -> list[Check]:
        return [
            none_of("watched sales: renewals that failed", [self.failed]),
            none_of("watched sales: promises the audit finds broken", [len(self.broken)]),
            none_of(
                "watched sales: 5xx other than `busy`, or no answer",
                (run.broken for one in self.rounds for run in (one.alone, one.watched)),
            ),
            at_most(
                "watched sales: orders a second that somebody who watches costs, median of pairs",
                100 * (1 - median(self.ratios)),
                100 * MOST_SHARE,
                unit=" %",
            ),
            at_most(
                "watched sales: of all processor time, what somebody who watches takes",
                100 * self.share,
                100 * MOST_SHARE,
                unit=" %",
            ),
        ]

    def table(self) -> str:
        alone, watched = self.orders
        low, _, high = quantiles(self.ratios, n=4)
        took = [ms for one in self.rounds for ms in one.renewal_ms]
        usual, counting = (
            ", ".join(f"{name} {us:,} us" for name, us in one.each_us.items())
            for one in (self.usual, self.counting)
        )
        return "\n".join(
            [
                f"watched sale: {alone:,.0f} orders/s alone, {watched:,.0f} watched, medians of"
                f" {len(self.rounds)} pairs; ratio {median(self.ratios):.3f}, half of the pairs"
                f" from {low:.3f} to {high:.3f}",
                f"a renewal under load: p50 {median(took):.0f} ms, longest {max(took):.0f} ms",
                f"a renewal alone: {usual}; one that counts: {counting};"
                f" {self.share:.2%} of {self.cores} cores",
            ]
        )

    def as_dict(self) -> dict[str, Any]:
        alone, watched = self.orders
        took = [ms for one in self.rounds for ms in one.renewal_ms]
        return {
            "orders_per_second": {"alone": round(alone, 1), "watched": round(watched, 1)},
            "ratios": [round(ratio, 4) for ratio in self.ratios],
            "renewal_ms": {"p50": round(median(took), 1), "max": round(max(took), 1)},
            "renewal_us": dict(self.usual.each_us),
            "counting_renewal_us": dict(self.counting.each_us),
            "share": round(self.share, 5),
            "failed": self.failed,
            "broken": list(self.broken),
        }
