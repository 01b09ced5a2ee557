"""The block that is open: how full it is, and how it is closed.

Messages are found by subject through postings. Those are written a block at a time, sorted, so
that they too grow at their end; the messages of the open block are looked through.
"""

from __future__ import annotations

from . import statements as sql
from .session import Session

SIZE = 16_384


class Fill:
    """How full the open block is, remembered from one transaction to the next.

    Other processes fill the block too. Therefore it is counted anew now and then; until that
    happens the block may grow over its size, which costs time when it is looked through, no more.
    """

    def __init__(self, size: int = SIZE) -> None:
        self.size = size
        self.forget()

    def forget(self) -> None:
        """Count anew the next time: what was remembered has been undone."""
        self.block, self.messages, self.unchecked = 0, 0, 0


class OpenBlock:
    """The open block in one write transaction."""

    def __init__(self, session: Session, fill: Fill) -> None:
        self._session = session
        self._fill = fill
        self._size = fill.size
        [(self.number,)] = session.run(sql.OPEN_BLOCK)
        self._messages, self._unchecked = fill.messages, fill.unchecked
        if fill.block != self.number or fill.unchecked >= fill.size // 4:
            self._count()

    @property
    def room(self) -> int:
        """How many messages it takes before it is to be sealed; at least one."""
        return max(1, self._size - self._messages)

    def took(self, messages: int) -> None:
        """Note that messages were added; a full block is sealed, and the next one begun."""
        self._messages += messages
        self._unchecked += messages
        if self._messages >= self._size:
            self._seal()

    def remember(self) -> None:
        """Leave what is known to the next transaction."""
        self._fill.block = self.number
        self._fill.messages, self._fill.unchecked = self._messages, self._unchecked

    def _count(self) -> None:
        [(self._messages,)] = self._session.run(sql.BLOCK_SIZE, block=self.number)
        self._unchecked = 0

    def _seal(self) -> None:
        [(newest,)] = self._session.run(sql.NEWEST, block=self.number)
        for statement in sql.POST:
            self._session.run(statement, block=self.number)
        self._session.run(sql.SEAL_BLOCK, block=self.number)
        self.number += 1
        self._session.run(sql.NEXT_BLOCK, block=self.number, newest=newest)
        self._messages = self._unchecked = 0
