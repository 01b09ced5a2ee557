"""Messages are stored once, come back as they were, and are found by subject in order of time."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pequel_collector.model import Message, Stored
from pequel_collector.ports import Cell, Link, Membership, Store, Trait

from .conftest import BLOCK_SIZE

MakeMessage = Callable[..., Stored]

STRANGE = [
    "\0",
    "a\0b",
    "\ud800",
    "\udfff\ud800",
    "\ufdd0",
    "\ufdd00000",
    "é\0\ufdd0",
    "😀",
    "'\"\\%:x",
]


def mids(store: Store, subject: str, since: int | None = None, until: int | None = None) -> str:
    """The ids of a subject's messages, each of one character."""
    with store.reading() as view:
        return "".join(stored.message.mid for stored in view.events([subject], since, until))


def append(store: Store, *messages: Stored) -> set[str]:
    with store.writing() as tx:
        return tx.append(messages)


class TestAMessage:
    def test_comes_back_as_it_was(self, store: Store) -> None:
        full = Stored(
            Message(
                mid="m1",
                type="identify",
                subject="u:ada",
                time=1,
                received=2,
                name="seen",
                anonymous_id="v1",
                previous_id="v0",
                account="acme",
                properties={"a": [1, {"b": None}], "z": 0, "c": True},
                traits={"plan": "free"},
                context={"library": {"name": "x"}},
                original="2026-01-01",
                sent=3,
            ),
            "globex",
        )
        least = Stored(Message("m2", "track", "a:v1", -5, 0), None)
        append(store, full, least)
        with store.reading() as view:
            assert list(view.events(["u:ada"])) == [full]
            assert list(view.events(["a:v1"])) == [least]
            assert list(view.events(["g:globex"])) == [full]
            assert list(view.events(["g:acme"])) == []

    def test_keeps_any_text(self, store: Store, message: MakeMessage) -> None:
        odd = {
            text: message(
                f"m{text}",
                f"u:{text}",
                to=text,
                name=text,
                account=text,
                anonymous_id=text,
                previous_id=text,
                original=text,
                properties={text: [text]},
            )
            for text in STRANGE
        }
        assert append(store, *odd.values()) == {f"m{text}" for text in STRANGE}
        with store.reading() as view:
            for text in STRANGE:
                assert list(view.events([f"u:{text}"])) == [odd[text]]
                assert list(view.events([f"g:{text}"])) == [odd[text]]
                assert view.counts([f"u:{text}"]) == {text: 1}
                assert view.known([f"m{text}", f"n{text}"]) == {f"m{text}"}
            assert set(view.subjects()) == {f"{kind}:{t}" for kind in "ug" for t in STRANGE}

    def test_keeps_numbers_exactly(self, store: Store, message: MakeMessage) -> None:
        numbers = [0, -1, 12.30, -0.5, -0.0, 1e22, 1e300, 5e-324, 2**63, -(2**70), 10**300]
        append(store, message("m1", properties={"n": numbers}))
        with store.reading() as view:
            [(found, _, _)] = view.events(["u:ada"])
        assert repr(found.properties["n"]) == repr(numbers)


class TestAMessageOfAnAccountAlone:
    def test_is_found_once_in_open_and_in_sealed_blocks(
        self, store: Store, message: MakeMessage
    ) -> None:
        sent = [
            message(f"m{number:02}", "g:acme", time=number, to="acme", account="acme")
            for number in range(3 * BLOCK_SIZE - 1)
        ]
        append(store, *sent)
        with store.reading() as view:
            assert list(view.events(["g:acme"])) == sent
            assert view.latest_of(["g:acme"], 100) == sent[::-1]
            assert view.counts(["g:acme"]) == {sent[0].message.name: len(sent)}
            assert view.span(["g:acme"]) == (0, len(sent) - 1)
            assert (view.subjects(), view.visitors()) == (["g:acme"], [])


class TestALongId:
    """An older version stored ids of 512 characters of four bytes."""

    LONG = "\U0001f600" * 512

    def test_keeps_no_block_from_being_sealed(self, store: Store, message: MakeMessage) -> None:
        append(store, message(self.LONG, f"u:{self.LONG}", time=5))
        for number in range(3 * BLOCK_SIZE):
            append(store, message(f"m{number:02}", "u:ada", time=number, to="acme"))
        with store.reading() as view:
            assert [s.message.mid for s in view.events([f"u:{self.LONG}"])] == [self.LONG]
            assert len(list(view.events(["u:ada"]))) == 3 * BLOCK_SIZE
            assert view.totals()["messages"] == 3 * BLOCK_SIZE + 1

    def test_of_the_limits_fits_into_every_index(self, store: Store, message: MakeMessage) -> None:
        user, mid, account, name = ("\u4e2d" * 266 + end for end in "uman")
        with store.writing() as tx:
            tx.append([message(f"{mid}{n}"[-267:], f"u:{user}", to=account) for n in range(9)])
            tx.add_traits([Trait(f"u:{user}", name, 1, mid, 1)])
            tx.add_memberships([Membership(f"u:{user}", 1, mid, account)])
            tx.add_links([Link(f"a:{name}", f"u:{user}", 1, mid)])
            tx.set_persons({f"a:{name}": f"u:{user}"})
            tx.seal(f"u:{user}", 1, b"{}", [Cell(1, f"{2**40}|s" + "\0" * 200, b"1")])


class TestADuplicate:
    def test_changes_nothing(self, store: Store, message: MakeMessage) -> None:
        first = message("m1", time=1, to="acme")
        assert append(store, first, message("m2")) == {"m1", "m2"}
        assert append(store, message("m1", time=2), message("m3")) == {"m3"}
        with store.reading() as view:
            assert [s for s in view.events(["u:ada"]) if s.message.mid == "m1"] == [first]
            assert view.totals()["messages"] == 3

    def test_is_one_whatever_its_subject(self, store: Store, message: MakeMessage) -> None:
        append(store, message("m1", "u:ada"))
        assert append(store, message("m1", "u:bob"), message("m1", "a:v1")) == set()
        assert mids(store, "u:bob") == mids(store, "a:v1") == ""

    def test_is_found_in_blocks_of_any_age(self, store: Store, message: MakeMessage) -> None:
        for i in range(10):
            append(store, message(f"m{i}"))
        with store.reading() as view:
            asked = [f"m{i}" for i in range(20)]
            assert view.known(asked) == {f"m{i}" for i in range(10)}
            assert view.known([]) == set()


class TestEvents:
    def test_are_in_order_of_time_and_then_of_the_bytes_of_the_id(
        self, store: Store, message: MakeMessage
    ) -> None:
        ids = "aZ😀éz\uffffA0"
        for mid in ids:
            append(store, message(mid, time=5))
        append(store, message("l", time=4), message("b", time=6))
        assert mids(store, "u:ada") == "l0AZazé\uffff😀b"

    def test_can_be_limited_in_time_both_ends_included(
        self, store: Store, message: MakeMessage
    ) -> None:
        append(store, *(message(mid, time=i, to="acme") for i, mid in enumerate("abcdef", 1)))
        for key in ("u:ada", "g:acme"):
            assert mids(store, key, since=2) == "bcdef"
            assert mids(store, key, until=2) == "ab"
            assert mids(store, key, 2, 4) == "bcd"
            assert mids(store, key, 5, 5) == "e"
            assert mids(store, key, since=7) == ""

    def test_of_an_account_are_those_attributed_to_it(
        self, store: Store, message: MakeMessage
    ) -> None:
        append(
            store,
            *(message(mid, f"u:{mid}", to="acme" if mid in "aceg" else None) for mid in "abcdef"),
            message("g", "a:v1", to="acme"),
            message("h", account="acme"),
        )
        assert mids(store, "g:acme") == "aceg"
        assert mids(store, "a:v1") == "g"

    def test_of_many_are_found_as_those_of_one(self, store: Store, message: MakeMessage) -> None:
        """Beyond a few subjects the open block is read whole, and kept up to date."""
        with store.writing() as tx:
            tx.append([message(f"{i}", f"u:{i}", to=f"{i % 2}") for i in range(7)])
            for _ in range(3):
                for i in range(7):
                    assert [s.message.mid for s in tx.events([f"u:{i}"])] == [f"{i}"]
            assert [s.message.mid for s in tx.events(["g:1"])] == ["1", "3", "5"]
            assert list(tx.events(["g:1"], since=2_000)) == []
            tx.attribute({"5": "0"}, "u:5")
            assert [s.message.mid for s in tx.events(["g:0"])] == ["0", "2", "4", "5", "6"]
            tx.append([message("7", "u:7", to="0")])
            assert [s.message.mid for s in tx.events(["g:0"])] == ["0", "2", "4", "5", "6", "7"]

    def test_have_outlines_without_their_contents(self, store: Store, message: MakeMessage) -> None:
        """With those in sealed blocks, of odd names and of calls that are no events."""
        for number in range(2 * BLOCK_SIZE + 3):
            name = None if number % 5 == 0 else STRANGE[number % len(STRANGE)]
            append(store, message(f"{number:03}", f"u:{number % 2}", number, name=name))
        with store.reading() as view:
            for wanted in (["u:0"], ["u:0", "u:1"], ["u:nobody"]):
                found = [s.message for s in view.events(wanted, 2, 2 * BLOCK_SIZE)]
                outlines = list(view.outlines(wanted, 2, 2 * BLOCK_SIZE))
                assert outlines == [(m.time, m.name, m.subject) for m in found]

    def test_that_are_many_come_a_part_at_a_time(self, store: Store, message: MakeMessage) -> None:
        append(store, *(message(f"{i:04}", time=5_000 - i) for i in range(1_203)))
        with store.reading() as view:
            found = [stored.message.mid for stored in view.events(["u:ada"])]
        assert found == [f"{i:04}" for i in reversed(range(1_203))]


class TestAttribution:
    @pytest.mark.parametrize("later", [0, 9], ids=["in the open block", "in a sealed block"])
    def test_can_change(self, store: Store, message: MakeMessage, later: int) -> None:
        append(store, message("a", to="acme"), message("b"), message("c", to="acme"))
        append(store, *(message(f"{i}", "u:bob") for i in range(later)))
        with store.writing() as tx:
            tx.attribute({"a": "globex", "b": "acme", "c": None}, "u:ada")
            assert [s.message.mid for s in tx.events(["g:acme"])] == ["b"]
        assert mids(store, "g:globex") == "a"
        assert mids(store, "g:acme") == "b"
        with store.reading() as view:
            assert [s.account for s in view.events(["u:ada"])] == ["globex", "acme", None]
            assert view.subjects() == ["g:acme", "g:globex", "u:ada"] + ["u:bob"] * bool(later)

    def test_that_is_as_it_was_changes_nothing(self, store: Store, message: MakeMessage) -> None:
        append(store, *(message(mid, to="acme") for mid in "abcde"))
        with store.writing() as tx:
            tx.attribute(dict.fromkeys("abcde", "acme"), "u:ada")
            tx.attribute({}, "u:ada")
        assert mids(store, "g:acme") == "abcde"

    def test_of_messages_of_someone_else_is_an_error(
        self, store: Store, message: MakeMessage
    ) -> None:
        append(store, message("a"), message("b", "u:bob"))
        with pytest.raises(LookupError), store.writing() as tx:
            tx.attribute({"a": "acme", "b": "acme"}, "u:ada")


class TestSummaries:
    def test_latest_are_those_received_last(self, store: Store, message: MakeMessage) -> None:
        append(store, *(message(mid, time=9 - i, received=i) for i, mid in enumerate("abcdef")))
        append(store, message("h", received=7), message("g", received=7))
        with store.reading() as view:
            for limit in range(10):
                found = "".join(stored.message.mid for stored in view.latest(limit))
                assert found == "hgfedcba"[:limit]

    def test_newest_is_the_latest_time_of_any_message(
        self, store: Store, message: MakeMessage
    ) -> None:
        newest = []
        for time in [5, 3, 8, 2, 1, 7, 7, 7, 7, 7, 9, 1]:
            append(store, message(f"m{len(newest)}", time=time))
            with store.reading() as view:
                newest.append(view.newest())
        assert newest == [5, 5, 8, 8, 8, 8, 8, 8, 8, 8, 9, 9]

    def test_an_empty_store_has_none(self, store: Store) -> None:
        with store.reading() as view:
            assert view.newest() is None
            assert view.latest(5) == []
            assert view.subjects() == []
            assert view.span(["u:ada"]) is None
            assert view.counts(["u:ada"]) == {}
            assert view.totals() == {"messages": 0, "leads": 0, "rejected": 0}

    def test_counts_are_of_events_and_by_name(self, store: Store, message: MakeMessage) -> None:
        names = ["a", "b", "a", None, "c", "a"]
        append(store, *(message(f"{i}", name=name, to="acme") for i, name in enumerate(names)))
        with store.reading() as view:
            assert view.counts(["u:ada"]) == view.counts(["g:acme"]) == {"a": 3, "b": 1, "c": 1}

    def test_the_span_is_from_the_first_to_the_last_message(
        self, store: Store, message: MakeMessage
    ) -> None:
        times = [5, 3, 8, 4, 6, 2, 9]
        append(store, *(message(f"{i}", time=time, to="acme") for i, time in enumerate(times)))
        append(store, message("x", "u:bob", 100))
        with store.reading() as view:
            assert view.span(["u:ada"]) == view.span(["g:acme"]) == (2, 9)
            assert view.span(["u:bob"]) == (100, 100)
            assert view.span(["g:bob"]) is None

    def test_subjects_are_users_and_accounts_in_order_of_their_keys(
        self, store: Store, message: MakeMessage
    ) -> None:
        for i, key in enumerate(["u:b", "a:v1", "u:A", "u:a", "a:v2", "u:b", "u:é", "u:z"]):
            append(store, message(f"{i}", key, to="acme" if i % 3 == 0 else None))
        with store.reading() as view:
            assert view.subjects() == ["g:acme", "u:A", "u:a", "u:b", "u:z", "u:é"]
