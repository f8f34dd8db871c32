"""What the parts left, put together: the verdict, the file, the page and its chart."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench import page
from bench.chart import Bar, Group, bar_chart
from bench.checkout import OPTIMISTIC
from bench.options import CHECKOUT, COMMITS, DRAINING, LOTTERY, PRESSURE, SALES
from bench.report import Report
from bench.sales import WAYS, Price, Sales
from bench.verdict import Check, Part
from deploy.local.processes import LocalError
from tests.bench import test_checkout, test_lottery, test_pressure, test_series
from tests.bench.figures import a_cell, a_rush, a_yardstick

SVG = "{http://www.w3.org/2000/svg}"
FACTS: dict[str, Any] = {
    "machine": {"processor": "P", "cores": 2, "memory_gib": 8.0, "system": "Linux"},
    "versions": {
        "shop": "abc",
        "python": "3.11",
        "Django": "5",
        "granian": "2",
        "MariaDB": "10",
        "Redis": "7",
    },
    "settings": {"seconds": 6, "web_processes": "2", "web_threads": "4"},
}


def some_sales() -> Sales:
    cells = [a_cell(way, 2_000 if way.queued else 1_000) for way in WAYS]
    return Sales(
        yardsticks=[a_yardstick()],
        cells=[replace(cell, rushes=[a_rush(100), a_rush(10_000)]) for cell in cells],
        prices=[Price(way, 1_000, 1.0, 0.3, 1.1) for way in WAYS],
        memory={"web": [30.0, 100.0]},
        broken=(),
    )


def parts() -> dict[str, Part]:
    return {
        CHECKOUT: test_checkout.a_report(test_checkout.a_cell(OPTIMISTIC, 32)),
        DRAINING: test_series.DRAINING,
        SALES: some_sales(),
        PRESSURE: test_pressure.A_RUN,
        LOTTERY: test_lottery.a_run(),
        COMMITS: test_series.COMMITS,
    }


def a_report(folder: Path, found: dict[str, Part]) -> Report:
    for name, part in found.items():
        left = {
            "table": part.table(),
            "checks": [asdict(check) for check in part.checks()],
            "figures": part.as_dict(),
        }
        (folder / f"{name}.json").write_text(json.dumps(left))
    return Report.of(folder, parts=list(found), **FACTS)


def with_a_failure(report: Report, *, hard: bool) -> Report:
    check = asdict(Check("something", ok=False, figure="1, must be 0", hard=hard))
    sales = report.parts[SALES]
    return replace(
        report, parts={**report.parts, SALES: {**sales, "checks": [*sales["checks"], check]}}
    )


def test_everything_holds_when_all_parts_do(tmp_path: Path) -> None:
    report = a_report(tmp_path, parts())

    assert report.holds(strict=True)
    assert len(report.checks()) == sum(len(part.checks()) for part in parts().values())


def test_a_figure_of_speed_fails_the_command_only_when_asked_to(tmp_path: Path) -> None:
    report = with_a_failure(a_report(tmp_path, parts()), hard=False)

    assert report.holds(strict=False)
    assert not report.holds(strict=True)


def test_a_figure_of_correctness_always_fails_it(tmp_path: Path) -> None:
    assert not with_a_failure(a_report(tmp_path, parts()), hard=True).holds(strict=False)


def test_the_text_has_every_table_and_every_line(tmp_path: Path) -> None:
    text = a_report(tmp_path, parts()).text()

    assert all(part.table() in text for part in parts().values())
    assert "PASS  flash sales: oversold: 0, must be 0" in text
    assert "web_threads 4" in text


def test_the_file_holds_the_figures_of_each_part(tmp_path: Path) -> None:
    written = json.loads(a_report(tmp_path, parts()).as_json())

    assert written["drain"]["ratio"] == 15.62
    assert written["checkout"]["cells"][0]["orders_per_second"] == 800
    assert written["settings"] == FACTS["settings"]


def figures(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(a_report(folder, parts()).as_json())
    return found


def test_the_page_keeps_what_is_around_the_marks(tmp_path: Path) -> None:
    old = f"# Head\n\n{page.BEGIN}\n\nyesterday\n\n{page.END}\n\nTail\n"

    new = page.with_figures(old, figures(tmp_path))

    assert new.startswith(f"# Head\n\n{page.BEGIN}\n\nP, 2 cores, 8.0 GiB")
    assert new.endswith(f"{page.END}\n\nTail\n")
    assert "yesterday" not in new
    assert "| queued, gate | 64 | 2,000 | 1,980 |" in new
    assert page.with_figures(new, figures(tmp_path)) == new


def test_every_table_of_the_page_has_rows_as_wide_as_its_head(tmp_path: Path) -> None:
    new = page.with_figures(f"{page.BEGIN}\n{page.END}", figures(tmp_path))

    tables = [block.splitlines() for block in new.split("\n\n") if block.startswith("|")]
    assert len(tables) == 14
    for table in tables:
        assert len(table) > 2
        assert {line.count("|") for line in table} == {table[0].count("|")}


def test_a_run_that_left_parts_out_is_not_shown(tmp_path: Path) -> None:
    some = {name: part for name, part in figures(tmp_path).items() if name != COMMITS}

    with pytest.raises(LocalError, match="commits"):
        page.with_figures(f"{page.BEGIN}\n{page.END}", some)


def test_a_run_that_was_not_right_is_not_shown(tmp_path: Path) -> None:
    wrong = json.loads(with_a_failure(a_report(tmp_path, parts()), hard=True).as_json())

    with pytest.raises(LocalError, match="something"):
        page.with_figures(f"{page.BEGIN}\n{page.END}", wrong)


def test_a_page_without_marks_is_left_alone(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match="marks"):
        page.with_figures("# Head", figures(tmp_path))


def test_the_real_page_has_its_marks_once() -> None:
    text = page.PAGE.read_text()

    assert text.count(page.BEGIN) == text.count(page.END) == 1


def test_the_chart_has_a_bar_for_each_cell(tmp_path: Path) -> None:
    drawn = ElementTree.fromstring(page.chart(figures(tmp_path)))  # noqa: S314

    assert len(drawn.findall(f"{SVG}rect")) == len(WAYS)


def test_bars_are_as_long_as_their_values() -> None:
    groups = [Group("one", [Bar("8", 50), Bar("64", 100)]), Group("two", [])]
    drawn = ElementTree.fromstring(bar_chart("Title", groups))  # noqa: S314

    widths = [float(bar.attrib["width"]) for bar in drawn.findall(f"{SVG}rect")]
    assert widths[1] == pytest.approx(2 * widths[0], abs=0.2)
    assert {"50", "100", "one", "two"} <= {text.text for text in drawn.findall(f"{SVG}text")}
