"""``pequel verify``: what was damaged is found and named; what was not is equal."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.streams import START, WHOLE, Ids, catalogues, message, streams
from oracle.toml import to_toml
from pequel_collector.app.bootstrap import Collector
from pequel_collector.audit.compare import unlike
from pequel_collector.audit.verify import Summary, verify
from pequel_collector.errors import BadRequest, NotFound, Unavailable
from pequel_collector.marking import history
from pequel_collector.marking.derive import save_cache
from pequel_collector.marking.history import History, StoredPages
from pequel_collector.marking.replay import depth
from pequel_collector.marking.work import LeadChange
from pequel_collector.model import Lead, LeadPatch, lead_id
from pequel_collector.ports import Link, Membership, Trait
from pequel_collector.rules.engine import keyed
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.store import open_store
from support.api import Api
from support.streams import collector_of, messages_of

DEFINITIONS = """
[project]
signup = "signed_up"

[[pql]]
name = "keen"
when = { event = "used", gte = 2 }
expires = "30d"

[[pql]]
name = "set_up"
when = { event = "created", distinct = "project", gte = 9 }
unless = [{ event = "left" }]

[[pql]]
name = "busy"
when = { event = "used", gte = 5, within = "7d" }

[[pql]]
name = "spread"
subject = "account"
when = { event = "*", distinct = "@user", gte = 2 }

[[pql]]
name = "big"
subject = "account"
when.all = [{ trait = "size", gte = 10 }, { users = { event = "used" }, gte = 3 }]
"""

ADA, BOB, VISITOR = Ids("ada", None), Ids("bob", None), Ids(None, "v1")
ADA_LOGS_IN, BOB_LOGS_IN = Ids("ada", "v1"), Ids("bob", "v1")
KEYS = {"ada": "u:ada", "bob": "u:bob", "visitor": "a:v1"}
SET_UP = "leaf “created with at least 9 different project”"
Plain = dict[str, Any]
Corrupt = Callable[[Collector], None]


def _told() -> list[Plain]:
    """Two users of an account, one of them once a visitor; later the other on her machine."""
    calls = [
        message("track", VISITOR, START, event="used"),
        message("track", ADA_LOGS_IN, START + 1, event="signed_up"),
        message("identify", ADA, START + 2, traits={"plan": "free"}),
        message("group", ADA, START + 3, groupId="acme", traits={"size": 5}),
        message("group", BOB, START + 4, groupId="acme"),
        message("track", BOB_LOGS_IN, START + 5, event="used"),
        message("track", ADA, START + 6, event="used"),
        message("track", Ids(None, "v2"), START + 7, event="seen"),
    ]
    calls += [
        message("track", ADA, START + 10 + n, event="created", properties={"project": f"p{n}"})
        for n in range(8)
    ]
    return [call | {"messageId": f"m{number:02}"} for number, call in enumerate(calls)]


def _verified(collector: Collector) -> tuple[list[str], Summary]:
    found: list[str] = []
    summary = verify(collector.store, collector.clock, lambda each: found.append(str(each)))
    assert summary.differences == len(found)
    return found, summary


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages of a few facts, few cells in a state, few subjects in a view and few kept in mind."""
    monkeypatch.setattr(history, "FACTS_PER_PAGE", 3)
    monkeypatch.setattr(keyed, "MAX_IN_STATE", 2)
    monkeypatch.setattr("pequel_collector.audit.verify.AT_ONCE", 2)
    monkeypatch.setattr("pequel_collector.audit.verify.SECONDS_PER_VIEW", 0.0)
    monkeypatch.setattr("pequel_collector.marking.replay.CACHED_STATES", 2)


@pytest.fixture
def collector(store_url: str) -> Iterator[Collector]:
    """A collector that was told of Ada and Bob, on either database."""
    told = collector_of(DEFINITIONS, store_url)
    for call in messages_of(_told()):
        told.ingest.accept([call])
    yield told
    told.close()


# -- what is damaged ---------------------------------------------------------------------------


def _run(collector: Collector, statement: str, **values: Any) -> None:
    with collector.store._database.writing() as session:  # type: ignore[attr-defined]
        session.run(statement, **KEYS, **values)


def _in_history(key: str, change: Callable[[History], None]) -> Corrupt:
    """Change the open page of a subject."""

    def corrupt(collector: Collector) -> None:
        with collector.store.writing() as tx:
            save_cache(tx, collector.ingest.evaluators)
            found = History(StoredPages(tx, key), "", tx.histories([key])[key])
            change(found)
            tx.save_histories({key: found.write()})

    return corrupt


def _in_page(key: str, number: int, change: Callable[[list[Any]], None]) -> Corrupt:
    """Change the state before the facts of a sealed page, or the facts."""

    def corrupt(collector: Collector) -> None:
        with collector.store.writing() as tx:
            page = msgspec.json.decode(tx.page(key, number))
            change(page)
            tx.seal(key, number, msgspec.json.encode(page), [])

    return corrupt


def _in_lead(definition: str, **values: Any) -> Corrupt:
    """Change a lead."""

    def corrupt(collector: Collector) -> None:
        subject = "g:acme" if definition == "spread" else "u:ada"
        with collector.store.writing() as tx:
            [lead] = [each for each in tx.leads_of([subject])[subject] if each.cycle == 1]
            for name, value in values.items():
                setattr(lead, name, value)
            tx.save_leads([lead])

    return corrupt


def _statement(statement: str, **values: Any) -> Corrupt:
    return lambda collector: _run(collector, statement, **values)


def _writing(method: str, *arguments: Any) -> Corrupt:
    """Write something that nobody told of."""

    def corrupt(collector: Collector) -> None:
        with collector.store.writing() as tx:
            getattr(tx, method)(*arguments)

    return corrupt


def _slot(found: History, definition: str) -> list[Any]:
    """What the only leaf of a definition for users has counted."""
    names = ["keen", "set_up", "set_up unless", "busy"]
    slot: list[Any] = found.head.slots[names.index(definition)]
    return slot


def _invented(subject: str) -> Lead:
    return Lead(lead_id("keen", subject, 1), "keen", 1, subject, 1, START, START)


def _cell_counted(collector: Collector) -> None:
    """A project that is kept apart was seen once more than it was."""
    with collector.store.reading() as view:
        key = next(iter(view.cells("u:ada", 1)))
    body = "UPDATE cell SET body = :body WHERE subject = :ada AND key = :key"
    _run(collector, body, body=b"7", key=key)


DAMAGE: dict[str, tuple[Corrupt, str]] = {
    "a counter": (
        _in_history("u:ada", lambda h: _slot(h, "set_up")[0].__setitem__(0, 7)),
        f"user ada, definition set_up, {SET_UP}: stored 7, replayed 8",
    ),
    "the oldest event of a window": (
        _in_history("u:ada", lambda h: _slot(h, "busy")[0].__setitem__(0, 1)),
        (
            "user ada, definition busy, leaf “used at least 5 times within any 7 days”: "
            "stored 1, replayed 2"
        ),
    ),
    "a counter that is no number": (
        _in_history("u:ada", lambda h: _slot(h, "busy").__setitem__(0, None)),
        "user ada, definition busy, leaf “used at least 5 times within any 7 days”: stored null",
    ),
    "a mark": (
        _in_history("u:ada", lambda h: h.head.marks.clear()),
        (
            "user ada, definition keen, marks: stored [], "
            'replayed [["2026-03-26T00:00:00.006Z","acme"]]'
        ),
    ),
    "a trait in a state": (
        _in_history("g:acme", lambda h: h.head.traits.clear()),
        "account acme, trait size: stored nothing, replayed [5,",
    ),
    "the account in a state": (
        _in_history("u:ada", lambda h: setattr(h.head, "account", "brix")),
        "user ada, account: stored brix, replayed acme",
    ),
    "the time of a state": (
        _in_history("u:ada", lambda h: setattr(h.head, "time", START)),
        "user ada, time: stored 2026-03-26T00:00:00.000Z, replayed 2026-03-26T00:00:00.017Z",
    ),
    "the first event": (
        _in_history("u:ada", lambda h: setattr(h.head, "first", 7)),
        "user ada, first event: stored 1970-01-01T00:00:00.007Z, replayed 2026-03-26T00:00:00.000Z",
    ),
    "the state before a page": (
        _in_page("u:ada", 3, lambda page: page[0][10]["1"][0].__setitem__(0, 5)),
        f"user ada, before page 3, definition set_up, {SET_UP}: stored 5, replayed 3",
    ),
    "a fact that is gone": (
        _in_page("u:ada", 2, lambda page: page[1].pop()),
        "user ada, fact m10: stored nothing, replayed created at 2026-03-26T00:00:00.012Z",
    ),
    "a fact that never was": (
        _in_page("u:ada", 1, lambda page: page[1].append([START + 2, "m99", "used"])),
        "user ada, fact m99: stored used at 2026-03-26T00:00:00.002Z, replayed nothing",
    ),
    "a property of a fact": (
        _in_page("u:ada", 3, lambda page: page[1][0].__setitem__(3, {"project": "x"})),
        'data: stored {"project":"x"}, replayed {"project":"p',
    ),
    "a page that is no page": (
        _statement("UPDATE sealed_page SET body = :body WHERE number = 2", body=b"{}"),
        "user ada, history: stored unreadable",
    ),
    "a page that is gone": (
        _statement("DELETE FROM sealed_page WHERE subject = :ada AND number = 1"),
        "user ada, history: stored unreadable",
    ),
    "a history that is gone": (
        _statement("DELETE FROM history WHERE subject = :bob"),
        "user bob, history: stored nothing, replayed 2 facts",
    ),
    "a cell": (
        _cell_counted,
        f"user ada, definition set_up, {SET_UP}, of sp",
    ),
    "a cell that is gone": (
        _statement("DELETE FROM cell WHERE subject = :ada"),
        "stored nothing, replayed 1",
    ),
    "when a lead qualified": (
        _in_lead("keen", qualified_at=START),
        (
            "user ada, lead for keen, qualified_at: stored 2026-03-26T00:00:00.000Z, "
            "replayed 2026-03-26T00:00:00.006Z"
        ),
    ),
    "when a lead expires": (
        _in_lead("keen", expires_at=None),
        "user ada, lead for keen, expires_at: stored never, replayed 2026-04-25T00:00:00.006Z",
    ),
    "the evidence of a lead": (
        _in_lead("keen", evidence={"leaves": []}),
        "user ada, lead for keen, evidence leaves: stored [], replayed [{",
    ),
    "the account of a lead": (
        _in_lead("keen", account=None),
        "user ada, lead for keen, account: stored null, replayed acme",
    ),
    "the version of a lead": (
        _in_lead("keen", version=7),
        "user ada, lead for keen, version: stored 7, replayed 1",
    ),
    "a lead that was voided": (
        _in_lead("spread", state="voided"),
        "account acme, lead for spread: stored voided, replayed qualified at",
    ),
    "a lead that is missing": (
        _statement("DELETE FROM lead WHERE definition = 'keen'"),
        "user ada, lead for keen: stored nothing, replayed qualified at 2026-03-26T00:00:00.006Z",
    ),
    "a lead that is invented": (
        _writing("save_leads", [_invented("u:bob")]),
        "user bob, lead for keen: stored qualified at 2026-03-26T00:00:00.000Z, replayed nothing",
    ),
    "a lead of nobody": (
        _writing("save_leads", [_invented("u:nobody")]),
        "user nobody, lead for keen: stored qualified at 2026-03-26T00:00:00.000Z, ",
    ),
    "the account of an event": (
        _statement("UPDATE event SET account = 'brix' WHERE mid = 'm06'"),
        "user ada, account of m06: stored brix, replayed acme",
    ),
    "the account of a visitor's event": (
        _statement("UPDATE event SET account = 'brix' WHERE mid = 'm07'"),
        "visitor v2, account of m07: stored brix, replayed null",
    ),
    "a group call": (
        _statement("DELETE FROM membership WHERE subject = :bob"),
        "user bob, group call m04: stored nothing, replayed acme",
    ),
    "a group call that nobody made": (
        _writing("add_memberships", [Membership("u:bob", START, "m99", "brix")]),
        "user bob, group call m99: stored brix, replayed nothing",
    ),
    "a trait of a user": (
        _statement("UPDATE trait SET value = '\"pro\"' WHERE name = 'plan'"),
        "user ada, trait plan of message m02: stored pro, replayed free",
    ),
    "a trait of an account": (
        _statement("DELETE FROM trait WHERE name = 'size'"),
        "account acme, trait size of message m03: stored nothing, replayed 5",
    ),
    "a trait that nobody set": (
        _writing("add_traits", [Trait("a:v2", "plan", START, "m07", "pro")]),
        "visitor v2, trait plan of message m07: stored pro, replayed nothing",
    ),
    "a person": (
        _statement("UPDATE person SET person = :bob WHERE subject = :visitor"),
        "user ada, person of a:v1: stored nothing, replayed u:ada",
    ),
    "a person without a link": (
        _writing("set_persons", {"u:bob": "u:ada"}),
        "user bob, person: stored u:ada, replayed u:bob",
    ),
    "a visitor's person": (
        _writing("set_persons", {"a:v2": "u:ada"}),
        "visitor v2, person: stored u:ada, replayed nothing",
    ),
    "a link that is gone": (
        _statement("DELETE FROM link WHERE linked_to = :bob"),
        'user bob, link of a:v1: stored nothing, replayed [1774483200005,0,"m05"]',
    ),
    "a link that nobody made": (
        _writing("add_links", [Link("a:v2", "u:nobody", START, "m99")]),
        "visitor v2, link to u:nobody: stored 2026-03-26T00:00:00.000Z, replayed nothing",
    ),
    "a tally": (
        _statement("UPDATE tally SET number = 9 WHERE name = 'unattributed'"),
        "tally unattributed: stored 9, replayed 3",
    ),
    "another tally": (
        _statement("DELETE FROM tally WHERE name = 'link_conflicts'"),
        "tally link_conflicts: stored 0, replayed 1",
    ),
}


def test_a_store_that_nobody_damaged_is_equal(collector: Collector) -> None:
    found, summary = _verified(collector)
    assert found == []
    assert (summary.subjects, summary.messages, summary.leads) == (5, 16, 2)
    assert summary.tallied


@pytest.mark.parametrize(("corrupt", "named"), DAMAGE.values(), ids=DAMAGE)
def test_what_was_damaged_is_found_and_named(
    collector: Collector, corrupt: Corrupt, named: str
) -> None:
    corrupt(collector)
    found, _ = _verified(collector)
    assert [line for line in found if named in line], "\n".join(found)


def test_what_a_late_fact_would_go_on_from_is_verified_too(collector: Collector) -> None:
    """A cell as it was at the end of an earlier page, though it has changed since."""
    with collector.store.reading() as view:
        (page, first), *others = view.cell_versions("u:ada", 1)
    _run(
        collector,
        "UPDATE cell SET body = :body WHERE subject = :ada AND key = :key AND page = :page",
        body=b"7",
        key=first.key,
        page=page,
    )
    found, _ = _verified(collector)
    name = first.key.partition("|")[2]
    assert found[0] == (
        f"user ada, before page {page + 1}, definition set_up, {SET_UP}, of {name}: "
        "stored 7, replayed 1"
    )
    assert others


def test_damage_in_one_subject_is_not_found_in_those_who_ask_it(store_url: str) -> None:
    """Others are told anew as well, not asked for what is stored of them."""
    collector = collector_of(DEFINITIONS, store_url)
    collector.ingest.accept(messages_of(_told()))
    _in_history("u:ada", lambda found: found.head.firsts.clear())(collector)
    _in_history("u:ada", lambda found: found.head.marks.clear())(collector)
    found, _ = _verified(collector)
    assert {line.partition(",")[0] for line in found} == {"user ada"}
    collector.close()


def test_a_line_is_a_line_whatever_is_in_it(collector: Collector) -> None:
    collector.ingest.accept(messages_of([_told()[6] | {"messageId": "a\nb\x1b[2J"}]))
    _run(collector, "UPDATE event SET account = 'brix' WHERE mid > 'a' AND mid < 'b'")
    found, _ = _verified(collector)
    assert found[-1].startswith("user ada, account of a\\nb\\x1b[2J: stored brix")


CIRCLE = """
[[pql]]
name = "used"
when = { event = "used" }

[[pql]]
name = "hot"
subject = "account"
when = { users = { pql = "used" }, gte = 2 }

[[pql]]
name = "in_hot"
when.all = [{ pql = "hot" }, { event = "created" }]

[[pql]]
name = "spreading"
subject = "account"
when.all = [{ users = { pql = "in_hot" } }, { trait = "size", exists = true }]
"""


def test_subjects_that_ask_each_other_are_told_as_deep_as_definitions_name_each_other(
    store_url: str,
) -> None:
    """A user asks an account that asks its users, who ask the account again."""
    collector = collector_of(CIRCLE, store_url)
    collector.ingest.accept(messages_of(_told()))
    sized = message("group", ADA, START + 99, groupId="acme", traits={"size": 9})
    collector.ingest.accept(messages_of([sized | {"messageId": "sized"}]))
    found, summary = _verified(collector)
    assert (found, summary.leads) == ([], 5)
    assert depth(collector.catalogue) == 4
    collector.close()


# -- leads that stay as they are ---------------------------------------------------------------


def test_leads_of_versions_no_longer_in_force_are_withdrawn(store_url: str) -> None:
    told = collector_of(DEFINITIONS, store_url)
    told.ingest.accept(messages_of(_told()))
    told.put_definitions(DEFINITIONS.replace('"used", gte = 2', '"used", gte = 3'))
    while (replay := told.backfill_some()) and not replay.is_finished:
        pass
    found, summary = _verified(told)
    assert (found, summary.outdated) == ([], 0)
    told.close()


def test_a_lead_that_was_worked_before_its_basis_went_stays(collector: Collector) -> None:
    [lead] = Api(collector).account("acme")["leads"]
    collector.desk.change(lead["id"], LeadChange(LeadPatch(state="contacted")))
    away = message("group", BOB, START + 4, groupId="brix") | {"messageId": "m04b"}
    collector.ingest.accept(messages_of([away]))
    [lead] = Api(collector).account("acme")["leads"]
    assert (lead["state"], lead["flags"]) == ("contacted", ["restated"])
    assert _verified(collector)[0] == []


def test_a_moment_of_the_clock_that_was_missed_is_found(store_url: str) -> None:
    silent = (
        '[[pql]]\nname = "silent"\nclock = true\nwhen = { event = "used", eq = 0, within = "7d" }\n'
    )
    told = collector_of(silent, store_url)
    told.clock = told.ingest.clock = lambda: START
    told.ingest.accept(messages_of([_told()[6]]))
    _run(told, "DELETE FROM due")
    told.clock = told.ingest.clock = lambda: START + 8 * 86_400_000
    later = message("track", BOB, START + 8 * 86_400_000, event="used") | {"messageId": "z"}
    told.ingest.accept(messages_of([later]))
    found, _ = _verified(told)
    assert found == [
        "user ada, lead for silent: stored nothing, replayed qualified at 2026-04-02T00:00:00.006Z"
    ]
    told.close()


# -- a store that is in use --------------------------------------------------------------------


def test_a_collector_may_go_on_meanwhile(collector: Collector) -> None:
    """What arrives is verified or not, as a whole; only the tallies are passed over."""
    more = iter([_told()[n] | {"messageId": f"n{n}", "time": START + n} for n in range(16)])

    def tell(_: int) -> None:
        collector.ingest.accept(messages_of([next(more)]))

    found: list[Any] = []
    summary = verify(collector.store, collector.clock, found.append, tell)
    assert (found, summary.tallied) == ([], False)


def test_nothing_is_verified_before_a_collector_has_opened_the_store(store_url: str) -> None:
    store = open_store(store_url)
    with pytest.raises(NotFound, match="no collector has opened"):
        verify(store, lambda: START, lambda _: None)
    store.close()


def test_other_definitions_than_those_in_force_are_refused(collector: Collector) -> None:
    other = read_catalogue(DEFINITIONS.replace("gte = 9", "gte = 8"))
    with pytest.raises(BadRequest, match="other definitions are in force"):
        verify(collector.store, collector.clock, lambda _: None, catalogue=other)
    same = read_catalogue(DEFINITIONS)
    assert verify(collector.store, collector.clock, lambda _: None, catalogue=same).leads == 2


def test_nothing_is_verified_while_history_is_replayed(collector: Collector) -> None:
    collector.put_definitions(DEFINITIONS.replace("gte = 9", "gte = 8"))
    with pytest.raises(Unavailable, match="still being replayed"):
        _verified(collector)


def test_definitions_that_change_meanwhile_end_it(collector: Collector) -> None:
    def change(_: int) -> None:
        collector.put_definitions(DEFINITIONS.replace("gte = 9", "gte = 8"))

    with pytest.raises(Unavailable, match="have changed meanwhile"):
        verify(collector.store, collector.clock, lambda _: None, change)


# -- parts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stored", "told", "expected"),
    [
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 2.0}]}, []),
        ({"a": [1, {"b": 2}]}, {"a": [1, {"b": True}]}, [(("a", 1, "b"), 2, True)]),
        ({"a": [1]}, {"a": [1, 2]}, [(("a",), [1], [1, 2])]),
        ([], {}, [((), [], {})]),
    ],
)
def test_the_innermost_parts_that_differ_are_named(
    stored: Any, told: Any, expected: list[Any]
) -> None:
    assert list(unlike(stored, told)) == expected


# -- the law -----------------------------------------------------------------------------------

many = settings(
    deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)


@settings(many, max_examples=60)
@given(
    catalogue=catalogues(WHOLE),
    messages=streams(max_size=25),
    order=st.randoms(use_true_random=False),
    largest=st.integers(1, 8),
)
def test_whatever_was_told_in_whatever_order_is_equal(
    catalogue: Plain, messages: list[Plain], order: random.Random, largest: int
) -> None:
    """Any definitions, any stream, in any order and any batches."""
    collector = collector_of(to_toml(catalogue))
    shuffled = order.sample(messages, len(messages))
    while shuffled:
        size = order.randint(1, largest)
        collector.ingest.accept(messages_of(shuffled[:size]))
        shuffled = shuffled[size:]
    assert _verified(collector)[0] == []
    collector.close()


@pytest.mark.slow
@settings(many, max_examples=8)
@given(catalogue=catalogues(WHOLE), messages=streams(max_size=20))
def test_the_same_holds_on_postgres(
    catalogue: Plain, messages: list[Plain], postgres_server: Any
) -> None:
    with postgres_server.database() as url:
        collector = collector_of(to_toml(catalogue), url)
        for call in messages:
            collector.ingest.accept(messages_of([call]))
        assert _verified(collector)[0] == []
        collector.close()


def test_the_words_of_evidence_may_change_between_releases() -> None:
    stored = {"sentence": "3 a (3 needed)", "leaves": [{"measure": "a user who has a", "n": 3}]}
    replayed = {"sentence": "did a 3 times", "leaves": [{"measure": "a user who did a", "n": 3}]}
    assert list(unlike(stored, replayed)) == []
    assert [each.path for each in unlike(stored, replayed | {"leaves": []})] == [("leaves",)]


def _with_events(events: list[Any], **more: Any) -> dict[str, Any]:
    return {"leaves": [{"measure": "x", "observed": len(events), "events": events, **more}]}


@pytest.mark.parametrize("count", [0, 1, 9, 10])
def test_evidence_of_an_earlier_release_is_compared_by_the_ids_of_messages(count: int) -> None:
    """It had up to ten ids, earliest first; events now come latest first, with their number."""
    mids = [f"m{n}" for n in range(count)]
    now = [{"message_id": mid, "time": "…", "user": None, "properties": {}} for mid in mids[::-1]]
    assert list(unlike(_with_events(mids), _with_events(now, more_events=0))) == []
    if count:
        others = [{**now[0], "message_id": "other"}, *now[1:]]
        [found] = unlike(_with_events(mids), _with_events(others, more_events=0))
        assert found.path == ("leaves", 0, "events")


def test_of_many_events_of_an_earlier_release_the_last_five_are_compared() -> None:
    stored = [f"m{n:02}" for n in (0, 1, 2, 3, 4, 25, 26, 27, 28, 29)]
    now = [{"message_id": f"m{n:02}"} for n in range(29, 9, -1)]
    leaf = {"observed": 30, "events": now, "more_events": 10}
    assert list(unlike({"observed": 30, "events": stored}, leaf)) == []
