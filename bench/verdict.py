"""Lines of a verdict, and what they are made of: pure, no clock, no server.

Figures of correctness must hold whatever the machine; figures of speed are compared with others of
the same run and say PASS or FAIL, but fail the command only when asked to.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import mean
from typing import Any, Protocol

from bench.load import Answers


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the verdict. `hard`: about correctness, so a failure fails the command."""

    what: str
    ok: bool
    figure: str
    hard: bool

    def __str__(self) -> str:
        return f"{'PASS' if self.ok else 'FAIL'}  {self.what}: {self.figure}"


def none_of(what: str, figures: Iterable[int]) -> Check:
    """Correctness: all of `figures` must be zero."""
    total = sum(figures)
    return Check(what, total == 0, f"{total}, must be 0", hard=True)


def at_least(what: str, figure: float, least: float, *, digits: int = 2) -> Check:
    """Speed: `figure` must be `least` or more."""
    return Check(what, figure >= least, f"{figure:.{digits}f}, at least {least:g}", hard=False)


def at_most(what: str, figure: float, most: float, *, unit: str = "", digits: int = 2) -> Check:
    """Speed: `figure` must be `most` or less."""
    words = f"{figure:.{digits}f}{unit}, at most {most:g}{unit}"
    return Check(what, figure <= most, words, hard=False)


class Part(Protocol):
    """What one part of the benchmark came to."""

    def checks(self) -> list[Check]:
        """The verdict, line by line; lines about what was not measured are left out."""
        ...

    def table(self) -> str:
        """The figures, for the terminal."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """The figures, for the results file."""
        ...


@dataclass(frozen=True, slots=True)
class Yardstick:
    """The bare view at `clients` clients, measured before and after what is compared with it."""

    clients: int
    runs: Sequence[Answers]

    @property
    def per_second(self) -> float:
        return mean(run.count("200") / run.seconds for run in self.runs)

    @property
    def p50_ms(self) -> float:
        return mean(run.p50_ms for run in self.runs)

    @property
    def p99_ms(self) -> float:
        return mean(run.p99_ms for run in self.runs)

    @property
    def errors(self) -> int:
        return sum(run.other_than("200") for run in self.runs)

    @property
    def drift(self) -> float:
        """How far the runs lie apart, as a share of their mean: what the machine did meanwhile."""
        rates = [run.count("200") / run.seconds for run in self.runs]
        return (max(rates) - min(rates)) / mean(rates)

    def as_dict(self) -> dict[str, Any]:
        return {
            "clients": self.clients,
            "per_second": round(self.per_second, 1),
            "p50_ms": round(self.p50_ms, 3),
            "p99_ms": round(self.p99_ms, 3),
            "errors": self.errors,
            "drift": round(self.drift, 3),
            "runs": [asdict(run) for run in self.runs],
        }


@dataclass(frozen=True, slots=True)
class Tally:
    """What the database says of one pool, in one snapshot: units loaded, what its counter says is
    left, orders that hold units of it, and how many those are."""

    loaded: int
    available: int
    orders: int
    units: int

    @property
    def oversold(self) -> int:
        """Units in orders that the counter does not know of, or that never were."""
        return max(0, self.units - (self.loaded - self.available), self.units - self.loaded)

    def undersold(self, *, wanted: int) -> int:
        """Units that are gone from the counter and in no order, or left although `wanted`."""
        gone = self.loaded - self.available - self.units
        return max(0, gone, min(wanted, self.loaded) - self.units)


def rounded(figures: Mapping[str, float], digits: int = 1) -> dict[str, float]:
    """For the results file."""
    return {name: round(figure, digits) for name, figure in figures.items()}
