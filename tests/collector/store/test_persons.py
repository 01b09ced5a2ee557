"""Who is who: links between ids, the person of each id, and what is found by several ids."""

from __future__ import annotations

from collections.abc import Callable

from pequel_collector.model import Stored
from pequel_collector.ports import Link, Store
from pequel_collector.store import open_store

MakeMessage = Callable[..., Stored]


class TestLinks:
    def test_of_a_pair_are_the_earliest_whatever_came_first(self, store: Store) -> None:
        with store.writing() as tx:
            tx.add_links([Link("a:v", "u:1", 5, "b"), Link("a:v", "u:1", 5, "a")])
            assert tx.links(["a:v"]) == [Link("a:v", "u:1", 5, "a")]
            tx.add_links([Link("a:v", "u:1", 5, "c"), Link("a:v", "u:1", 6, "A")])
            assert tx.links(["a:v"]) == [Link("a:v", "u:1", 5, "a")]
            tx.add_links([Link("a:v", "u:1", 4, "z")])
            tx.add_links([])
        with store.reading() as view:
            assert view.links(["a:v"]) == [Link("a:v", "u:1", 4, "z")]

    def test_are_found_from_either_side_once_and_in_order(self, store: Store) -> None:
        links = [
            Link("a:v", "u:1", 1, "m1"),
            Link("a:v", "u:2", 1, "m2"),
            Link("u:1", "u:2", 2, "m3"),
            Link("a:\0", "u:\ud800", 3, "\ufdd0"),
        ]
        with store.writing() as tx:
            tx.add_links(links[::-1])
        with store.reading() as view:
            assert view.links(["a:v"]) == links[:2]
            assert view.links(["u:1"]) == [links[0], links[2]]
            assert view.links(["u:2", "a:v", "u:1"]) == links[:3]
            assert view.links(["a:\0"]) == view.links(["u:\ud800"]) == links[3:]
            assert view.links(["v", "u:3"]) == view.links([]) == []

    def test_are_the_first_ones_up_to_a_limit(self, store: Store) -> None:
        links = [Link("a:v", f"u:{number}", number, f"m{number}") for number in range(5)]
        with store.writing() as tx:
            tx.add_links(links[::-1])
            assert tx.links(["a:v", "u:4"], 2) == links[:2]
            assert tx.links(["a:v"], 9) == links
            assert tx.links([], 9) == []


class TestPersons:
    def test_of_a_store_without_links_are_nobody(self, store: Store) -> None:
        with store.writing() as tx:
            assert tx.persons(["a:v", "u:1"]) == tx.persons([]) == {}
            assert tx.ids_of(["u:1"]) == {"u:1": ["u:1"]}
            assert tx.ids_of([]) == {}
            tx.set_persons({"a:v": "u:1"})
            assert tx.persons(["a:v", "u:1"]) == {"a:v": "u:1"}

    def test_are_whose_an_id_was_last_said_to_be(self, store: Store) -> None:
        with store.writing() as tx:
            tx.set_persons({"a:v": "u:1", "a:w": "u:1", "u:1": "u:1", "u:0\0": "u:\ud800"})
            tx.set_persons({"a:v": "u:2", "u:1": "u:2"})
            tx.set_persons({})
        with store.reading() as view:
            assert view.persons(["a:v", "a:w", "u:1", "u:2", "u:0\0"]) == {
                "a:v": "u:2", "a:w": "u:1", "u:1": "u:2", "u:0\0": "u:\ud800",
            }  # fmt: skip
            assert view.ids_of(["u:2", "u:1", "u:\ud800", "u:3"]) == {
                "u:2": ["u:2", "a:v", "u:1"],
                "u:1": ["u:1", "a:w"],
                "u:\ud800": ["u:\ud800", "u:0\0"],
                "u:3": ["u:3"],
            }

    def test_that_are_their_own_have_no_link_any_more(self, store: Store) -> None:
        with store.writing() as tx:
            tx.set_persons({"a:v": "u:1", "u:1": "u:2"})
            tx.set_persons({"a:v": "a:v", "u:1": "u:1", "u:7": "u:7"})
            assert tx.persons(["a:v", "u:1", "u:7"]) == {}
            assert tx.ids_of(["u:1"]) == {"u:1": ["u:1"]}


def mids(store: Store, *subjects: str, since: int | None = None, until: int | None = None) -> str:
    """The ids of the messages of subjects, each of one character."""
    with store.reading() as view:
        return "".join(stored.message.mid for stored in view.events(subjects, since, until))


class TestMessagesOfSeveralSubjects:
    def test_are_merged_in_the_order_of_facts(self, store: Store, message: MakeMessage) -> None:
        whose = ["u:ada", "a:v", "u:bob", "a:v", "u:ada", "a:v", "u:old", "u:ada", "a:v", "u:old"]
        for i, subject in enumerate(whose):
            with store.writing() as tx:
                tx.append([message("gfedcbajih"[i], subject, time=i // 3)])
        assert mids(store, "u:ada", "a:v", "u:old") == "fgbcdaijh"
        assert mids(store, "a:v", "u:ada", since=1, until=2) == "bcdij"
        assert mids(store, "a:v") == "fbdi"
        assert mids(store, "u:nobody", "u:bob") == "e"
        assert mids(store) == ""

    def test_come_once_also_when_they_are_of_two(self, store: Store, message: MakeMessage) -> None:
        with store.writing() as tx:
            tx.append([message(f"{i}", f"u:{i % 2}", time=9 - i, to="acme") for i in range(9)])
            for _ in range(5):
                found = [s.message.mid for s in tx.events(["g:acme", "u:1", "u:0"])]
                assert found == list("876543210")
                assert tx.counts(["g:acme", "u:1"]) == {"clicked": 9}

    def test_with_any_id_are_in_the_order_of_its_characters(
        self, store: Store, message: MakeMessage
    ) -> None:
        ids = ["\0", "\1", "a", "\ud7ff", "\ud800", "\ue000", "\ufdd0", "\uffff", "😀"]
        for mid in reversed(ids):
            with store.writing() as tx:
                tx.append([message(mid, f"u:{len(mid.encode('utf-16', 'surrogatepass'))}", 5)])
        assert mids(store, "u:4", "u:6") == "".join(ids)

    def test_are_counted_and_spanned_together(self, store: Store, message: MakeMessage) -> None:
        with store.writing() as tx:
            tx.append([message(f"m{i}", "u:ada", time=i, name="a") for i in range(2, 5)])
            tx.append([message(f"n{i}", "a:v", time=i, name="ab"[i % 2]) for i in range(6)])
            tx.append([message("x", "u:bob", time=99)])
        with store.reading() as view:
            assert view.counts(["u:ada", "a:v"]) == {"a": 6, "b": 3}
            assert view.span(["u:ada", "a:v"]) == (0, 5)
            assert view.span(["u:ada", "u:bob"]) == (2, 99)
            assert view.span(["u:nobody"]) is None
            assert view.counts([]) == {}
            assert view.span([]) is None


class TestSubjects:
    def test_come_a_page_at_a_time(self, store_url: str, message: MakeMessage) -> None:
        """Whatever the page, the block and the number of messages of a subject."""
        store = open_store(store_url, block_size=50)
        keys = [f"u:{i % 97:02}" for i in range(997)] + [f"a:{i}" for i in range(20)]
        every = sorted({f"g:{i % 7}" for i in range(997)} | {key for key in keys if key[0] == "u"})
        with store.writing() as tx:
            made = [message(f"{i:04}", key, to=f"{i % 7}") for i, key in enumerate(keys)]
            tx.append(sorted(made[:600], key=lambda stored: stored.message.subject))
            tx.append(made[600:])
            assert tx.subjects() == every
        with store.reading() as view:
            for limit in (1, 2, 10, 40, 103, 104, 105, 1_000):
                pages = [view.subjects("", limit)]
                while pages[-1]:
                    assert len(pages[-1]) <= limit
                    pages.append(view.subjects(pages[-1][-1], limit))
                assert [key for page in pages for key in page] == every
                assert [len(page) for page in pages[:-2]] == [limit] * (len(pages) - 2)
            assert view.subjects("u:5") == [key for key in every if key > "u:5"]
            assert view.subjects("u:", 0) == []
            assert view.subjects("v") == []
        store.close()
