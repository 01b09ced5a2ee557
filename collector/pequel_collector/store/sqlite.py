"""SQLite: one file, one writer at a time, readers that never wait.

Writes go to the write-ahead log first, and are on disk when the commit returns.
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
from itertools import chain
from pathlib import Path
from time import monotonic, sleep
from typing import Any, ClassVar

from sqlite_utils import Database as Utils
from sqlite_utils import Migrations

from ..errors import NotFound, Unavailable, Unsupported
from .database import Database, Pool, transaction
from .encoding import encode
from .schema import Dialect, Migration, migrations
from .session import Insertion, Row, Session

if sys.platform != "win32":
    import fcntl

LOCK_TIMEOUT = 10.0
"""Seconds to wait for another writer."""

LOCK_POLL = 0.0002
"""Seconds between two attempts to lock the file of the writers."""

MAX_ROWS = 256
"""Rows that one statement inserts. SQLite has room for 32,766 values."""

MEMORY = ":memory:"

MIN_VERSION = (3, 35)
"""The first version with RETURNING."""

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
# In KiB. Each request may have a reader, and the operating system caches the file too.
_WRITER, _READER = "cache_size = -65536", "cache_size = -4096"


class SqliteSession(Session):
    """A transaction on SQLite."""

    temporary: ClassVar[tuple[type[Exception], ...]] = (sqlite3.OperationalError,)

    @property
    def alive(self) -> bool:
        """Always: a connection to a file does not break."""
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
        for start, number in _parts(len(rows)):
            values = tuple(chain.from_iterable(rows[start : start + number]))
            self._connection.execute(_insertion(into, number), values)

    def _undo(self, statement: str) -> None:
        if self._connection.in_transaction:
            self._connection.execute(statement)

    def _execute(self, statement: str, values: dict[str, Any]) -> sqlite3.Cursor:
        lists = {name: encode(v) for name, v in values.items() if isinstance(v, list)}
        cursor: sqlite3.Cursor = self._connection.execute(_translated(statement), values | lists)
        return cursor


class WriterLock:
    """A lock on an empty file beside the database, which one writing process holds at a time.

    Without it, SQLite makes waiting processes retry less and less often, so that the process that
    has just written mostly writes again. Here all processes retry equally often. If the file cannot
    be created, and on Windows, there is no lock, and SQLite alone decides.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._files: dict[int, int | None] = {}

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock. Raises Unavailable if it is not free in time."""
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
        """Close the file."""
        file = self._files.pop(os.getpid(), None)
        if file is not None:
            os.close(file)

    def _wait(self, file: int) -> None:
        until = monotonic() + LOCK_TIMEOUT
        while not _try_lock(file):
            if monotonic() > until:
                raise Unavailable("another writer takes too long")
            sleep(LOCK_POLL)

    def _file(self) -> int | None:
        """The file, opened by this process; None if it cannot be. A lock belongs to its opener."""
        process = os.getpid()
        if process not in self._files:
            try:
                self._files[process] = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError:
                self._files[process] = None
        return self._files[process]


def _try_lock(file: int) -> bool:
    """Lock a file if it is free; whether it was."""
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
        self._write_locks: dict[int, threading.Lock] = {}
        self._writer_lock = WriterLock(f"{path}-turn")

    def migrate(self) -> None:
        connection, _ = self._writer.take()
        try:
            with _temporary():
                _migrate(connection)
        finally:
            self._writer.give_back(connection)

    def free(self) -> int | None:
        try:
            return shutil.disk_usage(Path(self._path).resolve().parent).free
        except OSError:
            return 0

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with transaction(self._readers, SqliteSession, "BEGIN") as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Locks out the other threads of the process, then other processes."""
        lock = self._write_locks.setdefault(os.getpid(), threading.Lock())
        if not lock.acquire(timeout=LOCK_TIMEOUT):
            raise Unavailable("another writer takes too long")
        try:
            with (
                self._writer_lock.held(),
                transaction(self._writer, SqliteSession, "BEGIN IMMEDIATE") as session,
            ):
                yield session
        finally:
            lock.release()

    def close(self) -> None:
        self._readers.close()
        self._writer.close()
        self._writer_lock.close()

    def _connect(self, *pragmas: str) -> sqlite3.Connection:
        with _temporary():
            return _connected(self._path, *_PRAGMAS, *pragmas)


class SqliteMemory(Database):
    """A database in memory. It has one connection, for one thread at a time.

    A transaction inside another one of the same thread is a savepoint of it.
    """

    def __init__(self) -> None:
        self._connection = _connected(MEMORY, *_PRAGMAS)
        self._lock = threading.RLock()

    def migrate(self) -> None:
        _migrate(self._connection)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """The same as ``writing``."""
        with self._lock:
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
        """Delete the database."""
        self._connection.close()


def open_database(path: str, make: bool = True) -> Database:
    """The database at a path, or one in memory.

    A missing file is created; without ``make``, NotFound is raised instead.
    """
    if sqlite3.sqlite_version_info < MIN_VERSION:
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
        path,
        timeout=LOCK_TIMEOUT,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=512,
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
def _translated(statement: str) -> str:
    return re.sub(r"= ANY\((:\w+)\)", r"IN (SELECT value FROM json_each(\1))", statement)


def _parts(rows: int) -> Iterator[tuple[int, int]]:
    """Where each statement for so many rows starts, and its number of rows: a power of two.

    SQLite works on a whole statement without the interpreter's lock. There are few sizes, so that
    each statement is prepared once for a connection.
    """
    start = 0
    while start < rows:
        number = min(MAX_ROWS, 1 << (rows - start).bit_length() - 1)
        yield start, number
        start += number


@lru_cache(maxsize=512)
def _insertion(into: Insertion, rows: int) -> str:
    row = f"({', '.join('?' * len(into.columns))})"
    columns, values = ", ".join(into.columns), ", ".join([row] * rows)
    return f"INSERT INTO {into.table} ({columns}) VALUES {values} {into.conflict}"
