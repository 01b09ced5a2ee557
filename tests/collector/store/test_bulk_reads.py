"""Reads of all subjects at once: complete, in order, and without what was not asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pequel_collector.model import Stored
from pequel_collector.ports import Scan, ScannedMessage, Store, Trait

MakeMessage = Callable[..., Stored]
ODD = "u:\ufdd0\x00\ud800"


def scanned(store: Store, wanted: Scan) -> dict[str, list[ScannedMessage]]:
    with store.reading() as tx:
        return {
            key: [ScannedMessage(*message) for message in messages]
            for key, messages in tx.scan(wanted)
        }


@pytest.fixture
def filled(store: Store, message: MakeMessage) -> Store:
    """More messages than fit into one block, of users, visitors and an account."""
    with store.writing() as tx:
        tx.append(
            [
                message("m5", "u:ada", 5, name="used", properties={"n": 1}),
                message("m1", "u:ada", 1, name="used", to="acme"),
                message("m2", "a:visitor", 2, name="used", to="acme"),
                message("m3", "u:bob", 3, name="seen", context={"a": 1}),
                message("m4", "u:ada", 1, type="identify", name=None, traits={"plan": "pro"}),
                message("m6", "g:acme", 6, name="used", to="acme"),
                message("m7", ODD, 7, name="used"),
                message("m0", "u:ada", 5, name="used", position=1),
            ]
        )
        tx.set_persons({"a:visitor": "u:ada"})
        tx.add_traits([Trait("u:ada", "plan", 1, "m4", "pro"), Trait("u:bob", "plan", 2, "x", 7)])
    return store


def test_a_scan_has_the_messages_of_each_person_in_order(filled: Store) -> None:
    found = scanned(filled, Scan("user", frozenset({"used"})))
    assert {key: [m.mid for m in messages] for key, messages in found.items()} == {
        "u:ada": ["m1", "m2", "m5", "m0"],
        ODD: ["m7"],
    }
    assert found["u:ada"][0] == ScannedMessage("u:ada", 1, 0, "m1", "used")


def test_a_scan_reads_the_parts_that_are_asked_for(filled: Store) -> None:
    wanted = Scan("user", frozenset({"seen"}), sets_traits=True, in_accounts=True)
    found = scanned(filled, wanted)
    assert [m.mid for m in found["u:ada"]] == ["m1", "m4", "m2"]
    assert (found["u:ada"][0].account, found["u:ada"][1].traits) == ("acme", '{"plan":"pro"}')
    everything = scanned(filled, Scan("user", None, properties=True, context=True))
    assert sum(map(len, everything.values())) == 7
    assert everything["u:bob"][0].context == '{"a":1}'
    assert everything["u:ada"][3].properties == '{"n":1}'


def test_a_scan_of_accounts_says_who_it_was(filled: Store) -> None:
    [(key, messages)] = scanned(filled, Scan("account", frozenset({"used"}))).items()
    assert key == "g:acme"
    assert [(m.mid, m.person) for m in messages] == [
        ("m1", "u:ada"),
        ("m2", "u:ada"),
        ("m6", "g:acme"),
    ]


def test_first_times_are_those_of_persons_and_accounts(filled: Store) -> None:
    with filled.reading() as tx:
        first = {name: dict(tx.first_times("user", name)) for name in ("used", "seen", None)}
        assert first["used"] == {"u:ada": 1, ODD: 7}
        assert first["seen"] == {"u:bob": 3}
        assert first[None] == {"u:ada": 1, "u:bob": 3, ODD: 7}
        assert dict(tx.first_times("account", "used")) == {"g:acme": 1}


def test_trait_values_times_in_accounts_and_dates(filled: Store, message: Any) -> None:
    with filled.reading() as tx:
        values = {key: [t.value for t in ts] for key, ts in tx.trait_values("user", {"plan"})}
        assert values == {"u:ada": ["pro"], "u:bob": [7]}
        assert list(tx.trait_values("account", {"plan"})) == []
        assert list(tx.times_in_accounts("used")) == [("acme", 1), ("acme", 2), ("acme", 6)]
        assert list(tx.lead_subjects()) == []
        assert not tx.has_only_dates()


def test_a_store_of_dates_has_only_dates(store: Store, message: MakeMessage) -> None:
    with store.writing() as tx:
        tx.append([message("m1", time=86_400_000 * 20_000)])
    with store.reading() as tx:
        assert tx.has_only_dates()
