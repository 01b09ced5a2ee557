"""Which properties have values that are worth counting, and what they are in one event.

They are found in the latest messages of all senders. The search does not look at who converted, so
the choice of properties says nothing of conversion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...rules.engine.aggregates import short
from ...rules.language.values import key, lookup, whole
from ..bulk import properties_in
from ..sample import Arrivals, Property

LATEST = 5_000
"""Messages among which properties are looked for."""

OF_AN_EVENT = 3
"""Properties of one event that are looked at, those that are there most often."""

OF_ALL = 60
"""Properties of all events that are looked at."""

LONGEST = 100
"""Characters of the name of a property."""

SEEN_IN = 0.5
"""The share of the events that must have a property."""

Properties = Mapping[str, Sequence[str]]
"""The properties that are looked at, by event."""

NO_PROPERTIES: Properties = {}


def properties_of(events: Mapping[str, Arrivals]) -> Properties:
    """The properties whose distinct values are counted: those seen most, with several values."""
    ranked = sorted(
        (-found.count, name, path)
        for name, arrived in events.items()
        for path, found in arrived.properties.items()
        if _is_worth_it(path, found, arrived)
    )
    chosen: dict[str, list[str]] = {}
    left = OF_ALL
    for _, name, path in ranked:
        of_event = chosen.setdefault(name, [])
        if left and len(of_event) < OF_AN_EVENT:
            of_event.append(path)
            left -= 1
    return chosen


def values_at(paths: Sequence[str], text: str | None) -> list[tuple[str, str]]:
    """The values at some paths in the properties of an event, as the evaluator tells them apart."""
    properties = properties_in(text)
    found = ((path, lookup(path, properties)) for path in paths)
    return [(path, short(key(whole(value)))) for path, value in found if value is not None]


def _is_worth_it(path: str, found: Property, arrived: Arrivals) -> bool:
    """Whether to count the values: somebody gave several, and not a new one with every event."""
    if not path or path[0] == "@" or len(path) > LONGEST or found.count < SEEN_IN * arrived.count:
        return False
    if not found.values.types.keys() <= {"text", "a number"}:
        return False
    persons = {person for person, _ in found.given}
    return len(persons) < len(found.given) < found.count
