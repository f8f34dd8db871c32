"""What a rehearsal came to, as text for the terminal and as one HTML page with charts.

The page is whole in itself: its style and its charts are in it and it fetches nothing, so it can be
kept, mailed and opened anywhere. It decides nothing; `verdict` did.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from django.template.loader import render_to_string

from orders.rehearsal.charts import Line, line_chart
from orders.rehearsal.figures import (
    Sample,
    Seen,
    Timeline,
    answer_ms,
    outcomes,
    percentile,
    settled_ms,
    timeline,
    troubles,
)
from orders.rehearsal.verdict import Check, Stock
from shop.pools.audit import Report

UNKNOWN = "-"


@dataclass(frozen=True)
class Result:
    """One rehearsal, all said and done. `about`: what was played, name -> value. `in_shop_ms`: how
    long each order that waited in the queue did, by the shop's clocks."""

    title: str
    about: Mapping[str, str]
    machine: Mapping[str, str]
    seen: Seen
    samples: Sequence[Sample]
    in_shop_ms: Sequence[float]
    stock: Stock
    checks: Sequence[Check]
    audit: Report

    @property
    def ok(self) -> bool:
        return all(check.ok for check in self.checks)

    @cached_property
    def timeline(self) -> Timeline:
        return timeline(self.seen, self.samples)

    def text(self) -> str:
        """For the terminal: the figures, the verdict, and the audit's lines at the end."""
        head = f"{'':22}{'p50 ms':>10}{'p99 ms':>10}{'max ms':>10}{'count':>9}"
        latencies = [
            f"{name:22}{''.join(f'{figure:>10}' for figure in row[:3])}{row[3]:>9}"
            for name, row in self._latencies()
        ]
        counts = [f"{name:44}{count:>8,}" for name, count in self._counts().items()]
        return "\n".join(
            [
                *counts,
                "",
                head,
                *latencies,
                "",
                *(line for check in self.checks for line in (str(check), *_indented(check.broken))),
                "",
                *audit_lines(self.audit),
            ]
        )

    def html(self) -> str:
        """The page."""
        line = self.timeline
        charts = [
            line_chart(
                "Orders",
                "per second",
                [
                    Line("accepted", line.accepted),
                    Line("settled", line.settled),
                    Line("told sold out", line.sold_out),
                    Line("errors and repeats", line.errors),
                ],
            ),
            line_chart(
                "From the intended click to the final answer, by the second of the click",
                "ms",
                [Line("p50", line.p50_ms), Line("p99", line.p99_ms)],
            ),
            line_chart("Queue", "orders pending", [Line("pending", line.pending)]),
        ]
        context = {
            "title": self.title,
            "ok": self.ok,
            "about": self.about,
            "machine": self.machine,
            "counts": {name: f"{count:,}" for name, count in self._counts().items()},
            "latencies": self._latencies(),
            "checks": self.checks,
            "audit": "\n".join(audit_lines(self.audit)),
            "charts": charts,
            "seconds": _rows(line),
        }
        return render_to_string("rehearsal/page.html", context)

    def _counts(self) -> Mapping[str, int]:
        stock = self.stock
        return {
            "visits": len(self.seen.purchases),
            **{f"  {name}": count for name, count in outcomes(self.seen.purchases).items()},
            "requests that were repeated or went wrong": len(self.seen.troubles),
            **{f"  {name}": count for name, count in troubles(self.seen.troubles).items()},
            "units in the sale's pool before": stock.before,
            "  sold to this rehearsal": stock.sold,
            "  sold to others meanwhile": stock.others,
            "  given back meanwhile": stock.back,
            "  added or withdrawn meanwhile": stock.added,
            "units in the sale's pool after": stock.after,
        }

    def _latencies(self) -> list[tuple[str, Sequence[str]]]:
        figures = {
            "click to answer": answer_ms(self.seen.purchases),
            "queued to settled": self.in_shop_ms,
            "click to seen settled": settled_ms(self.seen.purchases),
            "clients' own lateness": [1000 * late for late in self.seen.late],
        }
        return [
            (
                name,
                [
                    *(_figure(percentile(values, share)) for share in (0.50, 0.99, 1.0)),
                    f"{len(values):,}",
                ],
            )
            for name, values in figures.items()
        ]


def audit_lines(report: Report) -> Iterator[str]:
    """A line for each promise, and under it its figures and the rows that break it."""
    for promise in report.promises:
        yield f"{promise.number}  {'ok    ' if promise.ok else 'BROKEN'}  {promise.name}"
        if promise.figures:
            figures = (f"{name}={value}" for name, value in promise.figures.items())
            yield f"            {' '.join(figures)}"
        yield from _indented(promise.broken)


def _indented(lines: Sequence[str]) -> list[str]:
    return [f"            - {line}" for line in lines]


def _rows(line: Timeline) -> list[list[str]]:
    columns = (
        *(line.due, line.accepted, line.settled, line.sold_out, line.errors, line.pending),
        *(line.p50_ms, line.p99_ms),
    )
    return [
        [str(second), *(_figure(value) for value in row)]
        for second, row in enumerate(zip(*columns, strict=True))
    ]


def _figure(value: float | None) -> str:
    if value is None:
        return UNKNOWN
    return f"{value:,}" if isinstance(value, int) else f"{value:,.1f}"
