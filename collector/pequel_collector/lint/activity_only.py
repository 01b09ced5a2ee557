"""Definitions that ask for activity, and not for an action that gives value: L01 to L03, L27."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from enum import IntEnum

from ..rules.language.absence import is_absence, met_by_missing
from ..rules.language.definition import (
    AllOf,
    AnyOf,
    AtLeast,
    Combinator,
    Comparison,
    Condition,
    EventLeaf,
    EventPattern,
    EventPoints,
    Leaf,
    Node,
    PqlLeaf,
    ScoreLeaf,
    TraitLeaf,
    TraitPoints,
    UsersLeaf,
    Window,
    pattern_of,
)
from ..rules.language.quantities import Number
from ..rules.language.values import compare, satisfies, shares_in
from .case import Case, Found, names_in, patterns, shown, where_of
from .vocabulary import PRESENCE, SIGN_UP, VIEWS, is_hand_raise, words

SHOWN = 5


class Says(IntEnum):
    """What a condition shows about a subject, the weakest first.

    It was active; it has certain traits; it did something.
    """

    PRESENCE = 0
    FIT = 1
    USE = 2


# -- L01 -----------------------------------------------------------------------------------


def activity_only(case: Case) -> Iterator[Found]:
    """L01: being active is enough."""
    if says(case.when, case) is Says.PRESENCE:
        idle = [leaf for leaf in case.leaves if _leaf_says(leaf, case) is Says.PRESENCE]
        named = shown(pattern for leaf in idle for pattern in patterns(leaf))
        yield Found(
            f"{named} alone is enough, but it only shows that somebody was active: ask for an "
            "action that gives value, or accept L01 with a reason",
            idle[0].path,
        )


def says(node: Node, case: Case) -> Says:
    """What a condition shows at the least."""
    if not isinstance(node, Combinator):
        return _leaf_says(node, case)
    weakest = sorted(says(part, case) for part in node.parts)[: node.needed]
    return Says.USE if Says.USE in weakest else weakest[0]


def _leaf_says(leaf: Leaf, case: Case) -> Says:
    match leaf:
        case TraitLeaf():
            return Says.FIT
        case PqlLeaf():
            return Says.USE
        case UsersLeaf(inner):
            return _leaf_says(inner, case)
        case ScoreLeaf(points) if not patterns(leaf):
            return Says.FIT if any(isinstance(p, TraitPoints) for p in points) else Says.USE
        case _:
            return _events_say(leaf, case)


def _events_say(leaf: Leaf, case: Case) -> Says:
    if is_absence(leaf):
        return Says.FIT
    idle = all(_is_presence(pattern, leaf, case) for pattern in patterns(leaf))
    return Says.PRESENCE if idle else Says.USE


def _is_presence(pattern: EventPattern, leaf: Leaf, case: Case) -> bool:
    """Whether being there is enough for an event that a pattern takes."""
    if pattern.any:
        return not isinstance(leaf, EventLeaf) or leaf.measure == "count" or leaf.value in _BEING
    project = case.catalogue.project
    starts = {project.signup, project.trial}
    known = PRESENCE | SIGN_UP | (frozenset() if where_of(leaf) else VIEWS)
    in_order = sorted(known)
    if any(_takes_presence(prefix, in_order) for prefix in pattern.prefixes):
        return True
    return all(name in starts or words(name) in known for name in names_in([pattern]))


_BEING = frozenset({"@minute", "@hour", "@day", "@week", "@month"})
"""What tells apart when something was done, and not what."""


def _takes_presence(prefix: str, known: Sequence[str]) -> bool:
    """Whether a name of mere activity can begin with a prefix: ``app_`` begins ``app_opened``.

    ``known`` is sorted, so the first name that is not before the prefix decides.
    """
    separated = not prefix[-1:].isalnum()
    stem = f"{words(prefix)} " if separated else words(prefix)
    at = bisect_left(known, stem)
    return at < len(known) and known[at].startswith(stem)


# -- L02 -----------------------------------------------------------------------------------


def marks_at_sign_up(case: Case) -> Iterator[Found]:
    """L02: signing up is enough."""
    for name in _sign_ups(case):
        if met_by_one(case.when, name, case):
            yield Found(
                f"{name} alone is enough to qualify: ask for something that users do after it"
            )
            break


def _sign_ups(case: Case) -> list[str]:
    project = case.catalogue.project
    named = names_in(pattern for leaf in case.leaves for pattern in patterns(leaf))
    starts = [project.signup or "signed_up", *([project.trial] if project.trial else [])]
    return list(dict.fromkeys([*starts, *(name for name in named if words(name) in SIGN_UP)]))


def met_by_one(node: Node, name: str, case: Case) -> bool:
    """Whether a subject with nothing but one event of a name, without properties, meets it."""
    match node:
        case AllOf(parts) | AnyOf(parts) | AtLeast(_, parts):
            return sum(met_by_one(part, name, case) for part in parts) >= node.needed
        case UsersLeaf(inner, comparison):
            return met_by_one(inner, name, case) and _is_met(1, comparison)
        case EventLeaf():
            return _event_met(node, name, case)
        case TraitLeaf(condition):
            return _missing_meets(condition)
        case ScoreLeaf():
            return _score_met(node, name, case)
        case PqlLeaf():
            return case.of(node).decide(name, lambda called: met_by_one(called.when, name, called))
        case _:
            return False


def _event_met(leaf: EventLeaf, name: str, case: Case) -> bool:
    if met_by_missing(leaf):
        return _has_window(leaf.window, name, case)
    counts = leaf.measure == "count" or (leaf.value or "").startswith("@")
    if not counts or leaf.per or not _takes(leaf, name):
        return False
    return _is_inside(leaf.window, name, case) and _is_met(1, leaf.comparison)


def _score_met(leaf: ScoreLeaf, name: str, case: Case) -> bool:
    scored = sum(_scored(points, name) for points in leaf.points)
    return _is_inside(leaf.window, name, case) and _is_met(scored, leaf.comparison)


def _scored(points: EventPoints | TraitPoints, name: str) -> Number:
    if isinstance(points, TraitPoints):
        return points.add if _missing_meets(points.condition) else 0
    if not _takes(points, name):
        return 0
    return points.add if points.cap is None else min(points.add, points.cap)


def _takes(counted: EventLeaf | EventPoints, name: str) -> bool:
    """Whether an event of a name, without properties, is counted."""
    return counted.events.matches(name) and all(map(_missing_meets, counted.where))


def _missing_meets(condition: Condition) -> bool:
    """Whether a value that is missing meets a condition; a share of one never does."""
    settled = not any(shares_in(comparison) for comparison in condition.comparisons)
    return (settled or condition.or_missing) and satisfies(None, condition)


def _is_inside(window: Window, name: str, case: Case) -> bool:
    """Whether an event lies in a window that it can open itself."""
    opens_later = window.of is not None and window.start > 0
    return not opens_later and _has_window(window, name, case)


def _has_window(window: Window, name: str, case: Case) -> bool:
    """Whether a subject with one event of a name has the anchor of a window."""
    if window.of is None:
        return True
    project = case.catalogue.project
    opens = {"signup": project.signup or "*", "trial": project.trial or ""}
    opening = pattern_of([opens.get(window.of, window.of.removeprefix("first:"))])
    return opening.matches(name)


def _is_met(number: object, comparison: Comparison) -> bool:
    return not shares_in(comparison) and compare(number, comparison)


# -- L03 -----------------------------------------------------------------------------------


def no_key_action(case: Case) -> Iterator[Found]:
    """L03: it uses no event that was declared as a key action, and no request to talk."""
    keys = key_actions(case)
    if _uses_key_action(case, keys):
        return
    if keys:
        found = f"{case.definition.name} uses none of your key actions: use one of "
        yield Found(f"{found}{_some(sorted(keys))}, or declare the events that it uses")
    else:
        yield Found(
            "this file declares no key actions: list them as key_events in [project], as "
            "[features], or as a [[metric]] with value_metric = true"
        )


def _some(names: list[str]) -> str:
    """A few of several names."""
    return ", ".join([*names[:SHOWN], *(["…"] if len(names) > SHOWN else [])])


def key_actions(case: Case) -> frozenset[str]:
    """The events that are declared to give value."""
    catalogue = case.catalogue
    features = (name for events in catalogue.features.values() for name in events)
    metrics = names_in(metric.events for metric in catalogue.metrics if metric.value_metric)
    return frozenset([*catalogue.project.key_events, *features, *metrics])


def _uses_key_action(case: Case, keys: frozenset[str]) -> bool:
    """Whether a definition, or one that it names, uses a key action."""

    def ask(case: Case) -> bool:
        return any(
            case.of(leaf).decide(keys, ask)
            if isinstance(leaf, PqlLeaf)
            else _touches(leaf, keys, case)
            for leaf in case.leaves
        )

    return case.decide(keys, ask)


def _touches(leaf: Leaf, keys: frozenset[str], case: Case) -> bool:
    """Whether a leaf uses a key action; to ask for a call is one, whatever is declared."""
    if isinstance(leaf, EventLeaf) and _is_value_metric(leaf, case):
        return True
    if any(is_hand_raise(name) for name in names_in(patterns(leaf))):
        return True
    return any(_overlap(pattern, name) for pattern in patterns(leaf) for name in keys)


def _is_value_metric(leaf: EventLeaf, case: Case) -> bool:
    return any(m.name == leaf.metric and m.value_metric for m in case.catalogue.metrics)


def _overlap(pattern: EventPattern, key: str) -> bool:
    """Whether a pattern that does not take everything has events in common with a key action."""
    if pattern.any or not key.endswith("*"):
        return not pattern.any and pattern.matches(key)
    stem = key[:-1]
    return any(name.startswith(stem) for name in names_in([pattern])) or any(
        stem.startswith(prefix) for prefix in pattern.prefixes
    )


# -- L27 -----------------------------------------------------------------------------------


def no_value_metric(case: Case) -> Iterator[Found]:
    """L27: no metric is declared as what customers pay for; said once, at the first definition."""
    catalogue = case.catalogue
    is_first = case.definition == catalogue.definitions[0]
    if is_first and not any(metric.value_metric for metric in catalogue.metrics):
        yield Found(
            "this file has no value metric: declare what customers get and pay for as a [[metric]] "
            "with value_metric = true"
        )
