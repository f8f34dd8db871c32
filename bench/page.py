"""The figures in docs/benchmarks.md, between two marks, and its chart: from the results file alone.

`python -m bench.page [RESULTS]` writes them again. Nothing of it is written by hand, and a run that
left parts out, or in which something was not right, is not written at all.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from bench.chart import Bar, Group, bar_chart
from bench.options import CHECKOUT, COMMITS, DRAINING, LOTTERY, PARTS, PRESSURE, RESULTS, SALES
from deploy.local.processes import ROOT, LocalError, say

PAGE = ROOT / "docs" / "benchmarks.md"
CHART = ROOT / "docs" / "benchmarks.svg"
BEGIN = "<!-- figures: written by `make bench ARGS=--write-docs` -->"
END = "<!-- figures: end -->"

Figures = Mapping[str, Any]


def write(results: Path) -> None:
    """Puts the figures of `results` into the page, and draws the chart.

    Raises LocalError for results that must not be shown.
    """
    figures = json.loads(results.read_text())
    PAGE.write_text(with_figures(PAGE.read_text(), figures))
    CHART.write_text(chart(figures))
    say(f"Written to {PAGE.relative_to(ROOT)} and {CHART.relative_to(ROOT)}.")


def with_figures(page: str, figures: Figures) -> str:
    """`page` with the figures between its marks. Raises LocalError."""
    missing = [part for part in PARTS if part not in figures]
    if missing:
        raise LocalError(f"Only whole runs are shown; this one has no {', '.join(missing)}.")
    wrong = [check["what"] for check in figures["checks"] if check["hard"] and not check["ok"]]
    if wrong:
        raise LocalError(f"These figures are of a run that was not right: {'; '.join(wrong)}.")
    head, begin, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise LocalError(f"The page has no marks {BEGIN} and {END}.")
    return "\n\n".join([head + BEGIN, *_sections(figures), END + tail])


def chart(figures: Figures) -> str:
    """Orders settled per second, each way of selling at each number of clients."""
    groups: dict[str, list[Bar]] = {}
    for cell in figures[SALES]["cells"]:
        bar = Bar(str(cell["clients"]), cell["settled_per_second"])
        groups.setdefault(cell["way"], []).append(bar)
    return bar_chart(
        "Orders settled per second, by number of clients",
        [Group(name, bars) for name, bars in groups.items()],
    )


def _sections(figures: Figures) -> Iterator[str]:
    machine, versions, run = figures["machine"], figures["versions"], figures["settings"]
    yield (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB,"
        f" {machine['system']}; shop {versions['shop']}, Python {versions['python']},"
        f" Django {versions['Django']}, granian {versions['granian']},"
        f" MariaDB {versions['MariaDB']}, Redis {versions['Redis']}."
        f" {run['web_processes']} web processes of {run['web_threads']} threads in all rows;"
        f" {run['seconds']} seconds each."
    )
    speed = [check for check in figures["checks"] if not check["hard"]]
    right = len(figures["checks"]) - len(speed)
    yield _table(
        ("what must be reached", "figure", ""),
        ((c["what"], c["figure"], "reached" if c["ok"] else "**missed**") for c in speed),
    )
    yield f"All {right} lines about correctness hold: nothing oversold, lost, doubled or left over."
    yield "### Flash sales"
    yield "![Orders settled per second](benchmarks.svg)"
    yield _cells(figures[SALES]["yardstick"], figures[SALES]["cells"])
    yield _sold_out(figures[SALES])
    yield "### Under pressure"
    yield from _pressure(figures[PRESSURE])
    yield "### Lottery"
    yield from _lottery(figures[LOTTERY])
    yield "### The drain alone"
    yield _table(
        ("one process", "orders", "per s"),
        (
            (name, f"{pace['orders']:,}", f"{pace['per_second']:,.0f}")
            for name, pace in (
                ("pending orders, 500 a transaction", figures[DRAINING]["drained"]),
                ("direct, one a transaction", figures[DRAINING]["direct"]),
            )
        ),
    )
    yield "### Slow commits"
    yield from _commits(figures[COMMITS])
    yield "### Checkout"
    yield _checkout(figures[CHECKOUT])


def _cells(yardsticks: Iterable[Figures], cells: Sequence[Figures]) -> str:
    rows: list[Sequence[str]] = []
    for one in yardsticks:
        clients = one["clients"]
        rows.append(
            ("yardstick", f"{clients}", f"{one['per_second']:,.0f}", "", "", "", *_ms(one), "")
        )
        rows += [_cell(cell) for cell in cells if cell["clients"] == clients]
    head = ("way", "clients", "accepted/s", "settled/s", "of yardstick", "drain s")
    return _table((*head, "answer p50 / p99 ms", "click to settled p50 / p99 ms"), rows)


def _cell(cell: Figures) -> Sequence[str]:
    return (
        cell["way"],
        f"{cell['clients']}",
        f"{cell['accepted_per_second']:,.0f}",
        f"{cell['settled_per_second']:,.0f}",
        f"{cell['ratio']['settled']:.3f}",
        f"{cell['drain_seconds']:.2f}",
        *_ms({"p50_ms": cell["answer_ms"]["p50"], "p99_ms": cell["answer_ms"]["p99"]}),
        f"{cell['click_to_settled_ms']['p50']:.0f} / {cell['click_to_settled_ms']['p99']:.0f}",
    )


def _sold_out(figures: Figures) -> str:
    """At the number of clients that has both sell-outs."""
    cells = [cell for cell in figures["cells"] if len(cell["rushes"]) > 1]
    sold_out = (f"sell-out, {cells[0]['clients']} clients", "sell-out, larger")
    return _costs("an order costs", figures["prices"], cells, sold_out)


def _costs(
    what: str, prices: Iterable[Figures], cells: Iterable[Figures], sold_out: Sequence[str]
) -> str:
    """What one costs, and how long the sell-outs took."""
    by_way = {cell["way"]: cell for cell in cells}
    rows = []
    for price in prices:
        cell = by_way[price["way"]]
        cpu = cell["cpu_us_per_order"]
        sold = [f"{rush['sold']:,} in {rush['seconds']:.1f} s" for rush in cell["rushes"]]
        rows.append(
            (
                price["way"],
                *(f"{price[name]:.1f}" for name in ("web_statements", "other_statements")),
                f"{price['redis_calls']:.1f}",
                *(f"{cpu[name]:,}" for name in ("web", "drains", "mariadb", "redis")),
                *sold,
            )
        )
    cpu_head = ("web us", "drains us", "MariaDB us", "Redis us")
    return _table((what, "SQL, web", "SQL, others", "Redis calls", *cpu_head, *sold_out), rows)


def _lottery(figures: Figures) -> Iterator[str]:
    sold = max(figures["checkouts"], key=lambda cell: float(cell["orders_per_second"]))
    yield (
        f"Entries of one share each, then grabs. Ordinary checkout beside them, {sold['clients']}"
        f" clients: {sold['orders_per_second']:,.0f} orders/s ({sold['strategy']})."
    )
    yield _cells([figures["yardstick"]], figures["entries"])
    yield _costs("an entry costs", figures["entry_prices"], figures["entries"], ("sell-out",))
    yield _cells([figures["yardstick"]], figures["grabs"])
    yield _costs("a grab costs", figures["grab_prices"], figures["grabs"], ("sell-out",))
    ends, draws = figures["ends"], figures["draws"]
    yield _table(
        ("at the ends of a period", "middle", "slowest"),
        (
            (what, *(f"{of(times):.1f} ms" for of in (median, max)))
            for what, times in (
                (f"opening one of {ends['shares']:,} shares", ends["opening_ms"]),
                (f"{ends['numbers']:,} of its numbers, none known", ends["numbers_ms"]),
            )
        ),
    )
    yield (
        f"{draws['drawn']} periods were sold out and drawn, and their proofs verified; a proof of"
        f" {ends['proof_entries']:,} entries takes the verifier {ends['proof_seconds']:.1f} s."
    )


def _pressure(figures: Figures) -> Iterator[str]:
    flood, memory = figures["sold_out"], figures["memory"]
    yield (
        f"Sold out: {flood['replies_per_second']:,.0f} replies/s to {flood['clients']} clients"
        f" ({flood['ratio']:.2f} of the yardstick beside it), {flood['holders']} of the"
        f" {flood['shoppers']:,} shoppers hold units. Top rate:"
        f" {figures['top']['settled_per_second']:,.0f} settled/s."
    )
    yield _table(
        ("open loop", "orders/s", "answer p50 / p99 ms", "click to settled p50 / p99 ms"),
        (
            (
                f"{one['share']:.0%} of the top rate",
                f"{one['rate']:,.0f}",
                *_ms(one["answered"]),
                *_ms(one["click_to_settled"]),
            )
            for one in figures["open_loop"]
        ),
    )
    yield _table(
        ("checkout beside", "storm, orders/s", "p50 / p99 ms"),
        (
            (one["what"], f"{one['storm_per_second']:,.0f}", *_ms(one["answered"]))
            for one in figures["checkout_beside"]
        ),
    )
    yield _table(
        ("process", f"MiB before {memory['requests']:,} requests", "after"),
        (
            (name, _sizes(before), _sizes(memory["after_mib"][name]))
            for name, before in memory["before_mib"].items()
        ),
    )


def _commits(figures: Figures) -> Iterator[str]:
    yield (
        f"A commit takes {figures['commit_ms']:.2f} ms, {figures['alone_ms']:.2f} without the"
        f" replica; {figures['waited']:,} commits waited for it, {figures['unwaited']} did not."
    )
    yield _table(
        ("way", "clients", "accepted/s", "settled/s", "answer p50 / p99 ms"),
        (
            (
                cell["way"],
                f"{cell['clients']}",
                f"{cell['accepted_per_second']:,.0f}",
                f"{cell['settled_per_second']:,.0f}",
                *_ms({"p50_ms": cell["answer_ms"]["p50"], "p99_ms": cell["answer_ms"]["p99"]}),
            )
            for cell in figures["cells"]
        ),
    )


def _checkout(figures: Figures) -> str:
    return _table(
        ("strategy", "clients", "orders/s", "of yardstick", "p50 / p99 ms", "retries"),
        (
            (
                cell["strategy"],
                f"{cell['clients']}",
                f"{cell['orders_per_second']:,.0f}",
                f"{cell['ratio']['per_second']:.3f}",
                *_ms(cell),
                f"{cell['retries']}",
            )
            for cell in figures["cells"]
        ),
    )


def _ms(figures: Figures) -> Sequence[str]:
    return (f"{figures['p50_ms']:.1f} / {figures['p99_ms']:.1f}",)


def _sizes(sizes: Sequence[float]) -> str:
    return " + ".join(f"{size:.0f}" for size in sizes)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---" if column == 0 else "---:" for column in range(len(head))], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    try:
        write(Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS)
    except LocalError as error:
        sys.exit(str(error))
