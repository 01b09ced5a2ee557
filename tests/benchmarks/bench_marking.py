"""What marking costs: the same stream stored with no definitions and with twelve, side by side.

Half of the events touch a definition. Batches of 100, one commit with fsync each, on SQLite.
Prints events per second and the ratio; asserts only that both stored the same.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

from pequel_collector.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.model import Message, user_key
from pequel_collector.rules.reader import read_catalogue

EVENTS = 20_000
BATCH = 100
ROUNDS = 3
USERS = 5_000
START = 1_772_323_200_000
NAMED = ("project_created", "integration_connected", "teammate_invited", "report_exported")
OTHER = ("page_opened", "task_moved", "menu_used", "searched")

DEFINITIONS = """
[project]
signup = "signed_up"
conversion = "subscription_started"
[[pql]]
name = "d1"
when = { event = "project_created" }
[[pql]]
name = "d2"
within = "14d"
of = "signup"
when = { event = "project_created", distinct = "project_id", gte = 3 }
[[pql]]
name = "d3"
when = { event = "report_exported", gte = 5, within = "7d" }
[[pql]]
name = "d4"
when = { event = "teammate_invited", distinct = "invitee", gte = 3 }
[[pql]]
name = "d5"
when = { event = ["project_created", "report_exported"], distinct = "@day", gte = 3, within = "7d" }
[[pql]]
name = "d6"
when.all = [{ event = "integration_connected", gte = 2 }, { trait = "plan", eq = "free" }]
[[pql]]
name = "d7"
when = { event = "report_exported", where = { pages = { gte = 20 } }, gte = 3, within = "30d" }
[[pql]]
name = "d8"
subject = "account"
when = { event = "report_exported", gte = 100 }
[[pql]]
name = "d9"
subject = "account"
when = { event = "teammate_invited", distinct = "@user", gte = 5, within = "30d" }
[[pql]]
name = "d10"
when.any = [{ event = "integration_connected", gte = 4 }, { event = "teammate_invited", gte = 6 }]
[[pql]]
name = "d11"
when = { event = "project_created", distinct = "@event", gte = 1 }
unless = [{ trait = "plan", eq = "paid" }]
[[pql]]
name = "d12"
subject = "account"
when.all = [{ event = "project_created", gte = 20 }, { trait = "employees", gte = 50 }]
"""


def stream(count: int, seed: int) -> list[list[Message]]:
    """Batches of events of users who belong to accounts of ten, in order of time."""
    chance = random.Random(seed)
    events = [_event(chance, number) for number in range(count)]
    return [events[start : start + BATCH] for start in range(0, count, BATCH)]


def members() -> list[Message]:
    """Every user's group call, a day before the stream."""
    return [
        Message(
            mid=f"group-{user}",
            type="group",
            subject=user_key(f"user-{user}"),
            time=START - 86_400_000,
            received=START,
            account=f"account-{user // 10}",
            traits={"employees": 120},
        )
        for user in range(USERS)
    ]


def _event(chance: random.Random, number: int) -> Message:
    user = chance.randrange(USERS)
    time_ = START + number * 500
    return Message(
        mid=f"0195{number:08x}-7000-7000-8000-{chance.getrandbits(48):012x}",
        type="track",
        subject=user_key(f"user-{user}"),
        time=time_,
        received=time_,
        name=chance.choice(NAMED if chance.random() < 0.5 else OTHER),
        properties={
            "project_id": f"p{chance.randrange(50)}",
            "invitee": f"i{chance.randrange(20)}",
            "pages": chance.randrange(40),
            "path": "/a/b/c",
        },
    )


def _rate(collector: Collector, batches: list[list[Message]]) -> float:
    collector.ingest.accept(members())
    began = time.perf_counter()
    for batch in batches:
        collector.ingest.accept(batch)
    return EVENTS / (time.perf_counter() - began)


def test_marking_beside_storing(tmp_path: Path) -> None:
    """Alternating rounds on fresh stores."""
    rates: dict[str, list[float]] = {"stored only": [], "twelve definitions": []}
    catalogues = {"stored only": "", "twelve definitions": DEFINITIONS}
    for round_ in range(ROUNDS):
        batches = stream(EVENTS, round_)
        for name, toml in catalogues.items():
            url = f"sqlite:///{tmp_path / f'{name}-{round_}.db'}"
            collector = open_collector(Settings(database=url), read_catalogue(toml))
            rates[name].append(_rate(collector, batches))
            with collector.store.reading() as view:
                assert sum(view.totals().values()) >= EVENTS
            collector.close()
    middle = {name: sorted(each)[ROUNDS // 2] for name, each in rates.items()}
    print()
    for name, rate in middle.items():
        print(f"{name:<20} {rate:>9,.0f} events/s")
    ratio = middle["twelve definitions"] / middle["stored only"]
    print(f"{'ratio':<20} {ratio:>9.2f}")
