"""Traits, group calls, histories, leads, and what people decide: kept and found again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pequel_collector.model import JSON, Key, Lead, Rejection
from pequel_collector.ports import (
    LeadCursor,
    LeadFilter,
    Membership,
    Refused,
    Store,
    Trait,
    Version,
)


def traits(store: Store, *added: tuple[str, int, str, JSON], of: str = "u:ada") -> dict[str, JSON]:
    """The traits of a subject once (name, time, message id, value) are added, one by one."""
    for name, time, mid, value in added:
        with store.writing() as tx:
            tx.add_traits([Trait(of, name, time, mid, value)])
    with store.reading() as view:
        return view.traits([of])[of]


class TestTraits:
    def test_have_the_latest_value_whatever_came_last(self, store: Store) -> None:
        late = ("plan", 2, "m2", "pro"), ("plan", 1, "m3", "free"), ("size", 1, "m1", [1, {"a": 2}])
        assert traits(store, *late) == {"plan": "pro", "size": [1, {"a": 2}]}

    def test_of_one_instant_have_the_value_of_the_greatest_id(self, store: Store) -> None:
        assert traits(store, ("plan", 1, "z", 1), ("plan", 1, "é", 2), ("plan", 1, "Z", 3)) == {
            "plan": 2
        }

    def test_are_absent_once_unset_until_set_again(self, store: Store) -> None:
        assert traits(store, ("plan", 1, "m1", "free"), ("plan", 3, "m3", None)) == {}
        assert traits(store, ("plan", 2, "m2", "pro")) == {}
        assert traits(store, ("plan", 4, "m4", False)) == {"plan": False}

    def test_added_twice_are_there_once(self, store: Store, run: Callable[..., Any]) -> None:
        traits(store, ("plan", 1, "m1", "free"), ("plan", 1, "m1", "free"))
        assert run("SELECT count(*) FROM trait") == [(1,)]

    def test_are_each_subject_s_own(self, store: Store) -> None:
        subjects = [f"u:{i}" for i in range(150)]
        with store.writing() as tx:
            tx.add_traits([Trait(key, "n", 1, f"m{i}", i) for i, key in enumerate(subjects)])
        with store.reading() as view:
            assert view.traits(subjects) == {key: {"n": i} for i, key in enumerate(subjects)}
            assert view.traits(["u:x", "u:3"]) == {"u:x": {}, "u:3": {"n": 3}}
            assert view.traits([]) == {}

    def test_have_any_name_and_text(self, store: Store) -> None:
        texts = ["\0", "\ud800", "\ufdd0", "null", "é😀", '"', ""]
        values = {text: {text: text} for text in texts}
        assert traits(store, *((name, 1, "m1", values[name]) for name in texts)) == values


def test_memberships_are_in_order_of_time_and_then_of_id(store: Store) -> None:
    calls = [
        Membership("u:ada", time, mid, f"acme\ud800{time}")
        for time, mid in [(2, "a"), (1, "é"), (1, "z"), (3, "b")]
    ]
    with store.writing() as tx:
        tx.add_memberships(calls)
        tx.add_memberships([*calls, Membership("u:bob", 5, "c", "globex")])
    with store.reading() as view:
        assert view.memberships(["u:ada", "u:eve"]) == {
            "u:ada": [calls[2], calls[1], calls[0], calls[3]],
            "u:eve": [],
        }
        assert view.memberships({"u:bob": 1}) == {"u:bob": [Membership("u:bob", 5, "c", "globex")]}
        assert view.memberships([]) == {}


class TestHistories:
    def test_are_what_was_saved_last(self, store: Store) -> None:
        with store.writing() as tx:
            tx.save_histories({"u:ada": "1", "u:bob": "x" * 20_000, "g:acme": "\0\ud800é"})
            tx.save_histories({"u:ada": "2"})
            tx.save_histories({})
        with store.reading() as view:
            asked = ["u:ada", "u:bob", "g:acme", "u:eve"]
            assert view.histories(asked) == {
                "u:ada": "2",
                "u:bob": "x" * 20_000,
                "g:acme": "\0\ud800é",
            }
            assert view.histories([]) == {}

    def test_of_many_subjects_are_saved_and_found_together(self, store: Store) -> None:
        pages = {f"u:{i}": f"page {i}" for i in range(7_000)}
        with store.writing() as tx:
            tx.save_histories(pages)
        with store.reading() as view:
            assert view.histories(pages.keys()) == pages

    def test_have_sealed_pages_in_order(self, store: Store) -> None:
        with store.writing() as tx:
            tx.save_histories({"u:ada": "open"})
            tx.seal("u:ada", ((i, f"page {i}") for i in (10, 2, 1)))
            tx.seal("u:ada", [(2, "page two"), (3, "page 3")])
            tx.seal("u:bob", [])
        with store.reading() as view:
            assert view.sealed("u:ada") == ["page 1", "page two", "page 3", "page 10"]
            assert view.histories(["u:ada"]) == {"u:ada": "open"}
            assert view.sealed("u:bob") == []

    def test_are_forgotten_with_every_page(self, store: Store) -> None:
        with store.writing() as tx:
            tx.save_histories({"u:ada": "open", "u:bob": "open"})
            tx.seal("u:ada", [(1, "page 1")])
            tx.forget_history("u:ada")
        with store.reading() as view:
            assert view.histories(["u:ada", "u:bob"]) == {"u:bob": "open"}
            assert view.sealed("u:ada") == []


def lead(number: int, **more: Any) -> Lead:
    """A lead that differs from the others by its number."""
    return replace(Lead(f"l{number:03}", "activated", 1, f"u:{number}", 1, number, number), **more)


def save(store: Store, *leads: Lead) -> None:
    with store.writing() as tx:
        tx.save_leads(leads)


def listed(store: Store, limit: int = 100, after: LeadCursor | None = None, **wanted: Any) -> str:
    """The numbers of the leads found, each of one digit."""
    with store.reading() as view:
        found = view.leads(LeadFilter(**wanted), limit, after)
    return "".join(lead.id[-1] for lead, _ in found)


class TestALead:
    def test_comes_back_as_it_was(self, store: Store) -> None:
        full = Lead(
            id="l1",
            definition="set_up",
            version=3,
            subject="u:ada\ud800",
            cycle=2,
            qualified_at=4,
            marked_at=5,
            state="assigned",
            kind="upgrade",
            priority="high",
            owner="team:\0",
            due_at=6,
            account="acme",
            flags=["late"],
            evidence={"sentence": "\0 é", "leaves": [{"observed": 2**70}]},
        )
        save(store, full, lead(2))
        with store.reading() as view:
            assert view.lead("l1") == full
            assert view.lead("l002") == lead(2)
            assert view.lead("l3") is None
            assert view.leads_of(["u:ada\ud800"]) == {"u:ada\ud800": [full]}

    def test_changes_when_it_is_saved_again(self, store: Store) -> None:
        changed = lead(1, state="won", priority="high", qualified_at=9, flags=["restated"])
        save(store, lead(1), lead(2, priority="high"))
        save(store, lead(1, state="lost"), changed)
        with store.reading() as view:
            assert view.lead("l001") == changed
            assert view.totals()["leads"] == 2
        assert listed(store) == "21"


def test_leads_of_subjects_are_in_order_of_qualification(store: Store) -> None:
    ids = [(3, "a", 9), (1, "b", 7), (2, "a", 8), (4, "c", 7)]
    leads = [lead(i, subject="u:x", definition=d, cycle=i, qualified_at=t) for i, d, t in ids]
    save(store, *leads, lead(5), lead(6))
    with store.reading() as view:
        found = view.leads_of(["u:x", "u:y", "u:5"])
        assert view.leads_of([]) == {}
    assert {subject: [each.id for each in of] for subject, of in found.items()} == {
        "u:x": ["l001", "l004", "l002", "l003"],
        "u:y": [],
        "u:5": ["l005"],
    }


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({}, "6543210"),
    ({"definition": "set_up"}, "1"),
    ({"subject_kind": "user"}, "543210"),
    ({"subject_kind": "account"}, "6"),
    ({"subject": "u:3"}, "3"),
    ({"subject": "u:"}, ""),
    ({"state": "won"}, "2"),
    ({"state": "voided"}, "7"),
    ({"state": "new"}, "654310"),
    ({"owner": "team:x"}, "3"),
    ({"kind": "upgrade"}, "4"),
    ({"account": "acme"}, "65"),
    ({"qualified_from": 5}, "65"),
    ({"qualified_to": 2}, "10"),
    ({"qualified_from": 2, "qualified_to": 4}, "32"),
    ({"marked_after": 4}, "65"),
    ({"country": "DE"}, "60"),
    ({"country": "US"}, "1"),
    ({"country": "null"}, ""),
    ({"country": "DE", "plan": "\ud800"}, "0"),
    ({"plan": "7"}, ""),
    ({"plan": "\ufdd0"}, "4"),
    ({"state": "new", "kind": "new", "country": "DE", "account": "acme"}, "6"),
    ({"definition": "' OR 1=1 --"}, ""),
]


class TestTheListOfLeads:
    def test_is_by_priority_and_then_latest_mark_first(self, store: Store) -> None:
        priorities = ["normal", "low", "high", "normal", "high", "low", "normal"]
        save(store, *(lead(i, priority=p) for i, p in enumerate(priorities)))
        assert listed(store) == "4263051"
        assert listed(store, limit=3) == "426"

    def test_of_one_instant_is_in_order_of_id(self, store: Store) -> None:
        save(store, *(lead(i, marked_at=1) for i in (3, 1, 2)))
        assert listed(store) == "123"

    def test_does_not_skip_or_repeat_when_leads_arrive_between_pages(self, store: Store) -> None:
        priorities = ["high", "normal", "low"]
        old = {i: lead(i, priority=priorities[i % 3], marked_at=i // 6) for i in range(60)}
        save(store, *old.values())
        seen: list[int] = []
        after = None
        for turn in range(100, 130):
            with store.reading() as view:
                page = view.leads(LeadFilter(), 7, after)
            if not page:
                break
            seen += [int(found.id[1:]) for found, _ in page]
            after = page[-1][1]
            save(store, lead(turn, marked_at=50, priority=priorities[turn % 3]))
        assert len(seen) == len(set(seen))
        assert [i for i in seen if i in old] == sorted(old, key=lambda i: (i % 3, -(i // 6), i))

    def test_can_be_filtered(self, store: Store, subtests: pytest.Subtests) -> None:
        save(
            store,
            lead(0),
            lead(1, definition="set_up"),
            lead(2, state="won"),
            lead(3, owner="team:x"),
            lead(4, kind="upgrade"),
            lead(5, account="acme"),
            lead(6, subject="g:acme"),
            lead(7, state="voided", account="acme"),
        )
        with store.writing() as tx:
            tx.add_traits(
                [
                    Trait("u:0", "country", 2, "m1", "DE"),
                    Trait("u:0", "country", 1, "m2", "US"),
                    Trait("u:0", "plan", 1, "m1", "\ud800"),
                    Trait("u:1", "country", 1, "m1", "DE"),
                    Trait("u:1", "country", 2, "m2", "US"),
                    Trait("u:2", "country", 1, "m1", "DE"),
                    Trait("u:2", "country", 2, "m2", None),
                    Trait("u:3", "plan", 1, "m1", 7),
                    Trait("u:4", "plan", 1, "m1", "\ufdd0"),
                    Trait("g:acme", "country", 1, "m1", "DE"),
                ]
            )
        for wanted, found in FILTERS:
            with subtests.test(**wanted):
                assert listed(store, **wanted) == found

    def test_goes_on_behind_a_cursor_with_the_same_filter(self, store: Store) -> None:
        save(store, *(lead(i, state="won" if i % 2 else "new") for i in range(10)))
        assert listed(store, 2, LeadCursor(1, 7, "l007"), state="won") == "53"


class TestWhatPeopleDecide:
    def test_versions_are_listed_oldest_first(self, store: Store) -> None:
        versions = [
            Version("b", 1, "h1", 5, {"when": [1.5, "\0"]}),
            Version("a", 1, "h2", 6, None),
            Version("b", 2, "h3", 7, []),
        ]
        with store.writing() as tx:
            for version in reversed(versions):
                tx.add_version(version)
        with store.reading() as view:
            assert view.versions() == versions

    def test_a_version_is_recorded_once(self, store: Store) -> None:
        with store.writing() as tx:
            tx.add_version(Version("a", 1, "h1", 1, {}))
        with pytest.raises(Exception, match=r"(?i)unique"), store.writing() as tx:
            tx.add_version(Version("a", 1, "h2", 2, {}))
        with store.reading() as view:
            assert [version.hash for version in view.versions()] == ["h1"]

    def test_keys_are_listed_oldest_first(self, store: Store) -> None:
        keys = [Key("k2", "read", "b", "d2", 1), Key("k1", "write", "\0a", "d1", 2)]
        with store.writing() as tx:
            for key in reversed(keys):
                tx.add_key(key)
        with store.reading() as view:
            assert view.keys() == keys

    def test_a_key_is_revoked_once(self, store: Store) -> None:
        key = Key("k1", "write", "", "d1", 1)
        with store.writing() as tx:
            tx.add_key(key)
            assert not tx.revoke_key("k2", 5)
            assert tx.revoke_key("k1", 5)
            assert not tx.revoke_key("k1", 6)
        with store.reading() as view:
            assert view.keys() == [replace(key, revoked_at=5)]

    def test_a_note_is_the_last_text_under_its_name(self, store: Store) -> None:
        with store.writing() as tx:
            assert tx.note("catalogue") is None
            tx.set_note("catalogue", "one")
            tx.set_note("catalogue", "two\0")
            tx.set_note("other", "three")
        with store.reading() as view:
            assert view.note("catalogue") == "two\0"
            assert view.note("") is None


class TestTheRefused:
    def test_are_kept_as_they_came_latest_first(self, store: Store) -> None:
        refused = [
            Refused(
                "r3", 2, "k1", Rejection(0, "bad", "no", "userId", "m\0", '{"a":"\ud800\\u0000')
            )
        ] + [Refused(f"r{i}", 1, None, Rejection(i, "bad", "no")) for i in (2, 1)]
        with store.writing() as tx:
            tx.refuse(refused[::-1])
        with store.reading() as view:
            assert view.refused(9) == refused
            assert view.refused(1) == refused[:1]
            assert view.totals()["refused"] == 3

    def test_are_kept_once(self, store: Store) -> None:
        first = Refused("r1", 1, None, Rejection(0, "bad", "first"))
        other = Refused("r1", 2, None, Rejection(0, "bad", "other"))
        with store.writing() as tx:
            tx.refuse([first, other])
            tx.refuse([other])
            tx.refuse([])
        with store.reading() as view:
            assert view.refused(9) == [first]
