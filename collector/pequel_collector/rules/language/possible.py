"""What a condition needs at the least, so that it can hold at all.

A reader of many subjects leaves out those who cannot qualify, whatever else is true of them:

    { event = "used", gte = 3, within = "7d" }        3 events *used* within less than 7 days
    all of that and { event = "shared" }              that, and one event *shared*
    { trait = "plan", eq = "free" }                   no event

A test may let somebody through who does not qualify. It never leaves out anybody who does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from math import ceil

from ...model import is_number
from .analysis import holds_of_nothing
from .definition import (
    AllOf,
    AnyOf,
    AtLeast,
    EventLeaf,
    EventPattern,
    GrowthLeaf,
    Leaf,
    Node,
    SequenceLeaf,
)
from .measures import MEASURES
from .quantities import CALENDAR, DAY

Times = Mapping[str, Sequence[int]]
"""The times of the events of a subject, by name, each in order."""

Possible = Callable[[Times], bool]

CALENDAR_SLACK = 2 * DAY
"""How much longer than its length a window of calendar days can be, with a change of the clocks."""


def possible(node: Node) -> Possible:
    """The test whether a condition can hold at any moment of a subject with such events."""
    match node:
        case AllOf(parts) | AnyOf(parts) | AtLeast(_, parts):
            return _at_least(node.needed, [possible(part) for part in parts])
        case SequenceLeaf(steps):
            return _at_least(len(steps), [_has(step, 1) for step in steps])
        case EventLeaf(events) | GrowthLeaf(events):
            return _has(events, events_needed(node), _length(node))
        case _:
            return lambda _: True


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


def _has(pattern: EventPattern, number: int, length: int | None = None) -> Possible:
    if number == 0:
        return lambda _: True
    times_of = _times_of(pattern)
    if length is None or number == 1:
        return lambda times: len(times_of(times)) >= number

    def is_dense(times: Times) -> bool:
        found = times_of(times)
        ends = islice(found, number - 1, None)
        return any(end - begin < length for begin, end in zip(found, ends, strict=False))

    return is_dense


def _times_of(pattern: EventPattern) -> Callable[[Times], Sequence[int]]:
    """The function that gives the times of the events of a pattern, in order."""
    if not pattern.any and not pattern.prefixes and len(pattern.names) == 1:
        [name] = pattern.names
        return lambda times: times.get(name, ())

    def merged(times: Times) -> Sequence[int]:
        return sorted(t for name, found in times.items() if pattern.matches(name) for t in found)

    return merged


def _at_least(needed: int, parts: Sequence[Possible]) -> Possible:
    return lambda times: sum(part(times) for part in parts) >= needed
