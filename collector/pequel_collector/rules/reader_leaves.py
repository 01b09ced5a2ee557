"""The leaves: one measure and one comparison each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from ..model import Kind
from . import quantities
from .definition import Comparison, EventLeaf, EventPattern, Operator, TraitLeaf, Window
from .quantities import DAY, HOUR, MINUTE, Number, QuantityError
from .reader_conditions import CONDITION, OPERATORS, at_most_one, compared, pair, where
from .reader_items import (
    NOT_YET,
    Fields,
    Item,
    Reader,
    UnreadableError,
    duration,
    human,
    keep,
    list_of,
    near,
    one_of,
    quantity,
    quoted,
    read_table,
    required,
    text,
)
from .reader_later import LATER, is_later

UNITS = {"@day": DAY, "@hour": HOUR, "@minute": MINUTE}
CALENDAR = ("@day", "@hour")
DISTINCT = (*UNITS, "@user", "@event")
ANCHORS = ("signup",)
COUNTED: tuple[Operator, ...] = ("gte", "gt", "lte", "lt", "eq", "ne", "between")

_EVENT = 'an event name, a list of names, "prefix*", "*" or { feature = "…" }'


@dataclass(frozen=True, slots=True)
class Scope:
    """What the parts of a definition need to know of what is around them.

    ``converts`` says whether the project names a conversion event, ``absence`` whether a count
    may be asked to be low; ``window`` is inherited by the event leaves that set none.
    """

    subject: Kind = "user"
    features: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    converts: bool = False
    window: Window = field(default_factory=Window)
    absence: bool = False


def event_leaf(item: Item, scope: Scope) -> EventLeaf:
    """A number of events, or of different values among them."""
    fields = read_table(item, EVENT, later="event")
    fields.refine("event", lambda events: pattern(events, scope.features))
    events = fields.get("event", EventPattern())
    window = _window(fields) if {"within", "of"} & item.value.keys() else scope.window
    distinct = fields.get("distinct")
    _check_calendar(item, distinct, window)
    return EventLeaf(
        events=events,
        comparison=_comparison(item, fields, scope.absence),
        where=fields.get("where", ()),
        distinct=distinct,
        window=window,
        path=human(item.path[2:]),
    )


def trait_leaf(item: Item, scope: Scope) -> TraitLeaf:
    """A test of one trait of the subject."""
    fields = read_table(item, TRAIT)
    at_most_one(item)
    path = required(item, fields, "trait")
    if scope.subject == "user" and is_later("trait", path):
        raise item.child("trait").wrong("a trait of the user", f"{quoted(path)}, {NOT_YET}")
    return TraitLeaf(compared(path, item, fields), human(item.path[2:]))


# -- which events --------------------------------------------------------------------------


def pattern(item: Item, features: Mapping[str, tuple[str, ...]]) -> EventPattern:
    """Which events are counted: a name, a prefix, all, a list of those, or a feature's."""
    match item.value:
        case dict():
            return pattern_of(_feature(item, features))
        case list():
            return pattern_of(event_names(item))
        case str():
            return pattern_of([text(item)])
        case _:
            raise item.wrong(_EVENT)


def pattern_of(names: Iterable[str]) -> EventPattern:
    """The pattern of several names, each of which may be a ``prefix*``, or ``*`` for all."""
    given = frozenset(names)
    if "*" in given:
        return EventPattern(any=True)
    starred = frozenset(name for name in given if name.endswith("*"))
    return EventPattern(given - starred, tuple(sorted(name[:-1] for name in starred)))


event_names = list_of(text, "a list of event names")


def _feature(item: Item, features: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    name: str = required(item, read_table(item, {"feature": text}), "feature")
    if name not in features:
        raise item.child("feature").wrong(
            near(name, features) or "a feature listed under [features]",
            f"the unknown feature {quoted(name)}",
        )
    return features[name]


# -- what is counted, and when -------------------------------------------------------------


def distinct_by(item: Item) -> str:
    """What makes two events different: a property, or a word that begins with an at sign."""
    word = text(item)
    if word.startswith("@") and word not in DISTINCT:
        raise item.wrong(near(word, DISTINCT))
    return word


def anchor(item: Item) -> str:
    """What a window begins with."""
    word = text(item)
    if is_later("anchor", word):
        raise item.wrong(one_of(ANCHORS), f"{quoted(word)}, {NOT_YET}")
    if word not in ANCHORS:
        raise item.wrong(one_of(ANCHORS), f"the unknown anchor {quoted(word)}")
    return word


def _window(fields: Fields) -> Window:
    return Window(fields.get("within"), fields.get("of"))


def _check_calendar(item: Item, distinct: str | None, window: Window) -> None:
    """Days and hours of the calendar are counted in rolling windows of whole ones only."""
    if distinct not in CALENDAR or window.of is not None or window.within is None:
        return
    if window.within % UNITS[distinct]:
        stated = item.child("within" if "within" in item.value else "distinct")
        stated.wrong(
            f"a rolling window of whole {distinct[1:]}s, as {quoted(distinct)} needs",
            f"a window of {window.within // MINUTE} minutes",
        )


# -- how many ------------------------------------------------------------------------------


def _comparison(item: Item, fields: Fields, absence: bool) -> Comparison:
    """The comparison that a leaf states, or at least one."""
    operator = at_most_one(item)
    if operator is None:
        return Comparison("gte", 1)
    if fields.failed & {"distinct", *LATER["event"]}:
        raise UnreadableError  # without knowing what is counted, its threshold says nothing
    stated = item.child(operator)
    if operator not in COUNTED:
        raise stated.wrong_key(one_of(COUNTED), f"{quoted(operator)} of a count")
    comparison = Comparison(operator, _operand(item, operator, fields)(stated))
    if not absence and _met_by_zero(comparison):
        raise stated.wrong(
            'a comparison that 0 does not meet: absence is allowed only in "unless"',
            f"{operator} = {stated.shown()}",
        )
    return comparison


def _operand(leaf: Item, operator: Operator, fields: Fields) -> Reader:
    """The reader of what the operator compares with: one threshold, or two."""
    distinct = fields.get("distinct")

    def threshold(item: Item) -> int:
        if item.value == "all":
            return _every(item, leaf, fields)
        return _whole(item, _amount(item, distinct))

    return pair(threshold) if operator == "between" else threshold


def _amount(item: Item, distinct: str | None) -> Number:
    """A threshold as a number; a duration counts in the unit of what is distinct."""
    if distinct not in UNITS or not isinstance(item.value, str):
        return quantity(item)
    with suppress(QuantityError):
        return quantities.amount(item.value)
    count = quantities.count_in(UNITS[distinct], duration(item))
    if count is None:
        raise item.wrong(f"a whole number of {distinct[1:]}s, as {quoted(distinct)} counts them")
    return count


def _whole(item: Item, number: Number) -> int:
    if not isinstance(number, int) or number < 0:
        raise item.wrong("a whole number, 0 or more")
    return number


def _every(item: Item, leaf: Item, fields: Fields) -> int:
    """The number of names that a leaf lists one by one."""
    if "event" in fields.failed:
        raise UnreadableError
    events: EventPattern = fields.values["event"]
    listed = isinstance(leaf.value["event"], list | dict) and not (events.any or events.prefixes)
    if not listed or fields.get("distinct") != "@event":
        raise item.wrong('a number; "all" is for distinct = "@event" over a list or a feature')
    return len(events.names)


def _met_by_zero(comparison: Comparison) -> bool:
    """Whether a comparison of a count holds where nothing was done."""
    match comparison.operator:
        case "lt" | "lte":
            return True
        case "gt":
            return False
        case "ne":
            return bool(comparison.operand != 0)
        case "between":
            return bool(comparison.operand[0] == 0)
        case _:
            return bool(comparison.operand == 0)


EVENT: dict[str, Reader] = {
    "event": keep, "distinct": distinct_by, "where": where, "within": duration, "of": anchor,
    **dict.fromkeys(OPERATORS, keep),
}  # fmt: skip

TRAIT: dict[str, Reader] = {"trait": text, **CONDITION}
