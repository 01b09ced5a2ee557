"""How well likelihoods agree with what came of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from math import fsum

from ..interval import wilson
from .model import Bin, Calibration

BINS = 10

Outcome = tuple[float, bool]
"""What was predicted, and whether it came."""


def calibration(outcomes: Sequence[Outcome]) -> Calibration:
    """The figures of subjects of whom some converted and some did not."""
    population, converters = len(outcomes), sum(came for _, came in outcomes)
    base = converters / population
    return Calibration(
        population,
        converters,
        fsum((p - came) ** 2 for p, came in outcomes) / population,
        base * (1 - base),
        auc(outcomes),
        list(bins(outcomes)),
    )


def bins(outcomes: Sequence[Outcome], most: int = BINS) -> Iterator[Bin]:
    """Groups of about equal size, least likely first. Equal predictions are in one group."""
    wanted = len(outcomes) / most
    some: list[Outcome] = []
    for _, equal in groupby(sorted(outcomes), key=lambda each: each[0]):
        some += equal
        if len(some) >= wanted:
            yield _bin(some)
            some = []
    if some:
        yield _bin(some)


def _bin(some: Sequence[Outcome]) -> Bin:
    converted = sum(came for _, came in some)
    predicted = fsum(p for p, _ in some) / len(some)
    return Bin(len(some), predicted, converted, wilson(converted, len(some)))


def auc(outcomes: Sequence[Outcome]) -> float:
    """The share of pairs, one who converted and one who did not, in the right order.

    Pairs with equal predictions count half. This is the area under the ROC curve.
    """
    right, others = 0.0, 0
    for _, equal in groupby(sorted(outcomes), key=lambda each: each[0]):
        came = [each for _, each in equal]
        right += sum(came) * (others + (len(came) - sum(came)) / 2)
        others += len(came) - sum(came)
    return right / (others * (len(outcomes) - others))
