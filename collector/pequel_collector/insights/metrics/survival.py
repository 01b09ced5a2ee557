"""How long something takes, where it has not happened to everybody yet: Kaplan and Meier (1958)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import chain
from math import log, log1p
from typing import NamedTuple

from .rates import Span

_ROUNDING = 1e-12
"""What a product of shares may be off by."""

_FAR = 2**62
"""Longer than any length of time."""

_SAFE = 1e-6
"""What the sum of logarithms may be off by."""


class Duration(NamedTuple):
    """The times (ms) by which half, and 90 %, have arrived; None where the data does not say.

    ``n`` is how many started, ``censored`` how many of them have not arrived.
    """

    median: int | None = None
    p90: int | None = None
    n: int = 0
    censored: int = 0


class Lengths(NamedTuple):
    """How long it took those who arrived, and when others started (ms).

    ``starts`` are those of who has not arrived. Some of them may have arrived after all: then
    ``of_arrived`` are their starts.
    """

    arrived: list[int]
    starts: list[int]
    of_arrived: Sequence[int] = ()

    @property
    def waiting(self) -> int:
        """How many have not arrived."""
        return len(self.starts) - len(self.of_arrived)


def lengths_of(spans: Iterable[Span]) -> Lengths:
    """The lengths of spans, in any order."""
    arrived: list[int] = []
    starts: list[int] = []
    for start, end in spans:
        if end is None:
            starts.append(start)
        else:
            arrived.append(end - start)
    return Lengths(arrived, starts)


def together(found: Iterable[Lengths]) -> Lengths:
    """The lengths of several segments together."""
    if len(found := list(found)) == 1:
        return found[0]
    parts = zip(*found, strict=True) if found else ((), (), ())
    return Lengths(*(list(chain.from_iterable(part)) for part in parts))


def duration(lengths: Lengths, now: int) -> Duration:
    """How long it takes from start to end. Who arrived before the start took no time."""
    median, p90 = quantiles(lengths, now, (0.5, 0.9))
    return Duration(median, p90, len(lengths.arrived) + lengths.waiting, lengths.waiting)


def quantiles(lengths: Lengths, now: int, shares: Sequence[float]) -> list[int | None]:
    """The first time by which each share has arrived, in order of shares.

    With each one of the n still under way who arrives, the share under way falls by 1 ÷ n. Who was
    last seen under way at that very time still counts as under way. Between two times at which
    somebody was last seen, m arrivals together leave 1 - m ÷ n of the share.
    """
    since = now - max(lengths.arrived, default=0)
    # Who started before was under way at each time at which somebody arrived.
    gone = [now - start for start in lengths.starts if start > since]
    kept = [now - start for start in lengths.of_arrived if start > since]
    left = len(lengths.arrived) + lengths.waiting
    last_ones = lengths.waiting - (len(gone) - len(kept)) + 1
    if not _can_reach(min(shares), len(lengths.arrived), last_ones):
        return [None] * len(shares)
    arrived = sorted(lengths.arrived)
    gone.sort()
    kept.sort()
    gone.append(_FAR)
    kept.append(_FAR)
    found: list[int | None] = []
    under_way, place, went, stayed = 1.0, 0, 0, 0
    limits = [1 - share + _ROUNDING for share in shares]
    while place < len(arrived) and len(found) < len(limits):
        time = arrived[place]
        while gone[went] < time:
            went += 1
        while kept[stayed] < time:
            stayed += 1
        behind = bisect_right(arrived, min(gone[went], kept[stayed]), place)
        run = _Run(under_way, left - (went - stayed))
        while len(found) < len(limits) and run.after(behind - place) <= limits[len(found)]:
            found.append(max(0, arrived[place + run.needed(limits[len(found)]) - 1]))
        under_way = run.after(behind - place)
        left, place = left - (behind - place), behind
    return found + [None] * (len(shares) - len(found))


class _Run(NamedTuple):
    """A run of arrivals without a departure: the share and the number under way when it began."""

    under_way: float
    at_risk: int

    def after(self, arrivals: int) -> float:
        """The share that is under way after so many arrivals."""
        return self.under_way * (self.at_risk - arrivals) / self.at_risk

    def needed(self, limit: float) -> int:
        """How many arrivals it takes until no more than a share is under way."""
        return bisect_left(range(self.at_risk + 1), True, key=lambda n: self.after(n) <= limit)


def _can_reach(share: float, arrivals: int, last_ones: int) -> bool:
    """Whether a share can have arrived, if so many were under way at the last arrival.

    More were under way before. So each arrival leaves at least 1 - 1 ÷ ``last_ones`` under way.
    """
    if last_ones <= 1:
        return arrivals > 0
    return arrivals * log1p(-1 / last_ones) <= log(1 - share) + _SAFE
