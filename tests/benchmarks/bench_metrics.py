"""How long the view of each role takes, and how fast the tables of metrics catch up.

    python tests/benchmarks/bench_metrics.py [USERS] [LEADS] [MESSAGES]

The milestones and leads are written directly, so that a store of a million users is made
in a minute.
"""

from __future__ import annotations

import random
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.insights.metrics.catalogue import ROLES
from pequel_collector.insights.metrics.catch_up import Progress, catch_up
from pequel_collector.insights.metrics.roles import Roles
from pequel_collector.model import Message, Stored, bucket_of
from pequel_collector.ports import MILESTONES
from pequel_collector.rules.language.quantities import DAY
from pequel_collector.rules.parser.catalogue import read_catalogue

NOW = 1_772_366_400_000
CATALOGUE = """
[project]
signup = "signed_up"
trial = "trial_started"
conversion = "subscribed"
key_events = ["created"]

[[pql]]
name = "keen"
when = { event = "created", gte = 2 }
sla = "1d"

[[pql]]
name = "busy"
when = { event = "created", gte = 5 }
"""
CHANNELS = ("google", "search", "social", None)


def fill(path: str, users: int, leads: int) -> None:
    """Write milestones of users, and leads of some of them."""
    chance = random.Random(1)
    with closing(sqlite3.connect(path)) as database, database:
        database.executemany(
            "INSERT INTO milestone VALUES (?, ?, ?, ?, ?, ?, ?, NULL, ?)",
            (_milestone(f"u:{n:07}", seen_at(n), chance) for n in range(users)),
        )
        step = max(1, users // leads)
        database.executemany(
            "INSERT INTO lead (subject, definition, cycle, bucket, id, version, rank, qualified_at,"
            " marked_at, state, kind, priority, flags, evidence, due_at, contacted_at)"
            " VALUES (?, ?, 1, ?, ?, 1, 1, ?, ?, ?, 'new', 'normal', '[]', '{}', ?, ?)",
            (_lead(f"u:{n * step:07}", seen_at(n * step), chance) for n in range(leads)),
        )
        customers = range(0, users, 50)
        database.executemany(
            "INSERT INTO revenue_event VALUES (?, ?, 0, ?, ?, NULL, 'conversion', ?, 'EUR', 12)",
            (
                (f"u:{n:07}", NOW - chance.randrange(300 * DAY), f"m{n}", 1, str(n % 90 + 9))
                for n in customers
            ),
        )


def seen_at(number: int) -> int:
    """When a user was first seen: in any order over a year."""
    return NOW - number * 7_919_000_003 % (365 * DAY)


def _milestone(key: str, seen: int, chance: random.Random) -> tuple[object, ...]:
    signup = seen + chance.randrange(DAY)
    value = signup + chance.randrange(20 * DAY) if chance.random() < 0.6 else None
    paid = signup + chance.randrange(60 * DAY) if chance.random() < 0.02 else None
    channel = chance.choice(CHANNELS)
    return key, bucket_of(key), seen, signup, signup, value, paid, channel


def _lead(key: str, seen: int, chance: random.Random) -> tuple[object, ...]:
    marked = min(NOW, seen + DAY + int(chance.expovariate(1 / (14 * DAY))))
    contacted = marked + chance.randrange(2 * DAY) if chance.random() < 0.5 else None
    state = "new" if contacted is None else "contacted"
    name = chance.choice(("keen", "busy"))
    bucket = bucket_of(key)
    return key, name, bucket, key, marked, marked, state, marked + DAY, contacted


def measure_views(collector: Collector) -> None:
    """Print how much CPU each role's view takes, and a second time."""
    for role in ROLES:
        took = []
        for _ in range(2):
            began = process_time()
            collector.metrics.view(role)
            took.append(process_time() - began)
        print(f"{role:<18} {took[0]:6.2f} s, again {1000 * took[1]:6.1f} ms")


def measure_catching_up(collector: Collector, messages: int) -> None:
    """Print how fast messages are read into the tables, and how fast they were stored."""
    stored = [
        Stored(
            Message(
                mid=f"e{n}",
                type="track",
                subject=f"u:x{n // 4}",
                time=NOW - n,
                received=NOW,
                name=("signed_up", "created", "opened", "created")[n % 4],
            ),
            None,
        )
        for n in range(messages)
    ]
    began = perf_counter()
    for start in range(0, messages, 1_000):
        with collector.store.writing() as tx:
            tx.append(stored[start : start + 1_000])
    appended = perf_counter() - began
    began = perf_counter()
    catch_up(collector.store, Roles.of(collector.catalogue.project))
    took = perf_counter() - began
    print(f"catching up {messages / took:,.0f} messages/s, appending {messages / appended:,.0f}")


def main(users: int = 1_000_000, leads: int = 100_000, messages: int = 100_000) -> None:
    """Run all measurements on a new SQLite file."""
    with TemporaryDirectory() as folder:
        path = str(Path(folder) / "bench.db")
        settings = Settings(database=f"sqlite:///{path}")
        with closing(open_collector(settings, read_catalogue(CATALOGUE), lambda: NOW)) as collector:
            began = perf_counter()
            fill(path, users, leads)
            print(f"{users:,} users and {leads:,} leads written in {perf_counter() - began:.1f} s")
            roles = Roles.of(collector.catalogue.project)
            with collector.store.writing() as tx:
                tx.set_meta(MILESTONES, Progress(roles.digest, 0).text)
            measure_views(collector)
            measure_catching_up(collector, messages)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
