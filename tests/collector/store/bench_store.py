"""What the store alone takes for a batch of 100, without what decides about it; per subject.

PEQUEL_BENCH_EVENTS says how many messages to store (300,000), PEQUEL_BENCH_USERS how many
histories to keep (50,000).
"""

from __future__ import annotations

import os
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import islice
from uuid import UUID
from zlib import crc32

from pequel_collector.model import Message, Stored
from pequel_collector.ports import Link, Store
from pequel_collector.store import open_store

EVENTS = int(os.environ.get("PEQUEL_BENCH_EVENTS", "300000"))
USERS = int(os.environ.get("PEQUEL_BENCH_USERS", "50000"))
BATCH = 100
NOW = 1_772_366_400_000

PROPERTIES = {"project_id": "p123456", "plan": "free", "source": "web", "size": 12345, "new": True}
CONTEXT = {"library": {"name": "pequel-python", "version": "0.1.0"}}


class Stopwatch:
    """Adds up the time of what runs under it."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        self.wall = self.cpu = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu


def batches(chance: random.Random) -> Iterator[list[Stored]]:
    """Events of users at random, each in an account of forty, with ids that grow with time."""
    for start in range(NOW, NOW + EVENTS, BATCH):
        yield [_event(time, chance) for time in range(start, start + BATCH)]


def _event(time: int, chance: random.Random) -> Stored:
    user = chance.randrange(200_000)
    bits = 7 << 76 | chance.getrandbits(12) << 64 | 2 << 62 | chance.getrandbits(62)
    message = Message(
        str(UUID(int=time << 80 | bits)),
        "track",
        f"u:user{user}",
        time,
        time,
        "project_created",
        properties=PROPERTIES,
        context=CONTEXT,
        sent=time,
    )
    return Stored(message, f"account{user // 40}")


def test_appending(store_url: str) -> None:
    store, watch = open_store(store_url), Stopwatch()
    print()
    for number, batch in enumerate(batches(random.Random(1)), 1):
        with watch.running(), store.writing() as tx:
            tx.known([stored.message.mid for stored in batch])
            tx.append(batch)
        if number * BATCH in {EVENTS // 3, EVENTS}:
            events = number * BATCH if number * BATCH < EVENTS else EVENTS - EVENTS // 3
            print(
                f"to {number * BATCH:,} events: {events / watch.wall:,.0f} a second,"
                f" {watch.cpu / events * 1e5:.2f} s of CPU time for 100,000"
            )
            watch.clear()
    _look_up(store)
    store.close()


def _look_up(store: Store) -> None:
    chance, watch = random.Random(2), Stopwatch()
    for kind, count in (("u:user", 200_000), ("g:account", 5_000)):
        watch.clear()
        found = 0
        for _ in range(100):
            with watch.running(), store.reading() as view:
                found += len(list(view.events([f"{kind}{chance.randrange(count)}"])))
        print(f"the {found / 100:.1f} events of {kind}…: {watch.wall * 10:.2f} ms")


def test_a_batch(store_url: str) -> None:
    """Each step that the write path takes for a batch, when every event touches a history."""
    store, chance, watches = open_store(store_url), random.Random(1), defaultdict(Stopwatch)
    _save_histories(store, chance)
    for batch in islice(batches(chance), 300):
        keys = {f"u:user{chance.randrange(USERS)}" for _ in range(BATCH)}
        pages = {key: _page(key) for key in keys}
        with watches["all of it, with the commit"].running(), store.writing() as tx:
            steps: list[tuple[str, Callable[[], object]]] = [
                ("known", partial(tx.known, [stored.message.mid for stored in batch])),
                ("persons", partial(tx.persons, keys)),
                ("memberships", partial(tx.memberships, keys)),
                ("append", partial(tx.append, batch)),
                ("read histories", partial(tx.histories, keys)),
                ("save histories", partial(tx.save_histories, pages)),
            ]
            for name, step in steps:
                with watches[name].running():
                    step()
    for name, watch in watches.items():
        print(f"\n{BATCH} of {USERS:,} users, {name}: {watch.wall / 0.3:.2f} ms", end="")
    store.close()


def _save_histories(store: Store, chance: random.Random) -> None:
    keys = [f"u:user{i}" for i in range(USERS)]
    chance.shuffle(keys)
    for start in range(0, USERS, 1_000):
        with store.writing() as tx:
            tx.save_histories({key: _page(key) for key in keys[start : start + 1_000]})


def _page(key: str) -> bytes:
    """A page of 300 to 2,500 bytes, always as long for the same subject."""
    return bytes(300 + crc32(key.encode()) % 2_200)


def test_persons(store_url: str) -> None:
    store, chance = open_store(store_url), random.Random(1)
    for start in range(0, USERS, 1_000):
        with store.writing() as tx:
            numbers = range(start, start + 1_000)
            tx.set_persons({f"a:visitor{i}": f"u:user{i}" for i in numbers})
            tx.add_links([Link(f"a:visitor{i}", f"u:user{i}", i, f"m{i}") for i in numbers])
    whose, known = Stopwatch(), Stopwatch()
    for _ in range(300):
        numbers_ = [chance.randrange(USERS) for _ in range(BATCH)]
        links = [Link(f"a:visitor{i}", f"u:user{i}", NOW, "m") for i in numbers_]
        with store.writing() as tx:
            with whose.running():
                assert len(tx.persons({link.id for link in links})) > BATCH // 2
            with known.running():
                tx.add_links(links)
    for name, watch in (("whose they are", whose), ("links that are known", known)):
        print(f"\n{BATCH} of {USERS:,} ids, {name}: {watch.wall / 0.3:.2f} ms", end="")
    store.close()


def test_subjects(store_url: str) -> None:
    store, watch, pages, after = open_store(store_url), Stopwatch(), 0, ""
    for batch in batches(random.Random(1)):
        with store.writing() as tx:
            tx.append(batch)
    with store.reading() as view, watch.running():
        while page := view.subjects(after, 1_000):
            pages, after = pages + 1, page[-1]
    print(f"\nthe subjects of {EVENTS:,} events, by 1,000: {watch.wall / pages * 1e3:.1f} ms")
    store.close()
