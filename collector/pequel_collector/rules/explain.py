"""Why a subject is, or is not yet, a PQL: each leaf with what was seen and what is needed.

The exact numbers are worked out from all facts at τ, not from what the fold has kept, so an
account that is far over its threshold says by how much.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..model import JSON
from .definition import AllOf, AnyOf, Customer, EventLeaf, Guard, Internal, TraitLeaf
from .facts import Fact, State, World
from .machine import Machine, Rule
from .reading import EventReading, LeafReading, TraitReading
from .sentence import describe_leaf


class Explainer:
    """One definition held against all facts of one subject up to τ."""

    def __init__(
        self, machine: Machine, rule: Rule, facts: Sequence[Fact], time: int, world: World
    ) -> None:
        self.machine, self.rule, self.time, self.world = machine, rule, time, world
        self.facts = [fact for fact in facts if fact.time <= time]
        self.state = State()
        machine.fold(self.state, self.facts, world)

    def evidence(self) -> dict[str, JSON]:
        """What a lead carries: a sentence, the leaves, the guards that were checked."""
        readings = self._readings(self.rule.definition.when)
        phrases = [reading.phrase() for reading in readings if reading.holds]
        return {
            "sentence": " and ".join(phrases),
            "leaves": [reading.evidence() for reading in readings],
            "guards": self._guards(),
        }

    def progress(self) -> dict[str, JSON]:
        """How far a subject is that has not qualified: 0 to 1, leaf by leaf, and what blocks.

        Overall it is the least of ``all``, the most of ``any``.
        """
        readings = self._readings(self.rule.definition.when)
        return {
            "definition": self.rule.name,
            "progress": round(self._share(self.rule.definition.when), 6),
            "leaves": [reading.progress() for reading in readings],
            "blocked_by": [g["guard"] for g in self._guards() if g["blocks"]],
        }

    def _guards(self) -> list[dict[str, JSON]]:
        pairs = zip(self.rule.definition.unless, self.rule.guards, strict=True)
        return [
            {"guard": name_of(node), "blocks": test(self.state, self.time, self.world)}
            for node, test in pairs
        ]

    def _readings(self, node: Guard) -> list[LeafReading]:
        match node:
            case AllOf(parts) | AnyOf(parts):
                return [reading for part in parts for reading in self._readings(part)]
            case EventLeaf() | TraitLeaf():
                return [self._read(node)]
            case _:
                return []

    def _read(self, leaf: EventLeaf | TraitLeaf) -> LeafReading:
        if isinstance(leaf, TraitLeaf):
            return TraitReading(leaf, self.state.traits)
        anchor = self.machine.anchor(leaf.window.of, self.state, self.time, self.world)
        counted = self.machine.measure(leaf).matching(self.facts, self.time, anchor)
        return EventReading(leaf, counted, self.time, anchor)

    def _share(self, node: Guard) -> float:
        match node:
            case AllOf(parts):
                return min(self._share(part) for part in parts)
            case AnyOf(parts):
                return max(self._share(part) for part in parts)
            case EventLeaf() | TraitLeaf():
                return self._read(node).share
            case _:
                return 0.0


def name_of(guard: Guard) -> str:
    """A guard as it is named in the text: ``internal``, ``customer``, or its condition."""
    match guard:
        case Internal():
            return "internal"
        case Customer():
            return "customer"
        case EventLeaf() | TraitLeaf():
            return describe_leaf(guard)
        case AllOf(parts):
            return " and ".join(name_of(part) for part in parts)
        case AnyOf(parts):
            return " or ".join(name_of(part) for part in parts)
