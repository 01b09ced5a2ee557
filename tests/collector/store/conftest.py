"""Stores and messages to fill them with."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from pequel_collector.model import Message, Stored
from pequel_collector.ports import Store
from pequel_collector.store import open_store

BLOCK_SIZE = 4
"""So few messages fill a block that every test of many crosses blocks."""

Run = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def open_again(store_url: str) -> Iterator[Callable[[], Store]]:
    """Opens the test's database, as often as it is called."""
    with ExitStack() as stack:

        def again() -> Store:
            store = open_store(store_url, clock=lambda: 1, block_size=BLOCK_SIZE)
            stack.callback(store.close)
            return store

        yield again


@pytest.fixture
def store(open_again: Callable[[], Store]) -> Store:
    """An empty store, once on SQLite and once on PostgreSQL."""
    return open_again()


@pytest.fixture
def message() -> Callable[..., Stored]:
    """Makes a message of which only the id matters, unless more is said."""

    def make(
        mid: str, subject: str = "u:ada", time: int = 1_000, *, to: str | None = None, **more: Any
    ) -> Stored:
        fields = {"type": "track", "received": time, "name": "clicked"} | more
        return Stored(Message(mid=mid, subject=subject, time=time, **fields), to)

    return make


@pytest.fixture
def run(store: Store) -> Run:
    """Runs a statement in a write transaction of its own."""

    def run(statement: str, **values: Any) -> list[tuple[Any, ...]]:
        with store._database.writing() as session:  # type: ignore[attr-defined]
            rows: list[tuple[Any, ...]] = session.run(statement, **values)
            return rows

    return run
