"""Sequences: different events, one for each step, each at or after the one before.

A *chain* is ``[start, messageId, …]``: the time of its first event, and its events. For each number
of steps the cell keeps the chain that started last, for that one has the most time left. Events of
one instant may follow each other in any order; so the chains from before the newest instant stay
beside its events until it is over.
"""

# ruff: noqa: ARG002 - `Aggregate` says what each method promises

from __future__ import annotations

from typing import Any

from ..language.definition import SequenceLeaf
from .aggregates import Aggregate, Cell
from .state import NEVER, Fact
from .view import View

Chain = list[Any]
Chains = list[Chain | None]


class Sequence(Aggregate):
    """The chains of a sequence. The cell is ``[instant, its events, chains before, chains]``.

    An event of the instant is ``[messageId, step, …]`` with the steps that it can be. What is
    observed is how many steps, from the first, were made.
    """

    def __init__(self, leaf: SequenceLeaf) -> None:
        self.steps = leaf.steps
        self.length = leaf.window.within if leaf.window.of is None else None

    def empty(self) -> Cell:
        blank: Chains = [None] * len(self.steps)
        return [NEVER, [], blank, blank]

    def add(self, cell: Cell, fact: Fact, view: View) -> None:
        if cell[3][-1] is not None:
            return
        if fact.time > cell[0]:
            cell[0], cell[1], cell[2] = fact.time, [], cell[3]
        name = fact.name or ""
        steps = [number for number, step in enumerate(self.steps) if step.matches(name)]
        cell[1] = [*cell[1], [fact.mid, *steps]]
        if len(cell[1]) == 1:
            cell[3] = self._grown(cell[2], fact, steps)
        else:
            cell[3] = self._extended(cell[2], cell[1], cell[0])

    def observed(self, cell: Cell, view: View) -> Any:
        return self.made(cell)

    def holds(self, cell: Cell, view: View) -> bool:
        return cell[3][-1] is not None

    def made(self, cell: Cell) -> int:
        """How many steps, from the first, were made."""
        return max((n + 1 for n, chain in enumerate(cell[3]) if chain is not None), default=0)

    def chain(self, cell: Cell) -> list[str]:
        """The messages of the longest chain."""
        made = self.made(cell)
        return list(cell[3][made - 1][1:]) if made else []

    def _grown(self, before: Chains, fact: Fact, steps: list[int]) -> Chains:
        """The chains after the only event of an instant: each of those before, grown by it."""
        after = list(before)
        for step in steps:
            chain = [fact.time] if step == 0 else before[step - 1]
            if chain is None or (self.length is not None and fact.time - chain[0] >= self.length):
                continue
            held = after[step]
            if held is None or held[0] < chain[0]:
                after[step] = [*chain, fact.mid]
        return after

    def _extended(self, before: Chains, events: list[list[Any]], time: int) -> Chains:
        """The chains after an instant: each of those before, grown by different events of it."""
        after = list(before)
        for made in range(len(self.steps)):
            chain = [time] if made == 0 else before[made - 1]
            if chain is None or (self.length is not None and time - chain[0] >= self.length):
                continue
            for more in range(1, min(len(events), len(self.steps) - made) + 1):
                taken = _assigned(range(made, made + more), events)
                if taken is None:
                    break
                held = after[made + more - 1]
                if held is None or held[0] < chain[0]:
                    after[made + more - 1] = [*chain, *taken]
        return after


def _assigned(steps: range, events: list[list[Any]]) -> list[str] | None:
    """Different events for some steps, in the order of the steps; None if that cannot be."""
    taken: dict[int, int] = {}  # event -> step

    def place(step: int, tried: set[int]) -> bool:
        for number, (_, *can_be) in enumerate(events):
            if step in can_be and number not in tried:
                tried.add(number)
                if number not in taken or place(taken[number], tried):
                    taken[number] = step
                    return True
        return False

    if not all(place(step, set()) for step in steps):
        return None
    by_step = {step: events[number][0] for number, step in taken.items()}
    return [by_step[step] for step in steps]
