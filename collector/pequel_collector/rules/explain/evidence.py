"""Why a subject is, or is not yet, a PQL: each leaf with what was observed and is needed."""

from __future__ import annotations

from functools import cached_property

from ...model import JSON
from ..engine.evaluator import Evaluator
from ..engine.rules import Rule
from ..engine.state import Fact
from ..engine.view import EvalContext
from ..language.definition import (
    AllOf,
    AnyOf,
    AtLeast,
    Combinator,
    Customer,
    Guard,
    Internal,
    Personal,
    TraitLeaf,
    leaves_of,
)
from ..language.sentence import describe_leaf
from .leaf import LeafExplanation
from .leaves import explain_leaf
from .phrases import phrase_of, sentence
from .vocabulary import Vocabulary


class Explainer:
    """Explains one definition for its subject, at the moment of a context.

    ``looked_at`` bounds the work: counted events are looked for among the first and the last so
    many facts of each window. Without it, among all.
    """

    def __init__(
        self, evaluator: Evaluator, rule: Rule, ctx: EvalContext, looked_at: int | None = None
    ) -> None:
        self.evaluator, self.rule, self.ctx, self.looked_at = evaluator, rule, ctx, looked_at

    def evidence(self) -> dict[str, JSON]:
        """The evidence of a lead: a sentence, the leaves, the guards that were checked."""
        explanations = self._explanations
        words, kind = Vocabulary(self.evaluator.catalogue), self.evaluator.kind
        held = [phrase_of(each, words, kind) for each in explanations.values() if each.holds]
        return {
            "sentence": sentence(held),
            "leaves": [each.evidence() for each in explanations.values()],
            "guards": self.guards(),
        }

    def progress(self) -> dict[str, JSON]:
        """How far a subject is that has not qualified: 0 to 1, leaf by leaf, and what blocks.

        Overall it is the least of ``all``, the most of ``any``, the n-th best of ``at_least``.
        """
        return {
            "definition": self.rule.name,
            "progress": round(self._share(self.rule.definition.when), 6),
            "leaves": [each.progress() for each in self._explanations.values()],
            "blocked_by": [g["guard"] for g in self.guards() if g["blocks"]],
            "can_still_qualify": self._can_hold(self.rule.definition.when),
        }

    def has_begun(self) -> bool:
        """Whether the subject did something of it. A trait, or what was not done, is no beginning.

        Overall progress is 0 as long as one of ``all`` has none, so it does not say this.
        """
        return any(
            each.share > 0 and each.observed and not isinstance(each.leaf, TraitLeaf)
            for each in self._explanations.values()
        )

    def mean(self) -> float:
        """The mean progress of the leaves, 0 to 1."""
        shares = [each.share for each in self._explanations.values()]
        return sum(shares) / len(shares)

    def guards(self) -> list[dict[str, JSON]]:
        """Each guard, and whether it blocks."""
        pairs = zip(self.rule.definition.unless, self.rule.guards, strict=True)
        return [{"guard": name_of(node), "blocks": test(self.ctx)} for node, test in pairs]

    def deciding(self) -> list[Fact]:
        """The facts whose time is this moment."""
        ctx = self.ctx
        found = ctx.facts(ctx.history.since(ctx.time))
        return [fact for _, fact in found if fact.time == ctx.time]

    @cached_property
    def _explanations(self) -> dict[int, LeafExplanation]:
        return {
            id(leaf): explain_leaf(leaf, self.evaluator.window(leaf), self.ctx, self.looked_at)
            for leaf in leaves_of(self.rule.definition.when)
        }

    def _can_hold(self, node: Guard) -> bool:
        """Whether a condition holds or can come to hold, without events that are late."""
        match node:
            case AllOf(parts):
                return all(map(self._can_hold, parts))
            case AnyOf(parts):
                return any(map(self._can_hold, parts))
            case AtLeast(needed, parts):
                return sum(map(self._can_hold, parts)) >= needed
            case leaf:
                return not self._explanations[id(leaf)].is_closed

    def _share(self, node: Guard) -> float:
        if isinstance(node, Combinator):
            return sorted(map(self._share, node.parts), reverse=True)[node.needed - 1]
        return self._explanations[id(node)].share


def name_of(guard: Guard) -> str:
    """The name of a guard: ``internal``, ``customer``, ``personal``, or its condition in words."""
    match guard:
        case Internal():
            return "internal"
        case Customer():
            return "customer"
        case Personal():
            return "personal"
        case AllOf(parts):
            return " and ".join(map(name_of, parts))
        case AnyOf(parts):
            return " or ".join(map(name_of, parts))
        case AtLeast(needed, parts):
            return f"at least {needed} of: " + ", ".join(map(name_of, parts))
        case leaf:
            return describe_leaf(leaf)
