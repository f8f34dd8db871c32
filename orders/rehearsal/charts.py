"""Line charts as SVG, drawn into the page itself. Pure; what they look like is the page's style.

A line is told from another by its dashes as well as by its colour, and by a name in the legend. A
gap in a line is a second about which nothing is known.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from xml.etree.ElementTree import Element, SubElement, tostring

WIDTH, HEIGHT = 760, 240
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 48, 36
# Lines across the chart, about.
TICKS = 5
# Width of a letter of the legend, about.
LETTER = 7


@dataclass(frozen=True, slots=True)
class Line:
    """A value for each second; None: not known."""

    name: str
    values: Sequence[float | None]


def line_chart(title: str, unit: str, lines: Sequence[Line]) -> str:
    """An SVG element: seconds to the right, `unit` upwards from zero."""
    seconds = max((len(line.values) for line in lines), default=0)
    most = max((value for line in lines for value in line.values if value is not None), default=0.0)
    marks = scale(most)
    right, top = max(1, seconds - 1), marks[-1]
    chart = Element(
        "svg",
        {"viewBox": f"0 0 {WIDTH} {HEIGHT}", "role": "img", "class": "chart", "aria-label": title},
    )
    SubElement(chart, "title").text = title
    _text(chart, LEFT, 16, f"{title} ({unit})", kind="heading")
    for value in marks:
        y = _y(value, top)
        _line(chart, (LEFT, y), (WIDTH - RIGHT, y), kind="grid")
        _text(chart, LEFT - 8, y + 4, f"{value:,g}", kind="tick", anchor="end")
    for second in scale(right):
        if second <= right and second == int(second):
            x = _x(second, right)
            _text(chart, x, HEIGHT - BOTTOM + 16, f"{second:,g}", kind="tick", anchor="middle")
    _text(chart, WIDTH - RIGHT, HEIGHT - 4, "seconds since the start", kind="tick", anchor="end")
    at = LEFT
    for number, line in enumerate(lines, start=1):
        _line(chart, (at, 32), (at + 28, 32), kind=f"line line{number}")
        _text(chart, at + 34, 36, line.name, kind="name")
        at += 34 + LETTER * len(line.name) + 20
        for run in runs(line.values):
            points = [(_x(second, right), _y(value, top)) for second, value in run]
            if len(points) == 1:
                _dot(chart, points[0], kind=f"dot line{number}")
            else:
                path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
                SubElement(chart, "polyline", {"points": path, "class": f"line line{number}"})
    return tostring(chart, encoding="unicode")


def runs(values: Sequence[float | None]) -> Iterator[list[tuple[int, float]]]:
    """The stretches without a gap: lists of (second, value)."""
    for known, stretch in groupby(enumerate(values), key=lambda pair: pair[1] is not None):
        if known:
            yield [(second, value) for second, value in stretch if value is not None]


def scale(most: float) -> list[float]:
    """Round numbers (1, 2 or 5 times a power of ten, and the like) from zero to the first that is
    not below `most`."""
    step = _step(most)
    return [step * number for number in range(max(1, math.ceil(most / step)) + 1)]


def _step(most: float) -> float:
    if most <= 0:
        return 1.0
    rough = most / TICKS
    power: float = 10.0 ** math.floor(math.log10(rough))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough * (1 - 1e-9))


def _x(second: float, right: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * second / right


def _y(value: float, top: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / top


def _line(
    chart: Element, start: tuple[float, float], end: tuple[float, float], *, kind: str
) -> None:
    ends = {"x1": start[0], "y1": start[1], "x2": end[0], "y2": end[1]}
    SubElement(chart, "line", {name: f"{at:.1f}" for name, at in ends.items()} | {"class": kind})


def _dot(chart: Element, point: tuple[float, float], *, kind: str) -> None:
    place = {"cx": f"{point[0]:.1f}", "cy": f"{point[1]:.1f}", "r": "2.5"}
    SubElement(chart, "circle", place | {"class": kind})


def _text(
    chart: Element, x: float, y: float, text: str, *, kind: str, anchor: str = "start"
) -> None:
    place = {"x": f"{x:.1f}", "y": f"{y:.1f}", "text-anchor": anchor, "class": kind}
    SubElement(chart, "text", place).text = text
