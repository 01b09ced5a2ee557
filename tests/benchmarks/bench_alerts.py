"""How long from `track()` to the webhook, and what a dead endpoint costs ingestion.

    pytest -s -q tests/benchmarks/bench_alerts.py

The first is measured while 1,000 events a second flow, the second with 100,000 deliveries that
wait. Figures of one run are compared with each other only. No time is asserted.
"""

from __future__ import annotations

import sqlite3
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import requests

import pequel
from pequel_collector.model import bucket_of
from support.processes import KEYS, Server, free_port, run_server
from support.receivers import OK, Receiver, Reply, Taken

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
MARKS, PER_SECOND, WAITING, BATCHES = 300, 1_000, 100_000, 120


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


def test_ingestion_beside_a_dead_endpoint() -> None:
    """Print the events a second, and the memory, without and with a dead endpoint."""
    url = f"http://127.0.0.1:{free_port()}"
    for waiting in (0, WAITING) * 3:
        with tempfile.TemporaryDirectory() as folder:
            with served(Path(folder), url):
                pass
            fill(Path(folder) / "pequel.db", waiting)
            with served(Path(folder), url) as server:
                rate = ingest(server.url)
                memory = resident(server.process.pid)
        print(f"{waiting} waiting: {rate:.0f} events/s, {memory} MB")


def ingest(url: str) -> float:
    """Events a second that one client stores, in batches of 250."""
    session, began = requests.Session(), time.perf_counter()
    for n in range(BATCHES):
        post(session, url, [event(f"u{n}-{i % 50}", "seen") for i in range(250)])
    return BATCHES * 250 / (time.perf_counter() - began)


def fill(database: Path, number: int) -> None:
    """Put deliveries that wait into a database."""
    at = int(time.time() * 1_000)
    rows = [(n, bucket_of(f"l{n}"), f"l{n}", at, at, at) for n in range(1, number + 1)]
    with closing(sqlite3.connect(database)) as opened, opened:
        opened.executemany(
            "INSERT INTO delivery (change, alert, bucket, lead, event, at, queued_at, state, "
            "attempts, next_at) VALUES (?, 'sales', ?, ?, 'qualified', ?, ?, 'waiting', 0, ?)",
            rows,
        )


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
