"""What definitions need to be sent, and when it was last seen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from ..insights.sample import Sample
from ..model import Kind
from ..rules.language.addresses import SOURCE
from ..rules.language.definition import Catalogue, Customer, Internal, Personal, pattern_of
from ..rules.language.values import lookup
from .case import Case
from .finding import Report
from .needs import beginnings, counted_by, sent, traits_in


@dataclass(frozen=True, slots=True)
class Covered:
    """Something that a definition needs.

    ``of`` is the event of a property, ``user`` or ``account`` for a trait, None for an event.
    ``last_seen`` (ms) is None for what is not in the sample, and for every trait. ``seen`` is how
    many of the latest messages had it; for a trait, how many subjects of the sample have it.
    """

    definition: str
    kind: Literal["event", "property", "trait"]
    name: str
    of: str | None
    last_seen: int | None
    seen: int


class Linted(NamedTuple):
    """A report, and the coverage if data was looked at."""

    report: Report
    coverage: Sequence[Covered] | None = None


def coverage(catalogue: Catalogue, sample: Sample) -> list[Covered]:
    """Each event, property and trait that a definition needs, once, in the order of the file.

    What comes with a guard counts, such as the conversion event for ``customer``; what another
    definition needs that is named by ``pql`` stands with that one.
    """
    cases = [Case(catalogue, each, sample=sample) for each in catalogue.definitions]
    return [row for case in cases for row in dict.fromkeys(_rows(case, sample))]


def _rows(case: Case, sample: Sample) -> Iterator[Covered]:
    own = case.definition.name
    for leaf in case.all_leaves:
        for counted in counted_by(leaf):
            for name in counted.names:
                yield from _event(own, name, counted.properties, sample)
        for kind, path in traits_in(leaf, case):
            yield _trait(own, kind, path, sample)
    for name in beginnings(case):
        yield from _event(own, name, [], sample)
    yield from _guards(case, sample)


def _guards(case: Case, sample: Sample) -> Iterator[Covered]:
    own, project = case.definition.name, case.catalogue.project
    if Customer() in case.definition.unless and project.conversion is not None:
        yield from _event(own, project.conversion, [], sample)
    if Internal() in case.definition.unless:
        for name in sorted(project.internal.names):
            yield _trait(own, "user", sent(name), sample)
    if Personal() in case.definition.unless:
        yield _trait(own, "user", SOURCE, sample)


def _event(own: str, name: str, properties: list[str], sample: Sample) -> Iterator[Covered]:
    """An event and the properties of it that are looked at."""
    pattern = [pattern_of([name])]
    count = sum(each.count for each in sample.arrivals(pattern))
    yield Covered(own, "event", name, None, sample.last(pattern), count)
    for path in properties:
        found = sample.properties(path, pattern)
        last = max((each.last for each in found), default=None)
        yield Covered(own, "property", path, name, last, sum(each.count for each in found))


def _trait(own: str, kind: Kind, path: str, sample: Sample) -> Covered:
    count = sum(lookup(path, subject.traits) is not None for subject in sample.of(kind))
    return Covered(own, "trait", path, kind, None, count)
