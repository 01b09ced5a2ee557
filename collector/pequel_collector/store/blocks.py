"""Blocks of messages: one that is open, and sealed ones before it.

Every message belongs to a block. A full block is sealed: then a *posting* is written for each of
its messages under the subject, and one under the account, sorted by subject. An example with blocks
of 4 messages:

    block 1, sealed    m1 ada, m2 bob, m3 ada, m4 eve
             postings  (1, ada, m1) (1, ada, m3) (1, bob, m2) (1, eve, m4)
    block 2, open      m5 bob, m6 ada            no postings yet

The messages of ada are found by postings in block 1, and by an index in block 2. Because postings
are written a block at a time, the table of postings grows at its end, like that of messages.

When a block is sealed, the events of each subject with many messages in it are also counted by
name. So the events of a subject with very many are counted without reading them.
"""

from __future__ import annotations

from . import statements as sql
from .parts.subject_search import add_ids_of_block
from .session import Session

BLOCK_SIZE = 4_096


class BlockFill:
    """How full the open block is, remembered from one transaction to the next.

    Other processes add to the block too, so its messages are counted again now and then. Until then
    the block may grow over its size, which only makes reading it slower. ``long`` is how many
    messages of the open block cannot be sealed, None if that is not known. It does not change,
    because they are from an older version, and counting them means reading all messages.
    """

    def __init__(self, size: int = BLOCK_SIZE) -> None:
        self.size = size
        self.forget()

    def forget(self) -> None:
        """Count again in the next transaction, because this one was undone."""
        self.block, self.messages, self.since_count = 0, 0, 0
        self.long: int | None = None


class OpenBlock:
    """The open block in one write transaction."""

    def __init__(self, session: Session, fill: BlockFill) -> None:
        self._session = session
        self._fill = fill
        self._size = fill.size
        [(self.number,)] = session.run(sql.OPEN_BLOCK)
        self._messages, self._since_count = fill.messages, fill.since_count
        if fill.block != self.number or fill.since_count >= fill.size // 4:
            self._count()

    @property
    def room(self) -> int:
        """How many messages to add before it is full; at least one."""
        return max(1, self._size - self._messages)

    def added(self, messages: int) -> None:
        """Note that messages were added. A full block is sealed, and the next one is opened."""
        self._messages += messages
        self._since_count += messages
        if self._messages >= self._size:
            self._seal()

    def remember(self) -> None:
        """Remember its fill for the next transaction."""
        self._fill.block = self.number
        self._fill.messages, self._fill.since_count = self._messages, self._since_count

    def _count(self) -> None:
        if self._fill.long is None:
            [(self._fill.long,)] = self._session.run(sql.LONG_IN_BLOCK, block=self.number)
        [(messages,)] = self._session.run(sql.MESSAGES_IN_BLOCK, block=self.number)
        self._messages, self._since_count = messages - self._fill.long, 0

    def _seal(self) -> None:
        [(newest,)] = self._session.run(sql.NEWEST, block=self.number)
        if self._fill.long != 0:
            self._session.run(sql.KEEP_OPEN, block=self.number)
        add_ids_of_block(self._session, self.number)
        for statement in (
            *sql.ADD_POSTINGS_OF_BLOCK,
            sql.ADD_NAMINGS_OF_BLOCK,
            *sql.ADD_COUNTS_OF_BLOCK,
            sql.SEAL_BLOCK,
        ):
            self._session.run(statement, block=self.number)
        self.number += 1
        self._session.run(sql.ADD_BLOCK, block=self.number, newest=newest)
        self._messages = self._since_count = 0
