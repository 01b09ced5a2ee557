"""Traits, group calls, leads, their ledger, and what people decide: kept and found again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from pequel_collector.model import JSON, Key, Lead, RejectedEvent
from pequel_collector.ports import (
    AuditEntry,
    By,
    Change,
    DefinitionEntry,
    LeadCursor,
    LeadFilter,
    Membership,
    Store,
    StoredRejectedEvent,
    Trait,
    Version,
)


def traits(store: Store, *added: tuple[str, int, str, JSON], of: str = "u:ada") -> dict[str, JSON]:
    """The traits of a subject once (name, time, message id, value) are added, one by one."""
    for name, time, mid, value in added:
        with store.writing() as tx:
            tx.add_traits([Trait(of, name, time, mid, value)])
    with store.reading() as view:
        return view.traits({of: [of]})[of]


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
            found = view.traits({key: [key] for key in subjects})
            assert found == {key: {"n": i} for i, key in enumerate(subjects)}
            assert view.traits({"u:x": ["u:x"], "u:3": ["u:3"]}) == {"u:x": {}, "u:3": {"n": 3}}
            assert view.traits({"u:3": []}) == {"u:3": {}}
            assert view.traits({}) == {}

    def test_of_a_person_are_the_latest_of_all_ids(self, store: Store) -> None:
        values = [
            ("u:ada", "plan", 1, "m1", "free"),
            ("a:v1", "plan", 2, "m2", "pro"),
            ("u:ada", "size", 5, "a", 1),
            ("u:old", "size", 5, "b", 2),
            ("u:ada", "city", 1, "m1", "Bonn"),
            ("a:v1", "city", 3, "m3", None),
            ("u:old", "city", 2, "m2", "Köln"),
        ]
        with store.writing() as tx:
            tx.add_traits([Trait(*value) for value in values])
        with store.reading() as view:
            found = view.traits({"u:ada": ["u:ada", "a:v1", "u:old"], "u:old": ["u:old"]})
        assert found == {
            "u:ada": {"plan": "pro", "size": 2},
            "u:old": {"size": 2, "city": "Köln"},
        }

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


def test_a_membership_may_be_the_end_of_one(store: Store) -> None:
    calls = [Membership("u:ada", 1, "m1", "acme"), Membership("u:ada", 2, "m2", "acme", 0, True)]
    with store.writing() as tx:
        tx.add_memberships(calls)
    with store.reading() as view:
        assert view.memberships(["u:ada"]) == {"u:ada": calls}


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
            expires_at=7,
            merged_into="l9",
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
        changed = lead(
            1, state="won", priority="high", qualified_at=9, expires_at=8, flags=["restated"]
        )
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
    ({"plan": "7"}, "3"),
    ({"plan": "7.0"}, "3"),
    ({"plan": "8"}, ""),
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


class TestALeadThatExpires:
    """Leads 0 to 5 expire at 0 to 5; 6 does not; 7 is won, and 8 was put down as expired."""

    @pytest.fixture(autouse=True)
    def _saved(self, store: Store) -> None:
        priorities = ["normal", "low", "high"]
        timed = [lead(i, expires_at=i, priority=priorities[i % 3]) for i in range(6)]
        worked = lead(7, expires_at=1, state="won"), lead(8, state="expired")
        save(store, *timed, lead(6), *worked)

    @pytest.mark.parametrize(
        ("state", "now", "found"),
        [
            ("expired", 3, "28301"),
            ("new", 3, "564"),
            ("won", 3, "7"),
            (None, 3, "528763041"),
            ("expired", 9, "5283041"),
            ("expired", -1, "8"),
            ("expired", None, "8"),
            ("new", None, "5263041"),
            ("new", 0, "526341"),
        ],
    )
    def test_is_listed_as_what_it_is_by_now(
        self, store: Store, state: str | None, now: int | None, found: str
    ) -> None:
        assert listed(store, state=state, now=now) == found

    def test_is_given_back_as_expired_in_the_list_alone(self, store: Store) -> None:
        with store.reading() as view:
            found = {lead.id[-1]: lead.state for lead, _ in view.leads(LeadFilter(now=2), 99)}
            kept = [view.lead(f"l00{i}") for i in range(9)]
        assert found == {
            **dict.fromkeys("012", "expired"), **dict.fromkeys("3456", "new"),
            "7": "won", "8": "expired",
        }  # fmt: skip
        assert [lead.state for lead in kept if lead] == ["new"] * 7 + ["won", "expired"]

    def test_is_listed_page_by_page(self, store: Store) -> None:
        for limit in range(1, 8):
            pages, after = "", None
            with store.reading() as view:
                while page := view.leads(LeadFilter(state="expired", now=9), limit, after):
                    pages += "".join(found.id[-1] for found, _ in page)
                    after = page[-1][1]
            assert pages == "5283041"


def test_leads_are_filtered_by_the_traits_of_all_ids_of_their_person(store: Store) -> None:
    save(store, lead(1), lead(2))
    with store.writing() as tx:
        tx.set_persons({"a:v1": "u:1", "u:old": "u:1"})
        tx.add_traits([Trait("u:1", "country", 1, "m1", "US")])
        tx.add_traits([Trait("u:old", "country", 3, "m3", "DE")])
        tx.add_traits([Trait("a:v1", "country", 2, "m2", "FR")])
    assert [listed(store, country=country) for country in ("DE", "US", "FR")] == ["1", "", ""]


def change(lead: str, at: int, what: str = "restated", **more: Any) -> Change:
    """An entry of the ledger of which only the order matters, unless more is said."""
    return Change(lead, at, what, **{"before": None, "after": {}} | more)


def numbered(entry: Change, number: int) -> Change:
    return entry._replace(number=number)


class TestTheLedger:
    def test_is_of_each_lead_in_the_order_in_which_it_was_written(self, store: Store) -> None:
        first, second, third = change("l1", 9), change("l1", 3), change("l1", 3)
        with store.writing() as tx:
            tx.log([first, change("l2", 5), second])
            tx.log([])
            assert tx.changes("l1") == [numbered(first, 1), numbered(second, 3)]
        with store.writing() as tx:
            tx.log([third])
        with store.reading() as view:
            assert view.changes("l1")[2] == numbered(third, 4)
            assert view.changes("l3") == []
            assert view.latest_changes("l1", 2) == [numbered(second, 3), numbered(third, 4)]
            assert view.latest_changes("l3", 2) == []
            assert [view.count_changes(lead) for lead in ("l1", "l2", "l3")] == [3, 1, 0]

    def test_keeps_what_changed_and_why(self, store: Store) -> None:
        full = Change(
            lead="l1",
            at=7,
            what="voided",
            before={"qualified_at": 2**60, "flags": ["\0"]},
            after=None,
            reason="\ud800é",
            actor="team:\0",
        )
        with store.writing() as tx:
            tx.log([full])
        with store.reading() as view:
            assert view.changes("l1") == [numbered(full, 1)]


def test_tallies_are_added_up_and_told_with_the_totals(store: Store) -> None:
    with store.writing() as tx:
        tx.count({"unattributed": 2, "conflicts\0": 1})
        tx.count({})
    with suppress(ZeroDivisionError), store.writing() as tx:
        tx.count({"unattributed": 7})
        raise ZeroDivisionError
    with store.writing() as tx:
        tx.count({"unattributed": 2**40})
        assert {type(number) for number in tx.totals().values()} == {int}
        assert tx.totals() == {
            "messages": 0, "leads": 0, "rejected": 0, "unattributed": 2 + 2**40, "conflicts\0": 1,
        }  # fmt: skip


class TestWhatPeopleDecide:
    def test_versions_are_listed_oldest_first(self, store: Store) -> None:
        versions = [
            Version("b", 1, "h1", 5, {"when": [1.5, "\0"]}, '[[pql]]\nname = "\0é"\n'),
            Version("a", 1, "h2", 6, None),
            Version("b", 2, "h3", 7, []),
        ]
        with store.writing() as tx:
            for version in reversed(versions):
                tx.add_version(version)
        with store.reading() as view:
            assert view.versions() == versions

    def test_the_log_of_definitions_is_as_it_was_written(self, store: Store) -> None:
        entries = [
            DefinitionEntry("a", 1, 5, "file", "file", "\0é"),
            DefinitionEntry("a", 1, 6, "put", "ada", None, 'title: "\0" → "é"'),
            DefinitionEntry("a", None, 7, "put"),
        ]
        for entry in entries:
            with store.writing() as tx:
                tx.log_definitions([entry])
        with store.reading() as view:
            assert view.definition_log() == entries

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

    def test_a_key_keeps_its_prefix_its_end_and_its_last_use(self, store: Store) -> None:
        key = Key("k1", "write", "", "d1", 1, prefix="pk_w_1234")
        with store.writing() as tx:
            tx.add_key(key)
            tx.expire_key("k1", 2**40)
            tx.use_keys({"k1": 7, "other": 7}, since=3)
            tx.use_keys({"k1": 9}, since=6)
        with store.reading() as view:
            assert view.keys() == [replace(key, expires_at=2**40, last_used_at=7)]
        with store.writing() as tx:
            tx.use_keys({"k1": 9}, since=7)
            assert tx.keys() == [replace(key, expires_at=2**40, last_used_at=9)]

    def test_administrative_acts_are_listed_latest_first(self, store: Store) -> None:
        acts = [
            AuditEntry(
                at, "key_created", By("cli", "\0why" if at else None), {"key": "\0é", "n": at}
            )
            for at in (5, 0, 3)
        ]
        for act in acts:
            with store.writing() as tx:
                tx.add_audit(act)
        with store.reading() as view:
            listed = view.audit(2)
            assert [entry.number for entry in listed] == [3, 2]
            assert [*listed, *view.audit(2, before=2)] == [
                act._replace(number=i) for i, act in reversed(list(enumerate(acts, 1)))
            ]

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
            assert tx.meta("catalogue") is None
            tx.set_meta("catalogue", "one")
            tx.set_meta("catalogue", "two\0")
            tx.set_meta("other", "three")
        with store.reading() as view:
            assert view.meta("catalogue") == "two\0"
            assert view.meta("") is None


class TestRejectedEvents:
    def test_are_kept_as_they_came_latest_first(self, store: Store) -> None:
        rejected = [
            StoredRejectedEvent(
                "r3", 2, "k1", RejectedEvent(0, "bad", "no", "userId", "m\0", '{"a":"\ud800\\u0000')
            )
        ] + [StoredRejectedEvent(f"r{i}", 1, None, RejectedEvent(i, "bad", "no")) for i in (2, 1)]
        with store.writing() as tx:
            tx.add_rejected(rejected[::-1])
        with store.reading() as view:
            assert view.rejected(9) == rejected
            assert view.rejected(1) == rejected[:1]
            assert view.totals()["rejected"] == 3

    def test_are_kept_once(self, store: Store) -> None:
        first = StoredRejectedEvent("r1", 1, None, RejectedEvent(0, "bad", "first"))
        other = StoredRejectedEvent("r1", 2, None, RejectedEvent(0, "bad", "other"))
        with store.writing() as tx:
            tx.add_rejected([first, other])
            tx.add_rejected([other])
            tx.add_rejected([])
        with store.reading() as view:
            assert view.rejected(9) == [first]
