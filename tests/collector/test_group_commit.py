"""Requests that share a commit: which one leads, which ones wait, and which ones fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.errors import TooLarge, Unavailable
from pequel_collector.ingest import group_commit as module
from pequel_collector.ingest.accept import Committed, Ingest
from pequel_collector.ingest.group_commit import GroupCommit
from pequel_collector.ingest.health import Health
from pequel_collector.ingest.receipts import Batch, Receipt
from pequel_collector.marking.work import LeadRequest
from pequel_collector.model import Message, RejectedEvent
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
