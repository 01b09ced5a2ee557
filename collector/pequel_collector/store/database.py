"""Connections and transactions, as far as they are the same on every database."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from ..errors import Unavailable
from ..ports import ReadTransaction, WriteTransaction
from .blocks import Fill
from .reading import SqlReadTransaction
from .session import Session
from .writing import SqlWriteTransaction

_inherited: list[Any] = []
"""Connections of the process that this one was forked from: neither to be used nor to be closed."""


class Pool:
    """Connections that nobody uses at the moment.

    Each is used by one thread at a time, and only in the process that opened it.
    """

    def __init__(self, connect: Callable[[], Any]) -> None:
        self._connect = connect
        self._idle: list[Any] = []
        self._process = os.getpid()

    def take(self) -> tuple[Any, bool]:
        """A connection, and whether it has just been opened."""
        if self._process != os.getpid():
            _inherited.append(self._idle)
            self._idle, self._process = [], os.getpid()
        try:
            return self._idle.pop(), False
        except IndexError:
            return self._connect(), True

    def give_back(self, connection: Any) -> None:
        """Keep a connection for the next one who needs it."""
        self._idle.append(connection)

    def close(self) -> None:
        """Close what is idle."""
        while self._idle:
            self._idle.pop().close()


class Database(ABC):
    """What is done differently on each database."""

    @abstractmethod
    def migrate(self) -> None:
        """Bring the schema up to date."""

    def free(self) -> int | None:
        """How many bytes are free where it is stored; None where that is not known."""
        return None

    @abstractmethod
    def reading(self) -> AbstractContextManager[Session]:
        """A transaction that sees one state of everything."""

    @abstractmethod
    def writing(self) -> AbstractContextManager[Session]:
        """A transaction of the only writer."""

    @abstractmethod
    def close(self) -> None:
        """Release every connection."""


class SqlStore:
    """A store on a database. ``ports.Store`` says what each method promises."""

    def __init__(self, url: str, database: Database, block_size: int) -> None:
        self.url = url
        self._database = database
        self._fill = Fill(block_size)

    def free(self) -> int | None:
        """How many bytes are free where it is stored; None where that is not known."""
        return self._database.free()

    @contextmanager
    def reading(self) -> Iterator[ReadTransaction]:
        """A consistent view, for as long as the context lasts."""
        with self._database.reading() as session:
            yield SqlReadTransaction(session)

    @contextmanager
    def writing(self) -> Iterator[WriteTransaction]:
        """A write transaction: committed when the context ends well, else undone."""
        try:
            with self._database.writing() as session:
                writing = SqlWriteTransaction(session, self._fill)
                yield writing
                writing.finish()
        except BaseException:
            self._fill.forget()
            raise

    def close(self) -> None:
        """Release every connection."""
        self._database.close()


@contextmanager
def transaction(pool: Pool, session_of: Callable[[Any], Session], begin: str) -> Iterator[Session]:
    """A transaction on a connection of its own: committed when the context ends well."""
    connection, session = _begun(pool, session_of, begin)
    try:
        yield session
        session.commit()
    except BaseException:
        session.undo()
        raise
    finally:
        _release(pool, connection, session)


def _begun(pool: Pool, session_of: Callable[[Any], Session], begin: str) -> tuple[Any, Session]:
    """A connection on which a transaction has begun; one that broke while idle is replaced."""
    while True:
        connection, is_new = pool.take()
        session = session_of(connection)
        try:
            session.run(begin)
            return connection, session
        except Unavailable:
            is_stale = not session.alive and not is_new
            _release(pool, connection, session)
            if not is_stale:
                raise


def _release(pool: Pool, connection: Any, session: Session) -> None:
    if session.alive:
        pool.give_back(connection)
    else:
        connection.close()
