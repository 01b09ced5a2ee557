"""Values of another kind than a definition asks for: L23, L24 and L25."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..insights.sample import ENOUGH, Sample
from ..insights.values import Values
from ..model import is_number
from ..rules.language.definition import Comparison, EventLeaf, EventPattern, Leaf
from ..rules.language.values import dates_in, key
from .case import Case, Found
from .compared import Compared, compared_by

SOME = 0.1
"""The share of values from which on they are no exception."""

MOST = 0.5
SHOWN = 3
NEAR = 100
"""The most frequent texts among which a similar one is looked for."""

_BY_VALUE = frozenset({"compared", "latest"})
_NUMBER, _TEXT, _BOOLEAN, _LIST = "a number", "text", "true or false", "a list"


# -- L23 -----------------------------------------------------------------------------------


def another_type(case: Case, sample: Sample) -> Iterator[Found]:
    """L23: values have another type than the one that is asked for."""
    for leaf in case.all_leaves:
        for compared in compared_by(leaf, case):
            values = compared.values(sample)
            if values.count >= ENOUGH:
                yield from (Found(text, leaf.path) for text in _mistyped(compared, values))


def _mistyped(compared: Compared, values: Values) -> Iterator[str]:
    if compared.role == "date":
        yield from _undated(compared, values)
    if compared.role == "key":
        yield from _mixed(compared, values)
    wanted = _types_wanted(compared)
    for found, count in values.others_than(wanted) if wanted else ():
        if count > SOME * values.count:
            yield (
                f"{compared.path} is {found} in {count:,} of {values.count:,} {compared.whose}; "
                f"{_needs(compared, wanted)}: {_advice(compared, found, wanted)}"
            )


def _undated(compared: Compared, values: Values) -> Iterator[str]:
    """The values at which no window can begin."""
    undated = values.count - values.dates
    if undated > SOME * values.count:
        [(found, _)] = values.types.most_common(1)
        said = "text that is no date" if found == _TEXT else found
        yield (
            f"{compared.path} is {said} in {undated:,} of {values.count:,} {compared.whose}; the "
            "window needs a date: send it as text, such as '2026-03-01' or '2026-03-01T10:00:00Z'"
        )


def _mixed(compared: Compared, values: Values) -> Iterator[str]:
    """The types of values that are told apart, where there are several."""
    often = [(kind, n) for kind, n in values.types.most_common() if n > SOME * values.count]
    if len(often) > 1:
        said = " and ".join(f"{kind} in {n:,}" for kind, n in often)
        yield (
            f"{compared.path} is {said} of {values.count:,} {compared.whose}; values of different "
            "types are different, such as '7' and 7: send it as one type"
        )


def _types_wanted(compared: Compared) -> list[str]:
    """The types that can meet what is asked, most telling first; none where any type can."""
    if compared.role in {"number", "whole"}:
        return [_NUMBER]
    wanted = [_types_that_meet(comparison) for comparison in compared.comparisons]
    known = [types for types in wanted if types]
    return [each for each in known[0] if all(each in types for types in known)] if known else []


def _types_that_meet(comparison: Comparison) -> list[str]:
    operand = comparison.operand
    match comparison.operator:
        case "gte" | "gt" | "lte" | "lt" | "between":
            return [_TEXT, _NUMBER] if dates_in(comparison) else [_NUMBER]
        case "eq" | "ne":
            return _types_of([operand])
        case "in" | "not_in":
            return _types_of(list(operand))
        case "contains":
            parts = operand if isinstance(operand, tuple) else (operand,)
            return [_TEXT, _LIST] if any(isinstance(part, str) for part in parts) else [_LIST]
        case "starts_with" | "ends_with":
            return [_TEXT]
        case _:
            return []


def _types_of(operands: list[Any]) -> list[str]:
    """The types of plain values; none where a value is of a type of its own."""
    found = [_type_of(value) for value in operands]
    return [] if None in found else list(dict.fromkeys(each for each in found if each))


def _type_of(value: Any) -> str | None:
    match value:
        case bool():
            return _BOOLEAN
        case str():
            return _TEXT
        case list() | tuple():
            return _LIST
        case _:
            return _NUMBER if is_number(value) else None


def _needs(compared: Compared, wanted: list[str]) -> str:
    what = {"whole": "the share needs", "number": "the measure needs"}
    return f"{what.get(compared.role, 'the comparison needs')} {' or '.join(wanted)}"


def _advice(compared: Compared, found: str, wanted: list[str]) -> str:
    if found == _LIST and compared.role in _BY_VALUE and _LIST not in wanted:
        return "to look inside of the list, compare with contains"
    same = compared.role in _BY_VALUE and all(c.operator in _EQUALS for c in compared.comparisons)
    other = f", or compare with {found}" if same else ""
    return f"send it as {' or '.join(wanted)}{other}"


_EQUALS = frozenset({"eq", "ne", "in", "not_in"})


# -- L24 -----------------------------------------------------------------------------------


def never_seen(case: Case, sample: Sample) -> Iterator[Found]:
    """L24: a value is spelt differently in the data, or is not there."""
    for leaf in case.all_leaves:
        for compared in compared_by(leaf, case):
            values = compared.values(sample)
            if compared.role in _BY_VALUE and values.count >= ENOUGH:
                for comparison in compared.comparisons:
                    for text in _unseen(compared, comparison, values, sample):
                        yield Found(text, leaf.path)


def _unseen(
    compared: Compared, comparison: Comparison, values: Values, sample: Sample
) -> Iterator[str]:
    wanted = _values_wanted(comparison)
    texts = [value for value in wanted if isinstance(value, str)]
    said = [found for text in texts for found in _spelt_otherwise(compared, text, values)]
    yield from said
    if not said and comparison.operator in {"eq", "in"} and _is_none_there(wanted, values):
        yield _not_there(compared, wanted, values, sample)


def _is_none_there(wanted: list[Any], values: Values) -> bool:
    """Whether the data has values of these types, but none of these values."""
    typed = all(values.types[_type_of(value) or ""] for value in wanted)
    seen = any(key(value) in values.seen for value in wanted)
    return bool(wanted) and typed and values.is_whole and not seen


def _values_wanted(comparison: Comparison) -> list[Any]:
    match comparison.operator:
        case "eq" | "ne":
            return [comparison.operand]
        case "in" | "not_in":
            return list(comparison.operand)
        case _:
            return []


def _spelt_otherwise(compared: Compared, wanted: str, values: Values) -> Iterator[str]:
    is_there = "s" + wanted in values.seen
    for text, count in values.spelt_otherwise(wanted)[:SHOWN]:
        if not is_there or count > SOME * values.count:
            yield (
                f"{compared.path} is {text!r} in {count:,} of {values.count:,} {compared.whose}, "
                f"and you compare with {wanted!r}: case and blanks count, so use one spelling"
            )


def _not_there(compared: Compared, wanted: list[Any], values: Values, sample: Sample) -> str:
    named = " or ".join(map(repr, wanted))
    texts = (value for value in wanted if isinstance(value, str))
    near = next(filter(None, (sample.nearest(each, values.texts(NEAR)) for each in texts)), None)
    hint = f"did you mean {near!r}?" if near else f"the data has {_some(values)}"
    return f"{compared.path} is never {named} in {values.count:,} {compared.whose}: {hint}"


def _some(values: Values) -> str:
    """The most frequent values, in words."""
    common = [_shown(named) for named, _ in values.seen.most_common(SHOWN)]
    return ", ".join([*common, *(["…"] if len(values.seen) > SHOWN else [])])


def _shown(named: str) -> str:
    """A value as it is written in a definition, from its key."""
    letter, text = named[0], named[1:]
    return repr(text) if letter == "s" else text.lower()


# -- L25 -----------------------------------------------------------------------------------


def mostly_missing(case: Case, sample: Sample) -> Iterator[Found]:
    """L25: what a measure needs is missing in most events or subjects."""
    for leaf in case.all_leaves:
        for compared in compared_by(leaf, case):
            if not _is_needed(compared, leaf):
                continue
            bearers, there = compared.bearers(sample), compared.values(sample).count
            if bearers >= ENOUGH and there > 0 and bearers - there > MOST * bearers:
                yield Found(_missing(compared, bearers - there, bearers), leaf.path)


def _is_needed(compared: Compared, leaf: Leaf) -> bool:
    """Whether every event or subject should have it; not where ``where`` picks some of many."""
    if compared.role == "compared":
        return False
    if not isinstance(leaf, EventLeaf) or not isinstance(compared.of, EventPattern):
        return True
    return not (leaf.where or leaf.or_missing or leaf.events.any)


def _missing(compared: Compared, missing: int, of: int) -> str:
    lost = {"whole": "there is no threshold", "date": "there is no window"}
    return (
        f"{compared.path} is missing in {missing:,} of {of:,} {compared.whose}; without it "
        f"{lost.get(compared.role, 'an event does not count')}: send it with every one"
    )
