"""Events, properties and traits in definitions that were never received, or not lately: L04."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ..insights.sample import ENOUGH, Sample
from ..model import iso
from ..rules.language.definition import EventPattern, Leaf, pattern_of
from ..rules.language.quantities import DAY
from .case import Case, Found, names_in
from .needs import Counted, beginnings, counted_by, traits_in

LATELY = 30 * DAY
"""How long before the end of the data something may have come last (ms)."""


def not_received(case: Case, sample: Sample) -> Iterator[Found]:
    """L04: an event, a property or a trait that was never received, or not lately."""
    if sample.received >= ENOUGH:
        yield from dict.fromkeys(_found(case, sample))


def _found(case: Case, sample: Sample) -> Iterator[Found]:
    for leaf in case.all_leaves:
        for counted in counted_by(leaf):
            yield from _events(names_in(counted.events), leaf.path, sample)
            yield from _properties(counted, leaf.path, sample)
        yield from _traits(leaf, case, sample)
    yield from _events(beginnings(case), "", sample)


def _events(names: list[str], path: str, sample: Sample) -> Iterator[Found]:
    for name in names:
        last = sample.last([pattern_of([name])])
        if last is None:
            yield Found(f"{name} was never received{_hint(name, sample.lasts, sample)}", path)
        elif when := _long_ago(last, sample):
            yield Found(f"{name} was last received {when}", path)


def _properties(counted: Counted, path: str, sample: Sample) -> Iterator[Found]:
    """What is wrong with the properties of the latest events; nothing where there are none."""
    arrivals = list(sample.arrivals(counted.events))
    named = ", ".join(names_in(counted.events)) or "any event"
    enough = sum(each.count for each in arrivals) >= ENOUGH
    for name in counted.properties if enough else ():
        if not any(name in each.properties for each in arrivals):
            known = {other for each in arrivals for other in each.properties}
            yield Found(f"{named} never had a {name}{_hint(name, known, sample)}", path)
        elif when := _gone(name, counted.events, sample):
            yield Found(f"{named} last had a {name} {when}", path)


def _gone(name: str, events: list[EventPattern], sample: Sample) -> str | None:
    """When a property was there last, where that is long ago and its events still come."""
    still = sample.last(events)
    if still is None or _long_ago(still, sample):
        return None
    return _long_ago(max(each.last for each in sample.properties(name, events)), sample)


def _long_ago(time: int, sample: Sample) -> str | None:
    """When something was, in words; None where it was lately."""
    age = sample.until - time
    if age <= LATELY:
        return None
    return f"on {iso(time)[:10]}, {age // DAY} days before the latest message"


def _traits(leaf: Leaf, case: Case, sample: Sample) -> Iterator[Found]:
    for kind, trait in traits_in(leaf, case):
        subjects = sample.of(kind)
        if len(subjects) >= ENOUGH and not sample.traits(kind, trait).count:
            known = {name for subject in subjects for name in subject.traits}
            yield Found(f"no {kind} has the trait {trait}{_hint(trait, known, sample)}", leaf.path)


def _hint(name: str, known: Collection[str], sample: Sample) -> str:
    near = sample.nearest(name, known)
    return f": did you mean {near}?" if near else ": correct the name, or send it"
