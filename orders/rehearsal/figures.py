"""From what was seen to series and percentiles. Pure: no clock, no server, no database."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

SOLD_OUT = ("sold_out", "insufficient_stock")


@dataclass(slots=True)
class Purchase:
    """One visit to the sale and what became of it; times in seconds after the start.

    `due` is when the shopper meant to click, whatever kept the click from being sent. Stored, it
    has an `order_no` and the last `status` its client saw (with the code, where that is `failed`).
    Otherwise it has the code of its `refusal`, or, where even the last repeat brought no final
    answer, of what the shopper gave up at: then nobody on this side knows whether it is stored.
    """

    key: str
    due: float
    order_no: str = ""
    status: str = ""
    failure: str = ""
    refusal: str = ""
    gave_up: str = ""
    answered: float | None = None
    settled: float | None = None

    @property
    def outcome(self) -> str:
        """For the table."""
        if self.order_no:
            return f"{self.status}: {self.failure}" if self.failure else self.status
        return self.refusal or f"gave up: {self.gave_up}"

    @property
    def told_sold_out(self) -> bool:
        """Whether the shopper was told that nothing is left, at once or after waiting."""
        return self.refusal in SOLD_OUT or self.failure in SOLD_OUT


@dataclass(frozen=True, slots=True)
class Trouble:
    """One request that was answered by no final word, or by one that no shop may give."""

    at: float
    code: str


@dataclass(slots=True)
class Seen:
    """All that the clients saw. `late`: seconds by which they began after a visit was due, their
    own fault, not the shop's. `unexpected`: a line for each answer that the contract rules out."""

    purchases: list[Purchase] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Sample:
    """What the database said `at` seconds after the start: orders of the sale that are pending, and
    those of this rehearsal that got their units. Nothing, where it could not be asked."""

    at: float
    pending: int | None
    settled: int | None


def percentile(values: Iterable[float], share: float) -> float | None:
    """The smallest of `values` that at least `share` (0 to 1) of them do not exceed; None of none.

    The nearest-rank definition: always a value that was seen.
    """
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Second by second: counts of what happened in it, `pending` at its end, and the latencies (ms)
    of the visits that were due in it. None: nobody knows, or nobody came."""

    due: Sequence[int]
    accepted: Sequence[int]
    sold_out: Sequence[int]
    errors: Sequence[int]
    settled: Sequence[int | None]
    pending: Sequence[int | None]
    p50_ms: Sequence[float | None]
    p99_ms: Sequence[float | None]

    @property
    def seconds(self) -> int:
        return len(self.due)


def timeline(seen: Seen, samples: Sequence[Sample]) -> Timeline:
    """Everything that was seen, sorted into seconds, from the start to the last thing that was."""
    accepted = [one.answered for one in seen.purchases if one.order_no and one.answered is not None]
    told = [
        one.settled if one.order_no else one.answered for one in seen.purchases if one.told_sold_out
    ]
    due = [one.due for one in seen.purchases]
    errors = [one.at for one in seen.troubles]
    sold_out = [at for at in told if at is not None]
    times = [*due, *accepted, *sold_out, *errors, *(one.at for one in samples)]
    seconds = int(max(times, default=0.0)) + 1
    latencies: list[list[float]] = [[] for _ in range(seconds)]
    for one in seen.purchases:
        if one.answered is not None:
            latencies[int(one.due)].append(1000 * (one.answered - one.due))
    pending, settled = _sampled(samples, seconds)
    return Timeline(
        due=_counts(due, seconds),
        accepted=_counts(accepted, seconds),
        sold_out=_counts(sold_out, seconds),
        errors=_counts(errors, seconds),
        settled=settled,
        pending=pending,
        p50_ms=[percentile(one, 0.50) for one in latencies],
        p99_ms=[percentile(one, 0.99) for one in latencies],
    )


def _counts(times: Iterable[float], seconds: int) -> list[int]:
    counts = Counter(int(at) for at in times)
    return [counts[second] for second in range(seconds)]


def _sampled(samples: Sequence[Sample], seconds: int) -> tuple[list[int | None], list[int | None]]:
    """`pending` as the last sample of each second has it, and by how many `settled` grew in it; the
    first sample after a gap carries what was settled in the gap."""
    pending: list[int | None] = [None] * seconds
    settled: list[int | None] = [None] * seconds
    known = 0
    for sample in samples:
        second = int(sample.at)
        if sample.pending is None or sample.settled is None:
            continue
        pending[second] = sample.pending
        settled[second] = (settled[second] or 0) + max(0, sample.settled - known)
        known = max(known, sample.settled)
    return pending, settled


def outcomes(purchases: Iterable[Purchase]) -> Mapping[str, int]:
    """How many visits came to what, the most frequent first."""
    return dict(Counter(one.outcome for one in purchases).most_common())


def troubles(found: Iterable[Trouble]) -> Mapping[str, int]:
    """How many requests had which trouble, the most frequent first."""
    return dict(Counter(one.code for one in found).most_common())


def answer_ms(purchases: Iterable[Purchase]) -> list[float]:
    """From the intended click to the first final answer, repeats included."""
    return [1000 * (one.answered - one.due) for one in purchases if one.answered is not None]


def settled_ms(purchases: Iterable[Purchase]) -> list[float]:
    """From the intended click until the shopper saw that the order holds its units."""
    return [
        1000 * (one.settled - one.due)
        for one in purchases
        if one.settled is not None and not one.failure
    ]
