"""The catalogue: which events arrive, what they carry, and what uses them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from flask import Blueprint, Response, request

from ...errors import NotFound
from ...insights.received import Received
from ...insights.sample import Arrivals
from ...insights.values import Values
from ...lint.unknown_events import slips, uses
from ...rules.language.definition import Catalogue, pattern_of
from ..asked import arguments
from .arrivals import LATEST
from .frame import Console

VALUES = 5
"""Values of a property that are shown."""


class SeenEvent(NamedTuple):
    """An event of the catalogue. ``last`` is None for one that was not received."""

    name: str
    times: int
    users: int
    last: int | None
    used_by: tuple[str, ...]
    looks_like: str | None


class SeenProperty(NamedTuple):
    """A property of an event: how often it was there, its types, and its most frequent values."""

    path: str
    times: int
    types: tuple[tuple[str, int], ...]
    values: tuple[tuple[str, int], ...]
    is_whole: bool
    last: int


class EventArguments(arguments.NoArguments):
    """The name of an event."""

    name = arguments.Text(required=True)


_EVENT = EventArguments()


def add(bp: Blueprint, console: Console) -> None:
    """The routes, over a console."""
    collector, look = console.collector, console.latest.look

    @bp.get("/catalogue")
    def catalogue() -> Response:
        found = look()
        events = events_seen(found, collector.catalogue)
        return console.page("catalogue.html", found=found, events=events)

    @bp.get("/event")
    def event() -> Response:
        name = arguments.read(request, _EVENT)["name"]
        found = look()
        event = next((e for e in events_seen(found, collector.catalogue) if e.name == name), None)
        if event is None:
            raise NotFound(f"the event {name[:100]!a} is not among the latest {LATEST:,} messages")
        properties = properties_seen(found.events.get(name, Arrivals()))
        return console.page("event.html", found=found, event=event, properties=properties)


def events_seen(found: Received, catalogue: Catalogue) -> list[SeenEvent]:
    """Every event that arrives or that a definition names: first those that do not arrive."""
    named = _used(catalogue, found.events)
    missing = [name for name in named if name not in found.events]
    known = sorted(found.events, key=lambda name: (-found.events[name].count, name))
    return [
        SeenEvent(
            name=name,
            times=found.events[name].count if name in found.events else 0,
            users=found.users.get(name, 0),
            last=found.lasts.get(name),
            used_by=named.get(name, ()),
            looks_like=_looks_like(name, named, found),
        )
        for name in [*sorted(missing), *known]
    ]


def properties_seen(arrivals: Arrivals) -> list[SeenProperty]:
    """The properties of an event, the most frequent first."""
    found = [
        SeenProperty(
            path=path,
            times=each.count,
            types=tuple(each.values.types.most_common()),
            values=tuple(_values(each.values)),
            is_whole=each.values.is_whole,
            last=each.last,
        )
        for path, each in arrivals.properties.items()
    ]
    return sorted(found, key=lambda each: (-each.times, each.path))


def _values(values: Values) -> Iterable[tuple[str, int]]:
    """The most frequent values; their keys begin with a letter for the type."""
    return ((named[1:] or "(empty)", times) for named, times in values.seen.most_common(VALUES))


def _used(catalogue: Catalogue, events: Mapping[str, Arrivals]) -> dict[str, tuple[str, ...]]:
    """The definitions that use each event; for a ``prefix*``, each event that it takes."""
    found: dict[str, dict[str, None]] = {}
    for definition, _, name in uses(catalogue):
        if name == "*":
            continue
        pattern = pattern_of([name])
        taken = [each for each in events if pattern.matches(each)] if name.endswith("*") else [name]
        for each in taken or [name]:
            found.setdefault(each, {})[definition] = None
    return {name: tuple(definitions) for name, definitions in found.items()}


def _looks_like(name: str, named: Mapping[str, tuple[str, ...]], found: Received) -> str | None:
    """The event that a name nobody uses is probably a slip of; None for one that is used."""
    if name in named and name in found.events:
        return None
    own = slips(name)
    others = named if name not in named else found.events
    near = (other for other in others if other != name and own & slips(other))
    return min(near, default=None)
