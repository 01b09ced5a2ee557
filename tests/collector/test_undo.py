"""Undoing an import: the store is as if the import had never been."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.streams import START, WHOLE, Ids, catalogues, message, streams
from oracle.toml import to_toml
from pequel_collector.app.bootstrap import Collector
from pequel_collector.audit.verify import verify
from pequel_collector.errors import BadRequest, NotFound, Unavailable
from pequel_collector.ingest import import_runs, undo
from pequel_collector.ingest.event_log import KEY
from pequel_collector.ingest.receipts import Batch, Receipt
from pequel_collector.ingest.replay_rejected import ReplayRejected
from pequel_collector.ingest.undo import Undo
from pequel_collector.marking import history
from pequel_collector.marking.work import LeadChange
from pequel_collector.model import LeadPatch, RejectedEvent, fact_order
from pequel_collector.ports import By, RejectedFilter
from pequel_collector.rules.engine import keyed
from pequel_collector.usage import balance_of
from support.streams import answers, collector_of, marks, messages_of

DEFINITIONS = """
[[pql]]
name = "keen"
when = { event = "used", gte = 2 }

[[pql]]
name = "paying"
when = { trait = "plan", eq = "paid" }

[[pql]]
name = "spread"
subject = "account"
when = { event = "used", distinct = "@user", gte = 2 }
"""
VISITOR, ADA, BOB = Ids(None, "v1"), Ids("ada", None), Ids("bob", None)
ADA_LOGS_IN, BOB_LOGS_IN = Ids("ada", "v1"), Ids("bob", "v1")
Plain = dict[str, Any]


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of a few facts, and transactions that remove a few messages."""
    monkeypatch.setattr(history, "FACTS_PER_PAGE", 3)
    monkeypatch.setattr(keyed, "MAX_IN_STATE", 2)
    monkeypatch.setattr(undo, "MESSAGES_AT_ONCE", 3)


@pytest.fixture
def collector(store_url: str) -> Iterator[Collector]:
    """A collector with definitions, on either database."""
    collector = collector_of(DEFINITIONS, store_url)
    yield collector
    collector.close()


def begin(collector: Collector) -> int:
    """The number of a new import."""
    return import_runs.begin(collector.store, collector.clock(), "log", "pequel").number


def send(collector: Collector, calls: Sequence[Plain], number: int | None = None) -> Receipt:
    """Store calls: over HTTP, or as lines of an import."""
    key = "k1" if number is None else KEY
    batch = Batch(messages_of(calls), key=key, import_number=number)
    return collector.ingest.accept_batch(batch)


def used(ids: Ids, at: int, mid: str, **parts: Any) -> Plain:
    return message("track", ids, START + at, event="used", **parts) | {"messageId": mid}


def everything(collector: Collector) -> dict[str, Any]:
    """What a store says, without what depends on when something arrived."""
    with collector.store.reading() as tx:
        keys = [*tx.subjects(), *tx.visitors()]
        stored = sorted(tx.events(keys), key=lambda each: fact_order(each.message))
        totals = tx.totals()
        return {
            "messages": stored,
            "links": tx.links(keys),
            "persons": tx.persons(keys),
            "traits": tx.trait_history(keys),
            "memberships": tx.memberships(keys),
            "totals": {n: v for n, v in totals.items() if v and n not in {"leads", "rejected"}},
            "newest": tx.newest(),
            "named": {key: tx.latest_named([key]) for key in keys if key[0] != "g"},
            "counts": {key: tx.counts([key]) for key in keys},
            "marks": marks(collector),
            "answers": answers(collector),
        }


def differences(collector: Collector) -> list[str]:
    found: list[str] = []
    verify(collector.store, collector.clock, lambda each: found.append(str(each)))
    return found


def test_messages_and_leads_are_gone_and_ids_are_free_again(collector: Collector) -> None:
    number = begin(collector)
    send(collector, [used(ADA, at, f"m{at}") for at in range(5)], number)
    assert len(marks(collector)) == 1
    undone = Undo(collector.store, collector.ingest, number)
    assert undone.run() == 5
    assert (len(undone.voided), len(undone.restored), len(undone.kept)) == (1, 0, 0)
    assert marks(collector) == {}
    with collector.store.reading() as tx:
        assert tx.totals()["messages"] == 0
        [lead] = tx.leads_of(["u:ada"])["u:ada"]
    assert lead.state == "voided"
    assert differences(collector) == []
    assert send(collector, [used(ADA, 1, "m1")]).accepted == 1


def test_live_events_stay_and_so_does_a_lead_that_they_give_alone(collector: Collector) -> None:
    send(collector, [used(ADA, 10, "l1")])
    number = begin(collector)
    send(collector, [used(ADA, 1, "i1"), used(ADA, 2, "i2"), used(BOB, 1, "i3")], number)
    send(collector, [used(ADA, 20, "l2")])
    Undo(collector.store, collector.ingest, number).run()
    assert marks(collector) == {("keen", "user", "ada"): [START + 20]}
    assert differences(collector) == []


def test_an_imported_event_that_came_over_http_too_stays(collector: Collector) -> None:
    number = begin(collector)
    send(collector, [used(ADA, 1, "m1"), used(ADA, 2, "m2")], number)
    assert send(collector, [used(ADA, 1, "m1")]).duplicates == 1
    assert Undo(collector.store, collector.ingest, number).run() == 1
    with collector.store.reading() as tx:
        assert tx.known(["m1", "m2"]) == {"m1"}


def test_a_message_that_was_stored_before_is_not_the_imports(collector: Collector) -> None:
    send(collector, [used(ADA, 1, "m1")])
    number = begin(collector)
    assert send(collector, [used(ADA, 1, "m1")], number).duplicates == 1
    assert Undo(collector.store, collector.ingest, number).run() == 0


def test_a_visitor_is_whose_the_next_link_says(collector: Collector) -> None:
    send(collector, [used(VISITOR, 1, "v"), used(BOB_LOGS_IN, 9, "b")])
    number = begin(collector)
    send(collector, [used(ADA_LOGS_IN, 5, "a")], number)
    with collector.store.reading() as tx:
        assert tx.persons(["a:v1"]) == {"a:v1": "u:ada"}
    Undo(collector.store, collector.ingest, number).run()
    with collector.store.reading() as tx:
        assert tx.persons(["a:v1"]) == {"a:v1": "u:bob"}
    assert marks(collector) == {("keen", "user", "bob"): [START + 9]}
    assert differences(collector) == []


def test_users_who_were_one_person_are_two_again(collector: Collector) -> None:
    send(collector, [used(Ids("old", None), at, f"o{at}") for at in (1, 2)])
    send(collector, [used(ADA, at, f"a{at}") for at in (3, 4)])
    before = marks(collector)
    number = begin(collector)
    alias = message("alias", ADA, START + 9, previousId="old") | {"messageId": "alias"}
    send(collector, [alias], number)
    assert len(marks(collector)) == 1
    Undo(collector.store, collector.ingest, number).run()
    assert marks(collector) == before
    assert differences(collector) == []


def test_a_lead_that_somebody_has_worked_stays_with_a_flag(collector: Collector) -> None:
    number = begin(collector)
    send(collector, [used(ADA, at, f"m{at}") for at in (1, 2)], number)
    with collector.store.reading() as tx:
        [lead] = tx.leads_of(["u:ada"])["u:ada"]
    collector.desk.change(lead.id, LeadChange(LeadPatch(state="contacted")))
    undone = Undo(collector.store, collector.ingest, number)
    undone.run()
    assert (undone.voided, undone.restored, undone.kept) == (set(), set(), {lead.id})
    with collector.store.reading() as tx:
        [lead] = tx.leads_of(["u:ada"])["u:ada"]
    assert (lead.state, lead.flags) == ("contacted", ["restated"])
    assert differences(collector) == []


def test_a_lead_that_the_import_took_away_is_restored(store_url: str) -> None:
    collector = collector_of(
        '[[pql]]\nname = "keen"\nwhen = { event = "used", gte = 2 }\n'
        'unless = [{ event = "left" }]\n',
        store_url,
    )
    with closing(collector):
        send(collector, [used(ADA, at, f"m{at}") for at in (2, 3)])
        before = marks(collector)
        number = begin(collector)
        left = message("track", ADA, START + 1, event="left") | {"messageId": "left"}
        send(collector, [left, *(used(BOB, at, f"b{at}") for at in range(5))], number)
        assert before.keys().isdisjoint(marks(collector))
        undone = Undo(collector.store, collector.ingest, number)
        undone.run()
        assert marks(collector) == before
        assert (len(undone.voided), len(undone.restored)) == (1, 1)


class _Stop(Exception):
    pass


def test_an_undo_that_was_interrupted_goes_on(collector: Collector) -> None:
    number = begin(collector)
    send(collector, [used(ADA, at, f"m{at}") for at in range(8)], number)

    def stop(_: int) -> None:
        raise _Stop

    with pytest.raises(_Stop):
        Undo(collector.store, collector.ingest, number).run(stop)
    assert differences(collector) == []
    [each] = import_runs.listed(collector.store)
    assert (each.state, each.messages) == ("undo not ended", 5)
    assert Undo(collector.store, collector.ingest, number).run() == 5
    [each] = import_runs.listed(collector.store)
    assert (each.state, each.messages) == ("undone", 0)


def test_an_import_that_is_being_undone_stores_nothing_more(collector: Collector) -> None:
    number = begin(collector)
    Undo(collector.store, collector.ingest, number).run()
    with pytest.raises(Unavailable, match=f"import {number} is being undone"):
        send(collector, [used(ADA, 1, "m1")], number)


def test_only_an_import_that_is_there_and_not_undone_can_be(collector: Collector) -> None:
    with pytest.raises(NotFound, match="there is no import 7"):
        Undo(collector.store, collector.ingest, 7).run()
    number = begin(collector)
    Undo(collector.store, collector.ingest, number).run()
    with pytest.raises(BadRequest, match="is undone already"):
        Undo(collector.store, collector.ingest, number).run()


def test_refused_lines_go_too_and_what_was_replayed_of_them(collector: Collector) -> None:
    number = begin(collector)
    text = '{"type":"track","event":"used","userId":"ada","messageId":"r1"}'
    rejected = [RejectedEvent(i, "too_large", "line", payload=p) for i, p in enumerate([text, "{"])]
    collector.ingest.accept_batch(Batch((), rejected, KEY, import_number=number))
    again = ReplayRejected(collector.store, collector.ingest, collector.settings)
    assert again.run(RejectedFilter()).stored == 1
    assert Undo(collector.store, collector.ingest, number).run() == 1
    with collector.store.reading() as tx:
        assert tx.totals()["rejected"] == 0
        assert tx.totals()["messages"] == 0


def test_what_an_import_stored_is_no_longer_in_the_usage(collector: Collector) -> None:
    number = begin(collector)
    send(collector, [used(ADA, at, f"m{at}") for at in range(4)], number)
    send(collector, [used(ADA, 9, "live")])
    Undo(collector.store, collector.ingest, number).run()
    with collector.store.reading() as tx:
        assert balance_of(tx.usage()).stored == 1


# -- the law -----------------------------------------------------------------------------------

many = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


def parts_of(messages: Sequence[Plain], chance: random.Random) -> list[tuple[bool, list[Plain]]]:
    """Messages in any order, in batches of which each is imported or live."""
    once = {call["messageId"]: call for call in messages}  # a copy may have another position
    left = chance.sample(list(once.values()), len(once))
    parts = []
    while left:
        size = chance.randint(1, 4)
        parts.append((chance.random() < 0.6, left[:size]))
        left = left[size:]
    return parts


def check_the_law(
    toml: str, messages: Sequence[Plain], chance: random.Random, urls: tuple[str, str]
) -> None:
    undone, never = collector_of(toml, urls[0]), collector_of(toml, urls[1])
    for collector in (undone, never):
        collector.store._fill.size = 4  # type: ignore[attr-defined]
    number = begin(undone)
    parts = parts_of(messages, chance)
    for imported, calls in parts:
        send(undone, calls, number if imported else None)
        if not imported:
            send(never, calls)
    Undo(undone.store, undone.ingest, number).run()
    assert differences(undone) == []
    assert everything(undone) == everything(never)
    imported_again = [call for imported, calls in parts for call in calls if imported]
    for collector in (undone, never):
        for call in imported_again:  # ids are free, and histories can go on
            send(collector, [call])
        assert differences(collector) == []
    assert everything(undone) == everything(never)
    undone.close()
    never.close()


@settings(many, max_examples=40)
@given(
    catalogue=catalogues(WHOLE),
    messages=streams(max_size=16),
    chance=st.randoms(use_true_random=False),
)
def test_import_and_undo_is_as_if_nothing_had_been_imported(
    catalogue: Plain, messages: list[Plain], chance: random.Random
) -> None:
    check_the_law(to_toml(catalogue), messages, chance, ("sqlite://", "sqlite://"))


@pytest.mark.slow
@settings(many, max_examples=4)
@given(
    catalogue=catalogues(WHOLE),
    messages=streams(max_size=16),
    chance=st.randoms(use_true_random=False),
)
def test_the_same_holds_on_postgres(
    catalogue: Plain, messages: list[Plain], chance: random.Random, postgres_server: Any
) -> None:
    with postgres_server.database() as url:
        check_the_law(to_toml(catalogue), messages, chance, (url, "sqlite://"))


def test_an_undo_is_noted_once_in_the_audit_log(collector: Collector) -> None:
    number, by = begin(collector), By("cli", "the wrong file")
    Undo(collector.store, collector.ingest, number, by).run()
    with pytest.raises(BadRequest):
        Undo(collector.store, collector.ingest, number, by).run()
    with collector.store.reading() as view:
        acts = [e for e in view.audit(10) if e.what == "import_undone"]
    assert [(e.by, e.details) for e in acts] == [(by, {"import": number, "source": "log"})]
