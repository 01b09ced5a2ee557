"""Conditions on a lead: ``when`` of a ``[[route]]`` or an ``[[alert]]``.

A table has a combinator, or tests that must all hold: one of ``trait`` and ``usage`` with its
comparisons, and parts of the lead, each with a text or a list of texts.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from ....model import Kind
from ...language.definition import Definition, all_leaves
from ...language.lead_condition import (
    Field,
    FieldIs,
    LeadCondition,
    MappedTo,
    QualifiedFor,
    Several,
    TraitIs,
    UsageIs,
    usage_names,
)
from ..comparisons import CONDITION, at_most_one, compared
from ..items import Fields, Item, ItemParser, list_of, one_of, quoted
from ..scope import Scope
from .partner_name import partner_name

LEAD_KINDS = ("new", "upgrade", "cross_sell", "expansion", "nudge")
PRIORITIES = ("high", "normal", "low")

MAX_CONDITIONS = 500
"""Conditions of all routes, and of all alerts: each is tested with leads under the write lock."""

MAX_VALUES, MAX_TEXT = 100, 256
"""Values of a list, and characters of a text."""

_FIELDS: tuple[Field, ...] = get_args(Field)
_COMBINATORS = ("all", "any", "at_least")
_MEASURES = ("trait", "usage")


@dataclass(frozen=True, slots=True)
class LeadScope:
    """What conditions on leads may name: the definitions by name, and the usage of evidence."""

    subjects: Mapping[str, Kind | None]
    usage: Collection[str]


def lead_scope(definitions: Iterable[Definition], subjects: Mapping[str, Kind | None]) -> LeadScope:
    """What conditions may name, given the definitions that could be read, and all names."""
    leaves = [leaf for each in definitions for leaf in all_leaves(each.when)]
    usage = dict.fromkeys(name for leaf in leaves for name in usage_names(leaf))
    return LeadScope(subjects, tuple(usage))


def lead_condition(item: Item, scope: LeadScope) -> LeadCondition:
    """A condition on a lead."""
    if isinstance(item.value, list):
        raise item.wrong("a table (did you mean when.all?)")
    stated = [key for key in item.table().value if key in _COMBINATORS]
    if stated:
        return _COMBINED[stated[0]](item, scope)
    fields = item.read(_parsers(scope))
    found = tuple(_tests(item, fields, scope))
    if not found and not fields.failed:
        raise item.wrong(
            one_of((*_FIELDS, "pql", "mapped_to", *_MEASURES, *_COMBINATORS)), "no test"
        )
    return found[0] if len(found) == 1 else Several(len(found), found)


def _tests(item: Item, fields: Fields, scope: LeadScope) -> Iterable[LeadCondition]:
    for name in _FIELDS:
        if name in fields.values:
            yield FieldIs(name, fields.values[name])
    if "pql" in fields.values:
        yield QualifiedFor(fields.values["pql"])
    if "mapped_to" in fields.values:
        yield MappedTo(fields.values["mapped_to"])
    measures = [name for name in _MEASURES if name in item.value]
    if len(measures) > 1:
        raise item.child("usage").wrong_key("a table of its own", '"usage" beside "trait"')
    operators = [name for name in CONDITION if name in item.value]
    if not measures and operators:
        found = f"{quoted(operators[0])} without them"
        raise item.child(operators[0]).wrong_key('"trait" or "usage" beside it', found)
    if "trait" in fields.values:
        at_most_one(item)
        trait = Scope(subject=None).trait(item.child("trait"), fields.values["trait"])
        yield TraitIs(compared(trait.path, item, fields), trait.account)
    if "usage" in fields.values:
        at_most_one(item)
        _check_usage(item.child("usage"), scope)
        yield UsageIs(compared(fields.values["usage"], item, fields))


def _check_usage(item: Item, scope: LeadScope) -> None:
    if item.value not in scope.usage:
        expected = item.near(item.value, scope.usage) or "what a definition of this file counts"
        raise item.wrong(expected, f"{quoted(item.value)}, which no definition counts")


def _parsers(scope: LeadScope) -> dict[str, ItemParser]:
    definition = _known(scope.subjects, "definition")
    parsers: dict[str, ItemParser] = {
        "definition": _texts(definition),
        "kind": _texts(_known(LEAD_KINDS, "kind")),
        "priority": _texts(_known(PRIORITIES, "priority")),
        "subject": _texts(_known(("user", "account"), "subject")),
        "account": _texts(Item.text),
        "partner": _texts(partner_name),
        "pql": _texts(definition),
        "mapped_to": _texts(partner_name),
        "trait": Item.text,
        "usage": Item.text,
        **CONDITION,
    }
    return {key: _bounded(parser) for key, parser in parsers.items()}


def _bounded(parser: ItemParser) -> ItemParser:
    """A parser of what is short enough to be tested with each lead."""

    def read(item: Item) -> Any:
        is_list = isinstance(item.value, list)
        if is_list and len(item.value) > MAX_VALUES:
            raise item.wrong(f"a list of at most {MAX_VALUES} values", f"{len(item.value)} values")
        for each in item.children() if is_list else (item,):
            if isinstance(each.value, str) and len(each.value) > MAX_TEXT:
                expected = f"a text of at most {MAX_TEXT} characters"
                raise each.wrong(expected, f"{len(each.value):,} characters")
        return parser(item)

    return read


def _known(words: Collection[str], sort: str) -> Callable[[Item], str]:
    def read(item: Item) -> str:
        text = item.text()
        if text not in words:
            expected = item.near(text, words) or f"a {sort} of this file"
            raise item.wrong(expected, f"the unknown {sort} {quoted(text)}")
        return text

    return read


def _texts(parser: Callable[[Item], str]) -> Callable[[Item], tuple[str, ...]]:
    """A parser of one text, or of a list of which the lead has one."""
    several = list_of(parser, "a text or a list of texts")

    def read(item: Item) -> tuple[str, ...]:
        return several(item) if isinstance(item.value, list) else (parser(item),)

    return read


# -- combinators ---------------------------------------------------------------------------


def _all(item: Item, scope: LeadScope) -> LeadCondition:
    parts = _parts(item.read({"all": Item.keep}).required("all"), scope)
    return Several(len(parts), parts)


def _any(item: Item, scope: LeadScope) -> LeadCondition:
    return Several(1, _parts(item.read({"any": Item.keep}).required("any"), scope))


def _at_least(item: Item, scope: LeadScope) -> LeadCondition:
    fields = item.read({"at_least": Item.keep, "of_these": Item.keep})
    fields.refine("of_these", lambda listed: _parts(listed, scope))
    needed, parts = fields.required_all("at_least", "of_these")
    is_whole = isinstance(needed.value, int) and not isinstance(needed.value, bool)
    if not is_whole or not 1 <= needed.value <= len(parts):
        raise needed.wrong(f"a whole number from 1 to {len(parts)}")
    return Several(needed.value, parts)


def _parts(listed: Item, scope: LeadScope) -> tuple[LeadCondition, ...]:
    return list_of(lambda part: lead_condition(part, scope), "a list of conditions")(listed)


_COMBINED: dict[str, Callable[[Item, LeadScope], LeadCondition]] = {
    "all": _all,
    "any": _any,
    "at_least": _at_least,
}
