"""How often ``suggest`` finds what is planted, and what is not there.

python tests/benchmarks/suggest_seeds.py [null seeds] [planted seeds] [users]
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pequel_collector.insights.suggest.features import DISTINCT, Sample
from pequel_collector.insights.suggest.search import LEVEL, search
from support.conversions import BASE, Rule, created_often, sample, shared_in_parts

RULES: tuple[tuple[str, Rule, float, str, str | None], ...] = (
    ("created 3 times", created_often, 0.2, "created", None),
    ("shared in 3 different parts", shared_in_parts, 0.25, "shared", DISTINCT),
)
"""In words, the rule, the share of those who meet it that pays, and what is to be found."""


def main(null: int, planted: int, number: int) -> None:
    """Print both rates."""
    false = sum(bool(search(sample(seed, number)).suggestions) for seed in range(null))
    print(f"nothing planted: {false} of {null} seeds suggest something (level {LEVEL})")
    for name, rule, rate, event, measure in RULES:
        found = sum(
            _finds(sample(seed, number, rate, rule), event, measure)
            for seed in range(10_000, 10_000 + planted)
        )
        print(f"{rate} of those who {name} in 7 days pay, {BASE} of the others:")
        print(f"found in {found} of {planted} seeds of {number} users")


def _finds(made: Sample, event: str, measure: str | None) -> bool:
    """Whether a suggestion names an event, and where it matters how it is counted."""
    features = [part.feature for each in search(made).suggestions for part in each.parts]
    return any(f.event == event and measure in {None, f.measure} for f in features)


if __name__ == "__main__":
    given = [int(word) for word in sys.argv[1:]]
    main(*[*given, *(200, 100, 6_000)[len(given) :]])
