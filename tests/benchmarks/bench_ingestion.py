"""Ingestion over HTTP beside two yardsticks, client included, all in one run.

The yardsticks are a bare Flask app (gunicorn, two workers) that parses a batch and stores it by one
``executemany`` with ``synchronous = FULL``, and the same with single events. The collector has
twelve definitions loaded; validation, deduplication, identity and marking are on. Rounds
alternate. Prints rates and ratios, and within what time 99 of 100 answers came at half of the
collector's peak rate, on both. No time is asserted.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from support.processes import KEYS, free_port, run_server

from . import bench_marking as marking
from .load import Run, request, send

BATCHES, SINGLES, ROUNDS, CONNECTIONS = 600, 6_000, 3, 16
KEY = KEYS["PEQUEL_WRITE_KEY"]
LONG = 25
"""Seconds at half of the peak: long enough for what happens every 4,096 events to happen."""


class Stream:
    """Events in order of time, as requests: each is later than all that were asked for before."""

    def __init__(self) -> None:
        self._made = 0

    def batches(self, count: int = BATCHES) -> list[bytes]:
        """Requests with batches of 100 events."""
        return [request("/v1/batch", body, KEY) for body in self._bodies(count)]

    def singles(self, count: int = SINGLES) -> list[bytes]:
        """Requests with one event each, in hundreds."""
        bodies = self._bodies(count // marking.BATCH)
        events = [event for body in bodies for event in json.loads(body)["batch"]]
        return [request("/v1/track", json.dumps(event).encode(), KEY) for event in events]

    def _bodies(self, count: int) -> list[bytes]:
        first, self._made = self._made, self._made + count * marking.BATCH
        return marking.bodies(count * marking.BATCH, marking.USERS, first, first)


@contextmanager
def bare(folder: Path) -> Iterator[int]:
    """The bare app at a port."""
    port = free_port()
    process = subprocess.Popen(
        [
            sys.executable, "-m", "gunicorn", "-w", "2", "--threads", "8",
            "-b", f"127.0.0.1:{port}", "--log-level", "error", "benchmarks.bare_app:app",
        ],
        env=os.environ | {"BARE_DATABASE": str(folder / "bare.db"), "PYTHONPATH": _tests()},
    )  # fmt: skip
    try:
        _wait_for(port)
        yield port
    finally:
        process.terminate()
        process.wait()


@contextmanager
def collector(folder: Path) -> Iterator[int]:
    """A collector at a port, with the definitions and the members of the accounts."""
    (folder / "pequel.toml").write_text(marking.DEFINITIONS)
    with run_server(folder) as server:
        port = int(server.url.rpartition(":")[2])
        _join(port)
        yield port


def _join(port: int) -> None:
    body = json.dumps({"batch": _members()}).encode()
    send(port, [request("/v1/batch", body, KEY)], 1)


def _members() -> list[dict[str, object]]:
    """The group calls of all users."""
    return [
        {
            "type": "group",
            "messageId": member.mid,
            "userId": member.subject[2:],
            "groupId": member.account,
            "traits": member.traits,
            "timestamp": marking.iso(member.time),
        }
        for member in marking.members(marking.USERS)
    ]


def _tests() -> str:
    return str(Path(__file__).parents[1])


def _wait_for(port: int) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            urlopen(f"http://127.0.0.1:{port}/", timeout=1)
        except OSError as error:
            if "404" in str(error):
                return
            if time.monotonic() > until:
                raise
            time.sleep(0.05)


def test_ingestion_beside_a_bare_app(tmp_path: Path) -> None:
    """Batches of 100 over four connections, single events over sixteen; then half of the peak."""
    servers, stream = {"bare": bare, "collector": collector}, Stream()
    peaks: dict[tuple[str, str], list[float]] = {}
    with bare(tmp_path) as of_bare, collector(tmp_path) as of_collector:
        ports = dict(zip(servers, (of_bare, of_collector), strict=True))
        for _ in range(ROUNDS):
            work = {"batches": (stream.batches(), 4), "singles": (stream.singles(), CONNECTIONS)}
            for kind, (requests, connections) in work.items():
                for name, port in ports.items():
                    rate = send(port, requests, connections).rate
                    peaks.setdefault((kind, name), []).append(rate)
        middle = {key: sorted(rates)[ROUNDS // 2] for key, rates in peaks.items()}
        print()
        for kind, events in (("batches", marking.BATCH), ("singles", 1)):
            _compare(kind, middle, events)
        half = middle["singles", "collector"] / 2
        requests = stream.singles(int(half * LONG))
        waits = {name: send(port, requests, CONNECTIONS, half) for name, port in ports.items()}
        _compare_waits(waits, half)


def test_history_beside_http(tmp_path: Path) -> None:
    """The same events by ``pequel import``, starting the command included, and over HTTP."""
    sent = Stream()._bodies(3 * BATCHES)
    log = tmp_path / "events.ndjson"
    events = [*_members(), *(event for body in sent for event in json.loads(body)["batch"])]
    log.write_text("".join(f"{json.dumps(event)}\n" for event in events))
    with collector(tmp_path) as port:
        http = send(port, [request("/v1/batch", body, KEY) for body in sent], 4)
    command = [sys.executable, "-m", "pequel_collector.cli", "import", str(log)]
    began = time.perf_counter()
    database = f"sqlite:///{tmp_path / 'imported.db'}"
    subprocess.run([*command, "--database", database], cwd=tmp_path, check=True)
    ratio = http.seconds / (time.perf_counter() - began)
    print(f"\n{len(events):,} events by import, beside HTTP: {ratio:.2f}")


def _compare(kind: str, middle: dict[tuple[str, str], float], events: int) -> None:
    of_bare, own = (middle[kind, name] * events for name in ("bare", "collector"))
    print(f"{kind:<8} bare {of_bare:>8,.0f} events/s, collector {own:>8,.0f}: {own / of_bare:.2f}")


def _compare_waits(waits: dict[str, Run], rate: float) -> None:
    of_bare, own = (waits[name] for name in ("bare", "collector"))
    for share in (0.5, 0.99):
        ratio = own.wait(share) / of_bare.wait(share)
        times = [f"{run.wait(share) * 1e3:.1f} ms" for run in (of_bare, own)]
        print(
            f"single events at {rate:,.0f}/s, {share:.0%} within: "
            f"bare {times[0]}, collector {times[1]}: {ratio:.2f}"
        )
