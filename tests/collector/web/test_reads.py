"""Queries write nothing, answer by one version of the definitions, and say when it is too late."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.marking.history import StoredPages
from pequel_collector.marking.snapshot import Snapshot
from pequel_collector.ports import ReadTransaction
from pequel_collector.web.app import create_app
from support.streams import messages_of, plain_event

DAY = 86_400_000
START = 1_700_000_000_000
SILENT = """
[project]
signup = "signed_up"

[[pql]]
name = "silent"
clock = true
when = { event = "used", eq = 0, within = "7d" }
"""
SET_UP = """
[project]
signup = "signed_up"

[[pql]]
name = "set_up"
when = { event = "used", gte = 3, within = "7d", of = "signup" }

[[pql]]
name = "either"
when.any = [
  { event = "used", gte = 3, within = "7d", of = "signup" },
  { event = "invited" },
]
"""

MEASURED = """
[[pql]]
name = "often"
when = { event = "used", gte = 10000, within = "30d" }

[[pql]]
name = "since_sign_up"
when = { event = "used", gte = 10000, within = "7d", of = "first:used" }

[[pql]]
name = "amount"
when = { event = "used", sum = "n", gte = 100000000 }

[[pql]]
name = "different"
when = { event = "used", distinct = "n", gte = 10000 }

[[pql]]
name = "largest"
when = { event = "used", max = "n", gte = 1000000, within = "30d" }

[[pql]]
name = "habit"
when = { event = "used", distinct = "@day", gte = 50, within = "70d" }

[[pql]]
name = "scored"
[pql.when]
score = { gte = 1000000 }
points = [{ event = "used", add = 1 }]
"""


class Clock:
    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def collector(tmp_path: Path, clock: Clock) -> Iterator[Collector]:
    url = f"sqlite:///{tmp_path}/events.db"
    collector = open_collector(Settings(database=url, read_key="reader"), clock=clock)
    collector.ingest.accept(messages_of([plain_event("u1", "signed_up", "m1", START)]))
    yield collector
    collector.close()


def get(collector: Collector, path: str) -> Any:
    client = create_app(collector).test_client()
    answer = client.get(path, headers={"Authorization": "Bearer reader"})
    assert answer.status_code == 200, answer.text
    return answer.json


def test_a_query_does_not_run_the_clock(collector: Collector, clock: Clock) -> None:
    collector.put_definitions(SILENT)
    collector.ingest.accept(messages_of([plain_event("u2", "signed_up", "m2", START)]))
    clock.now = START + 8 * DAY

    assert get(collector, "/v1/pqls")["data"] == []
    [progress] = get(collector, "/v1/users/u2/pql")["progress"]
    assert (progress["progress"], progress["leaves"][0]["holds"]) == (1.0, True)
    [lead] = collector.run_clock()
    assert [shown["id"] for shown in get(collector, "/v1/pqls")["data"]] == [lead.id]


@pytest.mark.parametrize(("days", "closed"), [(6, False), (7, True)])
def test_progress_says_whether_a_window_has_closed(
    collector: Collector, clock: Clock, days: int, closed: bool
) -> None:
    collector.put_definitions(SET_UP)
    collector.ingest.accept(messages_of([plain_event("u1", "used", "m2", START + DAY)]))
    clock.now = START + days * DAY

    first, second = get(collector, "/v1/users/u1/pql")["progress"]
    assert [first["definition"], second["definition"]] == ["set_up", "either"]
    assert [leaf["closed"] for leaf in first["leaves"]] == [closed]
    assert [leaf["closed"] for leaf in second["leaves"]] == [closed, False]
    assert (first["can_still_qualify"], second["can_still_qualify"]) == (not closed, True)


def test_a_query_during_a_change_of_definitions_answers_by_one_version(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The definitions change after the leads were read: the answer is by those of the leads."""
    collector.put_definitions('[[pql]]\nname = "used"\nwhen = { event = "signed_up" }\n')
    while (progress := collector.backfill_some()) is None or not progress.is_finished:
        pass
    changed = Event()
    snapshot = collector.queries._snapshot

    def change_first(tx: ReadTransaction) -> Snapshot:
        if not changed.is_set():
            changed.set()
            other = '[[pql]]\nname = "used"\nwhen = { event = "signed_up", gte = 2 }\n'
            thread = Thread(target=collector.put_definitions, args=[other])
            thread.start()
            thread.join()
        return snapshot(tx)

    monkeypatch.setattr(collector.queries, "_snapshot", change_first)
    assert [lead["holds_now"] for lead in get(collector, "/v1/pqls")["data"]] == [True]
    assert [lead["holds_now"] for lead in get(collector, "/v1/pqls")["data"]] == [False]


@pytest.fixture
def pages(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The numbers of the sealed pages of histories that are read."""
    numbers: list[int] = []
    page = StoredPages.page

    def reading(stored: StoredPages, number: int) -> bytes:
        numbers.append(number)
        return page(stored, number)

    monkeypatch.setattr(StoredPages, "page", reading)
    return numbers


def use_often(collector: Collector, times: int) -> None:
    """One event a minute."""
    collector.ingest.accept(
        messages_of(
            plain_event("u1", "used", f"n{n:05}", START + 60_000 * n, properties={"n": n})
            for n in range(times)
        )
    )


@pytest.mark.parametrize("days", [2, 60])
def test_progress_reads_little_of_a_long_history(
    collector: Collector, clock: Clock, pages: list[int], days: int
) -> None:
    """Also where all of its events have left their windows since the last one."""
    collector.put_definitions(MEASURED)
    use_often(collector, 2_000)
    clock.now = START + days * DAY

    pages.clear()
    progress = get(collector, "/v1/users/u1/pql")["progress"]
    shown = {each["definition"]: each["leaves"][0] for each in progress}
    assert len(pages) <= 30
    ends = [f"n{n:05}" for n in range(1_999, 1_979, -1)]
    for name in ("since_sign_up", "amount", "different", "scored"):
        assert _mids(shown[name]) == ends, name
    assert shown["often"]["observed"] == (2_000 if days == 2 else 0)
    assert _mids(shown["often"]) == (ends if days == 2 else [])
    assert shown["often"]["more_events"] == (1_980 if days == 2 else 0)
    assert shown["often"]["time_left"] == (28 * 86_400 if days == 2 else None)
    assert _mids(shown["largest"]) == (ends[:1] if days == 2 else [])
    assert shown["different"]["observed"] == 2_000


def _mids(leaf: Any) -> list[str]:
    return [event["message_id"] for event in leaf["events"]]


def test_no_request_holds_two_connections(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or requests would wait for each other for ever, once all connections are taken."""
    collector.put_definitions(MEASURED)
    use_often(collector, 20)
    held, most = 0, 0
    for name in ("reading", "writing"):
        begin = getattr(collector.store, name)

        @contextmanager
        def counting(begin: Any = begin) -> Iterator[Any]:
            nonlocal held, most
            with begin() as tx:
                held += 1
                most = max(most, held)
                try:
                    yield tx
                finally:
                    held -= 1

        monkeypatch.setattr(collector.store, name, counting)
    ask_everything(collector)
    assert most == 1


def ask_everything(collector: Collector) -> None:
    """Send each sort of request, with a key that is not known yet."""
    reader, admin, writer = (
        {"Authorization": f"Bearer {collector.keys.create(kind).token}"}
        for kind in ("read", "admin", "write")
    )
    client = create_app(collector).test_client()
    event = {"userId": "u1", "event": "report_shared"}
    used = '[[pql]]\nname = "used"\nwhen = { event = "used" }\n'
    assert client.put("/v1/definitions", data=used, headers=admin).status_code == 200
    collector.backfill_some()
    answers = [
        client.post("/v1/definitions/lint?data=true", data=used, headers=reader),
        client.post("/v1/track", json=event, headers=writer),
        client.post("/v1/track", json=event | {"event": "used"}, headers=admin),
    ]
    lead = client.get("/v1/pqls", headers=reader).json["data"][0]["id"]
    paths = (
        "pqls?country=DE&state=expired", f"pqls/{lead}", f"pqls/{lead}/proof", "users/u1",
        "users/u1/pql", "users/u1/timeline", "events", "rejected", "usage", "definitions",
    )  # fmt: skip
    answers += [client.get(f"/v1/{path}", headers=reader) for path in paths]
    answers += [client.get("/readyz"), client.get("/metrics")]
    assert {answer.status_code for answer in answers} == {200}
