"""A store is a dict of messages, whatever is done to it and however its blocks fall."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pequel_collector.model import JSON, Message, Stored, account_key, kind_of
from pequel_collector.ports import Reading, Store, Trait, Writing
from pequel_collector.store import open_store

IDS = st.sampled_from(["a", "B", "é", "\uffff", "😀", *(f"m{i}" for i in range(15))])
SUBJECTS = st.sampled_from(["u:ada", "u:bob", "u:é", "a:v1"])
ACCOUNTS = st.sampled_from([None, "acme", "globex"])
TIMES = st.integers(0, 4)
EVERYONE = ["u:ada", "u:bob", "u:é", "u:x", "a:v1", "g:acme", "g:globex", "g:x"]


@dataclass
class Model:
    """What a store should hold."""

    messages: dict[str, Stored] = field(default_factory=dict)
    traits: dict[tuple[str, str, int, str], JSON] = field(default_factory=dict)

    def copy(self) -> Model:
        return Model(dict(self.messages), dict(self.traits))

    def of(self, key: str) -> list[Stored]:
        """The messages of a subject, in order."""
        found = [s for s in self.messages.values() if key in _keys(s)]
        return sorted(found, key=lambda s: (s.message.time, s.message.mid))


def _keys(stored: Stored) -> set[str]:
    account = set() if stored.account is None else {account_key(stored.account)}
    return {stored.message.subject, *account}


class Append(NamedTuple):
    messages: list[tuple[str, str, int, str | None, str | None]]

    def apply(self, tx: Writing, model: Model) -> None:
        made = [
            Stored(Message(mid, "track", subject, time, 0, name), account)
            for mid, subject, time, account, name in self.messages
        ]
        new = {s.message.mid for s in made} - model.messages.keys()
        assert tx.append(made) == new
        model.messages |= {s.message.mid: s for s in made if s.message.mid in new}


class Attribute(NamedTuple):
    subject: str
    accounts: list[str | None]

    def apply(self, tx: Writing, model: Model) -> None:
        mids = [s.message.mid for s in model.of(self.subject)]
        to = dict(zip(mids, self.accounts, strict=False))
        tx.attribute(to, self.subject)
        for mid, account in to.items():
            model.messages[mid] = model.messages[mid]._replace(account=account)


class Set(NamedTuple):
    trait: Trait

    def apply(self, tx: Writing, model: Model) -> None:
        tx.add_traits([self.trait])
        model.traits.setdefault(self.trait[:4], self.trait.value)


class Look(NamedTuple):
    times: int

    def apply(self, tx: Writing, model: Model) -> None:
        for _ in range(self.times):
            compare(tx, model)


Step = Append | Attribute | Set | Look
MESSAGES = st.lists(
    st.tuples(IDS, SUBJECTS, TIMES, ACCOUNTS, st.sampled_from([None, "x", "y"])),
    max_size=8,
    unique_by=lambda message: message[0],
)
STEPS = st.one_of(
    st.builds(Append, MESSAGES),
    st.builds(Attribute, SUBJECTS, st.lists(ACCOUNTS, max_size=8)),
    st.builds(
        Set,
        st.builds(
            Trait, SUBJECTS, st.sampled_from("pq"), TIMES, IDS, st.sampled_from([None, 1, 2])
        ),
    ),
    st.builds(Look, st.integers(1, 2)),
)
TRANSACTIONS = st.lists(
    st.tuples(
        st.lists(STEPS, min_size=1, max_size=4), st.sampled_from(["ok", "ok", "fail", "open"])
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=80, suppress_health_check=list(HealthCheck))
@given(transactions=TRANSACTIONS, block_size=st.integers(1, 6))
def test_a_store_answers_as_a_dict_would(
    store_url: str, transactions: list[tuple[list[Step], str]], block_size: int
) -> None:
    """After any transactions, some of which failed, on a store that is opened now and then."""
    model = Model()
    store = open_store(store_url, block_size=block_size)
    wipe(store)
    for steps, ending in transactions:
        if ending == "open":
            store.close()
            store = open_store(store_url, block_size=block_size)
        after = model.copy()
        with suppress(ZeroDivisionError), store.writing() as tx:
            for step in steps:
                step.apply(tx, after)
            if ending == "fail":
                raise ZeroDivisionError
        model = model if ending == "fail" else after
        with store.reading() as view:
            compare(view, model)
    store.close()


def compare(view: Reading, model: Model) -> None:
    """Ask every question about messages and traits."""
    for key in EVERYONE:
        found = model.of(key)
        assert list(view.events(key)) == found
        assert list(view.events(key, 1, 3)) == [s for s in found if 1 <= s.message.time <= 3]
        names = (s.message.name for s in found if s.message.name is not None)
        assert view.counts(key) == Counter(names)
        times = [s.message.time for s in found]
        assert view.span(key) == ((min(times), max(times)) if times else None)
    every = list(model.messages.values())
    assert view.known([*model.messages, "unknown"]) == model.messages.keys()
    assert view.newest() == max((s.message.time for s in every), default=None)
    assert list(view.subjects()) == sorted({k for s in every for k in _keys(s) if kind_of(k)})
    assert {s.message.mid for s in view.latest(100)} == model.messages.keys()
    current: dict[str, dict[str, JSON]] = {key: {} for key in EVERYONE}
    for (subject, name, _, _), value in sorted(model.traits.items()):
        current[subject][name] = value
    assert view.traits(EVERYONE) == {
        key: {name: value for name, value in traits.items() if value is not None}
        for key, traits in current.items()
    }


def wipe(store: Store) -> None:
    """Make a store new: much quicker than a new database."""
    with store._database.writing() as session:  # type: ignore[attr-defined]
        for table in ("event", "posting", "trait", "block"):
            session.run(f"DELETE FROM {table}")
        session.run("INSERT INTO block (number, sealed) VALUES (1, 0)")
