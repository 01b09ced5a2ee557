"""Columns as SVG, made on the server, without styles inside: the stylesheet colours the shapes.

The one shape that the console draws is a row of columns from 0 on. So this is shorter than what it
would take to bring a library's charts under the policy of the pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from markupsafe import Markup

LEFT, BELOW, ABOVE = 40, 20, 10
MAX_POINTS = 60
"""Columns of a chart, the last ones."""

LABELS = 6
NAME = 66
"""The width of a name, such as ``2026-03-02``."""

WIDEST = 48

Points = Sequence[tuple[str, int]]


class Size(NamedTuple):
    """The size of a picture. Text keeps its size where the page shows the picture at this width."""

    width: int
    height: int


LARGE, SMALL = Size(560, 140), Size(280, 90)

_SVG = Markup('<svg viewBox="0 0 {} {}" class="chart" role="img" aria-label="{}">{}</svg>')
_COLUMN = Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>')
_LINE = Markup('<path d="M{} {:.1f}H{}"/>')
_TEXT = Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>')


def columns(points: Points, title: str, size: Size = LARGE) -> Markup:
    """Columns with their labels; the title is for those who do not see them."""
    shown = points[-MAX_POINTS:]
    if not shown:
        return Markup("")
    bottom = size.height - BELOW
    inside = [
        *_axis(_top(shown), size),
        *_columns(shown, LEFT, size.width, ABOVE, bottom),
        *_names(shown, size),
    ]
    return _SVG.format(*size, _said(shown, title), Markup("").join(inside))


def _columns(points: Points, left: int, right: int, top: int, bottom: int) -> Iterator[Markup]:
    """The columns between two sides; one of nothing is a thin line."""
    step, most = _step(points, right - left), _top(points)
    for number, (_, value) in enumerate(points):
        height = max(1.0, (bottom - top) * value / most)
        yield _COLUMN.format(left + number * step, bottom - height, max(1.0, step - 3), height)


def _axis(most: int, size: Size) -> Iterator[Markup]:
    """The lines of nothing and of the most, with their numbers."""
    for value, y in ((0, size.height - BELOW), (most, ABOVE)):
        yield _LINE.format(LEFT - 4, y, size.width)
        yield _TEXT.format("side", LEFT - 8, y + 4, f"{value:,}")


def _names(points: Points, size: Size) -> Iterator[Markup]:
    """The names of some columns, each at the left edge of its own, if it fits."""
    step = _step(points, size.width - LEFT)
    every = -(-len(points) // LABELS)
    for number in range(0, len(points), max(every, int(80 // step) + 1)):
        x = LEFT + number * step
        if x + NAME <= size.width:
            yield _TEXT.format("below", x, size.height - 4, points[number][0])


def _step(points: Points, width: int) -> float:
    return min(WIDEST, width / len(points))


def _top(points: Points) -> int:
    return max(1, *(value for _, value in points))


def _said(points: Points, title: str) -> str:
    """What the columns say, the last twelve of them."""
    return f"{title}: " + ", ".join(f"{name}: {value:,}" for name, value in points[-12:])
