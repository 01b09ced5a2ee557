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
    last seen under way at that very time still counts as under way.
    """
    found: list[int | None] = []
    arrived = sorted(lengths.arrived)
    since = now - arrived[-1] if arrived else now
    # Who started before was under way at each time at which somebody arrived.
    starts = sorted((start for start in lengths.starts if start > since), reverse=True)
    not_gone = sorted((start for start in lengths.of_arrived if start > since), reverse=True)
    under_way, left = 1.0, len(arrived) + lengths.waiting
    limits = [1 - share + _ROUNDING for share in shares]
    gone = kept = 0
    for time in arrived:
        last = now - time
        while gone < len(starts) and starts[gone] > last:
            gone += 1
        while kept < len(not_gone) and not_gone[kept] > last:
            kept += 1
        at_risk = left - (gone - kept)
        under_way *= (at_risk - 1) / at_risk
        left -= 1
        if under_way <= limits[len(found)]:
            while len(found) < len(limits) and under_way <= limits[len(found)]:
                found.append(max(0, time))
            if len(found) == len(limits):
                break
    return found + [None] * (len(shares) - len(found))
