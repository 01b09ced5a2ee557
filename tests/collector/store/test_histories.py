"""Histories: the open page, sealed pages, cells by page, and when the clock is due."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pequel_collector.ports import Cell, Store

ANY_BYTES = bytes(range(256))


class TestTheOpenPage:
    def test_is_what_was_saved_last(self, store: Store) -> None:
        with store.writing() as tx:
            tx.save_histories({"u:ada": b"1", "u:bob": ANY_BYTES * 80, "g:acme\0": b""})
            tx.save_histories({"u:ada": b"2"})
            tx.save_histories({})
            assert tx.histories(["u:ada"]) == {"u:ada": b"2"}
        with store.reading() as view:
            assert view.histories(["u:ada", "u:bob", "g:acme\0", "u:eve"]) == {
                "u:ada": b"2",
                "u:bob": ANY_BYTES * 80,
                "g:acme\0": b"",
            }
            assert view.histories([]) == {}

    def test_of_many_subjects_are_saved_and_found_together(self, store: Store) -> None:
        pages = {f"u:{i}": b"page %d" % i for i in range(7_000)}
        with store.writing() as tx:
            tx.save_histories(pages)
        with store.reading() as view:
            assert view.histories(pages.keys()) == pages


class TestAPageThatLags:
    def test_does_so_until_it_is_written_again(self, store: Store) -> None:
        with store.writing() as tx:
            tx.save_histories({"u:ada": b"1", "u:bob": b"1"})
            tx.mark_stale(["u:bob", "u:ada"])
            tx.mark_stale(["u:ada"])
            assert tx.stale(["u:ada", "u:bob", "u:eve"]) == {"u:ada", "u:bob"}
            tx.save_histories({"u:ada": b"2"})
        with store.reading() as view:
            assert view.stale(["u:ada", "u:bob"]) == {"u:bob"}
            assert view.stale([]) == set()

    def test_is_forgotten_with_its_history(self, store: Store) -> None:
        with store.writing() as tx:
            tx.save_histories({"u:ada": b"1"})
            tx.mark_stale(["u:ada"])
            tx.forget_history("u:ada")
            assert tx.stale(["u:ada"]) == set()


class TestSealedPages:
    def test_are_found_by_number(self, store: Store) -> None:
        with store.writing() as tx:
            tx.save_histories({"u:ada": b"open"})
            for number in (1, 2, 10):
                tx.seal("u:ada", number, b"page %d" % number, [])
            tx.seal("u:ada", 2, ANY_BYTES, [])
        with store.reading() as view:
            assert [view.page("u:ada", n) for n in (1, 2, 10)] == [b"page 1", ANY_BYTES, b"page 10"]
            assert view.histories(["u:ada"]) == {"u:ada": b"open"}

    @pytest.mark.parametrize(("subject", "number"), [("u:ada", 2), ("u:bob", 1)])
    def test_that_are_not_there_are_an_error(self, store: Store, subject: str, number: int) -> None:
        with store.writing() as tx:
            tx.seal("u:ada", 1, b"page", [])
        with store.reading() as view, pytest.raises(LookupError):
            view.page(subject, number)


class TestCells:
    @pytest.fixture(autouse=True)
    def _sealed(self, store: Store) -> None:
        pages = {
            1: [Cell(0, "a", b"a1"), Cell(0, "b", b"b1"), Cell(1, "a", ANY_BYTES)],
            2: [Cell(0, "a", b"a2"), Cell(0, "b", None), Cell(0, "\0é", b"")],
            3: [Cell(0, "b", b"b3"), Cell(0, "a", b"lost"), Cell(0, "a", None)],
        }
        with store.writing() as tx:
            for number, cells in pages.items():
                tx.seal("u:ada", number, b"page", cells)
            tx.seal("u:bob", 1, b"page", [Cell(0, "a", b"bob's")])

    def test_are_what_they_were_at_the_end_of_the_last_page(self, store: Store) -> None:
        with store.reading() as view:
            assert view.cells("u:ada", 0) == {"b": b"b3", "\0é": b""}
            assert view.cells("u:ada", 1) == {"a": ANY_BYTES}
            assert view.cells("u:ada", 2) == view.cells("u:eve", 0) == {}
            assert view.cell("u:ada", 0, "a") is None
            assert view.cell("u:ada", 0, "b") == b"b3"
            assert view.cell("u:ada", 0, "\0é") == b""
            assert view.cell("u:ada", 1, "a") == ANY_BYTES
            assert view.cell("u:ada", 1, "b") is None

    @pytest.mark.parametrize(
        ("number", "left"),
        [
            (4, {"b": b"b3", "\0é": b""}),
            (3, {"a": b"a2", "\0é": b""}),
            (2, {"a": b"a1", "b": b"b1"}),
            (1, {}),
        ],
    )
    def test_are_what_they_were_before_the_pages_that_are_unsealed(
        self, store: Store, number: int, left: dict[str, bytes]
    ) -> None:
        with store.writing() as tx:
            tx.unseal("u:ada", number)
            assert tx.cells("u:ada", 0) == left
            for page in range(1, number):
                if page < 4:
                    assert tx.page("u:ada", page) == b"page"
            with pytest.raises(LookupError):
                tx.page("u:ada", number)
            assert tx.cells("u:bob", 0) == {"a": b"bob's"}
            assert tx.page("u:bob", 1) == b"page"

    def test_are_forgotten_with_every_page(self, store: Store, run: Callable[..., Any]) -> None:
        with store.writing() as tx:
            tx.save_histories({"u:ada": b"open", "u:bob": b"open"})
            tx.forget_history("u:ada")
            tx.forget_history("u:eve")
        with store.reading() as view:
            assert view.histories(["u:ada", "u:bob"]) == {"u:bob": b"open"}
            assert view.cell("u:bob", 0, "a") == b"bob's"
        for table in ("history", "sealed_page", "cell"):
            assert run(f"SELECT DISTINCT subject FROM {table}") == [("u:bob",)]


class TestTheClock:
    def test_is_due_for_the_earliest_first(self, store: Store) -> None:
        with store.writing() as tx:
            tx.set_due({"u:c": 3, "u:a": 5, "g:b": 3, "u:d\0": -1, "u:never": None})
            assert tx.due(4, 9) == ["u:d\0", "g:b", "u:c"]
        with store.reading() as view:
            assert view.due(5, 9) == ["u:d\0", "g:b", "u:c", "u:a"]
            assert view.due(5, 2) == ["u:d\0", "g:b"]
            assert view.due(-2, 9) == []

    def test_is_due_when_it_was_last_set_to(self, store: Store) -> None:
        with store.writing() as tx:
            tx.set_due({"u:a": 1, "u:b": 2, "u:c": 3})
            tx.set_due({"u:a": 9, "u:b": None, "u:d": None})
            tx.set_due({})
        with store.reading() as view:
            assert view.due(9, 9) == ["u:c", "u:a"]
