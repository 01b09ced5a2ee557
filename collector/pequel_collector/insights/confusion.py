"""How well a definition finds those who will convert: four counts, and what follows from them.

    strict        predicted: qualified before the conversion, or qualified and never converted
    landmark      predicted: qualified in the first L of its life; the outcome is a conversion in
                  the H after that, and who had converted before is left out

An equal instant is not before. Each rate is None where its denominator is 0.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from math import atanh, sqrt, tanh
from statistics import median_low

from .interval import wilson
from .lift import Z95, Interval, Life, Table

FEW = 4
"""Subjects from which on a correlation has an interval."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """The four counts of a definition, and the lead time of each true positive (ms).

    ``immature`` and ``already_converted`` are how many were left out, and why.
    """

    counts: Table
    lead_times: tuple[int, ...] = ()
    immature: int = 0
    already_converted: int = 0

    @property
    def base_rate(self) -> float | None:
        """The share of all who converted."""
        return ratio(self.counts.outcomes, self.counts.population)

    @property
    def precision(self) -> float | None:
        """The share of those predicted who converted."""
        return ratio(self.counts.true_positives, self.counts.predicted)

    @property
    def recall(self) -> float | None:
        """The share of those who converted who were predicted."""
        return ratio(self.counts.true_positives, self.counts.outcomes)

    @property
    def mcc(self) -> float | None:
        """Matthews's correlation coefficient."""
        return _correlation(*self.counts)

    @property
    def base_rate_interval(self) -> Interval | None:
        """The 95 % interval of the base rate."""
        return wilson(self.counts.outcomes, self.counts.population)

    @property
    def precision_interval(self) -> Interval | None:
        """The 95 % interval of the precision."""
        return wilson(self.counts.true_positives, self.counts.predicted)

    @property
    def recall_interval(self) -> Interval | None:
        """The 95 % interval of the recall."""
        return wilson(self.counts.true_positives, self.counts.outcomes)

    @property
    def lift_interval(self) -> Interval | None:
        """The 95 % interval of the lift."""
        return self.counts.interval()

    @property
    def mcc_interval(self) -> Interval | None:
        """The 95 % interval of the correlation, by Fisher's transformation.

        That has no value for a correlation of 1 or -1. Then half a subject is added to each count,
        and the interval reaches to the correlation itself.
        """
        found, number = self.mcc, self.counts.population
        if found is None or number < FEW:
            return None
        near = found
        if abs(found) >= 1:
            near = _correlation(*(count + 0.5 for count in self.counts)) or found
        spread = Z95 / sqrt(number - 3)
        low, high = tanh(atanh(near) - spread), tanh(atanh(near) + spread)
        return Interval(min(low, found), max(high, found))

    @property
    def lead_time_seconds_median(self) -> float | None:
        """The lower median of the time from qualification to conversion."""
        return median_low(self.lead_times) / 1000 if self.lead_times else None


@dataclass(slots=True)
class Counting:
    """Counts lives into the four counts."""

    counts: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    lead_times: list[int] = field(default_factory=list)
    immature: int = 0
    already_converted: int = 0

    def add(self, is_predicted: bool, has_outcome: bool, life: Life) -> None:
        """Count one life."""
        self.counts[(not is_predicted) * 2 + (not has_outcome)] += 1
        if is_predicted and has_outcome:
            self.lead_times.append((life.converted or 0) - (life.qualified or 0))

    def result(self) -> Confusion:
        """What was counted."""
        return Confusion(
            Table(*self.counts), tuple(self.lead_times), self.immature, self.already_converted
        )


def strict(lives: Iterable[Life]) -> Confusion:
    """The strict form over the lives of a population."""
    found = Counting()
    for life in lives:
        is_converted = life.converted is not None
        found.add(_qualified_in_time(life), is_converted, life)
    return found.result()


def landmark(lives: Iterable[Life], end: int, length: int, horizon: int) -> Confusion:
    """The landmark form over the lives of a population, where the data ends at ``end`` (ms)."""
    found = Counting()
    for life in lives:
        start = life.signup + length
        if start + horizon > end:
            found.immature += 1
        elif life.converted is not None and life.converted < start:
            found.already_converted += 1
        else:
            is_predicted = life.qualified is not None and life.qualified < start
            has_outcome = life.converted is not None and life.converted < start + horizon
            found.add(is_predicted, has_outcome, life)
    return found.result()


def _qualified_in_time(life: Life) -> bool:
    if life.qualified is None:
        return False
    return life.converted is None or life.qualified < life.converted


def _correlation(tp: float, fp: float, fn: float, tn: float) -> float | None:
    product = (tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)
    return (tp * tn - fp * fn) / sqrt(product) if product else None


def ratio(numerator: int, denominator: int) -> float | None:
    """A rate; None without a denominator."""
    return numerator / denominator if denominator else None
