"""All stored messages in the order of facts, with bounded memory.

The store keeps messages in blocks, in order of arrival. Within a block they can be read in the
order of facts. So this merges the blocks, and opens a block when its first message is next. Where
messages arrive in order of time, few blocks are open at once.

Each step is a short read transaction. What arrives meanwhile may be missing.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from ...identity.subject import Subject
from ...model import Stored, fact_order
from ...ports import Store

AT_ONCE = 4_000
"""Messages in memory, over all open blocks, unless more than this many are open."""

AFTER_ALL = 2**62


class LogFilter(NamedTuple):
    """Which messages to read. ``since`` is included, ``until`` is not (ms). None means any.

    With ``event`` only events of this name; with ``user`` only those of this person.
    """

    since: int | None = None
    until: int | None = None
    event: str | None = None
    user: str | None = None


def message_log(store: Store, wanted: LogFilter) -> Iterator[Stored]:
    """The messages that are wanted, in the order of facts. Raises NotFound for an unknown user."""
    found = _of_all(store, wanted) if wanted.user is None else _of_user(store, wanted, wanted.user)
    return (each for each in found if wanted.event in (None, each.message.name))


def _of_user(store: Store, wanted: LogFilter, user: str) -> Iterator[Stored]:
    until = None if wanted.until is None else wanted.until - 1
    with store.reading() as tx:
        subject = Subject.of(tx, "user", user)
        subject.require_messages()
        yield from tx.events(subject.ids, wanted.since, until)


class Block:
    """A block that is read page by page."""

    def __init__(self, store: Store, number: int, first: int, until: int) -> None:
        self.next: deque[Stored] = deque()
        self._store, self._number, self._until = store, number, until
        self._after: tuple[int, int, str] = (first, -1, "")
        self._is_read = False

    def fill(self, limit: int) -> None:
        """Read the next page, if there is one."""
        if self._is_read:
            return
        with self._store.reading() as tx:
            found = tx.messages_in(self._number, self._after, self._until, limit)
        self._is_read = len(found) < limit
        self.next.extend(found)
        if found:
            self._after = fact_order(found[-1].message)


def _of_all(store: Store, wanted: LogFilter) -> Iterator[Stored]:
    until = AFTER_ALL if wanted.until is None else wanted.until
    with store.reading() as tx:
        firsts = tx.block_starts(-AFTER_ALL if wanted.since is None else wanted.since)
    waiting = deque(sorted((time, number) for number, time in firsts.items() if time < until))
    merged: list[tuple[tuple[int, int, str], int]] = []
    blocks: dict[int, Block] = {}

    def push(number: int) -> None:
        block = blocks[number]
        if not block.next:
            block.fill(max(1, AT_ONCE // len(blocks)))
        if block.next:
            heapq.heappush(merged, (fact_order(block.next[0].message), number))
        else:
            del blocks[number]

    while waiting or merged:
        while waiting and (not merged or waiting[0][0] <= merged[0][0][0]):
            time, number = waiting.popleft()
            blocks[number] = Block(store, number, time, until)
            push(number)
        if merged:
            _, number = heapq.heappop(merged)
            yield blocks[number].next.popleft()
            push(number)
