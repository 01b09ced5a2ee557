"""The cost of marking: the same stream stored with no definitions and with twelve, side by side.

Batches of 100 events as the SDK sends them, from the bytes of the request's body to the commit,
with one fsync each, on SQLite. Half of the events touch a definition; most kinds of measure are
among the twelve. With two more, a rolling sum and growth, which can become true at any fact, every
event touches one. Rounds alternate on fresh stores. Prints events per second and ratios; no time
is asserted.

``PEQUEL_BENCH_EVENTS=5000000`` also fills a store with that many events, of a tenth as many users,
and compares its rate with that of an empty store, and the memory of the process.
"""

from __future__ import annotations

import json
import os
import random
import resource
import time
from pathlib import Path

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.model import Message, iso, user_key
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.wire import decode
from pequel_collector.wire.ids import Ids
from pequel_collector.wire.normalise import normalise

EVENTS, BATCH, ROUNDS, USERS, TEAM = 100_000, 100, 3, 2_000, 10
PAUSE = 120_000_000
"""Milliseconds between two events of a user, on average: five in a week."""
FILL = int(os.environ.get("PEQUEL_BENCH_EVENTS", "0"))
START = 1_772_323_200_000
NAMED = ("project_created", "integration_connected", "teammate_invited", "report_exported")
OTHER = ("page_opened", "task_moved", "menu_used", "searched")
Body = bytes

DEFINITIONS = """
[project]
signup = "signed_up"
conversion = "subscription_started"
[[pql]]
name = "activated"
when = { event = "project_created" }
[[pql]]
name = "set_up"
within = "14d"
of = "first:project_created"
when.all = [
  { event = "project_created", distinct = "project_id", gte = 3 },
  { event = "integration_connected", distinct = "kind", gte = 2 },
]
[[pql]]
name = "exporter"
when = { event = "report_exported", gte = 5, within = "7d" }
[[pql]]
name = "inviter"
when = { event = "teammate_invited", distinct = "invitee", gte = 8 }
[[pql]]
name = "habit"
when = { event = ["project_created", "report_exported"], distinct = "@day", gte = 5, within = "7d" }
[[pql]]
name = "heavy"
subject = "account"
when = { event = "report_exported", sum = "bytes", gte = "5GB" }
[[pql]]
name = "big_reports"
when = { event = "report_exported", where = { pages = { gte = 20 } }, gte = 4, within = "30d" }
[[pql]]
name = "team_talks"
subject = "account"
when = { event = "report_exported", gte = 2000 }
[[pql]]
name = "team_spread"
subject = "account"
when = { event = "teammate_invited", distinct = "@user", gte = 8, within = "30d" }
[[pql]]
name = "fit_and_used"
subject = "account"
when.all = [{ event = "project_created", gte = 50 }, { trait = "employees", gte = 50 }]
[[pql]]
name = "in_order"
when = { sequence = ["project_created", "integration_connected", "report_exported"], within = "1h" }
[[pql]]
name = "scored"
[pql.when]
score = { gte = 12 }
points = [{ event = "project_created", add = 3, cap = 9 }, { event = "report_exported", add = 1 }]
"""

AT_EVERY_FACT = """
[[pql]]
name = "heavy_lately"
subject = "account"
when = { event = "report_exported", sum = "bytes", gte = "10GB", within = "30d" }
[[pql]]
name = "growing"
subject = "account"
when = { event = "integration_connected", growth = 2.0, over = "7d", base = 50 }
"""


def bodies(count: int, users: int, seed: int, first: int = 0) -> list[Body]:
    """Request bodies with events of users who belong to accounts of ten, in order of time."""
    chance = random.Random(seed)
    events = [_event(chance, first + number, users) for number in range(count)]
    return [
        json.dumps({"batch": events[start : start + BATCH]}).encode()
        for start in range(0, count, BATCH)
    ]


def _event(chance: random.Random, number: int, users: int) -> dict[str, object]:
    return {
        "type": "track",
        "messageId": f"0195{number:08x}-7000-7000-8000-{chance.getrandbits(48):012x}",
        "userId": f"user-{chance.randrange(users)}",
        "event": chance.choice(NAMED if chance.random() < 0.5 else OTHER),
        "timestamp": iso(START + number * PAUSE // users),
        "properties": {
            "project_id": f"p{chance.randrange(50)}",
            "kind": f"k{chance.randrange(6)}",
            "invitee": f"i{chance.randrange(20)}",
            "pages": chance.randrange(40),
            "bytes": chance.randrange(10_000_000),
        },
        "context": {"library": {"name": "pequel-python", "version": "0.2.0"}},
    }


def members(users: int) -> list[Message]:
    """Every user's group call, a day before the stream."""
    return [
        Message(
            mid=f"group-{user}",
            type="group",
            subject=user_key(f"user-{user}"),
            time=START - 86_400_000,
            received=START,
            account=f"account-{user // TEAM}",
            traits={"employees": 120},
        )
        for user in range(users)
    ]


def rate(collector: Collector, sent: list[Body]) -> float:
    """Events per second, from bytes to commit."""
    settings, now = Settings(), START + 10**12
    ids = Ids(lambda: now)
    began = time.perf_counter()
    for body in sent:
        messages, _ = normalise(decode.batch(body), settings, now, ids)
        collector.ingest.accept(messages)
    return len(sent) * BATCH / (time.perf_counter() - began)


def _join(collector: Collector, users: int) -> None:
    joined = members(users)
    for start in range(0, users, 5_000):
        collector.ingest.accept(joined[start : start + 5_000])


def _opened(path: Path, toml: str) -> Collector:
    return open_collector(Settings(database=f"sqlite:///{path}"), read_catalogue(toml))


def test_marking_beside_storing(tmp_path: Path) -> None:
    """Alternating rounds on fresh stores."""
    catalogues = {
        "stored only": "",
        "twelve definitions": DEFINITIONS,
        "and two at every fact": DEFINITIONS + AT_EVERY_FACT,
    }
    rates: dict[str, list[float]] = {name: [] for name in catalogues}
    leads = dict.fromkeys(catalogues, 0)
    for round_ in range(ROUNDS):
        sent = bodies(EVENTS, USERS, round_)
        for name, toml in catalogues.items():
            collector = _opened(tmp_path / f"{name}-{round_}.db", toml)
            _join(collector, USERS)
            rates[name].append(rate(collector, sent))
            with collector.store.reading() as view:
                totals = view.totals()
            assert totals["messages"] == EVENTS + USERS
            leads[name] = totals["leads"]
            collector.close()
    middle = {name: sorted(each)[ROUNDS // 2] for name, each in rates.items()}
    print()
    for name, each in middle.items():
        ratio = each / middle["stored only"]
        print(f"{name:<22} {each:>9,.0f} events/s {ratio:>5.2f}, {leads[name]:,} leads")


def test_a_store_that_has_grown(tmp_path: Path) -> None:
    """The rate at so many stored events beside that of an empty store, in one run."""
    if not FILL:
        return
    users = FILL // 10
    collector = _opened(tmp_path / "grown.db", DEFINITIONS)
    _join(collector, users)
    first = [rate(collector, bodies(EVENTS, users, 1))]
    small = _memory()
    step = 100_000
    for start in range(EVENTS, FILL, step):
        grown = rate(collector, bodies(step, users, start, start))
        if start // step % 5 == 0:
            print(f"{start:>10,} events: {grown:>8,.0f}/s, {_memory():,} MB", flush=True)
    fresh = _opened(tmp_path / "fresh.db", DEFINITIONS)
    _join(fresh, users)
    now: list[float] = []
    for round_ in range(ROUNDS):
        first.append(rate(fresh, bodies(EVENTS, users, 100 + round_, FILL + round_ * EVENTS)))
        now.append(rate(collector, bodies(EVENTS, users, 200 + round_, FILL + round_ * EVENTS)))
    empty, full = (sorted(each)[len(each) // 2] for each in (first, now))
    print(
        f"\nempty {empty:,.0f} events/s, at {FILL:,} events {full:,.0f}: ratio {full / empty:.2f}"
    )
    print(f"memory {small:,} MB at first, {_memory():,} MB at the end")


def _memory() -> int:
    """The most memory that the process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
