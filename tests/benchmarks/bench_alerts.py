"""How long from `track()` to the webhook, and what a dead endpoint costs ingestion.

    pytest -s -q tests/benchmarks/bench_alerts.py

The first is measured while 1,000 events a second flow, the second with 100,000 deliveries that
wait. Figures of one run are compared with each other only. No time is asserted.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from itertools import cycle
from pathlib import Path
from statistics import median
from typing import Any

import pytest
import requests

import pequel
from pequel_collector.app.alerting import AlertSender
from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.app.jobs import Housekeeper
from pequel_collector.config import Settings
from pequel_collector.model import Message, bucket_of
from pequel_collector.ports import Queued
from pequel_collector.rules.parser.catalogue import read_catalogue
from support.postgres import postgres
from support.processes import KEYS, Server, free_port, run_server
from support.receivers import OK, Receiver, Reply, Taken, until

WRITE = KEYS["PEQUEL_WRITE_KEY"]
DEFINITIONS = """
[[pql]]
name = "keen"
when = {{ event = "used" }}

[[alert]]
name = "sales"
on = ["qualified"]
url = "{}"
"""
PRIVATE = {"PEQUEL_ALLOW_PRIVATE_ALERTS": "1"}
MARKS, PER_SECOND = 300, 1_000
WAITING, ROUNDS, BATCHES, BATCH = 100_000, 15, 120, 250


def test_from_track_to_webhook() -> None:
    """Print the times from `track()`, flushed at once, to the webhook."""
    arrived: dict[str, float] = {}

    def behaviour(taken: Taken) -> Reply:
        arrived[taken.json["data"]["lead"]["subject"]["id"]] = time.perf_counter()
        return OK

    receiver = Receiver(behaviour)
    with receiver.running(), collector(receiver.url) as server, flow(server.url):
        client = pequel.Client(WRITE, server.url)
        called = {}
        for n in range(MARKS):
            called[f"lead{n}"] = time.perf_counter()
            client.track(f"lead{n}", "used")
            client.flush(10)
            time.sleep(0.05)
        client.shutdown(10)
        time.sleep(2)
    took = sorted(1_000 * (arrived[user] - began) for user, began in called.items())
    print(f"track() to webhook, ms, n={len(took)}: p50 {median(took):.0f}, ", end="")
    print(f"p90 {took[int(len(took) * 0.9)]:.0f}, p99 {took[int(len(took) * 0.99)]:.0f}")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_ingestion_beside_a_dead_endpoint(kind: str, tmp_path: Path) -> None:
    """Print the CPU of an event, and the memory, without and with a dead endpoint.

    Both outboxes are in this process. Their rounds take turns, and only the senders of the one
    whose turn it is run.
    """
    url = f"http://127.0.0.1:{free_port()}"
    with ExitStack() as stack:
        databases, server = two_databases(kind, tmp_path, stack)
        sides = {
            waiting: stack.enter_context(opened(each, url, waiting))
            for each, waiting in zip(databases, (0, WAITING), strict=True)
        }
        costs: dict[int, list[float]] = {waiting: [] for waiting in sides}
        for turn in range(-1, ROUNDS):  # the first round warms up
            for waiting, one in sorted(sides.items(), reverse=turn % 2 == 1):
                cost = cpu_of_an_event(one, turn, server)
                if turn >= 0:
                    costs[waiting].append(cost)
    ratios = [full / empty for empty, full in zip(costs[0], costs[WAITING], strict=True)]
    for waiting, found in costs.items():
        print(
            f"{kind}, {waiting} waiting: {median(found):.1f} µs of CPU an event, {found_of(found)}"
        )
    print(f"{kind}: median of the ratios {median(ratios):.3f}, {found_of(ratios, 3)}")


def test_memory_beside_a_dead_endpoint(tmp_path: Path) -> None:
    """Print the memory of a collector while it takes events, without and with a dead endpoint."""
    url = f"http://127.0.0.1:{free_port()}"
    for waiting in (0, WAITING):
        folder = tmp_path / str(waiting)
        folder.mkdir()
        with served(folder, url) as server:
            post(requests.Session(), server.url, [event(f"lead{n}", "used") for n in range(200)])
        fill(folder / "pequel.db", waiting)
        with served(folder, url) as server:
            found = []
            for _ in range(6):
                ingest(server.url)
                found.append(resident(server.process.pid))
        print(f"{waiting} waiting: {' '.join(map(str, found))} MB, each after 30,000 more events")


def ingest(url: str) -> None:
    """Store events of the same users by one client."""
    session = requests.Session()
    for n in range(BATCHES):
        post(session, url, [event(f"u{n}-{i % 50}", "seen") for i in range(BATCH)])


def fill(database: Path, number: int) -> None:
    """Let so many deliveries of the leads in a database wait, all of them due."""
    at = int(time.time() * 1_000)
    with closing(sqlite3.connect(database)) as opened, opened:
        leads = [lead for (lead,) in opened.execute("SELECT DISTINCT lead FROM delivery")]
        rows = [
            (n, bucket_of(lead), lead, at, at, at)
            for n, lead in zip(range(10_000, 10_000 + number), cycle(leads), strict=False)
        ]
        opened.executemany(
            "INSERT INTO delivery (change, alert, bucket, lead, event, at, queued_at, state, "
            "attempts, next_at) VALUES (?, 'sales', ?, ?, 'qualified', ?, ?, 'waiting', 0, ?)",
            rows,
        )


def found_of(numbers: list[float], digits: int = 0) -> str:
    return " ".join(f"{number:.{digits}f}" for number in numbers)


def cpu_of_an_event(one: Collector, turn: int, server: int | None) -> float:
    """Microseconds of CPU, of this process and of the database, for each event of a round."""
    sender = AlertSender(one, lambda id_: {"id": id_})
    keeper = Housekeeper(one, lambda _: None, lambda _: None)
    sender.start()
    keeper.start()
    until(
        lambda: sender.dispatcher.pauses["sales"].is_failing or not one.alerts.listed()[0].waiting
    )
    began = time.process_time() + cpu_of(server)
    for batch in range(BATCHES):
        one.intake.accept([message(turn, batch, number) for number in range(BATCH)])
    used = time.process_time() + cpu_of(server) - began
    keeper.stop()
    sender.stop()
    return 1_000_000 * used / (BATCHES * BATCH)


def message(turn: int, batch: int, number: int) -> Message:
    """An event that marks nobody. Each round has the same users."""
    at = int(time.time() * 1_000)
    return Message(
        mid=f"{turn}-{batch}-{number}",
        subject=f"u:user{batch}-{number // 5}",
        time=at,
        received=at,
        type="track",
        name="seen",
    )


def cpu_of(process: int | None) -> float:
    """Seconds of CPU of a process, of its children, and of those that have ended."""
    if process is None:
        return 0.0
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        own = int(stat.parent.name) == process
        if own or int(fields[1]) == process:
            ticks += sum(map(int, fields[11:15] if own else fields[11:13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def two_databases(kind: str, folder: Path, stack: ExitStack) -> tuple[list[str], int | None]:
    """The URLs of two empty databases, and the process that serves them."""
    if kind == "sqlite":
        return [f"sqlite:///{folder / name}.db" for name in ("empty", "full")], None
    server = stack.enter_context(postgres())
    return [stack.enter_context(server.database()) for _ in range(2)], server.process


@contextmanager
def opened(database: str, url: str, waiting: int) -> Iterator[Collector]:
    """A collector whose outbox has so many deliveries that wait."""
    settings = Settings(database=database, allow_private_alerts=1, store_timeout=60)
    with closing(open_collector(settings, read_catalogue(DEFINITIONS.format(url)))) as collector:
        at = int(time.time() * 1_000)
        for first in range(1, waiting + 1, 10_000):
            numbers = range(first, first + 10_000)
            rows = [Queued(n - 10**9, "sales", f"l{n}", "qualified", at, at) for n in numbers]
            with collector.store.writing() as tx:
                tx.queue_deliveries(rows)
        yield collector


@contextmanager
def collector(url: str) -> Iterator[Server]:
    with tempfile.TemporaryDirectory() as folder, served(Path(folder), url) as server:
        yield server


@contextmanager
def served(folder: Path, url: str) -> Iterator[Server]:
    (folder / "pequel.toml").write_text(DEFINITIONS.format(url))
    with run_server(folder, env=PRIVATE) as server:
        yield server


@contextmanager
def flow(url: str) -> Iterator[None]:
    """Events that mark nobody, 1,000 a second in batches of 50."""
    stop = threading.Event()

    def run() -> None:
        session, number, began = requests.Session(), 0, time.perf_counter()
        while not stop.is_set():
            post(session, url, [event(f"flow{(number + i) % 5_000}", "seen") for i in range(50)])
            number += 50
            stop.wait(max(0.0, began + number / PER_SECOND - time.perf_counter()))
        print(f"{number / (time.perf_counter() - began):.0f} other events/s")

    thread = threading.Thread(target=run)
    thread.start()
    yield
    stop.set()
    thread.join()


def event(user: str, name: str) -> dict[str, Any]:
    return {"type": "track", "userId": user, "event": name, "properties": {"page": "/a"}}


def post(session: requests.Session, url: str, batch: list[dict[str, Any]]) -> None:
    session.post(f"{url}/v1/batch", json={"batch": batch}, auth=(WRITE, "")).raise_for_status()


def resident(pid: int) -> int:
    """Megabytes of a process and its children."""
    found = 0
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        except OSError:
            continue  # it has ended
        if pid in (int(lines["Pid"]), int(lines["PPid"])):
            found += int(lines.get("VmRSS", "0 kB").split()[0]) // 1_000
    return found
