"""The other sorts of leaves at τ, and which class explains which."""

from __future__ import annotations

from functools import cached_property

from ...model import JSON, iso
from ..engine.keyed import Members
from ..engine.score import Growth, Score
from ..engine.sequence import Sequence as Steps
from ..engine.state import Fact
from ..engine.view import EvalContext
from ..engine.windows import AllTimeWindow
from ..language.definition import (
    EventLeaf,
    EventPoints,
    GrowthLeaf,
    Leaf,
    PqlLeaf,
    ScoreLeaf,
    SequenceLeaf,
    TraitLeaf,
    UsersLeaf,
)
from ..language.sentence import events
from ..language.values import settle
from .leaf import SHOWN, LeafExplanation, WindowedExplanation, bare, facts_of
from .leaf_of_events import EventExplanation
from .plain import bounded, plain, share_of


class TraitExplanation(LeafExplanation):
    """The value of a trait."""

    leaf: TraitLeaf

    @property
    def needed(self) -> JSON:
        """The comparisons with their operands."""
        settled = (settle(c, self.ctx.trait) for c in self.leaf.condition.comparisons)
        return {c.operator: plain(c.operand) for c in settled if c is not None}

    @property
    def events(self) -> list[JSON]:
        """The message that set it, with its value among the properties."""
        path = self.leaf.condition.path
        held = self.ctx.state.traits.get(path)
        if held is None or self.leaf.account:
            return []
        setting = next(iter(facts_of([held.mid], held.time, self.ctx)), None)
        return [
            {
                "message_id": held.mid,
                "time": iso(held.time),
                "user": self._user(setting),
                "properties": {path: bounded(held.value)},
            }
        ]


class UsersExplanation(LeafExplanation):
    """How many members a leaf holds for."""

    leaf: UsersLeaf

    @cached_property
    def counted(self) -> list[Fact]:
        """No events: the evidence names the members instead."""
        return []

    def more(self) -> dict[str, JSON]:
        """The members for whom it holds, at most ten."""
        aggregate = bare(self.compiled)
        if not isinstance(aggregate, Members) or self.acc is None:
            return {"users": []}
        return {"users": sorted(aggregate.holding(self.acc, self.ctx))[:SHOWN]}


class SequenceExplanation(WindowedExplanation):
    """How many steps of a sequence were made."""

    leaf: SequenceLeaf

    @property
    def needed(self) -> JSON:
        """The number of steps."""
        return len(self.leaf.steps)

    @cached_property
    def counted(self) -> list[Fact]:
        """The events that make the steps, earliest first."""
        aggregate = bare(self.compiled)
        if not isinstance(aggregate, Steps) or self.acc is None:
            return []
        start, mids = aggregate.chain(self.acc)
        return facts_of(mids, start, self.ctx)

    def bounds(self) -> tuple[str | None, str | None]:
        """The anchored window; without an anchor the steps may be anywhere in time."""
        return (None, None) if self.leaf.window.of is None else super().bounds()


class GrowthExplanation(LeafExplanation):
    """How many events there were in two periods, one after the other."""

    leaf: GrowthLeaf

    def __init__(
        self,
        leaf: Leaf,
        compiled: AllTimeWindow,
        ctx: EvalContext,
        looked_at: int | None = None,
    ) -> None:
        super().__init__(leaf, compiled, ctx, looked_at)
        self.latest, self.before = compiled.observed(ctx) or [0, 0]
        self.observed = {"latest": self.latest, "before": self.before}

    @property
    def needed(self) -> JSON:
        """How many events each of the two periods needs."""
        aggregate = bare(self.compiled)
        latest = aggregate.needed(self.acc) if isinstance(aggregate, Growth) and self.acc else 0
        return {"latest": plain(latest), "before": plain(self.leaf.base)}

    @property
    def share(self) -> float:
        """The smaller of the two periods' shares."""
        if self.holds:
            return 1.0
        asked = self.needed
        return min(share_of(self.latest, asked["latest"]), share_of(self.before, asked["before"]))

    def bounds(self) -> tuple[str | None, str | None]:
        """The start of the first period and the end of the second."""
        return iso(self.ctx.time - 2 * self.leaf.over), iso(self.ctx.time)


class ScoreExplanation(WindowedExplanation):
    """The points of a score, in sum and by component."""

    leaf: ScoreLeaf

    def more(self) -> dict[str, JSON]:
        """What each component adds."""
        return {"points": self.points()}

    def points(self) -> list[JSON]:
        """What each component adds, in the order of the definition."""
        aggregate = bare(self.compiled)
        if not isinstance(aggregate, Score) or self.acc is None:
            return []
        of_events = iter(aggregate.parts(self.acc, self.ctx))
        of_traits = iter(points(self.ctx) for points in aggregate.traits)
        return [
            {"of": events(p.events), "points": plain(next(of_events))}
            if isinstance(p, EventPoints)
            else {"of": p.condition.path, "points": plain(next(of_traits))}
            for p in self.leaf.points
        ]


class PqlExplanation(LeafExplanation):
    """Whether another definition was met."""

    leaf: PqlLeaf


_EXPLANATIONS: dict[type, type[LeafExplanation]] = {
    EventLeaf: EventExplanation,
    TraitLeaf: TraitExplanation,
    UsersLeaf: UsersExplanation,
    SequenceLeaf: SequenceExplanation,
    GrowthLeaf: GrowthExplanation,
    ScoreLeaf: ScoreExplanation,
    PqlLeaf: PqlExplanation,
}


def explain_leaf(
    leaf: Leaf, compiled: AllTimeWindow, ctx: EvalContext, looked_at: int | None = None
) -> LeafExplanation:
    """A leaf at the moment of a context, explained by the class for its sort."""
    return _EXPLANATIONS[type(leaf)](leaf, compiled, ctx, looked_at)
