"""Working one item ahead: the order, the errors, and how far ahead."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event, current_thread

import pytest

from pequel_collector.ingest.ahead import ahead


def test_gives_the_same_items_in_the_same_order() -> None:
    assert list(ahead(range(1_000))) == list(range(1_000))
    assert list(ahead([])) == []
    assert list(ahead([None, 0])) == [None, 0]


def test_makes_the_next_item_in_another_thread_while_one_is_in_use() -> None:
    made = Event()

    def items() -> Iterator[str]:
        yield current_thread().name
        yield current_thread().name
        made.set()

    found = ahead(items())
    assert next(found) != current_thread().name
    assert next(found)
    assert made.wait(10)


def test_is_one_item_ahead_and_no_more() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10):
            made.append(number)
            yield number

    found = ahead(items())
    for number in range(8):
        assert next(found) == number
        assert len(made) <= number + 2
    found.close()


def test_raises_an_error_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("the disk reports an error")

    found = ahead(items())
    assert next(found) == 1
    with pytest.raises(OSError, match="the disk reports an error"):
        next(found)
