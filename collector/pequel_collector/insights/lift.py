"""Lift: how much likelier a marked subject becomes a customer than any subject does.

Landmark L and horizon H part the life of a subject with sign-up s: who qualified before s + L is
*predicted*, who converted from s + L on and before s + L + H is an *outcome*. Looked at are
subjects whose s + L + H has come and who had not converted before s + L. So what customers do
after they paid cannot predict that they will.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, log, sqrt
from typing import NamedTuple

from ..rules.language.quantities import DAY

LANDMARK = 14 * DAY
HORIZON = 30 * DAY
Z95 = 1.959963984540054
"""The standard normal deviate that 2.5 % exceed."""


class Life(NamedTuple):
    """When a subject signed up, qualified and converted, in ms; None for never."""

    signup: int
    qualified: int | None = None
    converted: int | None = None


class Interval(NamedTuple):
    """From ``low`` to ``high``, both included."""

    low: float
    high: float

    def includes(self, value: float) -> bool:
        """Whether a value lies in it."""
        return self.low <= value <= self.high


class Table(NamedTuple):
    """The four counts: predicted or not, and whether the outcome came."""

    true_positives: int = 0
    false_positives: int = 0
    false_negatives: int = 0
    true_negatives: int = 0

    @property
    def population(self) -> int:
        """How many subjects were looked at."""
        return sum(self)

    @property
    def predicted(self) -> int:
        """How many of them qualified before their landmark."""
        return self.true_positives + self.false_positives

    @property
    def outcomes(self) -> int:
        """How many of them converted within their horizon."""
        return self.true_positives + self.false_negatives

    @property
    def lift(self) -> float | None:
        """Precision ÷ base rate; None if no subject was predicted, or none converted."""
        if not self.predicted or not self.outcomes:
            return None
        return self.true_positives * self.population / (self.predicted * self.outcomes)

    def interval(self) -> Interval | None:
        """The 95 % interval of the lift; None where all or none were predicted, or none converted.

        It is the log interval of Katz, Baptista, Azen and Pike (Biometrics 34, 1978, 469-474) for
        the risk ratio of the predicted to the others, said as lift: with a share w predicted, the
        lift is 1 ÷ (w + (1 − w) ÷ ratio), which is 1 where the ratio is. Where one of the two
        groups has no outcome, half a subject is added to each count, and the interval reaches to
        the lift itself, which is then the least or the greatest that there can be.
        """
        lift = self.lift
        if lift is None or self.predicted == self.population:
            return None
        share = self.predicted / self.population
        low, high = (1 / (share + (1 - share) / ratio) for ratio in self._ratio())
        return Interval(min(low, lift), max(high, lift))

    def _ratio(self) -> tuple[float, float]:
        empty = not self.true_positives or not self.false_negatives
        a, b, c, d = (count + 0.5 * empty for count in self)
        middle = log(a / (a + b)) - log(c / (c + d))
        spread = Z95 * sqrt(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d))
        return exp(middle - spread), exp(middle + spread)


def table(
    lives: Iterable[Life], end: int, landmark: int = LANDMARK, horizon: int = HORIZON
) -> Table:
    """The four counts over the lives that can be judged when the data ends at ``end``."""
    counts = [0, 0, 0, 0]
    for life in lives:
        start = life.signup + landmark
        if start + horizon > end or _before(life.converted, start):
            continue
        outcome = _before(life.converted, start + horizon)
        counts[(not _before(life.qualified, start)) * 2 + (not outcome)] += 1
    return Table(*counts)


def _before(time: int | None, limit: int) -> bool:
    return time is not None and time < limit
