"""The leaf ``score``: points for what was done, and for what traits are."""

from __future__ import annotations

from ..language.definition import Comparison, EventPoints, ScoreLeaf, TraitPoints
from .comparisons import OPERATORS, compared, where
from .items import (
    Item,
    ItemParser,
    UnreadableError,
    duration,
    keep,
    list_of,
    quantity,
    read_table,
    required_all,
    table,
    text,
)
from .leaves import path_of, pattern
from .scope import Scope
from .thresholds import numeric, present, tests, threshold
from .windows import WINDOW, window

SCORE: dict[str, ItemParser] = {"score": keep, "points": keep, "half_life": duration, **WINDOW}
EVENT_POINTS: dict[str, ItemParser] = {
    "event": keep, "add": quantity, "where": where, "cap": quantity,
}  # fmt: skip
TRAIT_POINTS: dict[str, ItemParser] = {"trait": text, "add": quantity}


def score_leaf(item: Item, scope: Scope) -> ScoreLeaf:
    """A sum of points and its comparison."""
    fields = read_table(item, SCORE)
    looked_at = window(item, fields, scope)
    fields.refine("score", lambda score: _comparison(score, scope))
    fields.refine("points", list_of(lambda one: _points(one, scope), "a list of points"))
    comparison, points = required_all(item, fields, "score", "points")
    leaf = ScoreLeaf(points, comparison, fields.get("half_life"), looked_at, path_of(item))
    return present(leaf, item.child("score"), scope)


def _comparison(item: Item, scope: Scope) -> Comparison:
    if not isinstance(item.value, dict):
        raise item.wrong("a table with one comparison, such as { gte = 60 }")
    if read_table(item, dict.fromkeys(OPERATORS, keep), of="operator").failed:
        raise UnreadableError
    return numeric(item, threshold(scope), "a score")


def _points(item: Item, scope: Scope) -> EventPoints | TraitPoints:
    stated = [key for key in table(item).value if key in ("event", "trait")]
    if len(stated) > 1:
        raise item.child(stated[1]).wrong_key(
            "only one of them in a table", f'both "{stated[0]}" and "{stated[1]}"'
        )
    if not stated:
        raise item.wrong('points for an "event", or for a "trait"', "a table with neither")
    return _for_trait(item, scope) if "trait" in stated else _for_events(item, scope)


def _for_events(item: Item, scope: Scope) -> EventPoints:
    fields = read_table(item, EVENT_POINTS)
    fields.refine("event", lambda events: pattern(events, scope))
    events, add = required_all(item, fields, "event", "add")
    return EventPoints(events, add, fields.get("where", ()), fields.get("cap"))


def _for_trait(item: Item, scope: Scope) -> TraitPoints:
    fields = read_table(item, TRAIT_POINTS | tests(scope))
    path, add = required_all(item, fields, "trait", "add")
    trait = scope.trait(item.child("trait"), path)
    return TraitPoints(compared(trait.path, item, fields), add, trait.account)
