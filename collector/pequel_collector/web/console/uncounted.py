"""Events that a condition passes over, because they have no value for what it counts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ...model import JSON, Message, Stored, is_number, parse_iso
from ...rules.language.definition import CONTEXT, EventLeaf, Leaf
from ...rules.language.values import lookup

NUMERIC = frozenset({"sum", "min", "max"})
"""The measures that pass over what is no number."""


class Uncounted(NamedTuple):
    """So many events that lack a property, or have no number there."""

    number: int
    property: str
    is_number: bool


def uncounted(
    leaf: Leaf, progress: Mapping[str, JSON], messages: Sequence[Stored]
) -> list[Uncounted]:
    """Which of some messages a leaf that does not hold passes over, for want of which property.

    ``progress`` is the leaf as progress shows it, with its window.
    """
    if not isinstance(leaf, EventLeaf) or progress["holds"]:
        return []
    window = progress["window"]
    if window is None and leaf.window.of is not None:  # its clock has not started
        return []
    seen = [
        each.message
        for each in messages
        if each.message.name is not None
        and leaf.events.matches(each.message.name)
        and _is_inside(each.message, window or {})
    ]
    found = [
        Uncounted(sum(not _has(message, path, number) for message in seen), path, number)
        for path, number in _needed(leaf)
    ]
    return [each for each in found if each.number]


def _needed(leaf: EventLeaf) -> Iterator[tuple[str, bool]]:
    """The properties that an event must have to count, and whether as a number; each once."""
    needed = {each.path: False for each in leaf.where if not each.or_missing}
    needed |= {leaf.per: False} if leaf.per else {}
    needed |= {leaf.value: leaf.measure in NUMERIC} if leaf.value else {}
    yield from ((path, number) for path, number in needed.items() if path[0] != "@")


def _has(message: Message, path: str, number: bool) -> bool:
    if path.startswith(CONTEXT):
        value = lookup(path.removeprefix(CONTEXT), message.context)
    else:
        value = lookup(path, message.properties)
    return is_number(value) if number else value is not None


def _is_inside(message: Message, window: Mapping[str, JSON]) -> bool:
    start, end = (parse_iso(window[side]) if window.get(side) else None for side in ("from", "to"))
    return (start is None or message.time >= start) and (end is None or message.time <= end)
