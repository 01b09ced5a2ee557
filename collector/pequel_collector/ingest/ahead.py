"""Work one item ahead, so that the next batch is read while one is stored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")

_END = object()


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """The same items in the same order. A thread makes the next one while one is in use.

    An error in making an item is raised in its place.
    """
    iterator = iter(items)
    with ThreadPoolExecutor(1, "ahead") as pool:
        upcoming = pool.submit(next, iterator, _END)
        while (item := upcoming.result()) is not _END:
            upcoming = pool.submit(next, iterator, _END)
            yield item  # type: ignore[misc]  # _END is not an item
