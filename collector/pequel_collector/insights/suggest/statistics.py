"""Exact tests of a four-field table, and the correction for how many were made."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, lgamma

from ..lift import Table

NEGLIGIBLE = 40.0
"""A term so many times e smaller than the largest one adds nothing that a float can hold."""


def exact_p(table: Table) -> float:
    """How likely so many true positives are, or more, if prediction and outcome are independent.

    This is Fisher's exact test, one-sided: the upper tail of the hypergeometric distribution.
    """
    tp, predicted, outcomes, total = (
        table.true_positives,
        table.predicted,
        table.outcomes,
        table.population,
    )
    most = min(predicted, outcomes)
    if tp <= max(0, predicted + outcomes - total):
        return 1.0
    first = _log_mass(tp, predicted, outcomes, total)
    tail, largest = 0.0, first
    for successes in range(tp, most + 1):
        mass = _log_mass(successes, predicted, outcomes, total)
        largest = max(largest, mass)
        if mass < largest - NEGLIGIBLE:
            break
        tail += exp(mass)
    return min(1.0, tail)


def holm(values: Sequence[float]) -> list[float]:
    """P-values corrected for how many there are (Holm, 1979), in the given order."""
    order = sorted(range(len(values)), key=values.__getitem__)
    corrected, largest = [0.0] * len(values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, values[place] * (len(values) - rank)))
        corrected[place] = largest
    return corrected


def _log_mass(successes: int, drawn: int, good: int, total: int) -> float:
    """The logarithm of the hypergeometric probability of so many successes."""
    return (
        _log_choose(good, successes)
        + _log_choose(total - good, drawn - successes)
        - _log_choose(total, drawn)
    )


def _log_choose(number: int, of: int) -> float:
    return lgamma(number + 1) - lgamma(of + 1) - lgamma(number - of + 1)
