"""Connections and transactions, as far as they are the same on both databases."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from ..ports import ReadTransaction, WriteTransaction
from .blocks import BlockFill
from .read_transaction import SqlReadTransaction
from .session import Session
from .write_transaction import SqlWriteTransaction

_inherited: list[Any] = []
"""Connections of the process that this one was forked from. Never use or close them."""


class Pool:
    """Idle connections.

    Each is used by one thread at a time, and only in the process that opened it.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._idle: list[Any] = []
        self._process = os.getpid()

    @contextmanager
    def connection(self) -> Iterator[Any]:
        """An idle connection, or a new one."""
        if self._process != os.getpid():
            _inherited.append(self._idle)
            self._idle, self._process = [], os.getpid()
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._connect()
        try:
            yield connection
        finally:
            self._idle.append(connection)

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()


class Database(ABC):
    """What differs between the databases."""

    @abstractmethod
    def migrate(self) -> None:
        """Bring the schema up to date, in one process at a time."""

    def free(self) -> int | None:
        return None

    @abstractmethod
    def reading(self) -> AbstractContextManager[Session]:
        """A transaction that sees the state of the database at its first statement."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[Session]:
        """The only write transaction at a time."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""


class SqlStore:
    """The ``ports.Store`` on a database."""

    def __init__(self, url: str, database: Database, block_size: int, section_blocks: int) -> None:
        self.url = url
        self.on_queued: Callable[[], None] = _nothing
        self._database = database
        self._fill, self._section_blocks = BlockFill(block_size), section_blocks

    def free(self) -> int | None:
        return self._database.free()

    @contextmanager
    def reading(self) -> Iterator[ReadTransaction]:
        with self._database.reading() as session:
            yield SqlReadTransaction(session, self._section_blocks)

    @contextmanager
    def writing(self) -> Iterator[WriteTransaction]:
        try:
            with self._database.writing() as session:
                tx = SqlWriteTransaction(session, self._fill, self._section_blocks)
                yield tx
                tx.finish()
        except BaseException:
            self._fill.forget()
            raise
        if tx.has_queued:
            self.on_queued()

    def close(self) -> None:
        self._database.close()


def _nothing() -> None:
    """What follows a commit, if nobody sends alerts."""


@contextmanager
def transaction(session: Session) -> Iterator[Session]:
    """A transaction that has begun: committed at the end, undone on an error."""
    try:
        yield session
        session.commit()
    except BaseException:
        session.undo()
        raise
