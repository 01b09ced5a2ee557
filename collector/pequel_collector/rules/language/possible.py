"""When a condition can hold at the earliest, and how far back it looks.

A reader of many subjects leaves out those who cannot qualify, whatever else is true of them, and
what comes too early to matter for the others:

    { event = "used", gte = 3, within = "7d" }        not before 3 events *used* in less than 7 days
    all of that and { event = "shared" }              not before both
    { trait = "plan", eq = "free" }                   at any time

The earliest instant is a bound: a subject may qualify later or never, but not before it. Where a
condition only counts events, and nothing else can stand in its way, the bound is the answer.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from itertools import chain, islice
from math import ceil

from ...model import is_number
from .analysis import holds_of_nothing, is_permanent
from .definition import (
    AllOf,
    AnyOf,
    AtLeast,
    Definition,
    EventLeaf,
    EventPattern,
    GrowthLeaf,
    Leaf,
    Node,
    Project,
    SequenceLeaf,
    Window,
    leaves_of,
)
from .measures import MEASURES
from .quantities import CALENDAR, DAY

Times = Mapping[str, Sequence[int]]
"""The times of the events of a subject, by name, each in order."""

Earliest = Callable[[Times], int | None]
"""The first instant at which a condition can hold; None if it never can."""

Anchors = Mapping[str | None, str]
"""The event that each anchor is the first of."""

ALWAYS = -(2**62)
"""Earlier than any instant."""

CALENDAR_SLACK = 2 * DAY
"""How much longer than its length a window of calendar days can be, with a change of the clocks."""


def earliest(node: Node, anchors: Anchors) -> Earliest:
    """The function that gives when a condition can hold for a subject with such events."""
    match node:
        case AllOf(parts) | AnyOf(parts) | AtLeast(_, parts):
            return _needed_of(node.needed, [earliest(part, anchors) for part in parts])
        case SequenceLeaf(steps):
            return _needed_of(len(steps), [_first_with(step, 1) for step in steps])
        case EventLeaf(events, window=window) if window.of in anchors and events_needed(node):
            return _first_after(anchors[window.of], events, events_needed(node), window)
        case EventLeaf(events) | GrowthLeaf(events):
            return _first_with(events, events_needed(node), _length(node))
        case _:
            return lambda _: ALWAYS


def anchors_of(project: Project) -> Anchors:
    """The events that start the windows of a user, by anchor, where one event does."""
    named = {"signup": project.signup, "trial": project.trial}
    return {of: event for of, event in named.items() if event is not None}


def is_exact(definition: Definition, anchors: Anchors) -> bool:
    """Whether a definition qualifies at the earliest instant at which it can.

    It only counts events. Of several conditions, one that held goes on to hold.
    """
    leaves = list(leaves_of(definition.when))
    if definition.unless or definition.clock or not all(_only_counts(e, anchors) for e in leaves):
        return False
    return len(leaves) == 1 or is_permanent(definition.when)


def _only_counts(leaf: Leaf, anchors: Anchors) -> bool:
    """Whether a leaf holds as soon as there are enough events of its pattern in its window."""
    if not isinstance(leaf, EventLeaf) or leaf.measure != "count" or leaf.where or leaf.per:
        return False
    if leaf.events.any or holds_of_nothing(leaf) or not is_number(leaf.comparison.operand):
        return False
    is_known = leaf.window.of is None or leaf.window.of in anchors
    return leaf.comparison.operator in {"gte", "gt"} and is_known


def reach(definition: Definition) -> int | None:
    """How far back from τ (ms) a definition looks; None where all of the history may matter.

    Only counts and values in rolling windows look back so far and no further: whoever has no event
    in the window does not meet them.
    """
    leaves = list(leaves_of(definition.when))
    if definition.unless or definition.clock or not all(map(_is_rolling, leaves)):
        return None
    lengths = [_length(leaf) for leaf in leaves]
    return max((length for length in lengths if length is not None), default=None)


def _is_rolling(leaf: Leaf) -> bool:
    """Whether a leaf looks at the events of a rolling window only, and needs one."""
    return (
        isinstance(leaf, EventLeaf)
        and leaf.window.within is not None
        and leaf.window.of is None
        and not holds_of_nothing(leaf)
    )


def events_needed(leaf: Leaf) -> int:
    """How many events of its pattern a leaf of events needs at the least."""
    if holds_of_nothing(leaf):
        return 0
    if not isinstance(leaf, EventLeaf) or not MEASURES[leaf.measure].is_count:
        return 1
    operator, operand = leaf.comparison.operator, leaf.comparison.operand
    if not is_number(operand):
        return 1
    match operator:
        case "gte" | "eq":
            return max(1, ceil(operand))
        case "gt":
            return max(1, int(operand) + 1)
        case _:
            return 1


def _length(leaf: Leaf) -> int | None:
    """How long the window of a leaf is at most (ms); None where it has no end."""
    if not isinstance(leaf, EventLeaf) or leaf.window.within is None:
        return None
    slack = CALENDAR_SLACK if leaf.value in CALENDAR else 0
    return leaf.window.within - leaf.window.start + slack


def _first_with(pattern: EventPattern, number: int, length: int | None = None) -> Earliest:
    """When there are so many events of a pattern, in less than a length, for the first time."""
    if number == 0:
        return lambda _: ALWAYS
    times_of = _times_of(pattern)
    last = number - 1

    def reached(times: Times) -> int | None:
        found = times_of(times)
        return found[last] if len(found) > last else None

    if length is None or number == 1:
        return reached
    shorter = length

    def dense(times: Times) -> int | None:
        found = times_of(times)
        for begin, end in zip(found, islice(found, last, None), strict=False):
            if end - begin < shorter:
                return end
        return None

    return dense


def _first_after(anchor: str, pattern: EventPattern, number: int, window: Window) -> Earliest:
    """When there are so many events of a pattern in the window of an anchor."""
    times_of = _times_of(pattern)

    def reached(times: Times) -> int | None:
        begun, found = times.get(anchor, ()), times_of(times)
        if not begun:
            return None
        last = bisect_left(found, begun[0] + window.start) + number - 1
        if last >= len(found):
            return None
        is_over = window.within is not None and found[last] >= begun[0] + window.within
        return None if is_over else found[last]

    return reached


def _times_of(pattern: EventPattern) -> Callable[[Times], Sequence[int]]:
    """The function that gives the times of the events of a pattern, in order."""
    if not pattern.any and not pattern.prefixes and len(pattern.names) == 1:
        [name] = pattern.names
        return lambda times: times.get(name, ())

    def merged(times: Times) -> Sequence[int]:
        return sorted(chain.from_iterable(times[name] for name in times if pattern.matches(name)))

    return merged


def _needed_of(needed: int, parts: Sequence[Earliest]) -> Earliest:
    """When so many of some parts can hold. Each may hold from its own instant on."""
    if len(parts) == 1 == needed:
        return parts[0]

    def joint(times: Times) -> int | None:
        found = sorted(at for part in parts if (at := part(times)) is not None)
        return ALWAYS if needed == 0 else found[needed - 1] if len(found) >= needed else None

    return joint
