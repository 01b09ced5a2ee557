"""Made-up users who use a product and may pay, with a connection between both or without."""

from __future__ import annotations

import random
from collections.abc import Iterator

from pequel_collector.insights.lift import Life
from pequel_collector.insights.suggest.features import Sample, SampleBuilder
from pequel_collector.insights.suggest.search import HELD_OUT

DAY = 86_400_000
START = 1_770_000_000_000
LANDMARK, HORIZON = 7 * DAY, 30 * DAY
END = START + 200 * DAY
EVENTS = ("created", "shared", "exported", "invited", "searched", "viewed")
BASE = 0.06
"""The share that pays where nothing is planted."""

User = tuple[str, Life, list[tuple[int, str]]]


def users(seed: int, number: int, planted: float | None = None) -> Iterator[User]:
    """Users with their events in order.

    Without ``planted``, who pays does not depend on use, at any time; but who has paid uses
    everything ten times more from then on. With it, that share of those who ``created`` three times
    in the first 7 days pays after them.
    """
    rng = random.Random(seed)
    for n in range(number):
        signup = START + rng.randrange(120 * DAY)
        events = _use(rng, signup)
        is_planted = sum(t - signup < LANDMARK for t, name in events if name == "created") >= 3
        rate = planted if planted is not None and is_planted else BASE
        earliest = LANDMARK if planted is not None else 0
        paid = None
        if rng.random() < rate:
            paid = signup + rng.randrange(earliest, LANDMARK + HORIZON)
            more = 10 * max(1, len(events))
            events += [(paid + rng.randrange(30 * DAY), rng.choice(EVENTS)) for _ in range(more)]
        yield f"u:{n}", Life(signup, None, paid), sorted(events)


def _use(rng: random.Random, signup: int) -> list[tuple[int, str]]:
    keen = rng.expovariate(1 / 3)
    found = []
    for name in EVENTS:
        times = min(40, int(rng.expovariate(1 / (keen * rng.random() + 0.1))))
        found += [(signup + rng.randrange(14 * DAY), name) for _ in range(times)]
    return found


def sample(seed: int, number: int, planted: float | None = None) -> Sample:
    """What a search sees of such users."""
    builder = SampleBuilder(LANDMARK, HORIZON, END, HELD_OUT, lambda time: time // DAY)
    for key, life, events in users(seed, number, planted):
        builder.add(key, life, events)
    return builder.build()
