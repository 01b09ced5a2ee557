"""Facts of one instant have an order: their place in the request or the file they came in."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from msgspec.json import decode, encode

from pequel_collector.app.bootstrap import Collector
from pequel_collector.audit.verify import verify
from pequel_collector.config import Settings
from pequel_collector.importing.files import Log
from pequel_collector.ingest import event_log
from pequel_collector.ingest.event_log import Import
from pequel_collector.ingest.positions import FileInstants, with_positions
from pequel_collector.ingest.receipts import Batch
from pequel_collector.ingest.replay_rejected import ReplayRejected
from pequel_collector.model import Message, iso
from pequel_collector.ports import ANY_REJECTED, StoredRejectedEvent
from pequel_collector.rules.engine.state import Fact
from pequel_collector.wire import decode as wire
from pequel_collector.wire.normalise import normalise
from support.api import Api
from support.streams import NOW, collector_of

Plain = dict[str, Any]
AT = "2026-03-02T10:00:00.000Z"
DEFINITIONS = """
[[pql]]
name = "on_pro"
when = { trait = "plan", eq = "pro" }

[[pql]]
name = "last_is_two"
when = { event = "measured", last = "n", eq = 2 }
"""


@pytest.fixture
def collector(store_url: str) -> Iterator[Collector]:
    """A collector with definitions, on either database."""
    opened = collector_of(DEFINITIONS, store_url)
    yield opened
    opened.close()


def identify(mid: str, plan: str, user: str = "u1", at: str = AT) -> Plain:
    traits = {"plan": plan}
    return {"type": "identify", "userId": user, "traits": traits, "timestamp": at, "messageId": mid}


def group(mid: str, account: str, user: str = "u2") -> Plain:
    return {"type": "group", "userId": user, "groupId": account, "timestamp": AT, "messageId": mid}


def track(mid: str, user: str = "u1", at: str = AT, **parts: Any) -> Plain:
    call = {"type": "track", "event": "measured", "userId": user}
    return {**call, "timestamp": at, "messageId": mid, **parts}


def batch_of(*events: Plain) -> Batch:
    body = json.dumps({"batch": events}).encode()
    return Batch(*normalise(wire.batch(body), Settings(), NOW, lambda: "given"))


def positions(collector: Collector, *subjects: str) -> list[tuple[str, int]]:
    with collector.store.reading() as tx:
        found = [stored.message for stored in tx.events(subjects)]
    return [(message.mid, message.position) for message in found]


def assert_verified(collector: Collector) -> None:
    found: list[Any] = []
    verify(collector.store, collector.clock, found.append)
    assert found == []


class TestInOneRequest:
    def test_the_last_trait_and_the_last_group_call_count(self, collector: Collector) -> None:
        events = [
            identify("f1d0c0de-0000-4000-8000-000000000001", "trial"),
            identify("0a11c0de-0000-4000-8000-000000000002", "pro"),
            group("f1d0c0de-0000-4000-8000-000000000003", "old"),
            group("0a11c0de-0000-4000-8000-000000000004", "new"),
        ]
        [receipt] = collector.ingest.accept_all([batch_of(*events)])
        assert [lead.definition for lead in receipt.qualified] == ["on_pro"]
        assert Api(collector).user("u1")["traits"] == {"plan": "pro"}
        assert Api(collector).user("u2")["account"] == "new"
        assert_verified(collector)

    def test_the_place_counts_per_instant(self, collector: Collector) -> None:
        later = "2026-03-02T10:00:00.001Z"
        events = [
            track("d"),
            track("c", at=later),
            track("b", "u2"),
            track("a"),
            track("e", at=later),
        ]
        collector.ingest.accept_all([batch_of(*events)])
        assert positions(collector, "u:u1") == [("d", 0), ("a", 2), ("c", 0), ("e", 1)]
        assert positions(collector, "u:u2") == [("b", 1)]

    def test_duplicates_and_rejected_events_have_no_place(self, collector: Collector) -> None:
        collector.ingest.accept_all([batch_of(track("m2"))])
        bad = track("m0", event=None)
        events = [bad, track("m2"), track("m3"), track("m1"), track("m3")]
        collector.ingest.accept_all([batch_of(*events)])
        assert positions(collector, "u:u1") == [("m2", 0), ("m3", 0), ("m1", 1)]

    def test_the_time_after_correction_counts(self, collector: Collector) -> None:
        future = [track("b", at=iso(NOW + 1)), track("a", at=iso(NOW + 2))]
        collector.ingest.accept_all([batch_of(*future)])
        assert positions(collector, "u:u1") == [("b", 0), ("a", 1)]

    def test_the_last_value_counts(self, collector: Collector) -> None:
        events = [track("b", properties={"n": 1}), track("a", properties={"n": 2})]
        [receipt] = collector.ingest.accept_all([batch_of(*events)])
        assert [lead.definition for lead in receipt.qualified] == ["last_is_two"]
        assert_verified(collector)

    def test_the_first_link_of_a_visitor_counts(self, collector: Collector) -> None:
        events = [track("b", "u1", anonymousId="v"), track("a", "u2", anonymousId="v")]
        collector.ingest.accept_all([batch_of(*events)])
        with collector.store.reading() as tx:
            assert tx.persons(["a:v"]) == {"a:v": "u:u1"}
        assert_verified(collector)

    def test_a_late_batch_is_put_in_its_order(self, collector: Collector) -> None:
        collector.ingest.accept_all([batch_of(track("z", at="2026-03-03T00:00:00Z"))])
        collector.ingest.accept_all([batch_of(identify("b", "trial"), identify("a", "pro"))])
        assert Api(collector).user("u1")["traits"] == {"plan": "pro"}
        assert positions(collector, "u:u1") == [("b", 0), ("a", 1), ("z", 0)]
        assert_verified(collector)


def test_requests_that_share_a_commit_count_apart(collector: Collector) -> None:
    collector.ingest.accept_all(
        [batch_of(track("c"), track("b")), batch_of(track("b"), track("a"))]
    )
    assert positions(collector, "u:u1") == [("a", 0), ("c", 0), ("b", 1)]


def test_a_transaction_that_fails_counts_nothing() -> None:
    instants = FileInstants()
    message = Message("m", "track", "u:u1", 5, 5)
    assert with_positions([message], instants.stored([message])) == [message]
    assert instants.stored([message]) == {}
    instants.add([message, message])
    [placed] = with_positions([message], instants.stored([message]))
    assert placed.position == 2


class TestImport:
    def test_counts_across_the_batches_of_a_file(
        self, collector: Collector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Forty users with dates only: the later line of the file counts."""
        monkeypatch.setattr(event_log, "BATCH", 7)
        plans = ("free", "trial", "pro")
        lines = [
            {"type": "identify", "userId": f"u{n:02}", "traits": {"plan": plan}} | DATED
            for n in range(40)
            for plan in plans
        ]
        self.run(collector, lines)
        users = [Api(collector).user(f"u{n:02}")["traits"]["plan"] for n in range(40)]
        assert users == ["pro"] * 40
        with collector.store.reading() as tx:
            found = [s.message.position for n in range(40) for s in tx.events([f"u:u{n:02}"])]
        assert found == list(range(120))
        assert_verified(collector)

    def test_counts_each_file_apart_and_no_duplicates(self, collector: Collector) -> None:
        self.run(collector, [track("c"), track("b")])
        self.run(collector, [track("c"), track("a")])
        assert positions(collector, "u:u1") == [("a", 0), ("c", 0), ("b", 1)]

    def run(self, collector: Collector, lines: Sequence[Plain]) -> None:
        text = "".join(json.dumps(line) + "\n" for line in lines).encode()
        log = Log(io.BytesIO(text), 10_000)
        Import(collector.ingest.accept_batch, Settings(), lambda: NOW).run(log)


DATED = {"timestamp": "2026-03-02"}


def test_a_replayed_rejected_event_has_position_0(collector: Collector) -> None:
    few = Settings(max_event=10)
    body = json.dumps({"batch": [track("b"), track("a")]}).encode()
    _, rejected = normalise(wire.batch(body), few, NOW, lambda: "given")
    with collector.store.writing() as tx:
        tx.add_rejected([StoredRejectedEvent(f"r{e.index}", NOW, None, e) for e in rejected])
    ReplayRejected(collector.store, collector.ingest, Settings()).run(ANY_REJECTED)
    assert positions(collector, "u:u1") == [("a", 0), ("b", 0)]


def test_a_page_of_the_timeline_continues_within_an_instant(collector: Collector) -> None:
    collector.ingest.accept_all([batch_of(*(track(mid) for mid in "dacb"))])
    seen, cursor = [], None
    while True:
        page = collector.queries.timeline("user", "u1", 1, cursor)
        seen += [stored.message.mid for stored in page.data]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == ["b", "c", "a", "d"]


def test_a_fact_of_an_older_page_has_position_0() -> None:
    old = encode([5, "m1", "used", {"n": 1}, "u1", None, {}, False, None])
    assert decode(old, type=Fact) == Fact(5, "m1", "used", {"n": 1}, "u1")
