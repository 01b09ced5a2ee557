"""The cost of an event for a subject with much history, compared with little, for each operator.

Two accounts get the same kind of events: one has 100 that its definition counts, the other 100,000.
Then both get more events in turn, in batches of 100, in order of time. Prints microseconds of CPU
per event for each, storing included, and the ratio. No definition ever qualifies, so none stops
working. ``PEQUEL_BENCH_MANY`` sets another number than 100,000.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.model import Message, user_key
from pequel_collector.rules.parser.catalogue import read_catalogue

FEW, MORE, BATCH = 100, 800, 100
MANY = int(os.environ.get("PEQUEL_BENCH_MANY", "100000"))
START = 1_772_323_200_000
STEP = 20_000

OPERATORS = {
    "count": 'when = { event = "e", gte = 1000000 }',
    "count, rolling": 'when = { event = "e", gte = 1000000, within = "30d" }',
    "count, anchored": 'when = { event = "e", gte = 1000000, within = "520w", of = "first:e" }',
    "distinct": 'when = { event = "e", distinct = "id", gte = 1000000 }',
    "distinct, rolling": 'when = { event = "e", distinct = "id", gte = 1000000, within = "7d" }',
    "distinct @user": 'when = { event = "e", distinct = "@user", gte = 1000, within = "7d" }',
    "distinct @day": 'when = { event = "e", distinct = "@day", gte = 31, within = "30d" }',
    "distinct @minute": 'when = { event = "e", distinct = "@minute", gte = 99999, within = "14d" }',
    "sum": 'when = { event = "e", sum = "n", gte = 1000000000 }',
    "sum, rolling": 'when = { event = "e", sum = "n", gte = 1000000000, within = "7d" }',
    "max, rolling": 'when = { event = "e", max = "n", gte = 1000000, within = "7d" }',
    "last": 'when = { event = "e", last = "n", gte = 1000000 }',
    "per": 'when = { event = "e", per = "session", gte = 1000 }',
    "per, rolling": 'when = { event = "e", per = "session", gte = 1000, within = "7d" }',
    "users": 'when = { users = { event = "e", gte = 2, within = "7d" }, gte = 1000 }',
    "sequence": 'when = { sequence = ["e", "f", "never"], within = "1h" }',
    "growth": 'when = { event = "e", growth = 100, over = "7d", base = 10 }',
    "score, half-life": (
        "when = { score = { gte = 10000000 }, "
        'half_life = "14d", points = [{ event = "e", add = 5 }] }'
    ),
    "score, within": (
        'when = { score = { gte = 10000000 }, within = "7d", points = [{ event = "e", add = 5 }] }'
    ),
    "guard": 'when = { event = "f" }\nunless = [{ event = "e", gte = 2, within = "7d" }]',
}


def _event(chance: random.Random, number: int, account: str, time_: int) -> Message:
    return Message(
        mid=f"{account}-{number:08d}",
        type="track",
        subject=user_key(f"{account}-{chance.randrange(20)}"),
        time=time_,
        received=time_,
        name="e",
        account=account,
        properties={
            "id": f"x{number}",
            "n": chance.randrange(1000),
            "session": f"s{number // 20}",
        },
    )


def _grow(collector: Collector, account: str, count: int) -> int:
    """Give an account some number of events; the last is at about the same time for all."""
    chance = random.Random(1)
    begin = START + (MANY - count) * STEP
    for first in range(0, count, 2_000):
        batch = [
            _event(chance, n, account, begin + n * STEP)
            for n in range(first, min(count, first + 2_000))
        ]
        collector.ingest.accept(batch)
    return count


def _cost(collector: Collector, account: str, done: int) -> float:
    """CPU seconds for another batch of events."""
    chance = random.Random(done)
    begin = START + MANY * STEP
    events = [_event(chance, done + n, account, begin + (done + n) * STEP) for n in range(BATCH)]
    began = time.process_time()
    collector.ingest.accept(events)
    return time.process_time() - began


def test_operators(tmp_path: Path) -> None:
    """Each operator has its own store."""
    print()
    for number, (name, text) in enumerate(OPERATORS.items()):
        toml = f'[[pql]]\nname = "x"\nsubject = "account"\n{text}\n'
        url = f"sqlite:///{tmp_path / f'{number}.db'}"
        collector = open_collector(Settings(database=url), read_catalogue(toml))
        had = {"few": _grow(collector, "few", FEW), "many": _grow(collector, "many", MANY)}
        spent: dict[str, list[float]] = {"few": [], "many": []}
        for batch in range(MORE // BATCH):
            for account, count in had.items():
                spent[account].append(_cost(collector, account, count + batch * BATCH))
        few, many = (sorted(spent[a])[len(spent[a]) // 2] / BATCH * 1e6 for a in ("few", "many"))
        print(f"{name:<20} {few:>8.1f} µs  {many:>8.1f} µs   × {many / few:.2f}", flush=True)
        collector.close()
