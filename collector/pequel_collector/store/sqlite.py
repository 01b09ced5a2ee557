"""SQLite: one file, one writer, readers that never wait.

Whatever is written goes to the log of the file first, and is on disk when the commit returns.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from time import monotonic, sleep
from typing import Any, ClassVar

from sqlite_utils import Database as Utils
from sqlite_utils import Migrations

from ..errors import NotFound, Unavailable, Unsupported
from .database import Database, Pool, transaction
from .schema import Dialect, Migration, migrations
from .session import Insertion, Row, Session
from .texts import encode

if sys.platform != "win32":
    import fcntl

PATIENCE = 10.0
"""Seconds to wait for another writer."""

GLANCE = 0.0002
"""Seconds between two looks whether another process has written."""

MEMORY = ":memory:"

OLDEST = (3, 35)
"""The first version that says which rows an update changed."""

DIALECT = Dialect(
    text="TEXT",
    bytes="BLOB",
    clustered="WITHOUT ROWID",
    iso="strftime('%Y-%m-%dT%H:%M:%fZ', {} / 1000.0, 'unixepoch')",
    json_object="json_group_object(name, json(value))",
)

_PRAGMAS = (
    "journal_mode = wal",
    "synchronous = full",
    "foreign_keys = off",
    "temp_store = memory",
    "wal_autocheckpoint = 20000",  # pages: 80 MB of log, so that a page is copied back less often
)
# In KiB. There may be a reader for each request, and the system caches the file too.
_WRITER, _READER = "cache_size = -65536", "cache_size = -4096"


class SqliteSession(Session):
    """A transaction on SQLite."""

    temporary: ClassVar[tuple[type[Exception], ...]] = (sqlite3.OperationalError,)

    @property
    def alive(self) -> bool:
        """Whether the connection can be used again: nothing breaks a file's."""
        return True

    def _run(self, statement: str, values: dict[str, Any]) -> list[Row]:
        rows: list[Row] = self._execute(statement, values).fetchall()
        return rows

    def _stream(self, statement: str, values: dict[str, Any]) -> Iterator[Row]:
        cursor = self._execute(statement, values)
        try:
            yield from cursor
        finally:
            cursor.close()

    def _insert(self, into: Insertion, rows: Sequence[Row]) -> None:
        self._connection.executemany(_insertion(into), rows)

    def _undo(self, statement: str) -> None:
        if self._connection.in_transaction:
            self._connection.execute(statement)

    def _execute(self, statement: str, values: dict[str, Any]) -> sqlite3.Cursor:
        lists = {name: encode(v) for name, v in values.items() if isinstance(v, list)}
        cursor: sqlite3.Cursor = self._connection.execute(_said(statement), values | lists)
        return cursor


class Queue:
    """The processes that want to write a file, one after the other.

    SQLite lets them look again less and less often, so that who has just written mostly writes
    again. Here they look at an empty file beside it, all of them often. Where there can be none,
    and on Windows, there is no queue.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._files: dict[int, int | None] = {}

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait for this process's turn, and keep it. Raises Unavailable where it does not come."""
        file = self._file()
        if file is None or sys.platform == "win32":
            yield
            return
        self._wait(file)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Leave the queue."""
        file = self._files.pop(os.getpid(), None)
        if file is not None:
            os.close(file)

    def _wait(self, file: int) -> None:
        until = monotonic() + PATIENCE
        while not _is_locked(file):
            if monotonic() > until:
                raise Unavailable("another writer takes too long")
            sleep(GLANCE)

    def _file(self) -> int | None:
        """The file, opened by this process: a lock belongs to who opened it."""
        process = os.getpid()
        if process not in self._files:
            try:
                self._files[process] = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError:
                self._files[process] = None
        return self._files[process]


def _is_locked(file: int) -> bool:
    """Lock a file, if nobody else has; whether that is so."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class SqliteFile(Database):
    """A database in a file."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._readers = Pool(lambda: self._connect(_READER))
        self._writer = Pool(lambda: self._connect(_WRITER))
        self._turns: dict[int, threading.Lock] = {}
        self._queue = Queue(f"{path}-turn")

    def migrate(self) -> None:
        """Bring the schema up to date, one process at a time."""
        connection, _ = self._writer.take()
        try:
            with _temporary():
                _migrate(connection)
        finally:
            self._writer.give_back(connection)

    def free(self) -> int | None:
        """How many bytes are free on the disk of the file."""
        try:
            return shutil.disk_usage(Path(self._path).resolve().parent).free
        except OSError:
            return 0

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction that sees the state of the file at its first statement."""
        with transaction(self._readers, SqliteSession, "BEGIN") as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """The only transaction that writes, in this process by a lock, beyond it by the file's."""
        turn = self._turns.setdefault(os.getpid(), threading.Lock())
        if not turn.acquire(timeout=PATIENCE):
            raise Unavailable("another writer takes too long")
        try:
            with (
                self._queue.turn(),
                transaction(self._writer, SqliteSession, "BEGIN IMMEDIATE") as session,
            ):
                yield session
        finally:
            turn.release()

    def close(self) -> None:
        """Release every connection."""
        self._readers.close()
        self._writer.close()
        self._queue.close()

    def _connect(self, *pragmas: str) -> sqlite3.Connection:
        with _temporary():
            return _connected(self._path, *_PRAGMAS, *pragmas)


class SqliteMemory(Database):
    """A database in memory: one connection, for one thread at a time, and gone when closed.

    A transaction within another one of the same thread is a part of it.
    """

    def __init__(self) -> None:
        self._connection = _connected(MEMORY, *_PRAGMAS)
        self._turn = threading.RLock()

    def migrate(self) -> None:
        """Make the schema."""
        _migrate(self._connection)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """The same as writing: whoever comes first goes first."""
        with self._turn:
            is_inner = self._connection.in_transaction
            session = SqliteSession(self._connection)
            session.run("SAVEPOINT part" if is_inner else "BEGIN")
            try:
                yield session
                session.commit("RELEASE part" if is_inner else "COMMIT")
            except BaseException:
                session.undo("ROLLBACK TO part" if is_inner else "ROLLBACK")
                raise

    writing = reading

    def close(self) -> None:
        """Forget everything."""
        self._connection.close()


def open_database(path: str, make: bool = True) -> Database:
    """The database at a path, or one in memory; its file is made where it is missing.

    Unless ``make`` is false: then that raises NotFound.
    """
    if sqlite3.sqlite_version_info < OLDEST:
        raise Unsupported(
            f"this Python has SQLite {sqlite3.sqlite_version}, expected 3.35 or newer"
        )
    if path in {"", MEMORY}:
        return SqliteMemory()
    if not make and not Path(path).exists():
        raise NotFound(f"there is no database {path}")
    return SqliteFile(path)


def _connected(path: str, *pragmas: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=PATIENCE, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    try:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def _migrate(connection: sqlite3.Connection) -> None:
    steps = Migrations("pequel")
    for step in migrations(DIALECT):
        steps(name=step.name)(_applying(step))
    utils = Utils(connection, recursive_triggers=False, execute_plugins=False)
    if not steps.pending(utils):
        return
    connection.execute("BEGIN IMMEDIATE")
    try:
        steps.apply(utils)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _applying(step: Migration) -> Any:
    def apply(utils: Utils) -> None:
        for statement in step.statements:
            utils.conn.execute(statement)

    return apply


@contextmanager
def _temporary() -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise Unavailable(f"cannot open the database: {error}") from error


@lru_cache(maxsize=512)
def _said(statement: str) -> str:
    return re.sub(r"= ANY\((:\w+)\)", r"IN (SELECT value FROM json_each(\1))", statement)


@lru_cache(maxsize=64)
def _insertion(into: Insertion) -> str:
    places = ", ".join("?" * len(into.columns))
    columns = ", ".join(into.columns)
    return f"INSERT INTO {into.table} ({columns}) VALUES ({places}) {into.conflict}"
