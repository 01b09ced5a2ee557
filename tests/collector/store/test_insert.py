"""Rows are inserted in the same way whether they are few or many."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from pequel_collector.model import Stored
from pequel_collector.ports import Trait
from pequel_collector.store import open_store
from pequel_collector.store.sqlite import MAX_ROWS

AWKWARD = (
    "plain",
    "tab\tand\nlines\r\n",
    "back\\slash \\N \\.",
    '"quoted", {1}',
    "\0 ü \ud800",
    "",
)


@pytest.mark.parametrize("count", [1, 2, 9, 10, 11, 31, MAX_ROWS, 2 * MAX_ROWS + 7])
def test_every_message_is_stored_as_it_came(
    store_url: str, message: Callable[..., Stored], count: int
) -> None:
    messages = {
        f"m{number:04}": message(
            f"m{number:04}",
            time=number,
            to=f"acme {AWKWARD[number % len(AWKWARD)]}" if number % 2 else None,
            name=AWKWARD[number % len(AWKWARD)] or None,
            properties={"text": AWKWARD[number % len(AWKWARD)], "number": number / 3, "none": None},
        )
        for number in range(count)
    }
    with closing(open_store(store_url, clock=lambda: 1, block_size=10_000)) as store:
        with store.writing() as tx:
            assert tx.append(list(messages.values())) == set(messages)
        with store.reading() as tx:
            found = {stored.message.mid: stored for stored in tx.latest(count)}
    assert found == messages


def test_of_two_rows_with_one_key_the_first_stays(store_url: str) -> None:
    first = [Trait("u:ada", f"t{number:03}", 1, "m1", number) for number in range(100)]
    second = [trait._replace(value="new") for trait in first]
    later = [trait._replace(time=2) for trait in first]
    with closing(open_store(store_url)) as store:
        with store.writing() as tx:
            tx.add_traits(first)
            tx.add_traits([*second, *later])
        with store.reading() as tx:
            found = tx.trait_history(["u:ada"])
    assert sorted(found) == sorted([*first, *later])
