"""The path of a user: the first time of each key action, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..identity.subject import Subject
from ..marking.snapshot import Snapshot
from ..ports import FirstEvent
from ..rules.language.analysis import patterns_of
from ..rules.language.definition import Catalogue, EventPattern, pattern_of
from .answers import Path, Step

MAX_MESSAGES = 50_000
"""Messages of a user, from the first on, among which first occurrences are looked for."""

FEW_MESSAGES = 500
"""Messages among which the first event of all is looked for: without a setting, the sign-up."""


def path(snapshot: Snapshot, user: str) -> Path:
    """The path of a user. Raises NotFound for one never seen."""
    tx, catalogue = snapshot.tx, snapshot.evaluators.catalogue
    subject = Subject.of(tx, "user", user)
    subject.require_messages()
    counts = tx.counts(subject.ids)
    key, milestones = key_actions(catalogue), _milestones(catalogue)
    wanted = {name for name in counts if any(p.matches(name) for p in (*key, *milestones.values()))}
    firsts = tx.first_events(subject.ids, wanted, MAX_MESSAGES)
    is_key = {name for name in counts if any(pattern.matches(name) for pattern in key)}
    steps = [
        Step(each.time, "event", each.name, counts[each.name])
        for each in firsts
        if each.name in is_key
    ]
    steps += _reached(milestones, firsts)
    if catalogue.project.signup is None:
        first = tx.first_events(subject.ids, counts, FEW_MESSAGES)[:1]
        steps += [Step(each.time, "signup", each.name) for each in first]
    steps += [
        Step(lead.qualified_at, "lead", lead.definition, lead=lead.id)
        for lead in tx.leads_of([subject.key])[subject.key]
        if lead.state != "voided"
    ]
    # Of one instant, the event comes before what it brought about.
    return Path(subject.key, sorted(steps, key=lambda step: step.at), len(firsts) == len(wanted))


def key_actions(catalogue: Catalogue) -> list[EventPattern]:
    """The events that are key actions: ``key_events``, and those that definitions name."""
    named = [
        pattern
        for definition in catalogue.definitions
        for pattern in patterns_of(definition)
        if not pattern.any
    ]
    return [pattern_of(catalogue.project.key_events), *named]


def _milestones(catalogue: Catalogue) -> dict[str, EventPattern]:
    """The events of sign-up, the start of the trial and conversion, as far as they are set."""
    project = catalogue.project
    events = {
        "signup": project.signup,
        "trial": project.trial,
        "conversion": project.conversion,
    }
    return {kind: pattern_of([name]) for kind, name in events.items() if name is not None}


def _reached(milestones: dict[str, EventPattern], firsts: Iterable[FirstEvent]) -> Iterator[Step]:
    for kind, pattern in milestones.items():
        first = next((each for each in firsts if pattern.matches(each.name)), None)
        if first is not None:
            yield Step(first.time, kind, first.name)
