"""Requests that share a commit: which one leads, which ones wait, and which ones fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.audit.verify import verify
from pequel_collector.config import Settings
from pequel_collector.errors import Conflict, NotFound, Stale, TooLarge, Unavailable
from pequel_collector.ingest import group_commit as module
from pequel_collector.ingest.accept import Committed, Ingest
from pequel_collector.ingest.group_commit import GroupCommit
from pequel_collector.ingest.health import Health
from pequel_collector.ingest.receipts import Batch, Receipt
from pequel_collector.marking.work import LeadChange, LeadRequest
from pequel_collector.model import (
    Lead,
    LeadPatch,
    Message,
    RejectedEvent,
    lead_id,
    user_key,
)
from pequel_collector.rules.language.definition import Catalogue
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.store import open_store
from support.api import Api
from support.streams import NOW, messages_of, plain_event

Started = Callable[..., "Future[Receipt]"]


class GatedIngest(Ingest):
    """Stores in memory, but only when its gate is open. Records the commits."""

    def __init__(self) -> None:
        super().__init__(open_store("sqlite://"), Catalogue(), lambda: NOW)
        self.commits: list[list[str]] = []
        self.gate, self.entered = Event(), Event()
        self.fails: dict[str, BaseException] = {}

    def commit(
        self,
        batches: Sequence[Batch],
        requests: Sequence[LeadRequest] = (),
        *,
        is_brief: bool = True,
    ) -> Committed:
        mids = [message.mid for batch in batches for message in batch.messages]
        self.commits.append(mids)
        self.entered.set()
        assert self.gate.wait(10)
        for mid in mids:
            if mid in self.fails:
                raise self.fails[mid]
        return super().commit(batches, requests, is_brief=is_brief)


class FullDisk(Health):
    def trouble(self, oldest_wait: float) -> str | None:
        return "the disk is full"


@pytest.fixture
def ingest() -> Iterator[GatedIngest]:
    ingest = GatedIngest()
    yield ingest
    ingest.store.close()


@pytest.fixture
def group_commit(ingest: GatedIngest) -> GroupCommit:
    settings = Settings(max_waiting=20)
    return GroupCommit(ingest, settings, Health(ingest.store, settings))


@pytest.fixture
def start(group_commit: GroupCommit) -> Iterator[Started]:
    """Sends batches of messages with these ids, each in a thread of its own, in order."""
    with ThreadPoolExecutor(32) as pool:

        def start(*mids: str) -> Future[Receipt]:
            waiting = group_commit.waiting_events
            future = pool.submit(group_commit.accept, messages(*mids))
            while group_commit.waiting_events == waiting and not future.done():
                pass
            return future

        yield start


def messages(*mids: str) -> list[Message]:
    return messages_of([plain_event("u1", "used", mid, NOW) for mid in mids])


class TestARequestAlone:
    def test_commits_at_once(self, ingest: GatedIngest, group_commit: GroupCommit) -> None:
        ingest.gate.set()
        assert group_commit.accept(messages("a", "b")).accepted == 2
        assert group_commit.accept(messages("c")).accepted == 1
        assert ingest.commits == [["a", "b"], ["c"]]
        assert group_commit.waiting_events == 0
        assert group_commit.oldest_wait() == 0

    def test_gets_its_error(self, ingest: GatedIngest, group_commit: GroupCommit) -> None:
        ingest.gate.set()
        ingest.fails["a"] = KeyError("a mistake here")
        with pytest.raises(KeyError):
            group_commit.accept(messages("a"))
        assert group_commit.accept(messages("b")).accepted == 1


class TestRequests:
    def test_while_one_commits_are_committed_together(
        self, ingest: GatedIngest, group_commit: GroupCommit, start: Started
    ) -> None:
        first = start("a")
        assert ingest.entered.wait(10)
        others = [start(mid) for mid in "bcdef"]
        assert group_commit.waiting_events == 6
        assert group_commit.oldest_wait() > 0
        ingest.gate.set()
        assert [future.result(10).accepted for future in (first, *others)] == [1] * 6
        assert ingest.commits == [["a"], ["b", "c", "d", "e", "f"]]

    def test_beyond_what_may_wait_are_refused(self, ingest: GatedIngest, start: Started) -> None:
        first = start("a")
        assert ingest.entered.wait(10)
        waiting = start(*(f"b{n}" for n in range(19)))
        with pytest.raises(Unavailable, match="20 events wait to be stored already"):
            start("c").result(10)
        ingest.gate.set()
        assert (first.result(10).accepted, waiting.result(10).accepted) == (1, 19)

    def test_with_more_events_than_may_wait_are_stored_alone(
        self, ingest: GatedIngest, group_commit: GroupCommit
    ) -> None:
        ingest.gate.set()
        assert group_commit.accept(messages(*(f"a{n}" for n in range(50)))).accepted == 50

    def test_of_one_commit_have_no_more_events_than_its_limit(
        self, ingest: GatedIngest, start: Started, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "MAX_EVENTS_PER_COMMIT", 4)
        futures = [start("a")]
        assert ingest.entered.wait(10)
        futures += [start("b", "c"), start("d", "e"), start("f")]
        ingest.gate.set()
        assert [future.result(10).accepted for future in futures] == [1, 2, 2, 1]
        assert ingest.commits == [["a"], ["b", "c", "d", "e"], ["f"]]

    def test_are_not_harmed_by_one_that_cannot_be_stored(
        self, ingest: GatedIngest, start: Started
    ) -> None:
        first = start("a")
        assert ingest.entered.wait(10)
        good, bad, other = start("b"), start("c"), start("d")
        ingest.fails["c"] = TooLarge("an id is too long")
        ingest.gate.set()
        assert [future.result(10).accepted for future in (first, good, other)] == [1, 1, 1]
        with pytest.raises(TooLarge):
            bad.result(10)
        assert ingest.commits == [["a"], ["b", "c", "d"], ["b"], ["c"], ["d"]]

    def test_all_get_the_error_when_the_store_cannot_be_used(
        self, ingest: GatedIngest, start: Started
    ) -> None:
        first = start("a")
        assert ingest.entered.wait(10)
        others = [start("b"), start("c")]
        ingest.fails["b"] = Unavailable("the disk is full")
        ingest.gate.set()
        assert first.result(10).accepted == 1
        for future in others:
            with pytest.raises(Unavailable, match="the disk is full"):
                future.result(10)
        assert len(ingest.commits) == 2

    def test_that_wait_get_the_error_too_when_the_store_cannot_be_used(
        self, ingest: GatedIngest, group_commit: GroupCommit, start: Started
    ) -> None:
        first = start("a")
        assert ingest.entered.wait(10)
        others = [start("b"), start("c")]
        ingest.fails["a"] = Unavailable("the disk is full")
        ingest.gate.set()
        for future in (first, *others):
            with pytest.raises(Unavailable, match="the disk is full"):
                future.result(10)
        assert ingest.commits == [["a"]]
        assert group_commit.waiting_events == 0
        assert group_commit.accept(messages("d")).accepted == 1

    def test_get_an_answer_when_the_process_is_stopped(
        self, ingest: GatedIngest, start: Started
    ) -> None:
        first = start("a")
        assert ingest.entered.wait(10)
        other = start("b")
        ingest.fails["a"] = SystemExit(1)
        ingest.gate.set()
        with pytest.raises(SystemExit):
            first.result(10)
        assert other.result(10).accepted == 1

    def test_that_wait_too_long_give_up_and_are_not_stored(
        self,
        ingest: GatedIngest,
        group_commit: GroupCommit,
        start: Started,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(group_commit, "_timeout", 0.01)
        first = start("a")
        assert ingest.entered.wait(10)
        with pytest.raises(Unavailable, match="the store takes too long"):
            start("b").result(10)
        ingest.gate.set()
        assert first.result(10).accepted == 1
        assert ingest.commits == [["a"]]
        assert group_commit.waiting_events == 0

    def test_are_refused_when_the_store_is_in_trouble(self, ingest: GatedIngest) -> None:
        settings = Settings()
        full = GroupCommit(ingest, settings, FullDisk(ingest.store, settings))
        with pytest.raises(Unavailable, match="the disk is full"):
            full.accept(messages("a"))
        assert ingest.commits == []


class TestOnARealStore:
    """Sixteen threads send single events, each waiting for its answer."""

    TOML = '[[pql]]\nname = "three"\nwhen = { event = "used", gte = 3 }\n'

    @pytest.fixture
    def collector(self, store_url: str) -> Iterator[Collector]:
        settings = Settings(database=store_url)
        collector = open_collector(settings, read_catalogue(self.TOML), clock=lambda: NOW)
        yield collector
        collector.close()

    def test_each_is_stored_once_and_each_lead_is_on_one_receipt(
        self, collector: Collector
    ) -> None:
        def send(number: int) -> Any:
            event = plain_event(f"u{number % 10}", "used", f"m{number}", NOW - number)
            rejected = [RejectedEvent(0, "bad_value", "no")] if number % 4 == 0 else []
            return collector.intake.accept(messages_of([event]), rejected, "k1")

        with ThreadPoolExecutor(16) as pool:
            receipts = list(pool.map(send, [*range(200), *range(100)]))
        assert sum(receipt.accepted for receipt in receipts) == 200
        assert sum(receipt.duplicates for receipt in receipts) == 100
        told = [lead.id for receipt in receipts for lead in receipt.qualified]
        assert len(told) == len(set(told)) == 10
        usage = Api(collector).usage(())
        assert usage["total"] == {
            "received": 375,
            "stored": 200,
            "duplicates": 100,
            "rejected": {"bad_value": 75},
            "suppressed": 0,
            "dropped_by_clients": {},
        }
        with collector.store.reading() as view:
            assert view.totals()["messages"] == 200


WORKED = """
[[pql]]
name = "active"
when = { event = "used" }
requalify = { after_silence = "1h" }
cooldown = "30d"
"""


class TestChangesOfLeads:
    @pytest.fixture
    def collector(self, store_url: str) -> Iterator[Collector]:
        settings = Settings(database=store_url, config="")
        collector = open_collector(settings, read_catalogue(WORKED), clock=lambda: NOW)
        yield collector
        collector.close()

    def leads(self, collector: Collector, *users: str) -> list[str]:
        """Let users qualify; the ids of their leads."""
        events = [plain_event(user, "used", user, NOW) for user in users]
        collector.ingest.accept(messages_of(events))
        return [lead_id("active", user_key(user), 1) for user in users]

    def test_share_a_commit_with_batches_and_each_is_decided_in_its_turn(
        self, collector: Collector
    ) -> None:
        one, other = self.leads(collector, "u1", "u2")
        patches = [
            (one, LeadPatch(owner="ben")),
            (one, LeadPatch(state="won")),
            (one, LeadPatch(state="lost")),
            ("none", LeadPatch(owner="ben")),
            (other, LeadPatch(state="dismissed")),
            (other, LeadPatch(state="assigned", owner="eve")),
            (other, LeadPatch(state="new")),
            (other, LeadPatch(state="contacted")),
        ]
        requests = [LeadRequest(lead, LeadChange(patch, "why")) for lead, patch in patches]
        done = collector.ingest.commit([Batch(messages("m9"))], requests)
        assert done.receipts[0].accepted == 1
        found = [each.state if isinstance(each, Lead) else type(each) for each in done.leads]
        assert found == [
            "assigned", "won", Conflict, NotFound, "dismissed", Conflict, "new", "contacted",
        ]  # fmt: skip
        [refused] = [each for each in done.leads[:3] if isinstance(each, Conflict)]
        assert refused.details == {"state": "won", "allowed": []}
        with collector.store.reading() as view:
            states = [view.leads_by_id([each])[each].state for each in (one, other)]
            steps = [[entry.what for entry in view.changes(each)] for each in (one, other)]
        assert states == ["won", "contacted"]
        assert steps == [
            ["opened", "assigned", "won"],
            ["opened", "dismissed", "reopened", "contacted"],
        ]
        differences: list[Any] = []
        verify(collector.store, lambda: NOW, differences.append)
        assert differences == []

    def test_sent_twice_in_one_commit_is_made_once(self, collector: Collector) -> None:
        [lead] = self.leads(collector, "u1")
        asked = LeadChange(LeadPatch(state="won"), idempotency_key="k", digest="d")
        done = collector.ingest.commit([], [LeadRequest(lead, asked)] * 2)
        assert [each.state for each in done.leads if isinstance(each, Lead)] == ["won", "won"]
        with collector.store.reading() as view:
            assert len(view.changes(lead)) == 2

    def test_that_saw_the_lead_before_another_of_the_commit_is_stale(
        self, collector: Collector
    ) -> None:
        [lead] = self.leads(collector, "u1")
        seen = collector.queries.pql(lead).tag
        assert seen is not None
        changes = [LeadChange(LeadPatch(owner=who), if_match={seen}) for who in ("ben", "eve")]
        done = collector.ingest.commit([], [LeadRequest(lead, each) for each in changes])
        assert [type(each) for each in done.leads] == [Lead, Stale]

    def test_that_fail_leave_those_beside_them(self, collector: Collector) -> None:
        [lead] = self.leads(collector, "u1")
        with pytest.raises(NotFound, match="there is no lead none"):
            collector.intake.change("none", LeadChange(LeadPatch(owner="ben")))
        assert collector.intake.change(lead, LeadChange(LeadPatch(owner="ben"))).owner == "ben"

    def test_from_many_threads_are_all_made_in_a_lead_s_order(self, collector: Collector) -> None:
        [lead] = self.leads(collector, "u1")

        def take(who: int) -> bool:
            change = LeadChange(LeadPatch(owner=f"o{who}"), if_state="new")
            try:
                return collector.intake.change(lead, change).owner == f"o{who}"
            except Conflict as error:
                return error.details["state"] != "assigned"

        with ThreadPoolExecutor(8) as threads:
            taken = list(threads.map(take, range(16)))
        assert taken.count(True) == 1
        with collector.store.reading() as view:
            assert view.leads_by_id([lead])[lead].owner == f"o{taken.index(True)}"

    def test_are_refused_while_the_disk_is_full(self, ingest: GatedIngest) -> None:
        settings = Settings()
        full = GroupCommit(ingest, settings, FullDisk(ingest.store, settings))
        with pytest.raises(Unavailable, match="the disk is full"):
            full.change("l1", LeadChange(LeadPatch(owner="ben")))
