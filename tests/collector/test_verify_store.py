"""What a store tells those who verify it: every visitor, every trait, cells as they once were."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from oracle.streams import START, Ids, message
from pequel_collector.ports import Cell, Store, Trait
from pequel_collector.store import open_store
from support.streams import collector_of, messages_of


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A store of small blocks, so that some are sealed, with three visitors and a user."""
    told = collector_of("", store_url)
    told.close()
    opened = open_store(store_url, block_size=2)
    told.ingest.store = opened
    ids = [Ids(None, "v3"), Ids(None, "v1"), Ids("ada", None), Ids("ada", "v2"), Ids(None, "v2")]
    calls = [
        message("track", who, START + at, event="used", groupId="acme") | {"messageId": f"m{at}"}
        for at, who in enumerate(ids)
    ]
    told.ingest.accept(messages_of(calls))
    yield opened
    opened.close()


class TestVisitors:
    def test_are_listed_in_the_order_of_their_keys_and_are_no_subjects(self, store: Store) -> None:
        with store.reading() as view:
            assert view.visitors() == ["a:v1", "a:v2", "a:v3"]
            assert view.subjects() == ["g:acme", "u:ada"]

    def test_are_listed_behind_a_key_and_up_to_a_limit(self, store: Store) -> None:
        with store.reading() as view:
            assert view.visitors("a:v1", 1) == ["a:v2"]
            assert view.visitors("a:v3", 1) == []
            assert view.visitors(limit=2) == ["a:v1", "a:v2"]


class TestTraitHistory:
    def test_is_every_value_in_order(self, store: Store) -> None:
        traits = [
            Trait("u:ada", "plan", START + 2, "m2", "pro"),
            Trait("u:ada", "plan", START + 1, "m3", None),
            Trait("u:ada", "email", START + 9, "m4", {"a": ["é", 1.5]}),
            Trait("a:v1", "plan", START, "m1", 1),
            Trait("u:bob", "plan", START, "m1", 1),
        ]
        with store.writing() as tx:
            tx.add_traits(traits)
            found = tx.trait_history(["u:ada", "a:v1"])
        assert found == [traits[3], traits[2], traits[1], traits[0]]

    def test_of_nobody_is_empty(self, store: Store) -> None:
        with store.reading() as view:
            assert view.trait_history([]) == []


class TestCells:
    def test_are_told_with_every_page_that_changed_them(self, store: Store) -> None:
        with store.writing() as tx:
            tx.seal("u:ada", 1, b"[]", [Cell(3, "a", b"1"), Cell(3, "b", b"1")])
            tx.seal("u:ada", 2, b"[]", [Cell(3, "a", b"2"), Cell(3, "b", None)])
            found = tx.cell_versions("u:ada", 3)
        assert found == [
            (1, Cell(3, "a", b"1")),
            (1, Cell(3, "b", b"1")),
            (2, Cell(3, "a", b"2")),
            (2, Cell(3, "b", None)),
        ]
