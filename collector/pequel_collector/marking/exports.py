"""What other subjects' definitions may ask of a subject: its *exports*."""

from __future__ import annotations

from typing import Any

from ..rules.engine.evaluator import Evaluator
from ..rules.engine.state import State
from ..rules.language.values import key as key_of

Exports = dict[str, list[tuple[int, Any]]]
"""What others may ask of a subject, by name: each value with the time since when it holds."""


def exports_of(evaluator: Evaluator, state: State) -> Exports:
    """The exports of a state; empty if no definition asks for such subjects."""
    asked = evaluator.exports
    if not asked.any:
        return {}
    found: Exports = {f"trait {name}": list(values) for name, values in state.known.items()}
    for anchor in asked.anchors:
        if anchor in state.firsts:
            found[f"first {anchor}"] = [(state.firsts[anchor], True)]
    if asked.converted and state.converted is not None:
        found["converted"] = [(state.converted, True)]
    for name in asked.marks:
        rule = evaluator.by_name.get(name)
        if rule is not None and rule.index in state.marks:
            found[f"mark {name}"] = [(state.marks[rule.index][0].time, True)]
    return found


def first_difference(before: Exports, after: Exports) -> int | None:
    """The earliest instant from which an answer differs; None if none ever does."""
    if not before and not after:
        return None
    changed = []
    for name in before.keys() | after.keys():
        old, new = before.get(name, []), after.get(name, [])
        changed += [time for time, _ in [*old, *new] if not _same(_at(old, time), _at(new, time))]
    return min(changed, default=None)


def _same(one: Any, other: Any) -> bool:
    """Whether two values are equal to a definition, to which 1 and true differ."""
    return one is other or key_of(one) == key_of(other)


def _at(values: list[tuple[int, Any]], time: int) -> Any:
    return next((value for since, value in reversed(values) if since <= time), None)
