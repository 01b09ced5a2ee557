"""The interval of a share: what the numbers leave open."""

from __future__ import annotations

from math import sqrt

from .lift import Z95, Interval


def wilson(successes: int, of: int) -> Interval | None:
    """The 95 % interval of a share, by Wilson (1927); None of nothing."""
    if not of:
        return None
    share, z2 = successes / of, Z95 * Z95
    middle = share + z2 / (2 * of)
    spread = Z95 * sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    scale = 1 + z2 / of
    low = 0.0 if successes == 0 else max(0.0, (middle - spread) / scale)
    high = 1.0 if successes == of else min(1.0, (middle + spread) / scale)
    return Interval(low, high)


def difference(first: tuple[int, int], second: tuple[int, int]) -> Interval | None:
    """The 95 % interval of the difference of two shares, by Newcombe (1998); None of nothing."""
    a, b = wilson(*first), wilson(*second)
    if a is None or b is None:
        return None
    p, q = first[0] / first[1], second[0] / second[1]
    low = p - q - sqrt((p - a.low) ** 2 + (b.high - q) ** 2)
    high = p - q + sqrt((a.high - p) ** 2 + (q - b.low) ** 2)
    return Interval(low, high)
