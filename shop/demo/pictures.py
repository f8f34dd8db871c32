"""Pictures of the demo's goods, drawn by code: one simple thing on a table, in the goods' colour.

Nothing is loaded and no letter is drawn, so they look alike on every machine. What is drawn stands
in a square of 100 by 100; it is drawn large and scaled down, which makes its edges smooth.
"""

import io
import math
from collections.abc import Callable, Sequence

from PIL import Image, ImageColor, ImageDraw

SIZE = 480
LARGER = 2
SCALE = SIZE * LARGER / 100
PAPER, INK, WHITE, GOLD = "#f7f0e4", "#2b2523", "#fffdf8", "#d9a941"

Point = tuple[float, float]


class Pen:
    """Draws in one colour and its shades; sizes and places are hundredths of the picture's edge."""

    def __init__(self, colour: str) -> None:
        self.colour = colour
        self.dark = mixed(colour, INK, 0.35)
        self.light = mixed(colour, PAPER, 0.45)
        self.pale = mixed(colour, PAPER, 0.72)
        edge = SIZE * LARGER
        self.image = Image.new("RGB", (edge, edge), mixed(colour, PAPER, 0.86))
        self._draw = ImageDraw.Draw(self.image)

    def oval(self, x: float, y: float, wide: float, high: float, fill: str) -> None:
        """An ellipse around a point."""
        self._draw.ellipse(self._box(x, y, wide, high), fill=fill)

    def ring(self, x: float, y: float, across: float, fill: str, *, thick: float = 1.5) -> None:
        box = self._box(x, y, across, across)
        self._draw.ellipse(box, outline=fill, width=round(thick * SCALE))

    def bowl(self, x: float, top: float, wide: float, deep: float, fill: str) -> None:
        """The lower half of an ellipse, from its rim down."""
        self._draw.pieslice(self._box(x, top, wide, 2 * deep), 0, 180, fill=fill)

    def dome(self, x: float, base: float, wide: float, high: float, fill: str) -> None:
        """The upper half of an ellipse, from its base up."""
        self._draw.pieslice(self._box(x, base, wide, 2 * high), 180, 360, fill=fill)

    def block(
        self,
        left: float,
        top: float,
        right: float,
        bottom: float,
        fill: str,
        *,
        curve: float = 1,
    ) -> None:
        box = [side * SCALE for side in (left, top, right, bottom)]
        self._draw.rounded_rectangle(box, radius=curve * SCALE, fill=fill)

    def shape(self, points: Sequence[Point], fill: str) -> None:
        self._draw.polygon([(x * SCALE, y * SCALE) for x, y in points], fill=fill)

    def line(self, points: Sequence[Point], fill: str, *, thick: float = 1.5) -> None:
        scaled = [(x * SCALE, y * SCALE) for x, y in points]
        self._draw.line(scaled, fill=fill, width=round(thick * SCALE), joint="curve")

    def leaf(self, x: float, y: float, long: float, angle: float, fill: str) -> None:
        """A pointed leaf that grows from a point, `angle` degrees from the right, upwards."""
        along, across = math.radians(angle), math.radians(angle + 90)
        steps = [number / 24 for number in range(25)]

        def edge(step: float, side: float) -> Point:
            out = side * long * 0.19 * math.sin(math.pi * step**0.8)
            return (
                x + long * step * math.cos(along) + out * math.cos(across),
                y - long * step * math.sin(along) - out * math.sin(across),
            )

        self.shape([edge(s, 1) for s in steps] + [edge(s, -1) for s in reversed(steps)], fill)
        self.line([edge(0.05, 0), edge(0.85, 0)], self.light, thick=0.5)

    def steam(self, x: float, y: float) -> None:
        """Three wisps."""
        for left in (-9, 0, 9):
            wave = [(x + left + 1.6 * math.sin(step / 2.2), y - step) for step in range(15)]
            self.line(wave, WHITE, thick=1.1)

    def _box(self, x: float, y: float, wide: float, high: float) -> list[float]:
        sides = (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)
        return [side * SCALE for side in sides]


def mixed(colour: str, other: str, share: float) -> str:
    """A colour with this share of another one."""
    pairs = zip(ImageColor.getrgb(colour), ImageColor.getrgb(other), strict=True)
    return "#" + "".join(f"{round(one + (two - one) * share):02x}" for one, two in pairs)


def leaves(pen: Pen) -> None:
    pen.oval(50, 79, 44, 5, pen.light)
    for angle, long in ((90, 46), (128, 38), (52, 38)):
        pen.leaf(50, 78, long, angle, pen.dark if angle == 90 else pen.colour)


def teapot(pen: Pen) -> None:
    pen.ring(71, 55, 26, pen.dark, thick=3.4)
    pen.shape([(36, 60), (17, 45), (22, 42), (38, 50)], pen.dark)
    pen.oval(50, 59, 46, 40, pen.colour)
    pen.dome(50, 44, 26, 8, pen.dark)
    pen.oval(50, 34.5, 5, 5, pen.dark)
    pen.oval(41, 54, 8, 14, pen.light)


def cake(pen: Pen) -> None:
    pen.oval(50, 55, 58, 58, pen.dark)
    pen.oval(50, 53, 56, 56, pen.colour)
    for across in (46, 34, 22):
        pen.ring(50, 53, across, pen.light, thick=0.8)
    pen.oval(50, 53, 11, 11, pen.dark)


def rice_bowl(pen: Pen) -> None:
    pen.steam(50, 34)
    pen.dome(50, 55, 50, 15, WHITE)
    for x, y in ((36, 44), (47, 40), (58, 44), (42, 50), (54, 50)):
        pen.block(x - 4, y - 4, x + 6, y + 5, pen.colour, curve=2)
        pen.block(x - 4, y - 4, x + 6, y - 1, pen.light, curve=2)
    pen.bowl(50, 55, 62, 25, pen.dark)
    pen.block(40, 77, 60, 82, pen.dark)


def wontons(pen: Pen) -> None:
    pen.steam(50, 34)
    pen.oval(50, 55, 62, 16, pen.light)
    for x, y in ((36, 52), (50, 49), (64, 52), (43, 57), (57, 57)):
        pen.dome(x, y + 3, 14, 8, WHITE)
        pen.shape([(x - 8, y + 1), (x, y - 8), (x + 8, y + 1)], WHITE)
        pen.oval(x, y, 5, 4, mixed(pen.colour, WHITE, 0.4))
    pen.bowl(50, 55, 62, 25, pen.colour)
    pen.block(40, 77, 60, 82, pen.colour)


def dumplings(pen: Pen) -> None:
    pen.oval(50, 56, 64, 64, pen.dark)
    pen.oval(50, 55, 60, 60, WHITE)
    pen.oval(50, 55, 52, 52, pen.light)
    for number in range(7):
        turn = math.radians(number * 60)
        out = 0 if number == 6 else 15
        pen.oval(50 + out * math.cos(turn), 55 + out * math.sin(turn), 12, 12, WHITE)
    for x, y in ((40, 40), (62, 47), (44, 66), (66, 62), (54, 38), (35, 55)):
        pen.oval(x, y, 2.6, 2.6, GOLD)


def gaiwan(pen: Pen) -> None:
    pen.oval(50, 79, 60, 9, pen.dark)
    pen.oval(50, 77.5, 60, 8, WHITE)
    pen.bowl(50, 48, 50, 29, WHITE)
    pen.line([(30, 61), (37, 55), (44, 62), (50, 55), (56, 62), (63, 55), (70, 61)], pen.colour)
    for x in (37, 50, 63):
        pen.oval(x, 60, 4.5, 4.5, pen.colour)
    pen.dome(50, 47, 42, 12, pen.colour)
    pen.block(29, 46, 71, 48, pen.dark)
    pen.oval(50, 34, 8, 4, pen.dark)


def cup(pen: Pen) -> None:
    pen.steam(50, 38)
    pen.shape([(29, 45), (71, 45), (63, 78), (37, 78)], pen.colour)
    pen.oval(50, 78, 26, 6, pen.dark)
    pen.oval(50, 45, 42, 10, pen.dark)
    pen.oval(50, 45.6, 37, 7.5, mixed(GOLD, PAPER, 0.35))
    for points in ([(36, 52), (41, 60), (38, 70)], [(55, 54), (60, 62), (57, 72)]):
        pen.line(points, pen.light, thick=0.6)


def tray(pen: Pen) -> None:
    pen.block(14, 42, 86, 78, pen.dark, curve=3)
    pen.block(14, 39, 86, 75, pen.colour, curve=3)
    for left in range(19, 80, 6):
        pen.block(left, 43, left + 3.4, 71, pen.light)
    pen.oval(64, 55, 17, 13, WHITE)
    pen.oval(64, 54.5, 12, 8.5, mixed(GOLD, PAPER, 0.35))


def coin(pen: Pen) -> None:
    pen.oval(51.5, 57, 62, 62, pen.dark)
    pen.oval(50, 55, 62, 62, pen.light)
    pen.ring(50, 55, 54, pen.dark, thick=1)
    for number in range(12):
        turn = math.radians(number * 30)
        pen.oval(50 + 22 * math.cos(turn), 55 + 22 * math.sin(turn), 3, 3, pen.dark)
    pen.oval(50, 55, 28, 28, pen.pale)
    pen.shape([(43, 48), (57, 48), (57, 62), (43, 62)], pen.dark)


def framed(pen: Pen) -> None:
    pen.block(22, 16, 78, 86, INK, curve=1)
    pen.block(25, 19, 75, 83, WHITE, curve=0)
    pen.block(31, 26, 69, 72, pen.pale, curve=0)
    pen.oval(58, 38, 11, 11, GOLD)
    pen.shape([(31, 72), (31, 60), (43, 44), (57, 72)], pen.dark)
    pen.shape([(44, 72), (57, 52), (69, 66), (69, 72)], pen.colour)
    pen.line([(60, 78), (62, 76), (64, 79), (66, 76), (69, 78)], INK, thick=0.7)


def shoe(pen: Pen) -> None:
    upper = [(17, 46), (31, 41), (37, 45), (52, 53), (70, 59), (82, 63), (84, 70), (17, 70)]
    pen.shape(upper, pen.colour)
    pen.shape([(17, 46), (31, 41), (34, 52), (17, 56)], pen.dark)
    pen.oval(77, 68, 16, 11, pen.light)
    pen.block(15, 69, 87, 76, WHITE, curve=3)
    pen.line([(16, 73.5), (86, 73.5)], pen.dark, thick=0.8)
    for x, y in ((40, 47), (46, 50), (52, 53), (58, 55.5)):
        pen.line([(x - 2, y + 6), (x + 2, y + 1)], WHITE, thick=1.2)


MOTIFS: dict[str, Callable[[Pen], None]] = {
    motif.__name__: motif
    for motif in (
        *(leaves, teapot, cake, rice_bowl, wontons, dumplings),
        *(gaiwan, cup, tray, coin, framed, shoe),
    )
}


def picture(motif: str, colour: str) -> bytes:
    """A PNG of this motif in this colour (#rrggbb). Raises KeyError."""
    draw = MOTIFS[motif]
    pen = Pen(colour)
    pen.oval(50, 47, 76, 76, pen.pale)
    pen.block(0, 74, 100, 100, mixed(colour, PAPER, 0.62), curve=0)
    draw(pen)
    drawn = io.BytesIO()
    pen.image.reduce(LARGER).save(drawn, "PNG", compress_level=4)
    return drawn.getvalue()
