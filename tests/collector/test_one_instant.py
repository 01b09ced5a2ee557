"""Events of one user at one instant, each in a request of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pequel_collector.app.bootstrap import Collector
from pequel_collector.audit.verify import verify
from pequel_collector.marking import history
from pequel_collector.rules.engine import keyed
from pequel_collector.rules.engine.evaluator import Evaluator
from support.streams import NOW, collector_of, marks, messages_of, plain_event

DEFINITIONS = """
[[pql]]
name = "many"
when = { event = "used", gte = 30 }

[[pql]]
name = "different"
when = { event = "used", distinct = "project", gte = 25 }

[[pql]]
name = "few"
when = { event = "used", gte = 3 }
unless = [{ event = "used", gt = 20 }]

[[pql]]
name = "in_order"
when = { sequence = ["used", "shared"], within = "1h" }
"""
AT = NOW - 60_000


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of a few facts."""
    monkeypatch.setattr(history, "FACTS_PER_PAGE", 4)
    monkeypatch.setattr(keyed, "MAX_IN_STATE", 2)


@pytest.fixture
def collector(store_url: str) -> Iterator[Collector]:
    collector = collector_of(DEFINITIONS, store_url)
    yield collector
    collector.close()


@pytest.fixture
def folded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many facts each call of ``fold`` takes in."""
    found: list[int] = []
    fold = Evaluator.fold

    def counting(self: Evaluator, state: Any, reader: Any, facts: Any, *more: Any, **also: Any):  # type: ignore[no-untyped-def]
        found.append(len(facts))
        return fold(self, state, reader, facts, *more, **also)

    monkeypatch.setattr(Evaluator, "fold", counting)
    return found


def send(collector: Collector, number: int, at: int = AT, **parts: Any) -> None:
    """One event, in a request of its own."""
    told = {"properties": {"project": f"p{number}"}} | parts
    event = told.pop("event", "used")
    call = plain_event("ada", event, f"m{number:05}", at, **told)
    collector.ingest.accept(messages_of([call]))


def differences(collector: Collector) -> list[Any]:
    found: list[Any] = []
    verify(collector.store, collector.clock, found.append)
    return found


def test_the_next_one_folds_the_facts_of_the_last_pages_and_no_others(
    collector: Collector, folded: list[int]
) -> None:
    for number in range(40):
        send(collector, number)
    folded.clear()
    for number in range(40, 60):
        send(collector, number)
    assert sum(folded) <= 20 * history.FACTS_PER_PAGE
    folded.clear()
    send(collector, 0, AT + 1, messageId="z")
    assert sum(folded) == 1
    assert differences(collector) == []


def test_they_count_together_whatever_their_order(collector: Collector) -> None:
    """The 21st event takes the lead for few back, since the instant has more than 20."""
    for number in (*range(10), *range(19, 9, -1)):
        send(collector, number)
    assert marks(collector) == {("few", "user", "ada"): [AT]}
    send(collector, 20)
    assert marks(collector) == {}
    for number in (*range(21, 40, 2), *range(22, 40, 2)):
        send(collector, number)
    send(collector, 999, event="shared")
    found = {name for name, _, _ in marks(collector)}
    assert found == {"many", "different", "in_order"}
    assert differences(collector) == []


def test_they_are_the_same_after_a_restart(store_url: str) -> None:
    for number in range(32):
        collector = collector_of(DEFINITIONS, store_url)
        send(collector, number)
        collector.close()
    collector = collector_of(DEFINITIONS, store_url)
    assert {name for name, _, _ in marks(collector)} == {"many", "different"}
    assert differences(collector) == []
    collector.close()


def test_an_anchor_on_the_next_page_of_the_instant_counts_the_events_before_it(
    store_url: str,
) -> None:
    of_first = '[[pql]]\nname = "a"\nwhen = { event = "used", of = "first:shared", gte = 4 }\n'
    collector = collector_of(of_first, store_url)
    for number in (0, 1, 2, 3, 5):
        send(collector, number)
    assert marks(collector) == {}
    send(collector, 4, event="shared")
    assert marks(collector) == {("a", "user", "ada"): [AT]}
    assert differences(collector) == []
    collector.close()
