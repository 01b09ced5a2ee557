"""Sends alerts through an endpoint that does everything wrong, from two collectors.

    python tests/benchmarks/alert_chaos.py --alerts 10000

Two processes share one database of PostgreSQL and send what a third writes into it. The endpoint
fails, limits, hangs, resets, dawdles, drips, answers twice, and takes without saying so, at random.
Some changes it refuses for ever: a few with 410, a few with 404, which ends after a day. The clock
of all processes is fast, and jumps ahead when nobody asks the endpoint. At the end:

* each change was received, under one id, and no id stands for two changes;
* the changes of each lead arrived in their order;
* the dead deliveries are those that were refused for ever, and after ``redeliver`` all are sent.

Prints what it counted. Exits 1 if anything differs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import signal
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from contextlib import closing
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1]))

from pequel_collector.app.alerts import AlertDesk
from pequel_collector.app.bootstrap import Collector, now, open_collector
from pequel_collector.config import Settings
from pequel_collector.delivery.attempt import Attempts
from pequel_collector.delivery.dispatcher import Dispatcher
from pequel_collector.delivery.http import Http
from pequel_collector.marking.work import LeadChange
from pequel_collector.model import LeadPatch, Message, lead_id
from pequel_collector.ports import CLI, DeliveryFilter
from pequel_collector.rules.parser.catalogue import read_catalogue
from support.postgres import postgres
from support.receivers import OK, Receiver, Reply, Taken

CHANGES = 5
"""Changes of each lead."""

DEADLINE = 0.5
"""Seconds that a request may take."""

TICK, SPEED, JUMP = 0.05, 1_000, 300_000
"""The clocks go on by so many milliseconds each tick; by the last ones if nobody asks."""

DEFINITIONS = """
[[pql]]
name = "keen"
when = {{ event = "used" }}

[[alert]]
name = "sales"
on = ["qualified", "snoozed"]
url = "{}"
"""
DAY = 86_400_000


class Endpoint:
    """What the receiver does. Until ``is_calm``, three in ten requests go wrong."""

    def __init__(self, seed: int) -> None:
        self._chance, self._lock = Random(seed), threading.Lock()
        self.is_calm = False
        self.kinds: Counter[str] = Counter()
        self.asked_at = time.monotonic()

    def __call__(self, taken: Taken) -> Reply | None:
        self.asked_at = time.monotonic()
        with self._lock:
            kind = self._kind(taken.json["data"]["change"]["number"])
            self.kinds[kind] += 1
            after = str(self._chance.randint(1, 90))
        replies = {
            "ok": OK, "calm": OK, "5xx": Reply(503), "redirects": Reply(302, {"Location": "/"}),
            "429": Reply(429, {"Retry-After": after}), "hangs": Reply(delay=2 * DEADLINE),
            "slow": Reply(delay=DEADLINE / 4), "drips": Reply(body=b"x" * 5, drip=0.02),
            "twice": Reply(twice=True), "resets or takes in silence": None, "410": Reply(410),
            "404 for ever": Reply(404),
        }  # fmt: skip
        return replies[kind]

    def _kind(self, number: int) -> str:
        if self.is_calm:
            return "calm"
        if is_refused(number):
            return "410" if number % 2 else "404 for ever"
        wrong = ("5xx", "429", "redirects", "resets or takes in silence", "hangs")
        odd = ("slow", "drips", "twice")
        chance = self._chance.random()
        if chance < 0.3:
            return self._chance.choices(wrong, (6, 2, 3, 8, 1))[0]
        return self._chance.choice(odd) if chance < 0.4 else "ok"


def is_refused(number: int) -> bool:
    """Whether a change is refused until the endpoint is calm: one in a hundred."""
    return number * 2_654_435_761 % 2**32 < 2**32 // 100


class Clock:
    """A clock that all processes share: the time, and how far ahead of it they are."""

    def __init__(self, ahead: Synchronized[int]) -> None:
        self._ahead = ahead

    def __call__(self) -> int:
        return now() + self._ahead.value


def opened(database: str, url: str, clock: Clock) -> Collector:
    settings = Settings(database=database, allow_private_alerts=1)
    return open_collector(settings, read_catalogue(DEFINITIONS.format(url)), clock)


def send(database: str, url: str, ahead: Synchronized[int], seed: int) -> None:
    """Send what waits, in a process of its own, until it is ended."""
    clock, woken = Clock(ahead), threading.Event()
    collector = opened(database, url, clock)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    http = Http(allow_private=True, deadline=DEADLINE)
    desk = collector.alerts
    make = Attempts(collector.store, lambda id_: {"id": id_}, http, desk.senders, lambda _: None)
    dispatcher = Dispatcher(
        collector.store, desk.alerts, make.make, clock, Random(seed).random, wake=woken.set
    )
    while True:
        woken.clear()
        if dispatcher.run_once() > 0:
            woken.wait(TICK / 2)


def change_leads(collector: Collector, leads: int) -> None:
    """Every lead qualifies, and is then snoozed again and again."""
    at = now()
    for n in range(leads):
        used = Message(
            mid=f"m{n}", subject=f"u:u{n}", time=at, received=at, type="track", name="used"
        )
        collector.ingest.accept([used])
    for round_ in range(1, CHANGES):
        asked = LeadChange(LeadPatch(snoozed_until=at + round_ * 365 * DAY), actor="eve")
        for n in range(leads):
            collector.desk.change(lead_id("keen", f"u:u{n}", 1), asked)


def wait_for_all(desk: AlertDesk, endpoint: Endpoint, ahead: Synchronized[int]) -> None:
    """Let the clocks run until nothing waits."""
    while any(answer.waiting for answer in desk.listed()):
        time.sleep(TICK)
        is_quiet = time.monotonic() - endpoint.asked_at > 2 * DEADLINE
        with ahead.get_lock():
            ahead.value += JUMP if is_quiet else SPEED


def states(desk: AlertDesk) -> dict[str, tuple[int, str]]:
    """The number of the change and the state of each delivery, by id."""
    found, cursor = {}, None
    while True:
        page = desk.deliveries(DeliveryFilter(), 1_000, cursor)
        for answer in page.data:
            found[answer.id] = answer.delivery.change, answer.delivery.state
        cursor = page.next_cursor
        if cursor is None:
            return found


def disorder(taken: Iterable[Taken]) -> list[str]:
    """Ids of two changes, changes of two ids, and leads whose changes came in another order."""
    changes: dict[str, set[int]] = defaultdict(set)
    ids: dict[int, set[str]] = defaultdict(set)
    by_lead: dict[str, list[int]] = defaultdict(list)
    for each in taken:
        data = each.json["data"]
        number = data["change"]["number"]
        changes[each.id].add(number)
        ids[number].add(each.id)
        by_lead[data["lead"]["id"]].append(number)
    return [
        *(f"{id_} stands for {found}" for id_, found in changes.items() if len(found) > 1),
        *(f"change {number} has {found}" for number, found in ids.items() if len(found) > 1),
        *(f"{lead}: {found}" for lead, found in by_lead.items() if found != sorted(found)),
    ]


class Check:
    """Collects what is not as it should be."""

    def __init__(self) -> None:
        self.wrong: list[str] = []

    def __call__(self, holds: bool, said: str) -> None:
        if not holds:
            self.wrong.append(said)


def run(database: str, alerts: int, seed: int) -> list[str]:
    """Send and compare; what is wrong."""
    check, endpoint = Check(), Endpoint(seed)
    ahead: Synchronized[int] = multiprocessing.Value("q", 0)
    clock = Clock(ahead)
    with Receiver(endpoint).running() as receiver:
        with closing(opened(database, receiver.url, clock)) as collector:
            began = time.monotonic()
            senders = [
                multiprocessing.Process(
                    target=send, args=(database, receiver.url, ahead, number), daemon=True
                )
                for number in (1, 2)
            ]
            for sender in senders:
                sender.start()
            change_leads(collector, alerts // CHANGES)
            wait_for_all(collector.alerts, endpoint, ahead)
            first = list(receiver.taken)
            found = states(collector.alerts)
            took = time.monotonic() - began
            endpoint.is_calm = True
            dead = {id_ for id_, (_, state) in found.items() if state == "dead"}
            again = collector.alerts.redeliver_dead("sales", CLI)
            wait_for_all(collector.alerts, endpoint, ahead)
            last = states(collector.alerts)
            for sender in senders:
                sender.terminate()
                sender.join()
        second = receiver.taken[len(first) :]
    received = Counter(each.id for each in first)
    check(len(found) == alerts // CHANGES * CHANGES, f"{len(found)} deliveries were made")
    check(received.keys() == found.keys(), "an id was not received, or not made")
    check({s for _, s in found.values()} == {"sent", "dead"}, "a delivery is neither sent nor dead")
    refused = {id_ for id_, (number, _) in found.items() if is_refused(number)}
    check(dead == refused, f"{len(dead ^ refused)} deliveries are dead or not by mistake")
    check(again == len(dead), f"{again} of {len(dead)} were sent again")
    check({each.id for each in second} == dead, "redeliver brought others than the dead ones")
    check({s for _, s in last.values()} == {"sent"}, "a delivery was not sent in the end")
    check.wrong += disorder(first) + disorder(second)
    print(f"changes, each under one id  {len(found):>8,}")
    print(f"requests                    {received.total():>8,}")
    print(f"most requests of one id     {max(received.values()):>8,}")
    print(f"dead, then sent again       {len(dead):>8,} {len(second):,}")
    print(f"hours by the fast clock     {ahead.value / 3_600_000:>8.1f} in {took:.0f} s")
    print(", ".join(f"{kind} {number:,}" for kind, number in endpoint.kinds.most_common()))
    return check.wrong


def main() -> None:
    """Send, compare and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--alerts", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    with postgres() as server, server.database() as database:
        wrong = run(database, arguments.alerts, arguments.seed)
    print("\n".join(wrong[:20]) or "nothing lost, no second id, every lead in order")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    multiprocessing.set_start_method("spawn")
    main()
