"""A line chart as a PNG: scores by number of answers, with bands. Drawn by Pillow, which Label
Studio's SDK brings along; one figure is no reason for a plotting library.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log

from PIL import Image, ImageDraw, ImageFont

WIDE, HIGH = 960, 560
LEFT, RIGHT, TOP, BELOW = 76, 30, 52, 66
FINE = 2  # drawn so many times larger and brought down, for smooth lines
INK, FAINT = (40, 40, 48), (222, 222, 228)
COLOURS = [(120, 120, 128), (0, 98, 177), (196, 132, 28), (22, 130, 82)]
GOAL = (176, 32, 48)


@dataclass(frozen=True)
class Line:
    """One curve: by x its value, and the band around it where there is one."""

    name: str
    points: Mapping[int, tuple[float, float | None, float | None]]


def draw(
    title: str, lines: Sequence[Line], marks: Mapping[str, float], counts: Sequence[int] = ()
) -> bytes:
    """The chart's PNG; x is logarithmic. `marks`: levels drawn across, by name; `counts`: where x
    is marked, whether or not a line has come there."""
    xs = sorted({*counts, *(x for line in lines for x in line.points)})
    ys = [v for line in lines for of in line.points.values() for v in of if v is not None]
    canvas = _Canvas(xs or [1, 2], [*ys, *marks.values()] or [0.0, 1.0])
    canvas.frame(title)
    for name, level in marks.items():
        canvas.across(name, level)
    for i, line in enumerate(lines):
        canvas.line(line, COLOURS[i % len(COLOURS)])
    canvas.legend([line.name for line in lines])
    return canvas.png()


class _Canvas:
    def __init__(self, xs: Sequence[int], ys: Sequence[float]) -> None:
        self._xs = list(xs)
        low, high = max(0.0, min(ys)), min(1.0, max(ys))
        room = max(0.05, high - low) * 0.08
        self._low, self._high = max(0.0, low - room), min(1.0, high + room)
        size = (WIDE * FINE, HIGH * FINE)
        self._image = Image.new("RGB", size, (255, 255, 255))
        self._draw = ImageDraw.Draw(self._image, "RGBA")
        self._fonts = {n: ImageFont.load_default(n * FINE) for n in (12, 13, 17)}

    def frame(self, title: str) -> None:
        self._text((LEFT, 16), title, 17)
        step = next(s for s in (0.02, 0.05, 0.1, 0.2) if (self._high - self._low) / s < 9)
        tick = int(self._low / step) * step
        while tick <= self._high + 1e-9:
            if tick >= self._low:
                y = self._y(tick)
                self._stroke([(LEFT, y), (WIDE - RIGHT, y)], FAINT, 1)
                self._text((LEFT - 8, y), f"{tick:.2f}", 12, "rm")
            tick += step
        for x in self._xs:
            at = self._x(x)
            self._stroke([(at, HIGH - BELOW), (at, HIGH - BELOW + 5)], INK, 1)
            self._text((at, HIGH - BELOW + 10), f"{x:,}", 12, "ma")
        self._stroke([(LEFT, HIGH - BELOW), (WIDE - RIGHT, HIGH - BELOW)], INK, 1)
        self._text((WIDE - RIGHT, HIGH - 26), "answers of people", 13, "ra")

    def across(self, name: str, level: float) -> None:
        y = self._y(level)
        for start in range(LEFT, WIDE - RIGHT, 12):
            self._stroke([(start, y), (min(start + 6, WIDE - RIGHT), y)], GOAL, 1)
        self._text((LEFT + 6, y - 4), name, 12, "ls", GOAL)

    def line(self, line: Line, colour: tuple[int, int, int]) -> None:
        band = [(self._x(x), of) for x, of in sorted(line.points.items())]
        lows = [(x, self._y(low)) for x, (_, low, _) in band if low is not None]
        highs = [(x, self._y(high)) for x, (_, _, high) in band if high is not None]
        if len(lows) > 1:
            ring = [(x * FINE, y * FINE) for x, y in [*lows, *reversed(highs)]]
            self._draw.polygon(ring, fill=(*colour, 38))
        points = [(x, self._y(value)) for x, (value, _, _) in band]
        if len(points) > 1:
            self._stroke(points, colour, 2)
        for x, y in points:
            ring = [((x - 3) * FINE, (y - 3) * FINE), ((x + 3) * FINE, (y + 3) * FINE)]
            self._draw.ellipse(ring, fill=colour)

    def legend(self, names: Sequence[str]) -> None:
        at = float(LEFT)
        for i, name in enumerate(names):
            self._stroke([(at, HIGH - 19), (at + 22, HIGH - 19)], COLOURS[i % len(COLOURS)], 3)
            self._text((at + 28, HIGH - 19), name, 13, "lm")
            at += 46 + self._fonts[13].getlength(name) / FINE

    def png(self) -> bytes:
        made = io.BytesIO()
        self._image.resize((WIDE, HIGH), Image.Resampling.LANCZOS).save(made, "PNG")
        return made.getvalue()

    def _x(self, x: float) -> float:
        first, last = self._xs[0], self._xs[-1]
        share = 0.5 if first == last else log(x / first) / log(last / first)
        return LEFT + 14 + share * (WIDE - RIGHT - LEFT - 28)

    def _y(self, y: float) -> float:
        share = (min(max(y, self._low), self._high) - self._low) / (self._high - self._low)
        return HIGH - BELOW - share * (HIGH - BELOW - TOP)

    def _stroke(
        self, points: Sequence[tuple[float, float]], colour: tuple[int, int, int], width: int
    ) -> None:
        ends = [(x * FINE, y * FINE) for x, y in points]
        self._draw.line(ends, fill=colour, width=width * FINE, joint="curve")

    def _text(
        self,
        at: tuple[float, float],
        words: str,
        size: int,
        anchor: str = "la",
        colour: tuple[int, int, int] = INK,
    ) -> None:
        place = (at[0] * FINE, at[1] * FINE)
        self._draw.text(place, words, fill=colour, font=self._fonts[size], anchor=anchor)
