"""How long something takes, where it has not happened to everybody yet: Kaplan and Meier (1958)."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import NamedTuple

from .rates import Span

_ROUNDING = 1e-12
"""What a product of shares may be off by."""


class Duration(NamedTuple):
    """The times (ms) by which half, and 90 %, have arrived; None where the data does not say.

    ``n`` is how many started, ``censored`` how many of them have not arrived.
    """

    median: int | None = None
    p90: int | None = None
    n: int = 0
    censored: int = 0


class Lengths(NamedTuple):
    """How long it took those who arrived, and when the others started (ms)."""

    arrived: list[int]
    starts: list[int]


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
    arrived, starts = zip(*found, strict=True) if (found := list(found)) else ((), ())
    return Lengths(list(chain.from_iterable(arrived)), list(chain.from_iterable(starts)))


def duration(lengths: Lengths, now: int) -> Duration:
    """How long it takes from start to end. Who arrived before the start took no time."""
    arrived = Counter(max(0, length) for length in lengths.arrived)
    waiting = sorted(now - start if start < now else 0 for start in lengths.starts)
    median, p90 = quantiles(arrived, waiting, (0.5, 0.9))
    number = len(waiting)
    return Duration(median, p90, arrived.total() + number, number)


def quantiles(
    arrived: Counter[int], waiting: Sequence[int], shares: Sequence[float]
) -> list[int | None]:
    """The first time by which each share has arrived, in order of shares.

    ``arrived`` has how many arrived at each time; ``waiting`` is sorted.

    At each time at which d of the n still under way arrive, the share under way falls by d ÷ n.
    Who was last seen under way at that very time still counts as under way.
    """
    found: list[int | None] = []
    under_way, left = 1.0, arrived.total() + len(waiting)
    for time in sorted(arrived):
        gone = bisect_left(waiting, time)
        under_way *= 1 - arrived[time] / (left - gone)
        left -= arrived[time]
        while len(found) < len(shares) and under_way <= 1 - shares[len(found)] + _ROUNDING:
            found.append(time)
        if len(found) == len(shares):
            break
    return found + [None] * (len(shares) - len(found))
