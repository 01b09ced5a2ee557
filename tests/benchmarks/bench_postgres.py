"""Ingestion on PostgreSQL beside a bare multi-row insert over one connection, in one run.

The yardstick parses the same batches of 100 and inserts each by one statement with a row for each
event, in a transaction of its own that waits for the disk, over one connection. The collector has
twelve definitions loaded, and is measured twice: over HTTP with four connections, and in this
process with one batch after the other, from the bytes of the request to the commit. Rounds
alternate. Prints rates and ratios; no time is asserted.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.rules.parser.catalogue import read_catalogue
from support.postgres import postgres
from support.processes import run_server

from . import bench_marking as marking
from .bench_ingestion import KEY, Stream, _members
from .load import request, send

BATCHES, ROUNDS, CONNECTIONS = 150, 3, 4
ON_DISK = ("synchronous_commit=on", "shared_buffers=256MB")
COLUMNS = ("messageId", "userId", "event", "timestamp")

TABLE = """
CREATE TABLE bare_event
  (mid text PRIMARY KEY, user_id text, name text, time timestamptz, properties jsonb)
"""
INSERT = "INSERT INTO bare_event VALUES " + ", ".join(["(%s, %s, %s, %s, %s)"] * marking.BATCH)


def bare_rate(connection: psycopg.Connection[tuple[object, ...]], sent: list[bytes]) -> float:
    """Events per second of the bare insert."""
    began = time.perf_counter()
    for body in sent:
        events = json.loads(body)["batch"]
        values = [
            value
            for each in events
            for value in (*(each[name] for name in COLUMNS), json.dumps(each["properties"]))
        ]
        with connection.transaction():
            connection.execute(INSERT.encode(), values)
    return len(sent) * marking.BATCH / (time.perf_counter() - began)


def http_rate(port: int, sent: list[bytes]) -> float:
    """Events per second of a collector over HTTP."""
    requests = [request("/v1/batch", body, KEY) for body in sent]
    return send(port, requests, CONNECTIONS).rate * marking.BATCH


def _opened(url: str) -> Collector:
    collector = open_collector(Settings(database=url), read_catalogue(marking.DEFINITIONS))
    collector.ingest.accept(marking.members(marking.USERS))
    return collector


def test_postgresql_beside_a_bare_insert(tmp_path: Path) -> None:
    """Batches of 100, from the bytes of the request to the disk."""
    stream = Stream()
    (tmp_path / "pequel.toml").write_text(marking.DEFINITIONS)
    with (
        postgres(*ON_DISK) as server,
        server.database() as for_bare,
        server.database() as for_http,
        server.database() as for_own,
        psycopg.connect(for_bare, autocommit=True) as connection,
        run_server(tmp_path, "--database", for_http) as http,
    ):
        connection.execute(TABLE)
        port = int(http.url.rpartition(":")[2])
        send(port, [request("/v1/batch", json.dumps({"batch": _members()}).encode(), KEY)], 1)
        own = _opened(for_own)
        kinds: dict[str, Callable[[list[bytes]], float]] = {
            "bare": lambda sent: bare_rate(connection, sent),
            "http": lambda sent: http_rate(port, sent),
            "in process": lambda sent: marking.rate(own, sent),
        }
        rates: dict[str, list[float]] = {name: [] for name in kinds}
        for _ in range(ROUNDS):
            sent = stream._bodies(BATCHES)
            for name, rate in kinds.items():
                rates[name].append(rate(sent))
        own.close()
    middle = {name: sorted(each)[ROUNDS // 2] for name, each in rates.items()}
    print()
    for name, each in middle.items():
        print(f"{name:<12} {each:>8,.0f} events/s, {each / middle['bare']:.2f} of bare")
