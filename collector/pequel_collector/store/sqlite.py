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
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import chain
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import quote

from sqlite_utils import Database as Utils
from sqlite_utils import Migrations

from ..errors import NotFound, Unavailable, Unsupported
from .database import Database, Pool, transaction
from .encoding import encode
from .schema import Dialect, Migration, migrations
from .session import Insertion, Row, Session, unusable

if sys.platform != "win32":
    import fcntl

TOO_LONG = "another writer takes too long"

LOCK_POLL = 0.0002
"""Seconds between two attempts to lock the file of the writers."""

MAX_ROWS = 256
"""Rows that one statement inserts. SQLite has room for 32,766 values."""

MEMORY = ":memory:"

FileId = tuple[int, int]
"""The device and the inode of a file."""

MIN_VERSION = (3, 35)
"""The first version with RETURNING."""

DIALECT = Dialect(
    text="TEXT",
    bytes="BLOB",
    clustered="WITHOUT ROWID",
    iso="strftime('%Y-%m-%dT%H:%M:%fZ', {} / 1000.0, 'unixepoch')",
    json_object="json_group_object(name, json(value))",
    json_text="json_extract({}, '$')",
)

_PRAGMAS = (
    "journal_mode = wal",
    "synchronous = full",
    "foreign_keys = off",
    "temp_store = memory",
    "wal_autocheckpoint = 20000",  # pages: 80 MB of log, so that a page is copied back less often
)
# In KiB. Each request may have a reader, and the operating system caches the file too.
_WRITER = ("cache_size = -65536",)
# A read of all subjects sorts in files beyond that. To sort in memory takes longer, too.
_READER = ("cache_size = -4096", "temp_store = file")


# Why the database cannot be used, by the name that SQLite gives the error. The first one counts.
CAUSES = (
    ("SQLITE_BUSY", "another program keeps it locked"),
    ("SQLITE_LOCKED", "another program keeps it locked"),
    ("SQLITE_FULL", "the disk is full"),
    ("SQLITE_READONLY", "it is read-only"),
    ("SQLITE_PERM", "its file may not be used"),
    ("SQLITE_CANTOPEN", "its file cannot be opened"),
    ("SQLITE_IOERR", "the disk reports an error"),
    ("SQLITE_CORRUPT", "its file is damaged"),
    ("SQLITE_NOTADB", "its file is not a database"),
    ("SQLITE_PROTOCOL", "another program keeps it locked"),
)
REPLACED = (
    "its file was removed or replaced while the collector runs. Stop the collector, put the right "
    "file in place, and start it again"
)


class SqliteSession(Session):
    """A transaction on SQLite."""

    @staticmethod
    def cause(error: Exception) -> str | None:
        return _cause(error)

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
    def held(self, until: float) -> Iterator[None]:
        """Hold the lock. Raises Unavailable if it is not free by then."""
        file = self._file()
        if file is None or sys.platform == "win32":
            yield
            return
        while not _try_lock(file):
            if monotonic() > until:
                raise unusable(TOO_LONG)
            sleep(LOCK_POLL)
        try:
            yield
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file."""
        file = self._files.pop(os.getpid(), None)
        if file is not None:
            os.close(file)

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


class OpenFiles:
    """The files of an open database, to notice that one was removed or replaced.

    The database is the same file for as long as the store is open. SQLite makes the other two
    files anew if no process has a connection, so each process remembers those that it found.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._paths = [path + end for end in ("", "-wal", "-shm")]
        self._database: FileId | None = None
        self._found: dict[int, list[FileId | None]] = {}

    def create(self) -> None:
        """Create the database if it was never open, readable by its owner only."""
        if self._database is None:
            with suppress(FileExistsError):
                os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            self._database = _file_id(self._paths[0])

    def remember(self) -> None:
        """Remember the files of a connection that was opened. Raises Unavailable."""
        self._found.setdefault(os.getpid(), self._ids())
        self.check()

    def check(self) -> None:
        """Raises Unavailable if other files are there now."""
        ids = self._ids()
        if ids[0] != self._database or ids != self._found.get(os.getpid(), ids):
            raise unusable(REPLACED)

    def forget(self) -> None:
        """Forget the files that SQLite makes anew, after the connections were closed."""
        self._found.pop(os.getpid(), None)

    def _ids(self) -> list[FileId | None]:
        return [_file_id(path) for path in self._paths]


def _file_id(path: str) -> FileId | None:
    """The device and the inode of a file; None if it is missing."""
    try:
        found = os.stat(path)  # noqa: PTH116 - each transaction asks six times
    except OSError:
        return None
    return found.st_dev, found.st_ino


class SqliteFile(Database):
    """A database in a file. A transaction waits ``timeout`` seconds to begin."""

    def __init__(self, path: str, timeout: float) -> None:
        self._path, self._timeout = path, timeout
        self._files = OpenFiles(path)
        self._readers = Pool(lambda: self._connect(*_READER))
        self._writer = Pool(lambda: self._connect(*_WRITER))
        self._write_locks: dict[int, threading.Lock] = {}
        self._writer_lock = WriterLock(f"{path}-turn")

    def migrate(self) -> None:
        with self._writer.connection() as connection, _unavailable():
            _migrate(connection)

    def free(self) -> int | None:
        try:
            return shutil.disk_usage(Path(self._path).resolve().parent).free
        except OSError:
            return 0

    @contextmanager
    def reading(self) -> Iterator[Session]:
        self._files.check()
        with self._readers.connection() as connection:
            session = SqliteSession(connection)
            session.run("BEGIN")
            with transaction(session):
                yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Locks out the other threads of the process, then other processes."""
        until = monotonic() + self._timeout
        lock = self._write_locks.setdefault(os.getpid(), threading.Lock())
        if not lock.acquire(timeout=self._timeout):
            raise unusable(TOO_LONG)
        try:
            with self._writer_lock.held(until), self._writer.connection() as connection:
                self._files.check()
                session = SqliteSession(connection)
                session.run(f"PRAGMA busy_timeout = {max(0, round(1000 * (until - monotonic())))}")
                session.run("BEGIN IMMEDIATE")
                with transaction(session):
                    yield session
                self._files.check()  # what was written to a file that is gone is not acknowledged
        finally:
            lock.release()

    def close(self) -> None:
        self._readers.close()
        self._writer.close()
        self._writer_lock.close()
        self._files.forget()

    def _connect(self, *pragmas: str) -> sqlite3.Connection:
        with _unavailable():
            self._files.create()
            self._files.check()
            # By URI, because a plain path would create the file again.
            uri = f"file:{quote(self._path)}?mode=rw"
            connection = _connected(uri, self._timeout, *_PRAGMAS, *pragmas)
            try:
                self._files.remember()
            except BaseException:
                connection.close()
                raise
            return connection


class SqliteMemory(Database):
    """A database in memory. It has one connection, for one thread at a time.

    A transaction inside another one of the same thread is a savepoint of it.
    """

    def __init__(self) -> None:
        self._connection = _connected(MEMORY, 0.0, *_PRAGMAS)
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


def open_database(path: str, timeout: float, make: bool = True) -> Database:
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
    return SqliteFile(path, timeout)


def _connected(path: str, timeout: float, *pragmas: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path,
        uri=path != MEMORY,
        timeout=timeout,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=512,
    )
    try:
        for pragma in pragmas:
            connection.execute(f"PRAGMA {pragma}")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchall()  # opens the log
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


def _cause(error: Exception) -> str | None:
    if not isinstance(error, sqlite3.OperationalError) and type(error) is not sqlite3.DatabaseError:
        return None
    name = getattr(error, "sqlite_errorname", "")
    return next((text for start, text in CAUSES if name.startswith(start)), str(error))


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except (sqlite3.DatabaseError, OSError) as error:
        raise Unavailable(f"cannot open the database: {error}") from error


@lru_cache(maxsize=512)
def _translated(statement: str) -> str:
    statement = re.sub(r"= ANY\((:\w+)\)", r"IN (SELECT value FROM json_each(\1))", statement)
    statement = re.sub(r"EACH\((:\w+)\)", r"json_each(\1)", statement)
    statement = statement.replace("json_agg(", "json_group_array(")
    return re.sub(r"octet_length\((\w+)\)", r"length(CAST(\1 AS BLOB))", statement)


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
