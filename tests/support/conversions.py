"""Made-up users who use a product and may pay, with a connection between both or without."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

from pequel_collector.insights.lift import Life
from pequel_collector.insights.suggest.features import Sample, SampleBuilder, Use
from pequel_collector.insights.suggest.search import HELD_OUT
from pequel_collector.model import id_of

from .streams import plain_event

DAY = 86_400_000
START = 1_770_000_000_000
LANDMARK, HORIZON = 7 * DAY, 30 * DAY
END = START + 200 * DAY
EVENTS = ("created", "shared", "exported", "invited", "searched", "viewed")
PART = "part"
"""The property that every event has."""

BASE = 0.06
"""The share that pays where nothing is planted."""

User = tuple[str, Life, list[Use]]


def created_often(signup: int, events: list[Use]) -> bool:
    """Whether somebody ``created`` three times in the first 7 days."""
    return sum(e.time - signup < LANDMARK for e in events if e.name == "created") >= 3


def shared_in_parts(signup: int, events: list[Use]) -> bool:
    """Whether somebody ``shared`` in three different parts in the first 7 days."""
    early = [e for e in events if e.name == "shared" and e.time - signup < LANDMARK]
    return len({value for e in early for value in e.values}) >= 3


Rule = Callable[[int, list[Use]], bool]


def users(
    seed: int, number: int, planted: float | None = None, rule: Rule = created_often
) -> Iterator[User]:
    """Users with their events in order.

    Without ``planted``, who pays does not depend on use, at any time; but who has paid uses
    everything ten times more from then on. With it, that share of those who meet the rule pays
    after the first 7 days.
    """
    rng = random.Random(seed)
    for n in range(number):
        signup = START + rng.randrange(120 * DAY)
        events = _use(rng, signup)
        rate = planted if planted is not None and rule(signup, events) else BASE
        earliest = LANDMARK if planted is not None else 0
        paid = None
        if rng.random() < rate:
            paid = signup + rng.randrange(earliest, LANDMARK + HORIZON)
            more = 10 * max(1, len(events))
            events += [_one(rng, paid, 30 * DAY, rng.choice(EVENTS)) for _ in range(more)]
        yield f"u:{n}", Life(signup, None, paid), sorted(events)


def told(user: User, prefix: str = "", **more: Any) -> list[dict[str, Any]]:
    """The plain messages of a user: sign-up, use and payment."""
    key, life, events = user
    name = prefix + id_of(key)
    whole = [Use(life.signup, "signed_up"), *events]
    whole += [] if life.converted is None else [Use(life.converted, "paid")]
    return [
        plain_event(name, event, f"{name}-{n}", time, properties=dict(values), **more)
        for n, (time, event, values) in enumerate(whole)
    ]


def _use(rng: random.Random, signup: int) -> list[Use]:
    keen = rng.expovariate(1 / 3)
    found = list[Use]()
    for name in EVENTS:
        times = min(40, int(rng.expovariate(1 / (keen * rng.random() + 0.1))))
        found += [_one(rng, signup, 14 * DAY, name) for _ in range(times)]
    return found


def _one(rng: random.Random, since: int, length: int, name: str) -> Use:
    """An event in a part of the product: half of all are in part 0, a quarter in part 1, …"""
    time = since + rng.randrange(length)
    return Use(time, name, [(PART, str((time & -time).bit_length() - 1))])


def sample(
    seed: int, number: int, planted: float | None = None, rule: Rule = created_often
) -> Sample:
    """What a search sees of such users."""
    builder = SampleBuilder(LANDMARK, HORIZON, END, HELD_OUT, lambda time: time // DAY)
    for key, life, events in users(seed, number, planted, rule):
        builder.add(key, life, events)
    return builder.build()
