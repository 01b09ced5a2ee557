"""Definitions in plain English: one sentence for each, made from what was understood of it.

Whatever decides who qualifies, and when, is in the sentence, but for what the project table says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

from .addresses import EMAIL_DOMAIN
from .dates import written
from .definition import (
    AllOf,
    AnyOf,
    AtLeast,
    Comparison,
    Condition,
    Customer,
    Date,
    Definition,
    EventLeaf,
    EventPattern,
    EventPoints,
    GrowthLeaf,
    Guard,
    Internal,
    Leaf,
    Node,
    Personal,
    PqlLeaf,
    ScoreLeaf,
    SequenceLeaf,
    Share,
    TraitLeaf,
    TraitPoints,
    UsersLeaf,
    Window,
)
from .measures import MEASURES
from .quantities import DAY, HOUR, MINUTE, SECOND
from .values import dates_in

_SUBJECTS = {"user": ("A user", "who"), "account": ("An account", "that")}
_LENGTHS = {"day": DAY, "hour": HOUR, "minute": MINUTE, "second": SECOND}
_PLAIN = re.compile(r"(?!(?:any|each|event|no)$)[\w.*-]+")  # words of ours stand between quotes

_AMOUNTS = {
    "gte": "at least {}",
    "gt": "more than {}",
    "lte": "at most {}",
    "lt": "fewer than {}",
    "eq": "exactly {}",
    "ne": "other than {}",
    "between": "between {} and {}",
}

_PREDICATES = {
    "gte": "is at least {}",
    "gt": "is more than {}",
    "lte": "is at most {}",
    "lt": "is less than {}",
    "eq": "is {}",
    "ne": "is not {}",
    "between": "is between {} and {}",
    "in": "is one of {}",
    "not_in": "is none of {}",
    "contains": "contains {}",
    "starts_with": "starts with {}",
    "ends_with": "ends with {}",
}

_OF_DATES = {
    "gte": "is {} or later",
    "gt": "is after {}",
    "lte": "is {} or earlier",
    "lt": "is before {}",
    "between": "is from {} to {}",
}

_PREPOSITIONS = {"@day": "on", "@hour": "in", "@minute": "in"}

_ANCHORS = {"signup": "sign-up", "trial": "the start of the trial"}
_SPECIAL = (UsersLeaf, AllOf, AnyOf, AtLeast)  # stand between brackets beside others


def describe(definition: Definition) -> str:
    """Who qualifies, as one sentence without its full stop."""
    noun, who = _SUBJECTS[definition.subject]
    sentence = f"{noun} {clause(definition.when, who)}"
    guards = [_guard(guard, f"{definition.subject}s", who) for guard in definition.unless]
    if guards:
        sentence += f", except {_listed(guards, 'and')}"
    return "; ".join((sentence, *_options(definition)))


def describe_leaf(leaf: Leaf) -> str:
    """What one leaf asks for, as a noun phrase, or for a trait as a statement about it."""
    match leaf:
        case EventLeaf():
            return _with_span(_done(leaf), leaf.window)
        case TraitLeaf():
            return _test(leaf.condition, leaf.account)
        case UsersLeaf():
            return _members(leaf)
        case SequenceLeaf():
            return _sequence(leaf)
        case GrowthLeaf():
            return _growth(leaf)
        case ScoreLeaf():
            return _with_span(_score(leaf), leaf.window)
        case PqlLeaf(name):
            return f"qualified as {_name(name)}"


def _options(definition: Definition) -> Iterator[str]:
    """What else decides when a subject qualifies."""
    if definition.clock:
        yield "can qualify as time passes, without a new event"
    if definition.after_silence is not None:
        yield f"can qualify again after {length(definition.after_silence)} without an event"
    if definition.cooldown is not None:
        yield f"not within {length(definition.cooldown)} after a lead was dismissed or lost"
    if definition.on_change == "forward":
        yield "a changed definition counts only what happens after the change"


# -- trees ---------------------------------------------------------------------------------


def clause(node: Node, who: str) -> str:
    """A relative clause: *who did …*, *whose … is …*, or several. ``who`` is the pronoun."""
    match node:
        case TraitLeaf():
            return f"whose {describe_leaf(node)}"
        case AllOf(parts):
            return _several(parts, "and", who)
        case AnyOf(parts):
            return _several(parts, "or", who)
        case AtLeast():
            return _some(node, who)
        case EventLeaf() if _is_undone(node):
            return f"{who} did not do {_with_span(_counted(node), node.window)}"
        case UsersLeaf() | ScoreLeaf():
            return f"with {describe_leaf(node)}"
        case PqlLeaf():
            return f"{who} {describe_leaf(node)}"
        case _:
            return f"{who} did {describe_leaf(node)}"


def _several(parts: Sequence[Node], word: str, who: str) -> str:
    events = _done_events(parts)
    if len(events) < len(parts):
        return _listed([_inner_clause(part, who) for part in parts], word)
    if word == "and" and (span := _shared_span(events)):
        return f"{who} did {_listed(map(_done, events), word)}, {span}"
    return f"{who} did {_listed(map(describe_leaf, events), word)}"


def _some(node: AtLeast, who: str) -> str:
    """A clause about at least so many of several conditions."""
    events = _done_events(node.parts)
    if len(events) == len(node.parts):
        listed = _listed(map(describe_leaf, events), "and")
        return f"{who} did at least {node.needed} of these: {listed}"
    clauses = [f"({clause(part, who)})" for part in node.parts]
    return f"matching at least {node.needed} of these: {_listed(clauses, 'and')}"


def _done_events(parts: Sequence[Node]) -> list[EventLeaf]:
    """The parts that may share one verb: *did a and b*."""
    return [part for part in parts if isinstance(part, EventLeaf) and not _is_undone(part)]


def _inner_clause(node: Node, who: str) -> str:
    text = clause(node, who)
    return f"({text})" if isinstance(node, _SPECIAL) else text


def _shared_span(leaves: Sequence[EventLeaf]) -> str:
    """The window, said once, if several leaves have the same one."""
    windows = {leaf.window for leaf in leaves}
    span = _span(leaves[0].window)
    if len(windows) > 1 or len(leaves) == 1 or not span:
        return ""
    return f"{'both' if len(leaves) == 2 else 'all'} {span}"


def _guard(guard: Guard, noun: str, who: str) -> str:
    match guard:
        case Internal():
            return f"internal {noun}"
        case Customer():
            return "customers"
        case Personal():
            return f"{noun} with a personal email address"
        case _:
            return f"{noun} {clause(guard, who)}"


def _members(leaf: UsersLeaf) -> str:
    """How many members of an account must match a leaf."""
    many, is_one = amount(leaf.comparison)
    return f"{many} {'member' if is_one else 'members'} {clause(leaf.inner, 'who')}"


# -- events --------------------------------------------------------------------------------


def _done(leaf: EventLeaf) -> str:
    """What an event leaf counts, and how much of it there must be."""
    same = f" with the same {_name(leaf.per)}" if leaf.per else ""
    if _is_undone(leaf):
        text = _counted(leaf)
        is_list = text.startswith("any of ")
        return f"none {text[4:]}" if is_list else f"no {text.removeprefix('any ')}"
    if _is_every(leaf):
        names = _listed(map(_name, sorted(leaf.events.names)), "and")
        return f"each of {names}{_where(leaf.where)}{same}"
    return f"{_counted(leaf)} {_how_much(leaf)}{same}"


def _counted(leaf: EventLeaf) -> str:
    return f"{events(leaf.events)}{_where(leaf.where)}"


def _is_undone(leaf: EventLeaf) -> bool:
    """Whether a leaf asks for not a single event."""
    comparison = leaf.comparison.operator, leaf.comparison.operand
    is_none = comparison in (("eq", 0), ("lt", 1), ("lte", 0))
    return is_none and leaf.measure == "count" and leaf.per is None


def _is_every(leaf: EventLeaf) -> bool:
    """Whether a leaf asks for every one of several names."""
    names = leaf.events.names
    every = leaf.value == "@event" and leaf.comparison == Comparison("gte", len(names))
    return every and len(names) > 1 and not leaf.events.prefixes


def events(pattern: EventPattern) -> str:
    """The events that a pattern takes, in words."""
    if pattern.any:
        return "any event"
    prefixes = [_name(f"{prefix}*") for prefix in pattern.prefixes]
    names = [*map(_name, sorted(pattern.names)), *prefixes]
    if len(names) > 1:
        return f"any of {_listed(names, 'or')}"
    return f"any {prefixes[0]} event" if prefixes else "".join(names)


def _how_much(leaf: EventLeaf) -> str:
    """The number that is drawn from the events, and what it must be."""
    value = _name(leaf.value or "")
    match leaf.measure:
        case "count":
            many, is_one = amount(leaf.comparison)
            return many.replace(" 1", " once") if is_one else f"{many} times"
        case "distinct":
            return _how_many_different(leaf)
        case drawn:
            test = _predicate(leaf.comparison) + (" or is missing" if leaf.or_missing else "")
            size = _size(leaf.comparison) if leaf.comparison.operator in _AMOUNTS else ""
            return MEASURES[drawn].asked.format(value=value, test=test, size=size)


def _how_many_different(leaf: EventLeaf) -> str:
    many, is_one = amount(leaf.comparison)
    value = leaf.value or ""
    is_unit = value.startswith("@")
    noun = f"{value.removeprefix('@')}{'' if is_one else 's'}" if is_unit else _name(value)
    return f"{_PREPOSITIONS.get(value, 'with')} {many} different {noun}"


def amount(comparison: Comparison) -> tuple[str, bool]:
    """How many there must be, and whether that is about one."""
    operand = comparison.operand
    numbers = operand if comparison.operator == "between" else (operand,)
    return _AMOUNTS[comparison.operator].format(*map(_value, numbers)), numbers == (1,)


def _size(comparison: Comparison) -> str:
    """How much there must be of what is not counted one by one."""
    return amount(comparison)[0].replace("fewer", "less", 1)


def _sequence(leaf: SequenceLeaf) -> str:
    steps = " followed by ".join(map(_one_event, leaf.steps))
    where = _where(leaf.where, "each where")
    if leaf.window.of is not None or leaf.window.within is None:
        return _with_span(f"{steps}{where}", leaf.window)
    return f"{steps}{where} (less than {length(leaf.window.within)} from first to last)"


def _growth(leaf: GrowthLeaf) -> str:
    over, base = length(leaf.over), amount(Comparison("gte", leaf.base))[0]
    return (
        f"{events(leaf.events)}{_where(leaf.where)} at least {_value(leaf.ratio)} times as often "
        f"in the last {over} as in the {over} before ({base} then)"
    )


# -- scores --------------------------------------------------------------------------------


def _score(leaf: ScoreLeaf) -> str:
    points = _listed(map(_points, leaf.points), "and")
    halves = f"; points for events halve every {length(leaf.half_life)}" if leaf.half_life else ""
    return f"a score of {_size(leaf.comparison)} ({points}{halves})"


def _points(points: EventPoints | TraitPoints) -> str:
    add = _value(points.add)
    if isinstance(points, TraitPoints):
        return f"{add} while {_test(points.condition, points.account)}"
    cap = "" if points.cap is None else f" up to {_value(points.cap)}"
    each = "event" if points.events.any else _one_event(points.events)
    return f"{add} for each {each}{_where(points.where)}{cap}"


def _one_event(pattern: EventPattern) -> str:
    """The events that a pattern takes, as one thing among others."""
    text = events(pattern)
    return f"({text})" if text.startswith("any of ") else text


# -- windows -------------------------------------------------------------------------------


def _with_span(phrase: str, window: Window) -> str:
    return " ".join(filter(None, (phrase, _span(window))))


def _span(window: Window) -> str:
    if window.of is None:
        return "" if window.within is None else f"within any {length(window.within)}"
    anchor = _anchor(window.of)
    if window.start:
        return _shifted(window, anchor)
    if window.within is None:
        return f"since {anchor}"
    return f"within {length(window.within)} of {anchor}"


def _shifted(window: Window, anchor: str) -> str:
    """A window that begins before or after its anchor."""
    side = "before" if window.start < 0 else "after"
    start = length(abs(window.start))
    if window.within is None:
        return f"from {start} {side} {anchor} on"
    begins = f"{start} before" if window.start < 0 else start
    return f"from {begins} to {length(window.within)} after {anchor}"


def _anchor(of: str) -> str:
    """What a window begins with, in words."""
    sort, _, name = of.partition(":")
    match sort:
        case "first":
            starred = " event" if name.endswith("*") else ""
            return "the first event" if name == "*" else f"the first {_name(name)}{starred}"
        case "trait":
            return f"the date in {_name(name)}"
        case _:
            return _ANCHORS[sort]


def length(milliseconds: int) -> str:
    """A length of time in the largest unit, up to days, of which it is a whole number."""
    for unit, size in _LENGTHS.items():
        count, rest = divmod(milliseconds, size)
        if not rest:
            return f"{count:,} {unit}{'' if count == 1 else 's'}"
    return f"{milliseconds:,} milliseconds"


# -- conditions ----------------------------------------------------------------------------


def _where(conditions: Sequence[Condition], word: str = "where") -> str:
    return f" ({word} {' and '.join(map(_test, conditions))})" if conditions else ""


def _test(condition: Condition, account: bool = False) -> str:
    tests = " and ".join(map(_predicate, condition.comparisons))
    missing = " or is missing" if condition.or_missing else ""
    return f"{_trait(condition.path, account)} {tests}{missing}"


def _predicate(comparison: Comparison) -> str:
    operator, operand = comparison.operator, comparison.operand
    match operator:
        case "exists":
            return "is known" if operand else "is missing"
        case "in" | "not_in" if len(operand) == 1:
            return _PREDICATES["eq" if operator == "in" else "ne"].format(_value(operand[0]))
        case "in" | "not_in":
            return _PREDICATES[operator].format(_listed(map(_value, operand), "or"))
        case "contains" | "starts_with" | "ends_with" if isinstance(operand, tuple):
            return _PREDICATES[operator].format(_listed(map(_value, operand), "or"))
        case _:
            phrase = (_OF_DATES if dates_in(comparison) else _PREDICATES)[operator]
            return phrase.format(*map(_value, operand if operator == "between" else (operand,)))


# -- words ---------------------------------------------------------------------------------


def _name(name: str) -> str:
    """A name as it is, between quotes where it would not read as one word."""
    return name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _trait(path: str, account: bool) -> str:
    """A property or trait, with the account that it may be of."""
    name = f"account.{path}" if account else path
    return name if path == EMAIL_DOMAIN else _name(name)


def _value(value: Any) -> str:
    if isinstance(value, Date):
        return written(value)
    if isinstance(value, Share):
        return f"{_value(value.ratio)} × {_trait(value.trait.path, value.trait.account)}"
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return format(value, ",f" if isinstance(value, Decimal) else ",")
    return _json(value)


def _json(value: Any) -> str:
    """A value as JSON writes it, decimals exactly."""
    match value:
        case dict():
            pairs = [f"{_json(key)}: {_json(part)}" for key, part in value.items()]
            return f"{{{', '.join(pairs)}}}"
        case list():
            return f"[{', '.join(map(_json, value))}]"
        case Decimal():
            return format(value, "f")
        case _:
            return json.dumps(value, ensure_ascii=False)


def _listed(phrases: Iterable[str], word: str) -> str:
    """Phrases as a list: *a*, *a and b*, *a, b and c*."""
    *first, last = phrases
    return f"{', '.join(first)} {word} {last}" if first else last
