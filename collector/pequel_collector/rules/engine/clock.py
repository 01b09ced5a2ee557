"""The clock: the moments at which an absence becomes true while a subject does nothing.

For ``clock = true`` and ``{ event = "used", eq = 0, within = "7d" }``, the clock is due seven days
after each instant at which the subject has a fact. Its slot keeps the position and time of one
instant, say March 1st. On March 8th, or at the next fact if that comes later, the rule is evaluated
at the end of the seven days; then the slot moves on to the next instant with a fact.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from .rules import Rule
from .slots import EventPosition
from .state import Position, State
from .view import EvalContext

Evaluate = Callable[[EvalContext, set[int]], None]
"""Evaluates rules, by index, at τ."""


class Due(NamedTuple):
    """When a clock is due, its slot, and the rule to evaluate then."""

    time: int
    slot: int
    rule: Rule


class Clock:
    """The clocks of the rules of one evaluator."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules = tuple(rule for rule in rules if rule.clocks)

    def start(self, state: State, begin: Position, time: int) -> None:
        """Start the clocks that do not run, at the facts of an instant."""
        for rule in self.rules:
            for slot, _ in rule.clocks:
                if slot not in state.slots:
                    state.slots[slot] = EventPosition(*begin, time)

    def run(self, ctx: EvalContext, until: int, evaluate: Evaluate) -> None:
        """Evaluate what is due before an instant, moment by moment."""
        state = ctx.state
        while pending := self.pending(state, self.rules):
            next_due = min(pending, key=lambda due: (due.time, -due.slot))
            if next_due.time >= until:
                return
            if next_due.time > state.time:
                ctx.time = state.time = next_due.time
                ctx.clock_only = True
                evaluate(ctx, {due.rule.index for due in pending if due.time == next_due.time})
                ctx.clock_only = False
            self._move_on(ctx, next_due.slot)

    def pending(self, state: State, rules: Iterable[Rule]) -> list[Due]:
        """When each clock of some rules is due that runs."""
        return [
            Due(_started(state, slot).time + length, slot, rule)
            for rule in rules
            for slot, length in rule.clocks
            if slot in state.slots
        ]

    def _move_on(self, ctx: EvalContext, slot: int) -> None:
        """Move a clock to the next instant with a fact, or stop it if there is none."""
        started = _started(ctx.state, slot)
        start = max(started.position, ctx.history.since(started.time + 1))
        for position, fact in ctx.history.facts(start):
            if position >= ctx.limit:
                break
            if fact.time > started.time and fact.ended is None:
                ctx.state.slots[slot] = EventPosition(*position, fact.time)
                return
        del ctx.state.slots[slot]


def _started(state: State, slot: int) -> EventPosition:
    """The facts that a clock runs from."""
    found = state.slots[slot]
    if isinstance(found, list):
        found = state.slots[slot] = EventPosition(*found)
    return found  # type: ignore[no-any-return]  # a slot can hold anything
