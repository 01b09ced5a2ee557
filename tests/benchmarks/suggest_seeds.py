"""How often ``suggest`` finds what is planted, and what is not there.

python tests/benchmarks/suggest_seeds.py [null seeds] [planted seeds] [users]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pequel_collector.insights.suggest.search import LEVEL, search
from support.conversions import BASE, sample

PLANTED = 0.2


def main(null: int, planted: int, number: int) -> None:
    """Print both rates."""
    false = sum(bool(search(sample(seed, number)).suggestions) for seed in range(null))
    print(f"nothing planted: {false} of {null} seeds suggest something (level {LEVEL})")
    found = 0
    for seed in range(10_000, 10_000 + planted):
        result = search(sample(seed, number, PLANTED))
        parts = [part for each in result.suggestions for part in each.parts]
        found += any(part.feature.event == "created" for part in parts)
    print(f"{PLANTED} of those who created 3 times in 7 days pay, {BASE} of the others:")
    print(f"found in {found} of {planted} seeds of {number} users")


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*[*given, *(200, 100, 6_000)[len(given) :]])
