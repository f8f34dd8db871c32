"""Horizontal bars as an SVG file of its own, readable on light and on dark paper. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

from orders.rehearsal.charts import scale

WIDTH, LEFT, RIGHT = 760, 220, 70
TOP, BAR, GAP, GROUP_GAP, BOTTOM = 40, 14, 3, 12, 30
# Lighter from bar to bar of a group; the words beside the bars say the same.
FILLS = ("#1d4e89", "#3f7fbf", "#8fb8de")
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#444}"
    ".title{font-size:14px;font-weight:600}"
    ".grid{stroke:#999;stroke-opacity:.35}"
    "@media(prefers-color-scheme:dark){text{fill:#ccc}}"
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: what it stands for, and how long it is."""

    name: str
    value: float


@dataclass(frozen=True, slots=True)
class Group:
    """Bars under one name."""

    name: str
    bars: Sequence[Bar]


def bar_chart(title: str, groups: Sequence[Group]) -> str:
    """The whole SVG file: groups from top to bottom, values to the right from zero."""
    marks = scale(max((bar.value for group in groups for bar in group.bars), default=0.0))
    rows = sum(len(group.bars) for group in groups)
    height = TOP + rows * (BAR + GAP) + len(groups) * GROUP_GAP + BOTTOM
    chart = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {WIDTH} {height}",
            "role": "img",
            "aria-label": title,
        },
    )
    SubElement(chart, "title").text = title
    SubElement(chart, "style").text = STYLE
    _text(chart, 8, 20, title, kind="title")
    for mark in marks:
        x = _x(mark, marks[-1])
        ends = {"x1": x, "x2": x, "y1": float(TOP), "y2": float(height - BOTTOM)}
        SubElement(
            chart, "line", {"class": "grid"} | {name: f"{at:.1f}" for name, at in ends.items()}
        )
        _text(chart, x, height - BOTTOM + 16, f"{mark:,g}", anchor="middle")
    y = float(TOP)
    for group in groups:
        y += GROUP_GAP / 2
        middle = y + len(group.bars) * (BAR + GAP) / 2 + 4
        _text(chart, LEFT - 40, middle, group.name, anchor="end")
        for number, bar in enumerate(group.bars):
            width = _x(bar.value, marks[-1]) - LEFT
            _text(chart, LEFT - 6, y + BAR - 2, bar.name, anchor="end")
            place = {"x": f"{LEFT}", "y": f"{y:.1f}", "width": f"{width:.1f}", "height": f"{BAR}"}
            SubElement(chart, "rect", place | {"fill": FILLS[number % len(FILLS)]})
            _text(chart, LEFT + width + 6, y + BAR - 2, f"{bar.value:,.0f}")
            y += BAR + GAP
        y += GROUP_GAP / 2
    return tostring(chart, encoding="unicode") + "\n"


def _x(value: float, top: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * value / top


def _text(
    chart: Element, x: float, y: float, text: str, *, kind: str = "", anchor: str = "start"
) -> None:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor}
    SubElement(chart, "text", place | ({"class": kind} if kind else {})).text = text
