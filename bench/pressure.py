"""A queued, gated sale under pressure: what a shop feels of it at fixed rates, when it is sold out,
beside ordinary checkout, and in memory. From what was measured to what is printed and judged. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from bench.load import Answers
from bench.sales import Cell, Outcome, cell_dict
from bench.usage import Usage, growth
from bench.verdict import Check, Tally, Yardstick, at_least, at_most, none_of, rounded

# What must be reached.
SOLD_OUT_SHARE = 0.80
SETTLED_MS = 250.0
SETTLED_AT = 0.5
CHECKOUT_TAIL = 3.0
GROWTH_MIB = 10.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles in milliseconds, of `count` values."""

    count: int
    p50_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True)
class Flood:
    """Requests to a sale that is sold out, by shoppers of whom `holders` have an order of it.

    `answers`: by status, as the server counted them.
    """

    clients: int
    yardstick: Yardstick
    shoppers: int
    holders: int
    seconds: float
    answers: Mapping[str, int]
    usage: Usage

    @property
    def per_second(self) -> float:
        return self.answers.get("409", 0) / self.seconds

    @property
    def others(self) -> int:
        """Answers that were no refusal."""
        return sum(self.answers.values()) - self.answers.get("409", 0)


@dataclass(frozen=True, slots=True)
class Paced:
    """Orders at a fixed rate: `share` of the top rate, `rate` a second. All times count from the
    moment that each request was due, whatever kept it from being sent."""

    share: float
    rate: float
    answers: Answers
    answered: Latency
    settled: Latency
    outcome: Outcome
    usage: Usage


@dataclass(frozen=True, slots=True)
class Beside:
    """Ordinary checkout at a fixed rate, from the moment each request was due, beside `storm`:
    orders a second that the sale accepted meanwhile (0: there was none)."""

    what: str
    storm: float
    answers: Answers
    answered: Latency
    sold: Tally
    lost: int

    @property
    def errors(self) -> int:
        return self.answers.other_than("201")


@dataclass(frozen=True, slots=True)
class Memory:
    """Resident MiB of each process, by name, before and after a storm of `requests`."""

    requests: int
    before: Mapping[str, Sequence[float]]
    after: Mapping[str, Sequence[float]]
    answers: Answers
    outcome: Outcome
    stock: int

    @property
    def growth(self) -> float:
        """Of the web process that grew most."""
        return growth(self.before["web"], self.after["web"])


@dataclass(frozen=True, slots=True)
class Pressure:
    """All of it (`bench.verdict.Part`). `top`: as fast as it goes, in a closed loop. `besides`:
    checkout without a storm comes first."""

    top: Cell
    flood: Flood
    paced: Sequence[Paced]
    besides: Sequence[Beside]
    memory: Memory
    broken: Sequence[str]

    def checks(self) -> list[Check]:
        return [*self._correctness(), *self._speed()]

    def _correctness(self) -> list[Check]:
        wrong = self._wrong()
        broken = [
            self.top.broken,
            self.memory.answers.broken,
            *(one.answers.broken for one in self.paced),
            *(one.answers.broken for one in self.besides),
        ]
        return [
            *(none_of(f"under pressure: {name}", [count]) for name, count in wrong.items()),
            none_of("under pressure: promises the audit finds broken", [len(self.broken)]),
            none_of("under pressure: 5xx other than `busy`, or no answer", broken),
            none_of("under pressure: answers of a sold-out sale but 409", [self.flood.others]),
        ]

    def _wrong(self) -> dict[str, int]:
        found = [
            self.top.wrong(),
            self.memory.outcome.wrong(wanted=self.memory.stock),
            *(one.outcome.wrong(wanted=one.answers.accepted) for one in self.paced),
        ]
        total = {name: sum(one[name] for one in found) for name in found[0]}
        for beside in self.besides:
            total["oversold"] += beside.sold.oversold
            total["undersold"] += beside.sold.undersold(wanted=beside.answers.accepted)
            total["lost"] += beside.lost
        return total

    def _speed(self) -> list[Check]:
        found = [
            at_least(
                f"sold-out replies, {self.flood.clients} clients, of the yardstick",
                self.flood.per_second / self.flood.yardstick.per_second,
                SOLD_OUT_SHARE,
            )
        ]
        found += [
            at_most(
                f"click to settled, p99, at {one.share:.0%} of the top rate",
                one.settled.p99_ms,
                SETTLED_MS,
                unit=" ms",
                digits=0,
            )
            for one in self.paced
            if one.share == SETTLED_AT
        ]
        without, *during = self.besides
        found += [
            at_most(
                f"p99 of checkout beside {one.what}, of itself without",
                one.answered.p99_ms / without.answered.p99_ms,
                CHECKOUT_TAIL,
            )
            for one in during
        ]
        what = f"most that a web process grew over {self.memory.requests:,} requests"
        return [*found, at_most(what, self.memory.growth, GROWTH_MIB, unit=" MiB", digits=1)]

    def table(self) -> str:
        flood, memory = self.flood, self.memory
        used = flood.usage.per(sum(flood.answers.values()))
        lines = [
            f"top rate: {self.top.accepted:,.0f} accepted/s, {self.top.settled:,.0f} settled/s"
            f" ({self.top.clients} clients, closed loop)",
            f"sold out: {flood.per_second:,.0f} replies/s beside a yardstick of"
            f" {flood.yardstick.per_second:,.0f} (two runs {flood.yardstick.drift:.0%} apart);"
            f" {used.get('web', 0)} us of web, {used.get('redis', 0)} of Redis,"
            f" {used.get('mariadb', 0)} of MariaDB, {used.get('clients', 0)} of wrk a reply",
            "",
            f"{'open loop':34}{'per s':>7}{'p50 ms':>9}{'p99 ms':>9}{'settle50':>9}{'99 ms':>8}"
            f"{'errors':>8}{'others':>8}",
        ]
        for one in self.paced:
            lines.append(
                f"{f'{one.share:.0%} of the top rate':34}{one.rate:>7,.0f}"
                f"{one.answered.p50_ms:>9.1f}{one.answered.p99_ms:>9.1f}"
                f"{one.settled.p50_ms:>9.0f}{one.settled.p99_ms:>8.0f}"
                f"{one.answers.other_than('201', '202'):>8}{one.usage.others_cores:>8.2f}"
            )
        lines += [
            "",
            f"{'checkout beside':34}{'storm/s':>8}{'p50 ms':>9}{'p99 ms':>9}{'errors':>8}",
        ]
        for beside in self.besides:
            lines.append(
                f"{beside.what:34}{beside.storm:>8,.0f}{beside.answered.p50_ms:>9.1f}"
                f"{beside.answered.p99_ms:>9.1f}{beside.errors:>8}"
            )
        sizes = ", ".join(
            f"{name} {sum(memory.before[name]):.0f} -> {sum(memory.after[name]):.0f}"
            for name in memory.before
        )
        return "\n".join([*lines, "", f"MiB, {memory.requests:,} requests: {sizes}"])

    def as_dict(self) -> dict[str, Any]:
        flood, memory = self.flood, self.memory
        return {
            "top": cell_dict(self.top),
            "sold_out": {
                "clients": flood.clients,
                "shoppers": flood.shoppers,
                "holders": flood.holders,
                "replies_per_second": round(flood.per_second, 1),
                "ratio": round(flood.per_second / flood.yardstick.per_second, 4),
                "answers": dict(flood.answers),
                "cpu_us_per_reply": flood.usage.per(sum(flood.answers.values())),
                "cores_used_by_others": round(flood.usage.others_cores, 2),
                "yardstick": flood.yardstick.as_dict(),
            },
            "open_loop": [_paced_dict(one) for one in self.paced],
            "checkout_beside": [
                {
                    "what": one.what,
                    "storm_per_second": round(one.storm, 1),
                    "answered": rounded(asdict(one.answered)),
                    "errors": one.errors,
                    "answers": dict(one.answers.counts),
                }
                for one in self.besides
            ],
            "memory": {
                "requests": memory.requests,
                "before_mib": dict(memory.before),
                "after_mib": dict(memory.after),
                "web_growth_mib": round(memory.growth, 1),
                "answers": dict(memory.answers.counts),
            },
            "wrong": self._wrong(),
            "broken": list(self.broken),
        }


def _paced_dict(one: Paced) -> dict[str, Any]:
    return {
        "share": one.share,
        "rate": round(one.rate, 1),
        "answered": rounded(asdict(one.answered)),
        "click_to_settled": rounded(asdict(one.settled)),
        "answers": dict(one.answers.counts),
        "cpu_us_per_order": one.usage.per(one.answers.accepted),
        "cores_used_by_others": round(one.usage.others_cores, 2),
    }
