"""Alerts of a real collector that is killed while it sends."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests

from support.processes import KEYS, run_server
from support.receivers import OK, Receiver, Reply, Taken, until

READ = {"Authorization": f"Bearer {KEYS['PEQUEL_READ_KEY']}"}
PRIVATE = {"PEQUEL_ALLOW_PRIVATE_ALERTS": "1"}
DEFINITIONS = """
[[pql]]
name = "keen"
when = { event = "used" }

[[alert]]
name = "sales"
on = ["qualified"]
url = "%s"
"""
USERS = 30


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().running() as running:
        yield running


def send(url: str, *users: int) -> None:
    batch = [{"type": "track", "userId": f"u{n}", "event": "used"} for n in users]
    auth = (KEYS["PEQUEL_WRITE_KEY"], "")
    answer = requests.post(f"{url}/v1/batch", json={"batch": batch}, auth=auth, timeout=30)
    assert answer.json()["accepted"] == len(users)


def states(url: str) -> Counter[str]:
    answer = requests.get(f"{url}/v1/alerts/deliveries?limit=1000", headers=READ, timeout=30)
    return Counter(each["state"] for each in answer.json()["data"])


def end_leases(folder: Path) -> None:
    """As if the two minutes were over for which the collector had claimed what it sent."""
    with closing(sqlite3.connect(folder / "pequel.db")) as database, database:
        database.execute("UPDATE delivery SET next_at = 1 WHERE next_at > 1")


def test_nothing_is_lost_and_nothing_has_two_ids_when_the_collector_is_killed(
    tmp_path: Path, receiver: Receiver
) -> None:
    """It is killed while requests hang; those are sent again when their lease is over."""
    (tmp_path / "pequel.toml").write_text(DEFINITIONS % receiver.url)
    answered: list[Taken] = []

    def behaviour(taken: Taken) -> Reply:
        answered.append(taken)
        return OK if len(answered) <= USERS // 2 else Reply(delay=60)

    receiver.behaviour = behaviour
    with run_server(tmp_path, env=PRIVATE) as server:
        send(server.url, *range(USERS))
        until(lambda: len(answered) > USERS // 2 + 1)
        os.killpg(server.process.pid, signal.SIGKILL)
    end_leases(tmp_path)
    receiver.behaviour = lambda _: OK
    with run_server(tmp_path, env=PRIVATE) as server:
        until(lambda: states(server.url) == Counter(sent=USERS))
    by_lead: dict[str, set[str]] = {}
    for taken in receiver.taken:
        by_lead.setdefault(taken.json["data"]["lead"]["id"], set()).add(taken.id)
    assert len(by_lead) == USERS
    assert {len(ids) for ids in by_lead.values()} == {1}


def test_a_collector_that_is_stopped_records_what_it_has_sent(
    tmp_path: Path, receiver: Receiver
) -> None:
    (tmp_path / "pequel.toml").write_text(DEFINITIONS % receiver.url)
    with run_server(tmp_path, "--workers", "2", env=PRIVATE) as server:
        send(server.url, *range(USERS))
        until(lambda: len(receiver.taken) == USERS)
    with run_server(tmp_path, env=PRIVATE) as server:
        until(lambda: states(server.url) == Counter(sent=USERS))
    assert len({taken.id for taken in receiver.taken}) == len(receiver.taken) == USERS
