"""Conditions that probably do not mean what their author meant: L06, L07, L08, L13, L20, L21."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from math import ceil
from typing import Any

from ..model import is_number
from ..rules.language.absence import absences, window_of_absence
from ..rules.language.analysis import is_least
from ..rules.language.definition import (
    AllOf,
    AnyOf,
    AtLeast,
    Combinator,
    Comparison,
    Date,
    EventLeaf,
    EventPoints,
    Node,
    ScoreLeaf,
    TraitLeaf,
    TraitPoints,
    UsersLeaf,
    Window,
    window_of,
)
from ..rules.language.measures import MEASURES
from ..rules.language.quantities import MINUTE, UNITS
from ..rules.language.sentence import describe_leaf, length
from ..rules.language.values import compare, shares_in
from .case import Case, Found, shown, where_of

FREQUENT = 0.5
MOST_COMPONENTS = 10


# -- L06 -----------------------------------------------------------------------------------


def no_window(case: Case) -> Iterator[Found]:
    """L06: a number without a window, of an event that most subjects have."""
    for leaf in _unbounded(case.when):
        if _grows_for_ever(leaf) and _is_frequent(leaf, case):
            yield Found(
                f"{shown([leaf.events])} is counted over all time, so everyone who stays gets "
                "there: set within, alone or with an anchor such as of = 'signup'",
                leaf.path,
            )


def _unbounded(node: Node) -> Iterator[EventLeaf]:
    """The event leaves that need not hold together with one that has a window."""
    match node:
        case EventLeaf():
            yield node
        case UsersLeaf(inner):
            yield from _unbounded(inner)
        case AllOf(parts) if any(_has_window(part) for part in parts):
            return
        case AllOf(parts) | AnyOf(parts) | AtLeast(_, parts):
            for part in parts:
                yield from _unbounded(part)


def _has_window(node: Node) -> bool:
    return not isinstance(node, Combinator) and window_of(node).within is not None


def _grows_for_ever(leaf: EventLeaf) -> bool:
    open_ended = leaf.window.within is None and MEASURES[leaf.measure].adds_up
    return open_ended and is_least(leaf.comparison) and least(leaf.comparison) > 1


def _is_frequent(leaf: EventLeaf, case: Case) -> bool:
    """Whether most do it; without data, whatever must be done more than once."""
    kind = case.definition.subject
    found = None if case.sample is None else case.sample.share(kind, leaf.events)
    return found is None or found > FREQUENT


def least(comparison: Comparison) -> Any:
    """The least whole number that a comparison takes; 0 where that is not known."""
    operand = comparison.operand
    match comparison.operator:
        case "gte" | "eq" if is_number(operand):
            return operand
        case "gt" if is_number(operand):
            return operand + 1
        case "between" if is_number(operand[0]):
            return operand[0]
        case _:
            return 0


# -- L07 -----------------------------------------------------------------------------------


def never_or_always(case: Case) -> Iterator[Found]:
    """L07: a condition that no subject can meet, or that every subject meets."""
    yield from _too_many(case)
    yield from _closed_windows(case)
    yield from _contradictions(case)
    yield from _guarded_away(case)
    yield from _tautologies(case.when)


def _too_many(case: Case) -> Iterator[Found]:
    for leaf in case.counted:
        most = _most_distinct(leaf)
        if most is not None and least(leaf.comparison) > most:
            yield Found(
                f"never true: {describe_leaf(leaf)}, but there are at most {most}", leaf.path
            )


def _most_distinct(leaf: EventLeaf) -> int | None:
    """The most different values that there can be; None where there is no end to them."""
    if leaf.measure != "distinct":
        return None
    if leaf.value == "@event" and not (leaf.events.any or leaf.events.prefixes):
        return len(leaf.events.names)
    unit = UNITS.get(leaf.value or "")
    return None if unit is None or leaf.window.within is None else _most_units(leaf.window, unit)


def _most_units(window: Window, unit: int) -> int:
    span = (window.within or 0) - window.start
    if window.of is not None or unit == MINUTE:
        return ceil(span / unit) + 1
    return span // unit


def _closed_windows(case: Case) -> Iterator[Found]:
    for leaf in case.leaves:
        window = window_of(leaf)
        if window.within is not None and window.start >= window.within:
            yield Found(
                f"never true: the window ends {length(window.within)} after its anchor, "
                f"but begins {length(window.start)} after it",
                leaf.path,
            )


def _contradictions(case: Case) -> Iterator[Found]:
    for leaf in case.leaves:
        yield from _impossible(TraitLeaf(condition, path=leaf.path) for condition in where_of(leaf))
    for parts in _joined(case.when):
        yield from _impossible(part for part in parts if isinstance(part, TraitLeaf))


def _impossible(tests: Iterable[TraitLeaf]) -> Iterator[Found]:
    """Tests of one value that cannot all hold; one that a missing value meets is left out."""
    found: defaultdict[tuple[str, bool], list[TraitLeaf]] = defaultdict(list)
    for test in tests:
        if not test.condition.or_missing:
            found[test.condition.path, test.account].append(test)
    for (path, _), same in found.items():
        if is_impossible([c for test in same for c in test.condition.comparisons]):
            yield Found(
                f"never true: no value of {path} meets all of its conditions", same[-1].path
            )


def _joined(node: Node) -> Iterator[Sequence[Node]]:
    """The conditions that must hold together, of each ``all``; a leaf alone too."""
    match node:
        case AllOf(parts):
            yield [leaf for part in parts for leaf in _flat(part)]
            for part in parts:
                yield from (() if isinstance(part, TraitLeaf | AllOf) else _joined(part))
        case AnyOf(parts) | AtLeast(_, parts):
            for part in parts:
                yield from _joined(part)
        case leaf:
            yield [leaf]


def _flat(node: Node) -> Iterator[Node]:
    if isinstance(node, AllOf):
        for part in node.parts:
            yield from _flat(part)
    else:
        yield node


def is_impossible(comparisons: Sequence[Comparison]) -> bool:
    """Whether no value meets all of several comparisons; False where that is not known."""
    if any(shares_in(comparison) for comparison in comparisons):
        return False
    if Comparison("exists", False) in comparisons:
        return any(c != Comparison("exists", False) for c in comparisons)
    wanted = [c.operand for c in comparisons if c.operator == "eq"]
    wanted += [value for c in comparisons if c.operator == "in" for value in c.operand]
    if wanted:
        return not any(all(compare(value, c) for c in comparisons) for value in wanted)
    return _is_empty(comparisons)


def _is_empty(comparisons: Sequence[Comparison]) -> bool:
    lows = [bound for c in comparisons for bound in _bounds(c, "gt", "gte", 0)]
    highs = [bound for c in comparisons for bound in _bounds(c, "lt", "lte", 1)]
    return any(
        low > high or (low == high and (above or below))
        for low, above in lows
        for high, below in highs
        if isinstance(low, Date) is isinstance(high, Date)
    )


def _bounds(comparison: Comparison, strict: str, loose: str, end: int) -> list[tuple[Any, bool]]:
    """The lower or the upper bound of a comparison, and whether a value must not be equal to it."""
    operator, operand = comparison.operator, comparison.operand
    if operator == "between":
        return [(operand[end], False)]
    return [(operand, operator == strict)] if operator in {strict, loose} else []


def _guarded_away(case: Case) -> Iterator[Found]:
    needed = [_placeless(part) for part in _flat(case.when)]
    for guard in case.definition.unless:
        if isinstance(guard, EventLeaf | TraitLeaf) and _placeless(guard) in needed:
            yield Found(
                f"never true: {describe_leaf(guard)} is both required and excluded", guard.path
            )


def _placeless(node: Node) -> Node:
    return replace(node, path="") if isinstance(node, EventLeaf | TraitLeaf) else node


def _tautologies(node: Node) -> Iterator[Found]:
    parts: Sequence[Node] = getattr(node, "parts", ())
    if isinstance(node, AnyOf):
        tests = [part for part in parts if isinstance(part, TraitLeaf)]
        known = {(t.account, t.condition.path) for t in tests if _tests_existence(t, True)}
        for test in tests:
            if _tests_existence(test, False) and (test.account, test.condition.path) in known:
                path = test.condition.path
                yield Found(f"always true: {path} is either known or missing", test.path, "warning")
    for part in parts:
        yield from _tautologies(part)


def _tests_existence(leaf: TraitLeaf, exists: bool) -> bool:
    return leaf.condition.comparisons == (Comparison("exists", exists),)


# -- L08 -----------------------------------------------------------------------------------


def mixed_windows(case: Case) -> Iterator[Found]:
    """L08: rolling windows of different lengths must be met at the same moment."""
    for parts in _together(case.when):
        lengths = sorted({within for part in parts if (within := _rolls(part)) is not None})
        if len(lengths) > 1:
            path = next(part.path for part in parts if isinstance(part, EventLeaf | ScoreLeaf))
            yield Found(
                f"rolling windows of {' and '.join(map(length, lengths))} must all be met at the "
                "same moment: give them one length, or one anchor",
                path,
            )


def _together(node: Node) -> Iterator[Sequence[Node]]:
    """The conditions of each ``all``, and of each ``at_least`` that asks for two or more."""
    parts: Sequence[Node] = getattr(node, "parts", ())
    if isinstance(node, AllOf) or (isinstance(node, AtLeast) and node.needed > 1):
        yield parts
    for part in parts:
        yield from _together(part)


def _rolls(node: Node) -> int | None:
    if not isinstance(node, EventLeaf | ScoreLeaf) or node.window.of is not None:
        return None
    return node.window.within


# -- L13 -----------------------------------------------------------------------------------


def endless_absence(case: Case) -> Iterator[Found]:
    """L13: an absence without a window, which every subject meets before its first event."""
    for leaf in absences(case.when):
        if not window_of_absence(leaf):
            yield Found(
                f"{describe_leaf(leaf)} is true for everyone at first: set within, or move it "
                "to unless",
                leaf.path,
            )


# -- L20 -----------------------------------------------------------------------------------


def revocable(case: Case) -> Iterator[Found]:
    """L20: the number can fall again, and the lead stays open."""
    if case.definition.expires is not None:
        return
    for leaf in case.leaves:
        if isinstance(leaf, EventLeaf) and leaf.measure == "last":
            yield Found(_STAYS.format(f"the latest {leaf.value} can fall again"), leaf.path)
        elif isinstance(leaf, ScoreLeaf) and any(points.add < 0 for points in leaf.points):
            yield Found(_STAYS.format("points can be taken off again"), leaf.path)


_STAYS = "{}, but the lead stays open: set expires"


# -- L21 -----------------------------------------------------------------------------------


def score_soup(case: Case) -> Iterator[Found]:
    """L21: a score of too many parts, or one that a single part decides."""
    for leaf in case.leaves:
        if isinstance(leaf, ScoreLeaf):
            yield from _soup(leaf)


def _soup(leaf: ScoreLeaf) -> Iterator[Found]:
    if len(leaf.points) > MOST_COMPONENTS:
        yield Found(
            f"{len(leaf.points)} kinds of points make the score hard to explain: keep to "
            f"{MOST_COMPONENTS}, or use conditions instead",
            leaf.path,
        )
    threshold = least(leaf.comparison)
    for points in leaf.points:
        if threshold > 0 and (most_points(points) or threshold) >= threshold:
            yield Found(
                f"points for {_what(points)} alone reach {threshold}: lower their cap, or "
                "make them a definition of their own",
                leaf.path,
            )


def most_points(points: EventPoints | TraitPoints) -> Any:
    """The most that one sort of points can come to; None where there is no end to it."""
    if isinstance(points, TraitPoints) or points.add <= 0:
        return points.add
    return points.cap


def _what(points: EventPoints | TraitPoints) -> str:
    return points.condition.path if isinstance(points, TraitPoints) else shown([points.events])
