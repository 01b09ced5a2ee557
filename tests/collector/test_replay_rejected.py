"""Rejected events that are replayed: each is stored once, at its own time, and counted once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.importing.line import Line
from pequel_collector.ingest.event_log import Import
from pequel_collector.ingest.replay_rejected import ReplayRejected, ReplaySummary
from pequel_collector.ports import By, RejectedFilter
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.app import create_app
from support.api import Api
from support.described import client_of

TOML = '[[pql]]\nname = "once"\nwhen = { event = "used" }\n'
KEYS = {"write_key": "w", "admin_key": "a"}
SMALL, LARGE = Settings(max_event=300, **KEYS), Settings(**KEYS)
NOON = 1_772_366_400_000


class FakeClock:
    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def collector(store_url: str, clock: FakeClock) -> Iterator[Collector]:
    """A collector that takes small events only."""
    settings = Settings(database=store_url, max_event=300, **KEYS)
    collector = open_collector(settings, read_catalogue(TOML), clock=clock)
    yield collector
    collector.close()


def event(mid: str | None, text: str = "", **parts: Any) -> dict[str, Any]:
    own = {} if mid is None else {"messageId": mid}
    return {
        **own,
        "type": "track",
        "userId": "ada",
        "event": "used",
        "properties": {"text": text},
        **parts,
    }


def send(collector: Collector, *events: Any, path: str = "/v1/batch", **around: Any) -> Any:
    body = {"batch": list(events), **around} if path == "/v1/batch" else events[0]
    client = client_of(create_app(collector))
    answer = client.post(path, data=json.dumps(body), headers={"X-Write-Key": "w"})
    assert answer.status_code == 200
    return answer.json


def replay(collector: Collector, settings: Settings = LARGE, **wanted: str) -> ReplaySummary:
    return ReplayRejected(collector.store, collector.ingest, settings).run(RejectedFilter(**wanted))


def rejected(collector: Collector, **wanted: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = Api(collector).rejected(RejectedFilter(**wanted), 100)["data"]
    return found


def total(collector: Collector) -> Any:
    return Api(collector).usage(())["total"]


class TestARejectedEvent:
    def test_is_stored_and_marked_once_it_can_be_read(self, collector: Collector) -> None:
        send(collector, event("m1", "x" * 400), event("m2"))
        assert total(collector)["rejected"] == {"too_large": 1}
        summary = replay(collector)
        assert (summary.read, summary.stored, summary.rejected) == (1, 1, {})
        assert rejected(collector) == []
        assert total(collector) == {
            "received": 2,
            "stored": 2,
            "duplicates": 0,
            "rejected": {},
            "suppressed": 0,
            "dropped_by_clients": {},
        }
        assert Api(collector).status("user", "ada")["is_pql"]
        assert Api(collector).user("ada")["event_counts"] == {"used": 2}

    def test_has_the_time_and_the_context_that_it_came_with(
        self, collector: Collector, clock: FakeClock
    ) -> None:
        sent = {"sentAt": "2026-03-01T10:00:00.000Z", "context": {"groupId": "acme"}}
        large = event("m1", "x" * 400, timestamp="2026-03-01T09:50:00.000Z")
        send(collector, large, **sent)
        clock.now += 86_400_000
        replay(collector)
        with collector.store.reading() as view:
            [stored] = view.latest(9)
        message = stored.message
        assert message.time == NOON - 10 * 60_000  # the client clock is two hours slow
        assert message.received == NOON
        assert (message.account, stored.account) == ("acme", "acme")
        assert message.context == {"groupId": "acme"}

    def test_of_a_single_call_is_of_the_type_of_its_path(self, collector: Collector) -> None:
        send(collector, {"userId": "ada", "traits": {"bio": "x" * 400}}, path="/v1/identify")
        replay(collector)
        assert Api(collector).user("ada")["traits"] == {"bio": "x" * 400}

    def test_without_an_id_is_stored_once(self, collector: Collector) -> None:
        send(collector, event(None, "x" * 400))
        again = rejected(collector)
        assert replay(collector).stored == 1
        assert replay(collector).read == 0
        assert len(again) == 1

    def test_that_was_stored_meanwhile_is_a_duplicate(self, collector: Collector) -> None:
        send(collector, event("m1", "x" * 400))
        send(collector, event("m1"))
        assert replay(collector).duplicates == 1
        assert total(collector)["duplicates"] == 1
        assert total(collector)["received"] == 2

    def test_stays_where_nothing_has_changed(self, collector: Collector) -> None:
        send(collector, event("m1", "x" * 400), event("m2", timestamp="when?"), 17)
        before = rejected(collector)
        summary = replay(collector, SMALL)
        assert summary.rejected == {"too_large": 1, "bad_timestamp": 1, "not_an_object": 1}
        assert rejected(collector) == before

    @pytest.mark.parametrize("line", [b"junk", b"\xff\xfe", b'{"a":', b"\0", b"5", b"[" * 3000])
    def test_that_is_no_event_at_all_stays_and_harms_no_other(
        self, collector: Collector, line: bytes
    ) -> None:
        imported = Import(collector.ingest.accept_batch, collector.settings, collector.clock)
        imported.run([Line(1, line)])
        send(collector, event("m1", "x" * 400))
        summary = replay(collector)
        assert (summary.read, summary.stored, summary.rejected.total()) == (2, 1, 1)

    def test_is_chosen_by_its_reason(self, collector: Collector) -> None:
        send(collector, event("m1", "x" * 400), event("m2", timestamp="when?"))
        assert [each["code"] for each in rejected(collector, code="too_large")] == ["too_large"]
        assert replay(collector, code="bad_timestamp").read == 1
        assert replay(collector, key="another").read == 0
        assert replay(collector, code="too_large", key="settings-write").stored == 1

    def test_is_noted_in_the_audit_log_with_who_chose_it_and_why(
        self, collector: Collector, clock: FakeClock
    ) -> None:
        send(collector, event("m1", "x" * 400), event("m2", timestamp="when?"))
        again = ReplayRejected(collector.store, collector.ingest, LARGE)
        by = By("cli", "a larger limit")
        again.run(RejectedFilter(code="too_large"), by=by)
        with collector.store.reading() as view:
            entry = view.audit(1)[0]
        about = {"code": "too_large", "read": 1, "stored": 1}
        assert (entry.what, entry.by, entry.details) == ("rejected_replayed", by, about)

    def test_is_counted_in_the_month_in_which_it_came(
        self, collector: Collector, clock: FakeClock
    ) -> None:
        send(collector, event("m1", "x" * 400))
        clock.now += 40 * 86_400_000
        replay(collector)
        [month] = Api(collector).usage(())["data"]
        assert (month["month"], month["received"], month["stored"]) == ("2026-03", 1, 1)


class TestManyOfThem:
    def test_are_replayed_page_by_page(
        self, collector: Collector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("pequel_collector.ingest.replay_rejected.PAGE_SIZE", 3)
        for start in range(0, 20, 5):
            large = [event(f"m{n}", "x" * 400) for n in range(start, start + 4)]
            send(collector, *large, event(f"bad{start}", timestamp="when?"))
        summary = replay(collector)
        assert (summary.read, summary.stored, summary.rejected.total()) == (20, 16, 4)
        assert len(rejected(collector)) == 4
        assert total(collector)["received"] == 20

    def test_are_listed_in_pages(self, collector: Collector) -> None:
        send(collector, *(event(f"m{n}", "x" * 400) for n in range(7)))
        seen, cursor = [], None
        while True:
            page = Api(collector).rejected(RejectedFilter(), 3, cursor)
            seen += [each["messageId"] for each in page["data"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert sorted(seen) == [f"m{n}" for n in range(7)]
