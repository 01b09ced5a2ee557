"""Queries write nothing, answer by one version of the definitions, and say when it is too late."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.model import Lead
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
    leads_of = collector.queries._leads

    def change_first(tx: Any, leads: list[Lead]) -> Any:
        if not changed.is_set():
            changed.set()
            other = '[[pql]]\nname = "used"\nwhen = { event = "signed_up", gte = 2 }\n'
            thread = Thread(target=collector.put_definitions, args=[other])
            thread.start()
            thread.join()
        return leads_of(tx, leads)

    monkeypatch.setattr(collector.queries, "_leads", change_first)
    assert [lead["holds_now"] for lead in get(collector, "/v1/pqls")["data"]] == [True]
    assert [lead["holds_now"] for lead in get(collector, "/v1/pqls")["data"]] == [False]
