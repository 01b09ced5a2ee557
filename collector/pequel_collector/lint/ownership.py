"""Leads that nobody follows up, or that should not be leads: L12, L14, L15, L17 and L22."""

from __future__ import annotations

from collections.abc import Iterator

from ..rules.language.definition import (
    Comparison,
    Customer,
    EventLeaf,
    Leaf,
    ScoreLeaf,
    TraitLeaf,
    TraitPoints,
)
from ..rules.language.measures import MEASURES
from .case import Case, Found, names_in, patterns
from .routes import can_match
from .shape import least
from .vocabulary import (
    BYTES,
    CURRENCIES,
    LENGTH_UNITS,
    LENGTHS,
    MONEY,
    PAYING,
    PAYING_TRAITS,
    has_word,
    is_outcome,
    protected,
    words,
)

_BARE = 1_000
"""Below this a number of bytes can be read without a unit."""


# -- L12 -----------------------------------------------------------------------------------


def no_customer_guard(case: Case) -> Iterator[Found]:
    """L12: customers become leads for new business."""
    if not case.sells or Customer() in case.definition.unless:
        return
    declared = case.catalogue.project.conversion is not None
    first = "" if declared else "name your conversion event in [project] and "
    yield Found(
        f"customers qualify too: {first}add unless = ['customer'], or say that its leads are "
        "no new business (kind = 'upgrade' …)"
    )


# -- L14 -----------------------------------------------------------------------------------


def outcome_leakage(case: Case) -> Iterator[Found]:
    """L14: it asks for something that only customers do."""
    if not case.sells:
        return
    for leaf in case.leaves:
        for name in names_in(patterns(leaf)):
            if name == case.catalogue.project.conversion or is_outcome(name):
                yield Found(
                    f"only customers do {name}, so this finds people who already bought: use an "
                    "event from before the purchase",
                    leaf.path,
                )
        yield from _paying(leaf)


def _paying(leaf: Leaf) -> Iterator[Found]:
    for path, comparisons in _trait_tests(leaf):
        values = [value for c in comparisons for value in _values(c)]
        paying = any(isinstance(v, str) and words(v) in PAYING for v in values)
        if paying or (words(path) in PAYING_TRAITS and True in values):
            yield Found(f"{path} selects people who already pay: remove this condition", leaf.path)


def _trait_tests(leaf: Leaf) -> Iterator[tuple[str, tuple[Comparison, ...]]]:
    match leaf:
        case TraitLeaf(condition):
            yield condition.path, condition.comparisons
        case ScoreLeaf(points):
            for part in points:
                if isinstance(part, TraitPoints) and part.add > 0:
                    yield part.condition.path, part.condition.comparisons
        case _:
            return


def _values(comparison: Comparison) -> tuple[object, ...]:
    """The values that a comparison asks for."""
    match comparison.operator:
        case "eq":
            return (comparison.operand,)
        case "in":
            return tuple(comparison.operand)
        case _:
            return ()


# -- L15 -----------------------------------------------------------------------------------


def no_unit(case: Case) -> Iterator[Found]:
    """L15: a number of bytes, of time or of money without a unit."""
    for leaf in case.counted:
        if not MEASURES[leaf.measure].is_count and leaf.value is not None:
            yield from _without_unit(leaf, leaf.value, case)


def _without_unit(leaf: EventLeaf, value: str, case: Case) -> Iterator[Found]:
    named = value.rpartition(".")[2]
    if has_word(named, BYTES) and _is_bare(leaf, case):
        yield Found(f"this number of {named} has no unit: write it as '10GB' or '2GiB'", leaf.path)
    if has_word(named, LENGTHS) and not has_word(named, LENGTH_UNITS):
        yield Found(f"the name {named} states no unit: send it as {named}_seconds", leaf.path)
    if has_word(named, MONEY) and not has_word(named, CURRENCIES) and not _has_currency(leaf):
        yield Found(
            f"{named} mixes currencies: add where = {{ currency = 'EUR' }}",
            leaf.path,
        )


def _is_bare(leaf: EventLeaf, case: Case) -> bool:
    text = case.written.get(f"{leaf.path}.{leaf.comparison.operator}", "")
    return least(leaf.comparison) >= _BARE and not text.startswith(("'", '"'))


def _has_currency(leaf: EventLeaf) -> bool:
    return any(has_word(condition.path, frozenset({"currency"})) for condition in leaf.where)


# -- L17 -----------------------------------------------------------------------------------


def nobody_follows_up(case: Case) -> Iterator[Found]:
    """L17: it sets neither an owner nor a deadline, and no route gives its leads to anybody."""
    definition, routes = case.definition, case.catalogue.routing.routes
    if any(can_match(route, definition) for route in routes):
        return
    if definition.kind != "nudge" and definition.owner is None and definition.sla is None:
        yield Found("its leads have no owner and no deadline: set owner, or sla = '2d'")


# -- L22 -----------------------------------------------------------------------------------


def sensitive_trait(case: Case) -> Iterator[Found]:
    """L22: it selects people by data that the law protects."""
    for leaf in case.all_leaves:
        for trait in sorted(case.traits_of(leaf), key=lambda trait: trait.path):
            what = protected(trait.path)
            if what is not None:
                yield Found(
                    f"{trait.path} looks like {what}, which the law protects (GDPR, Article 9): "
                    "select people by what they do in the product",
                    leaf.path,
                )
