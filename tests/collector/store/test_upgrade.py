"""A database of an earlier version opens, and holds what it held."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from pequel_collector.model import Kind, Lead, Message, Stored, bucket_of
from pequel_collector.ports import LeadFilter, Membership, Store, Version
from pequel_collector.store import open_store, schema
from pequel_collector.store.session import Insertion, Session

Rows = list[tuple[Any, ...]]


def _event(number: int, block: int, subject: str, account: str | None) -> tuple[Any, ...]:
    bucket = None if account is None else bucket_of(f"g:{account}")
    mid, name = f"m{number}", "clicked"
    return mid, bucket_of(subject), block, subject, account, bucket, number, 9, "track", name, "v1"


EVENTS = Insertion(
    "event",
    (
        "mid", "bucket", "block", "subject", "account", "account_bucket", "time", "received",
        "type", "name", "anonymous_id",
    ),
)  # fmt: skip

FIRST_FOUR: list[tuple[Insertion, Rows]] = [
    (
        EVENTS,
        [
            _event(1, 1, "u:ada", "acme"),
            _event(2, 1, "u:ada", None),
            _event(9, 1, "u:Ad", None),
            _event(3, 2, "u:ada", "acme"),
        ],
    ),
    (Insertion("block", ("number", "sealed", "newest_before")), [(2, 0, 9)]),
    (
        Insertion("posting", ("block", "subject", "time", "mid", "bucket")),
        [
            (1, "g:acme", 1, "m1", bucket_of("g:acme")),
            (1, "u:ada", 1, "m1", bucket_of("u:ada")),
            (1, "u:Ad", 9, "m9", bucket_of("u:Ad")),
            (1, "u:ada", 2, "m2", bucket_of("u:ada")),
        ],
    ),
    (
        Insertion("trait", ("subject", "name", "time", "mid", "bucket", "value")),
        [
            ("u:ada", "email", 1, "m1", bucket_of("u:ada"), '"Ada@Acme.example"'),
            ("u:ada", "name", 1, "m1", bucket_of("u:ada"), "7"),
            ("u:ada", "plan", 1, "m1", bucket_of("u:ada"), '"free"'),
        ],
    ),
    (
        Insertion("membership", ("subject", "time", "mid", "bucket", "account")),
        [("u:ada", 1, "m1", bucket_of("u:ada"), "acme")],
    ),
    (
        Insertion("history", ("subject", "page", "bucket", "body")),
        [("u:ada", 0, bucket_of("u:ada"), "{}"), ("u:ada", 1, bucket_of("u:ada"), "[]")],
    ),
    (
        Insertion(
            "lead",
            (
                "id", "definition", "version", "subject", "cycle", "qualified_at", "marked_at",
                "state", "kind", "priority", "flags", "evidence", "rank", "bucket",
            ),
        ),
        [
            ("l1", "active", 1, "u:ada", 1, 1, 2, "new", "new", "normal", "[]", "{}", 1,
             bucket_of("u:ada")),
        ],
    ),
    (
        Insertion("definition_version", ("name", "version", "hash", "created_at", "source")),
        [("active", 1, "h", 1, "{}")],
    ),
    (Insertion("note", ("name", "body")), [("catalogue", "old"), ("other", "kept")]),
]  # fmt: skip


@pytest.fixture
def upgraded(store_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store that was made by the first four migrations, filled, and opened today."""
    with monkeypatch.context() as patch:
        patch.setattr(schema, "_MIGRATIONS", schema._MIGRATIONS[:4])
        old = open_store(store_url, clock=lambda: 1)
    with old._database.writing() as session:  # type: ignore[attr-defined]
        _fill(session)
    old.close()
    store = open_store(store_url, clock=lambda: 2, block_size=2)
    yield store
    store.close()


def _fill(session: Session) -> None:
    session.run("UPDATE block SET sealed = 1")
    for into, rows in FIRST_FOUR:
        session.insert(into, rows)


def test_facts_and_leads_are_there_as_before(upgraded: Store) -> None:
    with upgraded.reading() as view:
        found = list(view.events(["u:ada"]))
        assert found[0] == Stored(
            Message("m1", "track", "u:ada", 1, 9, "clicked", anonymous_id="v1"), "acme"
        )
        assert [stored.message.mid for stored in found] == ["m1", "m2", "m3"]
        assert [stored.message.mid for stored in view.events(["g:acme"])] == ["m1", "m3"]
        assert view.subjects() == ["g:acme", "u:Ad", "u:ada"]
        assert view.traits({"u:ada": ["u:ada"]}) == {
            "u:ada": {"email": "Ada@Acme.example", "name": 7, "plan": "free"}
        }
        assert view.memberships(["u:ada"]) == {"u:ada": [Membership("u:ada", 1, "m1", "acme")]}
        lead = Lead("l1", "active", 1, "u:ada", 1, 1, 2)
        assert [found for found, _ in view.leads(LeadFilter(now=10), 9)] == [lead]
        assert view.versions() == [Version("active", 1, "h", 1, {}, "")]
        assert view.totals() == {"messages": 4, "leads": 1, "rejected": 0}


def test_histories_are_to_be_made_anew(upgraded: Store) -> None:
    with upgraded.reading() as view:
        assert view.histories(["u:ada"]) == {}
        assert view.meta("catalogue") is None
        assert view.meta("other") == "kept"


def test_it_takes_what_is_new(upgraded: Store) -> None:
    with upgraded.writing() as tx:
        assert tx.append([Stored(Message("m1", "track", "u:ada", 1, 9), None)]) == set()
        for number in range(4, 8):
            message = Message(f"m{number}", "track", "a:v1", number, 9, "clicked")
            tx.append([Stored(message, "acme")])
        tx.set_persons({"a:v1": "u:ada"})
        tx.save_histories({"u:ada": b"\xff"})
    with upgraded.reading() as view:
        found = view.events(view.ids_of(["u:ada"])["u:ada"])
        assert [stored.message.mid for stored in found] == [f"m{i}" for i in range(1, 8)]
        assert view.histories(["u:ada"]) == {"u:ada": b"\xff"}
        assert view.totals()["messages"] == 8


@pytest.mark.parametrize(
    ("kind", "prefix", "found"),
    [
        ("user", "ada@a", {("ada@acme.example", "u:ada")}),
        ("user", "ad", {("ad", "u:Ad"), ("ada", "u:ada"), ("ada@acme.example", "u:ada")}),
        ("account", "acme", {("acme", "g:acme")}),
        ("user", "7", set()),
    ],
)
def test_who_was_there_before_is_found(
    upgraded: Store, kind: Kind, prefix: str, found: set[tuple[str, str]]
) -> None:
    """By an address and an id with capitals too, but not by a name that is no text."""
    with upgraded.reading() as view:
        assert {(hit.text, hit.subject) for hit in view.search(kind, prefix)} == found
