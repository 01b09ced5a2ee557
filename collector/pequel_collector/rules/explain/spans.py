"""The window of a leaf at its moment: *in the last 7 days*, *in the first 9 days after sign-up*."""

from __future__ import annotations

from math import ceil

from ..language.definition import EventPattern, Window
from ..language.quantities import DAY, HOUR, MINUTE, SECOND
from ..language.sentence import length
from .leaf import WindowedExplanation
from .vocabulary import Vocabulary

_LENGTHS = ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"))
_ANCHORS = {"signup": "sign-up", "trial": "the start of the trial"}


def rolling(window: Window) -> str:
    """A window that moves, in words; empty for all of the past."""
    return "" if window.within is None else f" in the last {length(window.within)}"


def span_of(found: WindowedExplanation, words: Vocabulary) -> str:
    """The window; of one that begins at an anchor also how much of it has passed."""
    window = found.leaf.window
    if window.of is None:
        return rolling(window)
    anchored = since(window.of, words)
    if window.start:
        return shifted(window, anchored)
    anchor = found.anchor()
    if window.within is None or anchor is None:
        return f" since {anchored}"
    size, unit = next(
        ((size, unit) for size, unit in _LENGTHS if window.within % size == 0), (SECOND, "second")
    )
    used, allowed = max(1, ceil((found.ctx.time - anchor) / size)), window.within // size
    if used == 1:
        return f" in the first {unit} after {anchored} ({length(window.within)} allowed)"
    return f" in the first {used:,} {unit}s after {anchored} ({allowed:,} allowed)"


def shifted(window: Window, anchored: str) -> str:
    """A window that begins before or after its anchor."""
    side = "before" if window.start < 0 else "after"
    start = length(abs(window.start))
    if window.within is None:
        return f" from {start} {side} {anchored} on"
    end = f"{length(abs(window.within))} {'before' if window.within < 0 else 'after'} {anchored}"
    return f" between {start} {side} and {end}"


def since(of: str, words: Vocabulary) -> str:
    """What a window begins with, in words."""
    sort, _, name = of.partition(":")
    match sort:
        case "first" if name == "*":
            return "the first event"
        case "first":
            return f"the first time they {words.action(EventPattern(frozenset({name}))).once}"
        case "trait":
            return f"the date “{words.noun(name.removeprefix('account.'))}”"
        case _:
            return _ANCHORS[sort]
