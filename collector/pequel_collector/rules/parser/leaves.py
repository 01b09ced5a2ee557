"""The leaves that look at events and traits: one measure and one comparison each."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from ..language.definition import (
    EventLeaf,
    EventPattern,
    GrowthLeaf,
    Metric,
    SequenceLeaf,
    TraitLeaf,
    Window,
    pattern_of,
)
from ..language.measures import MEASURES
from ..language.quantities import UNITS, Number
from .comparisons import CONDITION, OPERATORS, at_most_one, compared, where
from .items import (
    Fields,
    Item,
    ItemParser,
    UnreadableError,
    human,
    list_of,
    one_of,
    quoted,
)
from .scope import Drawn, Scope
from .thresholds import comparison_of, may_be_missing, present, tests
from .windows import WINDOW, check_calendar, window

DISTINCT = (*UNITS, "@user", "@event")
OF_PROPERTIES = tuple(name for name, measure in MEASURES.items() if measure.takes_property)

_EVENT = 'an event name, a list of names, "prefix*", "*" or { feature = "…" }'
_STEPS = "a list of at least two steps"


def path_of(item: Item) -> str:
    """Where a leaf stands in its definition, such as ``when.all[1]``."""
    return human(item.path[2:])


def event_leaf(item: Item, scope: Scope) -> EventLeaf:
    """A number drawn from the events that the leaf names itself."""
    fields = item.read(EVENT)
    looked_at = window(item, fields, scope)
    return _number(item, fields, draw(item, fields, scope), looked_at, scope)


def metric_leaf(item: Item, scope: Scope) -> EventLeaf:
    """A number drawn as a metric says, of fewer events where the leaf has a ``where``."""
    fields = item.read(METRIC_LEAF)
    looked_at = window(item, fields, scope)
    fields.required("metric")
    found = scope.drawn(item.child("metric"))
    narrowed = (*found.metric.where, *fields.get("where", ()))
    drawn = replace(found, metric=replace(found.metric, where=narrowed))
    return _number(item, fields, drawn, looked_at, scope)


def _number(item: Item, fields: Fields, drawn: Drawn, looked_at: Window, scope: Scope) -> EventLeaf:
    metric = drawn.metric
    check_calendar(item, metric, looked_at)
    leaf = EventLeaf(
        events=metric.events,
        comparison=comparison_of(item, drawn, scope),
        where=metric.where,
        measure=metric.measure,
        value=metric.value,
        per=fields.get("per"),
        or_missing=may_be_missing(item, drawn),
        window=looked_at,
        metric=metric.name or None,
        path=path_of(item),
    )
    return present(leaf, item, scope)


def trait_leaf(item: Item, scope: Scope) -> TraitLeaf:
    """A test of one trait of the subject, or of a user's account."""
    fields = item.read(TRAIT | tests(scope))
    at_most_one(item)
    trait = scope.trait(item.child("trait"), fields.required("trait"))
    return TraitLeaf(compared(trait.path, item, fields), trait.account, path_of(item))


def sequence_leaf(item: Item, scope: Scope) -> SequenceLeaf:
    """Events that follow each other."""
    fields = item.read(SEQUENCE)
    looked_at = window(item, fields, scope)
    listed = fields.required("sequence")
    steps = list_of(lambda step: pattern(step, scope), _STEPS)(listed)
    if len(listed.value) < 2:
        raise listed.wrong(_STEPS)
    return SequenceLeaf(steps, fields.get("where", ()), looked_at, path_of(item))


def growth_leaf(item: Item, scope: Scope) -> GrowthLeaf:
    """Events that became more."""
    fields = item.read(GROWTH)
    fields.refine("event", lambda events: pattern(events, scope))
    events, ratio, over = fields.required_all("event", "growth", "over")
    rest = {key: fields.values[key] for key in ("base", "where") if key in fields.values}
    return GrowthLeaf(events, ratio, over, path=path_of(item), **rest)


def _base(item: Item) -> Number:
    found = item.quantity()
    if not isinstance(found, int) or found < 1:
        raise item.wrong("a whole number, 1 or more")
    return found


# -- what is drawn from events -------------------------------------------------------------


def draw(item: Item, fields: Fields, scope: Scope, name: str = "") -> Drawn:
    """How many events there are, or what of a property, as an event leaf or a metric says it."""
    fields.refine("event", lambda events: pattern(events, scope))
    if "event" not in fields.failed:
        fields.required("event")
    events: EventPattern = fields.get("event", EventPattern())
    measure, value = _measure(item, fields)
    metric = Metric(
        name, events, fields.get("where", ()), measure, value, fields.get("value_metric", False)
    )
    return Drawn(metric, _is_listed(item, fields, events))


def _measure(item: Item, fields: Fields) -> tuple[str, str | None]:
    stated = [key for key in item.value if key in OF_PROPERTIES]
    if len(stated) > 1:
        raise item.child(stated[1]).wrong_key(
            f"at most one of {one_of(OF_PROPERTIES).removeprefix('one of ')}",
            f"{quoted(stated[1])} beside {quoted(stated[0])}",
        )
    if fields.failed.intersection(stated):
        raise UnreadableError  # without knowing what is drawn, its threshold says nothing
    for measure in OF_PROPERTIES:
        if measure in fields.values:
            return measure, fields.values[measure]
    return "count", None


def _is_listed(item: Item, fields: Fields, events: EventPattern) -> bool | None:
    if "event" in fields.failed:
        return None
    named = isinstance(item.value["event"], list | dict)
    return named and not (events.any or events.prefixes)


def distinct_by(item: Item) -> str:
    """What makes two events different: a property, or a word that begins with an at sign."""
    word = item.text()
    if word.startswith("@") and word not in DISTINCT:
        raise item.wrong(item.near(word, DISTINCT))
    return word


# -- which events --------------------------------------------------------------------------


def pattern(item: Item, scope: Scope) -> EventPattern:
    """Which events are counted: a name, a prefix, all, a list of those, or a feature's."""
    match item.value:
        case dict():
            return _pattern_of_feature(_feature(item, scope))
        case list():
            return pattern_of(event_names(item))
        case str():
            return pattern_of([item.pattern()])
        case _:
            raise item.wrong(_EVENT)


event_names = list_of(Item.pattern, "a list of event names")


_pattern_of_feature = lru_cache(maxsize=64)(pattern_of)  # many definitions may use one feature


def _feature(item: Item, scope: Scope) -> tuple[str, ...]:
    item.read({"feature": Item.text}).required("feature")
    return scope.feature(item.child("feature"))


DRAWN: dict[str, ItemParser] = {
    "event": Item.keep, "where": where,
    **{name: distinct_by if name == "distinct" else Item.property_path for name in OF_PROPERTIES},
}  # fmt: skip

_NUMBER: dict[str, ItemParser] = {
    "per": Item.property_path,
    **WINDOW,
    **dict.fromkeys(OPERATORS, Item.keep),
    "or_missing": Item.boolean,
}

EVENT: dict[str, ItemParser] = {**DRAWN, **_NUMBER}
METRIC_LEAF: dict[str, ItemParser] = {"metric": Item.text, "where": where, **_NUMBER}
TRAIT: dict[str, ItemParser] = {"trait": Item.text, **CONDITION}
SEQUENCE: dict[str, ItemParser] = {"sequence": Item.keep, "where": where, **WINDOW}
GROWTH: dict[str, ItemParser] = {
    "event": Item.keep,
    "growth": Item.above_zero,
    "over": Item.duration,
    "base": _base,
    "where": where,
}
