"""A store is a few dicts, whatever is done to it and however its blocks fall."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pequel_collector.model import (
    JSON,
    Lead,
    Message,
    Stored,
    account_key,
    fact_order,
    kind_of,
)
from pequel_collector.ports import (
    Cell,
    Change,
    LeadFilter,
    Link,
    ReadTransaction,
    Store,
    Trait,
    WriteTransaction,
)
from pequel_collector.store import open_store, sections

TABLES = (
    "event", "posting", "naming", "event_count", "section_count", "trait", "block", "link",
    "person", "history", "lagging", "sealed_page",
    "cell", "due", "tally", "lead", "change",
)  # fmt: skip
EVERYONE = ["u:ada", "u:bob", "u:é", "u:x", "a:v1", "g:acme", "g:globex", "g:x"]
SENDERS = ["u:ada", "u:bob", "u:é", "a:v1"]
GROUPS = [["u:ada", "a:v1"], ["u:bob", "g:acme", "u:x"], EVERYONE]
STATES = ["new", "won", "expired", "voided"]

IDS = st.sampled_from(["a", "B", "é", "\uffff", "😀", *(f"m{i}" for i in range(15))])
SUBJECTS = st.sampled_from(SENDERS)
ACCOUNTS = st.sampled_from([None, "acme", "globex"])
TIMES = st.integers(0, 4)
POSITIONS = st.integers(0, 2)
PAGES = st.integers(1, 4)
BODIES = st.sampled_from([b"", b"x", bytes(range(256))])


@dataclass
class Model:
    """What a store should hold."""

    messages: dict[str, Stored] = field(default_factory=dict)
    traits: dict[tuple[str, str, int, str], tuple[int, JSON]] = field(default_factory=dict)
    links: dict[tuple[str, str], Link] = field(default_factory=dict)
    persons: dict[str, str] = field(default_factory=dict)
    histories: dict[str, bytes] = field(default_factory=dict)
    lagging: set[str] = field(default_factory=set)
    pages: dict[tuple[str, int], bytes] = field(default_factory=dict)
    cells: dict[tuple[str, int, str, int], bytes | None] = field(default_factory=dict)
    due: dict[str, int] = field(default_factory=dict)
    tallies: Counter[str] = field(default_factory=Counter)
    leads: dict[str, Lead] = field(default_factory=dict)
    ledger: list[Change] = field(default_factory=list)

    def of(self, *keys: str) -> list[Stored]:
        """The messages of subjects, in order."""
        found = [s for s in self.messages.values() if not _keys(s).isdisjoint(keys)]
        return sorted(found, key=lambda s: fact_order(s.message))

    def ids_of(self, person: str) -> list[str]:
        return [person, *sorted(id_ for id_, whose in self.persons.items() if whose == person)]

    def traits_of(self, ids: list[str]) -> dict[str, JSON]:
        """The latest values of all these ids, without those that are unset."""
        found = [key for key in self.traits if key[0] in ids]
        found.sort(key=lambda key: (key[2], self.traits[key][0], key[3]))
        latest = {key[1]: self.traits[key][1] for key in found}
        return {name: value for name, value in latest.items() if value is not None}

    def cells_of(self, subject: str, slot: int) -> dict[str, bytes]:
        places = sorted(place for place in self.cells if place[:2] == (subject, slot))
        latest = {place[2]: self.cells[place] for place in places}
        return {key: body for key, body in latest.items() if body is not None}

    def listed(self, state: str | None, now: int | None) -> list[Lead]:
        """Leads in their state by now: all but the voided, or those of one state."""
        leads = [_as_of(now, lead) for lead in self.leads.values()]
        wanted = [s for s in STATES if s != "voided"] if state is None else [state]
        ranks = {"high": 0, "normal": 1, "low": 2}
        found = [lead for lead in leads if lead.state in wanted]
        return sorted(found, key=lambda lead: (ranks[lead.priority], -lead.marked_at, lead.id))


def _as_of(now: int | None, lead: Lead) -> Lead:
    is_over = None not in {now, lead.expires_at} and lead.expires_at <= now  # type: ignore[operator]
    return replace(lead, state="expired") if lead.state == "new" and is_over else lead


def _keys(stored: Stored) -> set[str]:
    account = set() if stored.account is None else {account_key(stored.account)}
    return {stored.message.subject, *account}


class Append(NamedTuple):
    messages: list[tuple[str, str, int, str | None, str | None, int]]

    def apply(self, tx: WriteTransaction, model: Model) -> None:
        made = [
            Stored(Message(mid, "track", subject, time, 0, name, position=position), account)
            for mid, subject, time, account, name, position in self.messages
        ]
        new = {s.message.mid for s in made} - model.messages.keys()
        assert tx.append(made) == new
        model.messages |= {s.message.mid: s for s in made if s.message.mid in new}


class Attribute(NamedTuple):
    subject: str
    accounts: list[str | None]

    def apply(self, tx: WriteTransaction, model: Model) -> None:
        mids = [s.message.mid for s in model.of(self.subject)]
        to = dict(zip(mids, self.accounts, strict=False))
        tx.attribute(to, self.subject)
        for mid, account in to.items():
            model.messages[mid] = model.messages[mid]._replace(account=account)


class Set(NamedTuple):
    trait: Trait

    def apply(self, tx: WriteTransaction, model: Model) -> None:
        tx.add_traits([self.trait])
        model.traits.setdefault(self.trait[:4], (self.trait.position, self.trait.value))


class AddLinks(NamedTuple):
    links: list[Link]

    def apply(self, tx: WriteTransaction, model: Model) -> None:
        tx.add_links(self.links)
        for link in self.links:
            known = model.links.get((link.id, link.user), link)
            model.links[link.id, link.user] = min(known, link, key=fact_order)


class SetPersons(NamedTuple):
    persons: dict[str, str]

    def apply(self, tx: WriteTransaction, model: Model) -> None:
        tx.set_persons(self.persons)
        for id_, person in self.persons.items():
            model.persons[id_] = person
            if id_ == person:
                del model.persons[id_]


class Save(NamedTuple):
    pages: dict[str, bytes]

    def apply(self, tx: WriteTransaction, model: Model) -> None:
        tx.save_histories(self.pages)
        model.histories |= self.pages
        model.lagging -= self.pages.keys()


class LeaveBehind(NamedTuple):
    subjects: list[str]

    def apply(self, tx: WriteTransaction, model: Model) -> None:
        tx.mark_stale(self.subjects)
        model.lagging |= set(self.subjects)


class Seal(NamedTuple):
    subject: str
    number: int
    body: bytes
    cells: list[Cell]

    def apply(self, tx: WriteTransaction, model: Model) -> None:
        tx.seal(self.subject, self.number, self.body, self.cells)
        model.pages[self.subject, self.number] = self.body
        for slot, key, body in self.cells:
            model.cells[self.subject, slot, key, self.number] = body


class Unseal(NamedTuple):
    subject: str
    number: int

    def apply(self, tx: WriteTransaction, model: Model) -> None:
        tx.unseal(self.subject, self.number)
        for kept in (model.pages, model.cells):
            for place in [p for p in kept if p[0] == self.subject and p[-1] >= self.number]:
                del kept[place]  # type: ignore[attr-defined]


class Forget(NamedTuple):
    subject: str

    def apply(self, tx: WriteTransaction, model: Model) -> None:
        tx.forget_history(self.subject)
        model.histories.pop(self.subject, None)
        model.lagging.discard(self.subject)
        for kept in (model.pages, model.cells):
            for place in [p for p in kept if p[0] == self.subject]:
                del kept[place]  # type: ignore[attr-defined]


class SetDue(NamedTuple):
    times: dict[str, int | None]

    def apply(self, tx: WriteTransaction, model: Model) -> None:
        tx.set_due(self.times)
        due = model.due | self.times
        model.due = {subject: time for subject, time in due.items() if time is not None}


class Count(NamedTuple):
    tallies: dict[str, int]

    def apply(self, tx: WriteTransaction, model: Model) -> None:
        tx.count(self.tallies)
        model.tallies.update(self.tallies)


class Qualify(NamedTuple):
    lead: Lead

    def apply(self, tx: WriteTransaction, model: Model) -> None:
        entry = Change(self.lead.id, 0, "opened", None, {"state": self.lead.state})
        tx.save_leads([self.lead])
        tx.log([entry])
        model.leads[self.lead.id] = self.lead
        model.ledger.append(entry._replace(number=len(model.ledger) + 1))


class Index(NamedTuple):
    times: int

    def apply(self, tx: WriteTransaction, model: Model) -> None:
        for _ in range(self.times):
            tx.index_messages()


class Look(NamedTuple):
    times: int

    def apply(self, tx: WriteTransaction, model: Model) -> None:
        for _ in range(self.times):
            compare(tx, model)


Step = (
    Append | Attribute | Set | AddLinks | SetPersons | Save | LeaveBehind | Seal | Unseal
    | Forget | SetDue
    | Count | Qualify | Index | Look
)  # fmt: skip
MESSAGES = st.lists(
    st.tuples(IDS, SUBJECTS, TIMES, ACCOUNTS, st.sampled_from([None, "x", "y"]), POSITIONS),
    max_size=8,
    unique_by=lambda message: message[0],
)
LEADS = st.builds(
    lambda number, **more: Lead(f"l{number}", "d", 1, f"u:{number}", 1, 0, **more),
    st.integers(0, 5),
    marked_at=TIMES,
    state=st.sampled_from(STATES),
    priority=st.sampled_from(["high", "normal", "low"]),
    expires_at=st.none() | TIMES,
)
FACTS = st.one_of(
    st.builds(Append, MESSAGES),
    st.builds(Attribute, SUBJECTS, st.lists(ACCOUNTS, max_size=8)),
    st.builds(Index, st.integers(1, 9)),
    st.builds(
        Set,
        st.builds(
            Trait,
            SUBJECTS,
            st.sampled_from("pq"),
            TIMES,
            IDS,
            st.sampled_from([None, 1, 2]),
            POSITIONS,
        ),
    ),
)
IDENTITY = st.one_of(
    st.builds(
        AddLinks, st.lists(st.builds(Link, SUBJECTS, SUBJECTS, TIMES, IDS, POSITIONS), max_size=4)
    ),
    st.builds(SetPersons, st.dictionaries(SUBJECTS, SUBJECTS, max_size=3)),
)
HISTORIES = st.one_of(
    st.builds(Save, st.dictionaries(SUBJECTS, BODIES, max_size=3)),
    st.builds(LeaveBehind, st.lists(SUBJECTS, max_size=3)),
    st.builds(
        Seal,
        SUBJECTS,
        PAGES,
        BODIES,
        st.lists(
            st.builds(Cell, st.integers(0, 1), st.sampled_from("aé"), st.none() | BODIES),
            max_size=4,
        ),
    ),
    st.builds(Unseal, SUBJECTS, PAGES),
    st.builds(Forget, SUBJECTS),
    st.builds(SetDue, st.dictionaries(SUBJECTS, st.none() | TIMES, max_size=3)),
)
LEDGER = st.one_of(
    st.builds(Count, st.dictionaries(st.sampled_from("ab"), st.integers(0, 2**40), max_size=2)),
    st.builds(Qualify, LEADS),
)
STEPS = st.one_of(FACTS, IDENTITY, HISTORIES, LEDGER, st.builds(Look, st.integers(1, 2)))
TRANSACTIONS = st.lists(
    st.tuples(
        st.lists(STEPS, min_size=1, max_size=5), st.sampled_from(["ok", "ok", "fail", "open"])
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=40, suppress_health_check=list(HealthCheck))
@given(transactions=TRANSACTIONS, block_size=st.integers(1, 6))
def test_a_store_answers_as_a_dict_would(
    store_url: str,
    monkeypatch: pytest.MonkeyPatch,
    transactions: list[tuple[list[Step], str]],
    block_size: int,
) -> None:
    """After any transactions, some of which failed, on a store that is opened now and then."""
    monkeypatch.setattr(sections, "MESSAGES_PER_STEP", 2)
    model = Model()
    store = open_store(store_url, block_size=block_size, section_blocks=2)
    wipe(store)
    for steps, ending in transactions:
        if ending == "open":
            store.close()
            store = open_store(store_url, block_size=block_size, section_blocks=2)
        after = deepcopy(model)
        with suppress(ZeroDivisionError), store.writing() as tx:
            for step in steps:
                step.apply(tx, after)
            if ending == "fail":
                raise ZeroDivisionError
        model = model if ending == "fail" else after
        with store.reading() as view:
            compare(view, model)
    store.close()


def compare(view: ReadTransaction, model: Model) -> None:
    """Ask every question."""
    compare_messages(view, model)
    compare_persons(view, model)
    compare_histories(view, model)
    compare_leads(view, model)


def compare_messages(view: ReadTransaction, model: Model) -> None:
    for keys in [*([key] for key in EVERYONE), *GROUPS]:
        found = model.of(*keys)
        assert list(view.events(keys)) == found
        assert list(view.events(keys, 1, 3)) == [s for s in found if 1 <= s.message.time <= 3]
        names = (s.message.name for s in found if s.message.name is not None)
        assert view.counts(keys) == Counter(names)
        times = [s.message.time for s in found]
        assert view.span(keys) == ((min(times), max(times)) if times else None)
        assert view.latest_of(keys, 3) == found[:-4:-1]
    senders = {key: model.of(key) for key in SENDERS}
    assert view.names_of(SENDERS) == {
        key: Counter(s.message.name for s in found if s.message.name)
        for key, found in senders.items()
    }
    everyone = {key: found for key in EVERYONE if (found := model.of(key))}
    firsts = {key: found[0].message.time for key, found in everyone.items()}
    assert view.first_seen(EVERYONE) == firsts
    lasts = {key: found[-1].message.time for key, found in everyone.items()}
    assert view.last_times(EVERYONE) == lasts
    assert view.last_times(EVERYONE, 3) == {key: at for key, at in lasts.items() if at >= 3}
    every = list(model.messages.values())
    assert view.known([*model.messages, "unknown"]) == model.messages.keys()
    assert view.newest() == max((s.message.time for s in every), default=None)
    assert {s.message.mid for s in view.latest(100)} == model.messages.keys()
    subjects = sorted({k for s in every for k in _keys(s) if kind_of(k)})
    assert view.subjects() == subjects
    assert view.subjects("g:b", 2) == [key for key in subjects if key > "g:b"][:2]


def compare_persons(view: ReadTransaction, model: Model) -> None:
    assert view.persons(EVERYONE) == model.persons
    ids = {person: model.ids_of(person) for person in EVERYONE}
    assert view.ids_of(EVERYONE) == ids
    assert view.traits(ids) == {person: model.traits_of(of) for person, of in ids.items()}
    for keys in ([key] for key in EVERYONE):
        linked = {link for pair, link in model.links.items() if not set(pair).isdisjoint(keys)}
        found = view.links(keys)
        assert found == sorted(found, key=fact_order)
        assert len(found) == len(linked)
        assert set(found) == linked


def compare_histories(view: ReadTransaction, model: Model) -> None:
    assert view.histories(EVERYONE) == model.histories
    assert view.stale(EVERYONE) == model.lagging
    for subject in SENDERS:
        pages = {place: body for place, body in model.pages.items() if place[0] == subject}
        assert {place: view.page(*place) for place in pages} == pages
        for slot in (0, 1):
            cells = model.cells_of(subject, slot)
            assert view.cells(subject, slot) == cells
            assert {key: view.cell(subject, slot, key) for key in "aé"} == {
                key: cells.get(key) for key in "aé"
            }
    due = sorted((time, subject) for subject, time in model.due.items() if time <= 2)
    assert view.due(2, 99) == [subject for _, subject in due]


def compare_leads(view: ReadTransaction, model: Model) -> None:
    for state in (None, *STATES):
        for now in (None, 2):
            found = [lead for lead, _ in view.leads(LeadFilter(state=state, now=now), 99)]
            assert found == model.listed(state, now)
    for lead_id in model.leads:
        entries = [entry for entry in model.ledger if entry.lead == lead_id]
        assert view.changes(lead_id) == entries
    totals = {"messages": len(model.messages), "leads": len(model.leads), "rejected": 0}
    assert view.totals() == totals | dict(model.tallies)


def wipe(store: Store) -> None:
    """Make a store new: much quicker than a new database."""
    with store._database.writing() as session:  # type: ignore[attr-defined]
        for table in TABLES:
            session.run(f"DELETE FROM {table}")
        session.run("INSERT INTO block (number, sealed) VALUES (1, 0)")
        session.run("UPDATE indexing SET sections = 0, reached = 'a:', block = 0")
