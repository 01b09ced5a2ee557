"""A model of conversion that can be read and recomputed by hand: weights that are added up.

intercept −3.0, "created 3 or more projects" +0.8, "invited a teammate" +1.2
somebody who did both    1 ÷ (1 + e^−(−3.0 + 0.8 + 1.2)) = 0.27
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import exp

import msgspec

from ...model import Kind
from ...ports import ReadTransaction, WriteTransaction
from ..lift import Interval
from ..suggest.features import Feature
from ..suggest.search import Condition

META = "likelihood:"
"""The meta entry of a model begins with it; the kind of subject follows."""


class Term(msgspec.Struct, frozen=True):
    """A condition, what it adds to the log of the odds if it holds, and the condition in words."""

    condition: Condition
    weight: float
    text: str

    def holds(self, values: Mapping[Feature, int]) -> bool:
        """Whether it holds for a subject with these features."""
        return values.get(self.condition.feature, 0) >= self.condition.threshold


class Bin(msgspec.Struct, frozen=True):
    """Subjects of similar likelihood: the mean of what was predicted, and what came of it."""

    number: int
    predicted: float
    converted: int
    interval: Interval | None

    @property
    def observed(self) -> float:
        """The share that converted."""
        return self.converted / self.number


class Calibration(msgspec.Struct, frozen=True):
    """How well a model does for subjects that it was not made of: those who signed up later.

    The Brier score is the mean squared error; ``brier_of_base_rate`` is that of giving everybody
    the share that converted. ``auc`` is how often, of two subjects of whom one converts, it is
    the one with the greater likelihood.
    """

    population: int
    converters: int
    brier: float
    brier_of_base_rate: float
    auc: float
    bins: list[Bin]

    @property
    def base_rate(self) -> float:
        """The share that converted."""
        return self.converters / self.population

    @property
    def is_useful(self) -> bool:
        """Whether the model does better than the base rate."""
        return self.brier < self.brier_of_base_rate


class Model(msgspec.Struct, frozen=True):
    """A logistic regression on what subjects did. Lengths and times are ms.

    ``signup`` is the event from which a subject is looked at; None for its first one. The model was
    fitted to ``population`` subjects, whose data ended at ``end``. ``strength`` is how little the
    weights were held back (C of scikit-learn).
    """

    subject: Kind
    landmark: int
    horizon: int
    timezone: str
    signup: str | None
    trained_at: int
    end: int
    population: int
    converters: int
    strength: float
    intercept: float
    terms: list[Term]
    calibration: Calibration

    @property
    def notes(self) -> list[str]:
        """What a reader has to know."""
        if self.calibration.is_useful:
            return []
        return ["on the held-out period the model is no better than the base rate: do not use it"]

    def probability(self, values: Mapping[Feature, int]) -> float:
        """The likelihood of a subject with these features."""
        return logistic(self.intercept + sum(term.weight for term in self.holding(values)))

    def holding(self, values: Mapping[Feature, int]) -> list[Term]:
        """The terms that hold for a subject, the heaviest first."""
        found = [term for term in self.terms if term.holds(values)]
        return sorted(found, key=lambda term: -abs(term.weight))


def logistic(log_odds: float) -> float:
    """The probability of a logarithm of the odds."""
    return 1 / (1 + exp(-log_odds)) if log_odds > -700 else 0.0


def stored(tx: ReadTransaction, subject: Kind) -> Model | None:
    """The model of a kind of subject; None if none was trained."""
    text = tx.meta(META + subject)
    return None if text is None else msgspec.convert(json.loads(text), Model)


def store(tx: WriteTransaction, model: Model) -> None:
    """Store a model in place of the one before."""
    tx.set_meta(META + model.subject, json.dumps(msgspec.to_builtins(model)))
