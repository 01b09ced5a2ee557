"""Columns as SVG, made on the server, without styles inside: the stylesheet colours the shapes.

The one shape that the console draws is a row of columns from 0 on. So this is shorter than what it
would take to bring a library's charts under the policy of the pages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markupsafe import Markup

WIDTH, HEIGHT = 560, 140
LEFT, BELOW, ABOVE = 40, 20, 10
MAX_POINTS = 60
"""Columns of a chart, the last ones."""

LABELS = 6
WIDEST = 48

Points = Sequence[tuple[str, int]]

_SVG = Markup('<svg viewBox="0 0 {} {}" class="chart" role="img" aria-label="{}">{}</svg>')
_COLUMN = Markup('<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>')
_LINE = Markup('<path d="M{} {:.1f}H{}"/>')
_TEXT = Markup('<text class="{}" x="{:.1f}" y="{:.1f}">{}</text>')


def columns(points: Points, title: str) -> Markup:
    """Columns with their labels; the title is for those who do not see them."""
    shown = points[-MAX_POINTS:]
    if not shown:
        return Markup("")
    inside = [*_axis(_top(shown)), *_columns(shown, LEFT, WIDTH, ABOVE, HEIGHT - BELOW)]
    return _SVG.format(
        WIDTH, HEIGHT, _said(shown, title), Markup("").join([*inside, *_names(shown)])
    )


def sparkline(points: Points, title: str) -> Markup:
    """Small columns without labels."""
    shown = points[-MAX_POINTS:]
    if not shown:
        return Markup("")
    inside = Markup("").join(_columns(shown, 0, 160, 1, 32))
    return _SVG.format(160, 32, _said(shown, title), inside)


def _columns(points: Points, left: int, right: int, top: int, bottom: int) -> Iterator[Markup]:
    """The columns between two sides; one of nothing is a thin line."""
    step, most = _step(points, right - left), _top(points)
    for number, (_, value) in enumerate(points):
        height = max(1.0, (bottom - top) * value / most)
        yield _COLUMN.format(left + number * step, bottom - height, max(1.0, step - 3), height)


def _axis(most: int) -> Iterator[Markup]:
    """The lines of nothing and of the most, with their numbers."""
    for value, y in ((0, HEIGHT - BELOW), (most, ABOVE)):
        yield _LINE.format(LEFT - 4, y, WIDTH)
        yield _TEXT.format("side", LEFT - 8, y + 4, f"{value:,}")


def _names(points: Points) -> Iterator[Markup]:
    """The names of some columns, each at the left edge of its own."""
    step = _step(points, WIDTH - LEFT)
    every = -(-len(points) // LABELS)
    for number in range(0, len(points), max(every, int(80 // step) + 1)):
        yield _TEXT.format("below", LEFT + number * step, HEIGHT - 4, points[number][0])


def _step(points: Points, width: int) -> float:
    return min(WIDEST, width / len(points))


def _top(points: Points) -> int:
    return max(1, *(value for _, value in points))


def _said(points: Points, title: str) -> str:
    """What the columns say, the last twelve of them."""
    return f"{title}: " + ", ".join(f"{name}: {value:,}" for name, value in points[-12:])
