"""What definitions name and nobody has sent: L04."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import get_close_matches

from ..rules.definition import EventLeaf, EventPattern, Leaf, UsersLeaf
from ..rules.values import lookup
from .case import Case, Found, names_in, patterns, where_of
from .sample import Sample


def never_received(case: Case) -> Iterator[Found]:
    """L04: an event, a property or a trait that was never received."""
    sample = case.sample
    if sample is None or not sample.events:
        return
    for leaf in case.all_leaves:
        yield from _events(leaf, sample)
        yield from _properties(leaf, sample)
        yield from _traits(leaf, case, sample)


def _events(leaf: Leaf, sample: Sample) -> Iterator[Found]:
    for name in names_in(patterns(leaf)):
        stem = name[:-1] if name.endswith("*") else None
        known = sample.names
        if name not in known and not (stem and any(each.startswith(stem) for each in known)):
            yield Found(f"{name} was never received{_hint(name, known)}", leaf.path)


def _properties(leaf: Leaf, sample: Sample) -> Iterator[Found]:
    wanted = [condition.path for condition in where_of(leaf)]
    if isinstance(leaf, EventLeaf):
        wanted += [name for name in (leaf.value, leaf.per) if name and not name.startswith("@")]
    known = _known_properties(patterns(leaf), sample)
    for path in dict.fromkeys(wanted):
        if known is not None and path not in known:
            named = ", ".join(names_in(patterns(leaf))) or "any event"
            yield Found(f"{named} never had a {path}{_hint(path, known)}", leaf.path)


def _known_properties(patterns: list[EventPattern], sample: Sample) -> set[str] | None:
    """The properties of the latest events; None where none of them is of these patterns."""
    found = list(sample.arrivals(patterns))
    return {path for arrivals in found for path in arrivals.properties} if found else None


def _traits(leaf: Leaf, case: Case, sample: Sample) -> Iterator[Found]:
    if isinstance(leaf, UsersLeaf):
        return
    inside = _is_inside_users(leaf, case)
    for trait in sorted(case.traits_of(leaf), key=lambda trait: (trait.account, trait.path)):
        of_user = not trait.account and (case.definition.subject == "user" or inside)
        subjects = sample.users if of_user else sample.accounts
        if subjects and all(lookup(trait.path, subject.traits) is None for subject in subjects):
            known = {name for subject in subjects for name in subject.traits}
            yield Found(f"nobody has the trait {trait.path}{_hint(trait.path, known)}", leaf.path)


def _is_inside_users(leaf: Leaf, case: Case) -> bool:
    return any(isinstance(other, UsersLeaf) and other.inner == leaf for other in case.all_leaves)


def _hint(name: str, known: Collection[str]) -> str:
    near = get_close_matches(name, sorted(known), n=1)
    return f": did you mean {near[0]}?" if near else ""
