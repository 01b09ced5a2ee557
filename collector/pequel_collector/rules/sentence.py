"""Definitions in plain English: one sentence for each, made from what was understood of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from .definition import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Customer,
    Definition,
    EventLeaf,
    EventPattern,
    Guard,
    Internal,
    Leaf,
    Node,
    TraitLeaf,
    Window,
)
from .quantities import DAY, HOUR, MINUTE, SECOND

_SUBJECTS = {"user": ("a user", "who"), "account": ("an account", "that")}
_LENGTHS = {"day": DAY, "hour": HOUR, "minute": MINUTE, "second": SECOND}
_PLAIN = re.compile(r"[\w.*-]+")

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

_DISTINCT = {  # a preposition, and what is counted
    "@day": ("on", "day"),
    "@hour": ("in", "hour"),
    "@minute": ("in", "minute"),
    "@user": ("by", "user"),
    "@event": ("with", "event"),
}


def describe(definition: Definition) -> str:
    """Who qualifies, as one sentence without its full stop."""
    noun, pronoun = _SUBJECTS[definition.subject]
    sentence = f"{noun} {_clause(definition.when, pronoun)}"
    guards = [_guard(guard, pronoun) for guard in definition.unless]
    return f"{sentence}, unless {_listed(guards, 'or')}" if guards else sentence


def describe_leaf(leaf: Leaf) -> str:
    """What one leaf asks for: what was done, or which trait is how."""
    match leaf:
        case EventLeaf():
            return " ".join(filter(None, (_done(leaf), _span(leaf.window))))
        case TraitLeaf():
            return _test(leaf.condition)


# -- trees ---------------------------------------------------------------------------------


def _clause(node: Node, pronoun: str) -> str:
    """A relative clause: *who has …*, *whose … is …*, or several."""
    match node:
        case EventLeaf():
            return f"{pronoun} has {describe_leaf(node)}"
        case TraitLeaf():
            return f"whose {describe_leaf(node)}"
        case AllOf(parts):
            return _several(parts, "and", pronoun)
        case AnyOf(parts):
            return _several(parts, "or", pronoun)


def _several(parts: Sequence[Node], word: str, pronoun: str) -> str:
    events = [part for part in parts if isinstance(part, EventLeaf)]
    if len(events) < len(parts):
        return _listed([_inner_clause(part, pronoun) for part in parts], word)
    if word == "and" and (span := _shared_span(events)):
        return f"{pronoun} has {_listed(map(_done, events), word)}, {span}"
    return f"{pronoun} has {_listed(map(describe_leaf, events), word)}"


def _inner_clause(node: Node, pronoun: str) -> str:
    clause = _clause(node, pronoun)
    return f"({clause})" if isinstance(node, AllOf | AnyOf) else clause


def _shared_span(leaves: Sequence[EventLeaf]) -> str:
    """The window, said once, if several leaves have the same one."""
    windows = {leaf.window for leaf in leaves}
    span = _span(leaves[0].window)
    if len(windows) > 1 or len(leaves) == 1 or not span:
        return ""
    return f"{'both' if len(leaves) == 2 else 'all'} {span}"


def _guard(guard: Guard, pronoun: str) -> str:
    match guard:
        case Internal():
            return "internal"
        case Customer():
            return "a customer"
        case _:
            return f"one {_clause(guard, pronoun)}"


# -- events --------------------------------------------------------------------------------


def _done(leaf: EventLeaf) -> str:
    """What an event leaf counts, and how much of it there must be."""
    where = f" (where {' and '.join(map(_test, leaf.where))})" if leaf.where else ""
    if leaf.distinct is None and _is_none(leaf.comparison):
        return f"no {events(leaf.events)}{where}"
    if _is_every(leaf):
        return f"each of {_listed(map(_name, sorted(leaf.events.names)), 'and')}{where}"
    return f"{events(leaf.events)}{where} {_how_many(leaf)}"


def _is_none(comparison: Comparison) -> bool:
    return (comparison.operator, comparison.operand) in (("eq", 0), ("lt", 1), ("lte", 0))


def _is_every(leaf: EventLeaf) -> bool:
    """Whether a leaf asks for every one of several names."""
    names = leaf.events.names
    every = leaf.distinct == "@event" and leaf.comparison == Comparison("gte", len(names))
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


def _how_many(leaf: EventLeaf) -> str:
    many, is_one = amount(leaf.comparison)
    if leaf.distinct is None:
        return many.replace(" 1", " once") if is_one else f"{many} times"
    preposition, noun = _DISTINCT.get(leaf.distinct, ("with", ""))
    noun = (noun if is_one else f"{noun}s") if noun else _name(leaf.distinct)
    return f"{preposition} {many} different {noun}"


def amount(comparison: Comparison) -> tuple[str, bool]:
    """How many there must be, and whether that is about one."""
    operand = comparison.operand
    numbers = operand if comparison.operator == "between" else (operand,)
    return _AMOUNTS[comparison.operator].format(*map(_value, numbers)), numbers == (1,)


def _span(window: Window) -> str:
    if window.within is None:
        return "since sign-up" if window.of else ""
    span = length(window.within)
    return f"within {span} of sign-up" if window.of else f"within any {span}"


def length(milliseconds: int) -> str:
    """A length of time in the largest unit, up to days, of which it is a whole number."""
    for unit, size in _LENGTHS.items():
        count, rest = divmod(milliseconds, size)
        if not rest:
            return f"{count:,} {unit}{'' if count == 1 else 's'}"
    return f"{milliseconds:,} milliseconds"


# -- conditions ----------------------------------------------------------------------------


def _test(condition: Condition) -> str:
    tests = " and ".join(map(_predicate, condition.comparisons))
    return f"{_name(condition.path)} {tests}{' or is missing' if condition.or_missing else ''}"


def _predicate(comparison: Comparison) -> str:
    operator, operand = comparison.operator, comparison.operand
    match operator:
        case "exists":
            return "is known" if operand else "is missing"
        case "in" | "not_in" if len(operand) == 1:
            return _PREDICATES["eq" if operator == "in" else "ne"].format(_value(operand[0]))
        case "in" | "not_in":
            return _PREDICATES[operator].format(_listed(map(_value, operand), "or"))
        case "between":
            return _PREDICATES[operator].format(*map(_value, operand))
        case _:
            return _PREDICATES[operator].format(_value(operand))


# -- words ---------------------------------------------------------------------------------


def _name(name: str) -> str:
    """A name as it is, between quotes where it would not read as one word."""
    return name if _PLAIN.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _value(value: Any) -> str:
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return format(value, ",f" if isinstance(value, Decimal) else ",")
    return json.dumps(value, ensure_ascii=False, default=float)


def _listed(phrases: Iterable[str], word: str) -> str:
    """Phrases as a list: *a*, *a and b*, *a, b and c*."""
    *first, last = phrases
    return f"{', '.join(first)} {word} {last}" if first else last
