"""Shares of those who did something within a horizon, among those old enough to have done it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from ..interval import wilson
from ..lift import Interval

Span = tuple[int, int | None]
"""When somebody started, and when they arrived; None for not yet."""


class Rate(NamedTuple):
    """How many of how many; ``immature`` are too young to count in either number."""

    numerator: int = 0
    denominator: int = 0
    immature: int = 0

    @property
    def rate(self) -> float | None:
        """The share; None of nothing."""
        return self.numerator / self.denominator if self.denominator else None

    @property
    def interval(self) -> Interval | None:
        """The 95 % interval of the share; None of nothing."""
        return wilson(self.numerator, self.denominator)


def together(rates: Iterable[Rate]) -> Rate:
    """The share of several segments together."""
    numbers = list(zip(*rates, strict=True))
    return Rate(*map(sum, numbers)) if numbers else Rate()


def standing(span: Span, horizon: int, now: int) -> str:
    """``immature``, ``in`` the numerator or ``out`` of it: what somebody counts as."""
    start, end = span
    if start + horizon > now:
        return "immature"
    return "in" if end is not None and end - start <= horizon else "out"


def arrived_within(
    lengths: Iterable[int], starts: Iterable[int], horizon: int, youngest: int
) -> int:
    """How many who started at a time, or before, took no longer than the horizon."""
    return sum(
        start <= youngest and length <= horizon
        for length, start in zip(lengths, starts, strict=True)
    )


def rate(spans: Iterable[Span], horizon: int, now: int) -> Rate:
    """The share of those who arrived within the horizon; both ends of it are included."""
    youngest = now - horizon
    arrived = mature = immature = 0
    for start, end in spans:
        if start > youngest:
            immature += 1
        else:
            mature += 1
            if end is not None and end - start <= horizon:
                arrived += 1
    return Rate(arrived, mature, immature)
