"""How long something takes, where it has not happened to everybody yet: Kaplan and Meier (1958)."""

from __future__ import annotations

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
    median, p90 = quantiles(lengths, now, (0.5, 0.9))
    waiting = len(lengths.starts)
    return Duration(median, p90, len(lengths.arrived) + waiting, waiting)


def quantiles(lengths: Lengths, now: int, shares: Sequence[float]) -> list[int | None]:
    """The first time by which each share has arrived, in order of shares.

    With each one of the n still under way who arrives, the share under way falls by 1 ÷ n. Who was
    last seen under way at that very time still counts as under way.
    """
    found: list[int | None] = []
    starts = sorted(lengths.starts, reverse=True)
    under_way, left = 1.0, len(lengths.arrived) + len(starts)
    limits = [1 - share + _ROUNDING for share in shares]
    gone, waiting = 0, len(starts)
    for time in sorted(lengths.arrived):
        while gone < waiting and now - starts[gone] < time:
            gone += 1
        at_risk = left - gone
        under_way *= (at_risk - 1) / at_risk
        left -= 1
        if under_way <= limits[len(found)]:
            while len(found) < len(limits) and under_way <= limits[len(found)]:
                found.append(max(0, time))
            if len(found) == len(limits):
                break
    return found + [None] * (len(shares) - len(found))
