"""The leaf ``score``: points for what was done, and for what traits are."""

from __future__ import annotations

from ..language.definition import Comparison, EventPoints, ScoreLeaf, TraitPoints
from .comparisons import OPERATORS, compared, where
from .items import (
    Item,
    ItemParser,
    UnreadableError,
    list_of,
)
from .leaves import path_of, pattern
from .scope import Scope
from .thresholds import numeric, present, tests, threshold
from .windows import WINDOW, window

SCORE: dict[str, ItemParser] = {
    "score": Item.keep,
    "points": Item.keep,
    "half_life": Item.duration,
    **WINDOW,
}
EVENT_POINTS: dict[str, ItemParser] = {
    "event": Item.keep, "add": Item.quantity, "where": where, "cap": Item.quantity,
}  # fmt: skip
TRAIT_POINTS: dict[str, ItemParser] = {"trait": Item.text, "add": Item.quantity}


def score_leaf(item: Item, scope: Scope) -> ScoreLeaf:
    """A sum of points and its comparison."""
    fields = item.read(SCORE)
    looked_at = window(item, fields, scope)
    fields.refine("score", lambda score: _comparison(score, scope))
    fields.refine("points", list_of(lambda one: _points(one, scope), "a list of points"))
    comparison, points = fields.required_all("score", "points")
    leaf = ScoreLeaf(points, comparison, fields.get("half_life"), looked_at, path_of(item))
    return present(leaf, item.child("score"), scope)


def _comparison(item: Item, scope: Scope) -> Comparison:
    if not isinstance(item.value, dict):
        raise item.wrong("a table with one comparison, such as { gte = 60 }")
    if item.read(dict.fromkeys(OPERATORS, Item.keep), of="operator").failed:
        raise UnreadableError
    return numeric(item, threshold(scope), "a score")


def _points(item: Item, scope: Scope) -> EventPoints | TraitPoints:
    stated = [key for key in item.table().value if key in ("event", "trait")]
    if len(stated) > 1:
        raise item.child(stated[1]).wrong_key(
            "only one of them in a table", f'both "{stated[0]}" and "{stated[1]}"'
        )
    if not stated:
        raise item.wrong('points for an "event", or for a "trait"', "a table with neither")
    return _for_trait(item, scope) if "trait" in stated else _for_events(item, scope)


def _for_events(item: Item, scope: Scope) -> EventPoints:
    fields = item.read(EVENT_POINTS)
    fields.refine("event", lambda events: pattern(events, scope))
    events, add = fields.required_all("event", "add")
    return EventPoints(events, add, fields.get("where", ()), fields.get("cap"))


def _for_trait(item: Item, scope: Scope) -> TraitPoints:
    fields = item.read(TRAIT_POINTS | tests(scope))
    path, add = fields.required_all("trait", "add")
    trait = scope.trait(item.child("trait"), path)
    return TraitPoints(compared(trait.path, item, fields), add, trait.account)
