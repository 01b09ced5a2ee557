"""Requests that share a commit: who leads, who waits, and what becomes of those that fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event, Lock
from typing import Any

import pytest

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.errors import TooLarge, Unavailable
from pequel_collector.ingest import group_commit
from pequel_collector.ingest.group_commit import GroupCommit
from pequel_collector.ingest.receipts import Batch, Receipt
from pequel_collector.model import Message, RejectedEvent
from pequel_collector.rules.parser.catalogue import read_catalogue
from support.streams import NOW, messages_of, plain_event

Started = Callable[..., "Future[Receipt]"]


class Gate:
    """A store that waits for a sign before each commit, and notes what it was given."""

    def __init__(self) -> None:
        self.commits: list[list[str]] = []
        self.open, self.entered = Event(), Event()
        self.fails: dict[str, BaseException] = {}
        self.guard = Lock()

    def accept_all(self, batches: Sequence[Batch]) -> list[Receipt]:
        mids = [message.mid for batch in batches for message in batch.messages]
        with self.guard:
            self.commits.append(mids)
        self.entered.set()
        assert self.open.wait(10)
        for mid in mids:
            if mid in self.fails:
                raise self.fails[mid]
        return [Receipt(accepted=len(batch.messages)) for batch in batches]


class Watch:
    """Says what is wrong."""

    def __init__(self, trouble: str | None = None) -> None:
        self._trouble = trouble

    def trouble(self, waited: float) -> str | None:
        return self._trouble


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def queue(gate: Gate) -> GroupCommit:
    return GroupCommit(gate, Settings(max_waiting=20), Watch())


@pytest.fixture
def start(queue: GroupCommit) -> Iterator[Started]:
    """Sends batches of messages with these ids, each in a thread of its own, in order."""
    with ThreadPoolExecutor(32) as pool:

        def start(*mids: str) -> Future[Receipt]:
            waiting = queue.events
            future = pool.submit(queue.accept, messages(*mids))
            while queue.events == waiting and not future.done():
                pass
            return future

        yield start


def messages(*mids: str) -> list[Message]:
    return messages_of([plain_event("u1", "used", mid, NOW) for mid in mids])


class TestWhoComesAlone:
    def test_commits_at_once(self, gate: Gate, queue: GroupCommit) -> None:
        gate.open.set()
        assert queue.accept(messages("a", "b")).accepted == 2
        assert queue.accept(messages("c")).accepted == 1
        assert gate.commits == [["a", "b"], ["c"]]
        assert queue.events == 0
        assert queue.waited() == 0

    def test_is_told_what_was_wrong(self, gate: Gate, queue: GroupCommit) -> None:
        gate.open.set()
        gate.fails["a"] = KeyError("a mistake here")
        with pytest.raises(KeyError):
            queue.accept(messages("a"))
        assert queue.accept(messages("b")).accepted == 1


class TestWhoCome:
    def test_while_one_commits_are_committed_together(
        self, gate: Gate, queue: GroupCommit, start: Started
    ) -> None:
        first = start("a")
        assert gate.entered.wait(10)
        others = [start(mid) for mid in "bcdef"]
        assert queue.events == 6
        assert queue.waited() > 0
        gate.open.set()
        assert [future.result(10).accepted for future in (first, *others)] == [1] * 6
        assert gate.commits == [["a"], ["b", "c", "d", "e", "f"]]

    def test_beyond_what_may_wait_are_put_off(self, gate: Gate, start: Started) -> None:
        first = start("a")
        assert gate.entered.wait(10)
        waiting = start(*(f"b{n}" for n in range(19)))
        with pytest.raises(Unavailable, match="20 events wait to be stored already"):
            start("c").result(10)
        gate.open.set()
        assert (first.result(10).accepted, waiting.result(10).accepted) == (1, 19)

    def test_with_more_than_may_wait_get_through_alone(
        self, gate: Gate, queue: GroupCommit
    ) -> None:
        gate.open.set()
        assert queue.accept(messages(*(f"a{n}" for n in range(50)))).accepted == 50

    def test_are_no_more_in_a_commit_than_it_should_have(
        self, gate: Gate, start: Started, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(group_commit, "TOGETHER", 4)
        futures = [start("a")]
        assert gate.entered.wait(10)
        futures += [start("b", "c"), start("d", "e"), start("f")]
        gate.open.set()
        assert [future.result(10).accepted for future in futures] == [1, 2, 2, 1]
        assert gate.commits == [["a"], ["b", "c", "d", "e"], ["f"]]

    def test_are_not_harmed_by_one_that_cannot_be_stored(self, gate: Gate, start: Started) -> None:
        first = start("a")
        assert gate.entered.wait(10)
        good, bad, other = start("b"), start("c"), start("d")
        gate.fails["c"] = TooLarge("an id is too long")
        gate.open.set()
        assert [future.result(10).accepted for future in (first, good, other)] == [1, 1, 1]
        with pytest.raises(TooLarge):
            bad.result(10)
        assert gate.commits == [["a"], ["b", "c", "d"], ["b"], ["c"], ["d"]]

    def test_are_all_told_when_the_store_cannot_be_used(self, gate: Gate, start: Started) -> None:
        first = start("a")
        assert gate.entered.wait(10)
        others = [start("b"), start("c")]
        gate.fails["b"] = Unavailable("the disk is full")
        gate.open.set()
        assert first.result(10).accepted == 1
        for future in others:
            with pytest.raises(Unavailable, match="the disk is full"):
                future.result(10)
        assert len(gate.commits) == 2

    def test_are_let_go_when_the_process_is_being_ended(self, gate: Gate, start: Started) -> None:
        first = start("a")
        assert gate.entered.wait(10)
        other = start("b")
        gate.fails["a"] = SystemExit(1)
        gate.open.set()
        with pytest.raises(SystemExit):
            first.result(10)
        assert other.result(10).accepted == 1

    def test_give_up_after_a_while_and_are_not_stored_then(
        self, gate: Gate, queue: GroupCommit, start: Started, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(group_commit, "PATIENCE", 0.01)
        first = start("a")
        assert gate.entered.wait(10)
        with pytest.raises(Unavailable, match="the store takes too long"):
            start("b").result(10)
        gate.open.set()
        assert first.result(10).accepted == 1
        assert gate.commits == [["a"]]
        assert queue.events == 0

    def test_when_there_is_trouble_are_turned_away(self, gate: Gate) -> None:
        queue = GroupCommit(gate, Settings(), Watch("the disk is full"))
        with pytest.raises(Unavailable, match="the disk is full"):
            queue.accept(messages("a"))
        assert gate.commits == []


class TestOnARealStore:
    """Sixteen threads send single events, each waiting for its answer."""

    TOML = '[[pql]]\nname = "three"\nwhen = { event = "used", gte = 3 }\n'

    @pytest.fixture
    def collector(self, store_url: str) -> Iterator[Collector]:
        settings = Settings(database=store_url)
        collector = open_collector(settings, read_catalogue(self.TOML), clock=lambda: NOW)
        yield collector
        collector.close()

    def test_each_is_stored_once_and_each_lead_is_told_to_one(self, collector: Collector) -> None:
        def send(number: int) -> Any:
            event = plain_event(f"u{number % 10}", "used", f"m{number}", NOW - number)
            refused = [RejectedEvent(0, "bad_value", "no")] if number % 4 == 0 else []
            return collector.intake.accept(messages_of([event]), refused, "k1")

        with ThreadPoolExecutor(16) as pool:
            receipts = list(pool.map(send, [*range(200), *range(100)]))
        assert sum(receipt.accepted for receipt in receipts) == 200
        assert sum(receipt.duplicates for receipt in receipts) == 100
        told = [lead.id for receipt in receipts for lead in receipt.qualified]
        assert len(told) == len(set(told)) == 10
        usage = collector.queries.usage(())
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
