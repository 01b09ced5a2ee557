"""Sequences: different events, one for each step, each at or after the one before.

A *chain* is ``[start, messageId, …]``: the time of its first event, and the ids of its events. For
each number of steps the accumulator keeps the chain that started last, since that one has the most
time left. Events of one instant may follow each other in any order. So the chains from before the
newest instant are kept, with the events of that instant, until a later instant begins.

For example, with ``sequence = ["a", "b", "c"], within = "1h"``: after *a* (m1) at 12:00 and *b*
(m2) at 12:10 the chains are ``[[12:00, m1], [12:00, m1, m2], None]``. Another *a* (m3) at 12:50
makes the first chain ``[12:50, m3]``; the second stays. A *c* (m4) at 13:20 comes too late for the
second chain, which began at 12:00. A *b* (m5) at 13:20 makes the second chain ``[12:50, m3, m5]``,
and since *c* is of the same instant, the third chain is ``[12:50, m3, m5, m4]``: the leaf holds.
"""

# ruff: noqa: ARG002 - methods ignore arguments that other aggregates need

from __future__ import annotations

from typing import Any

from msgspec import Struct

from ..language.definition import SequenceLeaf
from .aggregates import Aggregate
from .state import NEVER, Fact
from .view import View

Chain = list[Any]
"""``[start, messageId, …]``"""
Candidate = list[Any]
"""``[messageId, step, …]``: an event, and the steps that it can be."""


class Chains(Struct, array_like=True):
    """The chains by number of steps: from before the newest instant, and with its events.

    ``candidates`` are events of the newest instant: for each step the first few that can be it.
    """

    instant: int
    candidates: list[Candidate]
    before: list[Chain | None]
    chains: list[Chain | None]


class Sequence(Aggregate):
    """How many steps of a sequence were made, counted from the first."""

    layout = Chains

    def __init__(self, leaf: SequenceLeaf) -> None:
        self.steps = leaf.steps
        self.length = leaf.window.within if leaf.window.of is None else None

    def empty(self) -> Chains:
        none: list[Chain | None] = [None] * len(self.steps)
        return Chains(NEVER, [], none, none)

    def add(self, acc: Chains, fact: Fact, view: View) -> None:
        if acc.chains[-1] is not None:
            return
        if fact.time > acc.instant:
            acc.instant, acc.candidates, acc.before = fact.time, [], acc.chains
        name = fact.name or ""
        steps = [number for number, step in enumerate(self.steps) if step.matches(name)]
        if not self._is_needed(steps, acc.candidates):
            return
        acc.candidates.append([fact.mid, *steps])
        if len(acc.candidates) == 1:
            acc.chains = self._extended_by(fact, steps, acc.before)
        else:
            acc.chains = self._extended(acc)

    def observed(self, acc: Chains, view: View) -> Any:
        return self.made(acc)

    def holds(self, acc: Chains, view: View) -> bool:
        return acc.chains[-1] is not None

    def made(self, acc: Chains) -> int:
        """How many steps, from the first, were made."""
        return max((n + 1 for n, chain in enumerate(acc.chains) if chain is not None), default=0)

    def chain(self, acc: Chains) -> tuple[int, list[str]]:
        """When the longest chain starts, and the ids of its messages."""
        made = self.made(acc)
        chain = acc.chains[made - 1] if made else None
        return (NEVER, []) if chain is None else (chain[0], list(chain[1:]))

    def _is_needed(self, steps: list[int], candidates: list[Candidate]) -> bool:
        """Whether another event of one instant can make a difference.

        The steps need at most as many events as there are steps. So where each step that an event
        can be has that many candidates already, one of those is always free.
        """
        if len(candidates) < len(self.steps):
            return True
        enough = len(self.steps)
        return any(sum(step in made for _, *made in candidates) < enough for step in steps)

    def _is_in_time(self, chain: Chain, time: int) -> bool:
        return self.length is None or time - chain[0] < self.length

    def _extended_by(
        self, fact: Fact, steps: list[int], before: list[Chain | None]
    ) -> list[Chain | None]:
        """The chains after the first event of an instant."""
        after = list(before)
        for step in steps:
            chain = [fact.time] if step == 0 else before[step - 1]
            if chain is not None and self._is_in_time(chain, fact.time):
                _keep_latest(after, step, [*chain, fact.mid])
        return after

    def _extended(self, acc: Chains) -> list[Chain | None]:
        """The chains after an instant: those from before, continued by different events of it."""
        after = list(acc.before)
        for made in range(len(self.steps)):
            chain = [acc.instant] if made == 0 else acc.before[made - 1]
            if chain is None or not self._is_in_time(chain, acc.instant):
                continue
            for more in range(1, min(len(acc.candidates), len(self.steps) - made) + 1):
                taken = _assigned(range(made, made + more), acc.candidates)
                if taken is None:
                    break
                _keep_latest(after, made + more - 1, [*chain, *taken])
        return after


def _keep_latest(chains: list[Chain | None], step: int, chain: Chain) -> None:
    """Keep a chain, unless there is one as long that started at the same time or later."""
    held = chains[step]
    if held is None or held[0] < chain[0]:
        chains[step] = chain


def _assigned(steps: range, candidates: list[Candidate]) -> list[str] | None:
    """Different events for some steps, in the order of the steps; None if that is impossible."""
    step_of: dict[int, int] = {}  # by the index of the candidate

    def place(step: int, tried: set[int]) -> bool:
        for index, (_, *can_be) in enumerate(candidates):
            if step in can_be and index not in tried:
                tried.add(index)
                if index not in step_of or place(step_of[index], tried):
                    step_of[index] = step
                    return True
        return False

    if not all(place(step, set()) for step in steps):
        return None
    by_step = {step: candidates[index][0] for index, step in step_of.items()}
    return [by_step[step] for step in steps]
