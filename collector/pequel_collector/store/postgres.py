"""PostgreSQL: one server, many collectors, one writer at a time.

A writer locks the row of the first block before it reads anything.
"""

from __future__ import annotations

import itertools
import logging
import os
import re
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from time import monotonic
from typing import Any, ClassVar

import msgspec
import psycopg
from psycopg import errors as failures
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import ConnectionPool, PoolTimeout

from ..errors import Unavailable, Unsupported
from ..model import Clock
from .database import Database, transaction
from .schema import Dialect, Migration, migrations
from .session import Insertion, Row, Session, unusable

# It logs each failed attempt to connect. The collector logs the cause of a 503, once a minute.
logging.getLogger("psycopg.pool").setLevel(logging.ERROR)

DIALECT = Dialect(
    text='TEXT COLLATE "C"',
    bytes="BYTEA",
    clustered="",
    iso=(
        "to_char(timestamp 'epoch' + {} * interval '1 millisecond',"
        ' \'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\')'
    ),
    json_object="json_object_agg(name, value::json ORDER BY name)::text",
    json_text="({}::json #>> '{{}}')",
)

READ = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
WRITE = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
LOCK_WRITERS = "SELECT number FROM block WHERE number = 1 FOR UPDATE"

# Every statement has an index, and is planned for the lists that it gets. A plan made while the
# tables were small would read them whole; a plan for any list would try all pairs of two lists.
# Starting a parallel worker or the JIT compiler takes longer than a statement.
_SETTINGS = """
SET enable_seqscan = off;
SET plan_cache_mode = force_custom_plan;
SET max_parallel_workers_per_gather = 0;
SET jit = off;
SET statement_timeout = {statement};
SET lock_timeout = {lock}
"""

ANSWER_TIME = 0.5
"""Seconds for the server's own message about a timeout to arrive."""

MAX_IDLE = 5.0
"""Seconds after which the pool closes one of the connections that were not used meanwhile."""


class NoAnswer(psycopg.OperationalError):
    """The server did not answer in time."""


# Why the database cannot be used. The first line that fits counts.
CAUSES: tuple[tuple[tuple[type[Exception], ...], str], ...] = (
    ((NoAnswer, failures.ConnectionTimeout), "it does not answer"),
    ((failures.LockNotAvailable,), "another writer takes too long"),
    ((failures.QueryCanceled,), "a statement took too long"),
    ((failures.DiskFull,), "the disk is full"),
    ((failures.ReadOnlySqlTransaction,), "it is read-only"),
    ((failures.TooManyConnections,), "the server has too many connections"),
    ((failures.InsufficientPrivilege,), "the user of the collector lacks a right"),
    ((failures.UndefinedTable, failures.InvalidSchemaName), "a table is missing"),
    (
        (failures.IdleInTransactionSessionTimeout, failures.TransactionTimeout),
        "the server ended a transaction that took too long",
    ),
    (
        (failures.AdminShutdown, failures.CrashShutdown, failures.CannotConnectNow),
        "the server is stopping or starting",
    ),
    ((failures.DataCorrupted, failures.IndexCorrupted), "it is damaged"),
    ((failures.DeadlockDetected, failures.SerializationFailure), "two transactions conflicted"),
    ((failures.OutOfMemory,), "the server has no memory left"),
    ((failures.IoError,), "the disk of the server reports an error"),
    ((psycopg.OperationalError, psycopg.InterfaceError), "the connection failed"),
)

_ROWS_AT_ONCE = 5_000
"""Rows that are sent as one value."""

_ROWS_TO_COPY = 10
"""From so many rows on, COPY is faster than INSERT. It takes one more round trip."""


class Connection(psycopg.Connection[Row]):
    """A connection that waits for each answer ``timeout`` seconds, and not beyond ``until``.

    Without an answer it is closed, and NoAnswer is raised. None waits for ever.
    """

    timeout: float | None = None
    until: float | None = None

    @classmethod
    def connect(  # type: ignore[override]  # the pool passes all options by name
        cls, conninfo: str = "", *, refusals: deque[Exception], **options: Any
    ) -> Connection:
        """Connect, and leave the error in ``refusals`` if that fails."""
        try:
            connection = super().connect(conninfo, **options)
        except psycopg.Error as error:
            refusals.append(error)
            raise
        refusals.clear()
        return connection

    def wait(self, gen: Generator[Any, Any, Any], *args: Any, **options: Any) -> Any:
        """Run one exchange with the server."""
        limits = [self.until] if self.until is not None else []
        if self.timeout is not None:
            limits.append(monotonic() + self.timeout)
        if not limits:
            return super().wait(gen, *args, **options)
        try:
            return super().wait(_until(min(limits), gen), *args, **options)
        except NoAnswer:
            self.close()
            raise


def _until(limit: float, exchange: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """The same exchange. Raises NoAnswer if it still waits after the limit."""
    try:
        wanted = next(exchange)
        while True:
            ready = yield wanted
            if not ready and monotonic() > limit:
                raise NoAnswer("the server did not answer in time")
            wanted = exchange.send(ready)
    except StopIteration as end:
        return end.value


class ProcessPool:
    """A pool of connections that opens up to ``size``, and closes those that are not used.

    Each process has connections of its own, also after a fork.
    """

    def __init__(self, options: dict[str, Any], size: int, timeout: float) -> None:
        self._options, self._size, self._timeout = options, size, timeout
        self._refusals: deque[Exception] = deque(maxlen=1)
        self._pools: dict[int, ConnectionPool[Connection]] = {}

    def take(self, until: float) -> Connection:
        """A connection. Raises Unavailable if there is none by then."""
        try:
            return self._pool().getconn(until - monotonic())
        except PoolTimeout as error:
            if not self._refusals:
                raise unusable("all connections are in use") from error
            refusal = self._refusals[0]
            raise unusable(_cause(refusal) or "it cannot be reached") from refusal

    def give_back(self, connection: Connection) -> None:
        """Return a connection, which may be broken."""
        if pool := self._pools.get(os.getpid()):
            pool.putconn(connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close the connections of this process."""
        if pool := self._pools.pop(os.getpid(), None):
            pool.close()

    def _pool(self) -> ConnectionPool[Connection]:
        process = os.getpid()
        if process not in self._pools:
            pool = ConnectionPool(
                connection_class=Connection,
                kwargs={**self._options, "refusals": self._refusals},
                configure=self._configure,
                min_size=0,
                max_size=self._size,
                max_idle=MAX_IDLE,
                reconnect_timeout=1.0,  # the next request tries again
                num_workers=1,
                open=False,
            )
            # Of two threads that come here together, one has its pool thrown away unopened.
            self._pools.setdefault(process, pool).open()
        return self._pools[process]

    def _configure(self, connection: Connection) -> None:
        connection.timeout = self._timeout + ANSWER_TIME
        statement, lock = round(self._timeout * 1000), round(self._timeout * 900)
        connection.execute(_SETTINGS.format(statement=statement, lock=lock).encode())


class PostgresSession(Session):
    """A transaction on PostgreSQL."""

    too_long: ClassVar[tuple[type[Exception], ...]] = (psycopg.errors.ProgramLimitExceeded,)

    _names = itertools.count()

    @staticmethod
    def cause(error: Exception) -> str | None:
        return _cause(error)

    def _run(self, statement: str, values: dict[str, Any]) -> list[Row]:
        cursor = self._connection.execute(_translated(statement), values, binary=True)
        return cursor.fetchall() if cursor.description else []

    def _stream(self, statement: str, values: dict[str, Any]) -> Iterator[Row]:
        with self._connection.cursor(f"stream_{next(self._names)}") as cursor:
            cursor.itersize = 2_000
            yield from cursor.execute(_translated(statement), values)

    def _insert(self, into: Insertion, rows: Sequence[Row]) -> None:
        if not into.conflict and len(rows) >= _ROWS_TO_COPY:
            self._copy(into, rows)
            return
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            some = rows[start : start + _ROWS_AT_ONCE]
            plain = map(_without_bytes, some) if into.has_bytes else some
            objects = [dict(zip(into.columns, row, strict=True)) for row in plain]
            text = msgspec.json.encode(objects).decode()
            self._connection.execute(_insertion(into), {"rows": text})

    def _copy(self, into: Insertion, rows: Sequence[Row]) -> None:
        """Insert rows whose keys are all new, for half the work of an INSERT."""
        with self._connection.cursor().copy(_copying(into)) as copy:
            for row in rows:
                copy.write_row(row)

    def _undo(self, statement: str) -> None:
        self._connection.execute(statement)


class Postgres(Database):
    """A database on a server.

    ``timeout`` is how many seconds a transaction waits to begin, and a statement for its end.
    ``connections`` is the maximum of each process; one of them is for writing.
    """

    def __init__(self, url: str, clock: Clock, timeout: float, connections: int) -> None:
        self._options = _options(url, timeout)
        self._clock = clock
        self._timeout = timeout
        self._readers = ProcessPool(self._options, max(1, connections - 1), timeout)
        self._writer = ProcessPool(self._options, 1, timeout)

    def migrate(self) -> None:
        try:
            with Connection.connect(**self._options, refusals=deque()) as connection:
                connection.timeout = self._timeout
                _migrate(connection, self._clock)
        except psycopg.OperationalError as error:
            reason = " ".join(str(error).split())
            raise Unavailable(f"cannot open the database: {reason}") from error

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with self._transaction(self._readers, READ) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """It reads what was committed before it got the lock."""
        with self._transaction(self._writer, WRITE, LOCK_WRITERS) as session:
            yield session

    def close(self) -> None:
        self._readers.close()
        self._writer.close()

    @contextmanager
    def _transaction(self, pool: ProcessPool, *begin: str) -> Iterator[Session]:
        until = monotonic() + self._timeout
        connection = pool.take(until)
        try:
            while not _begins(session := PostgresSession(connection), connection, begin, until):
                pool.give_back(connection)  # it broke while it was idle
                connection = pool.take(until)
            with transaction(session):
                yield session
        finally:
            pool.give_back(connection)


def _begins(
    session: PostgresSession, connection: Connection, begin: Sequence[str], until: float
) -> bool:
    """Begin a transaction; False if the connection is broken, but there is time for another.

    Raises Unavailable.
    """
    connection.until = until + ANSWER_TIME
    try:
        for statement in begin:
            session.run(statement)
    except BaseException as error:
        session.undo()
        if isinstance(error, Unavailable) and connection.closed and monotonic() < until:
            return False
        raise
    finally:
        connection.until = None
    return True


_MIGRATIONS = """
CREATE TABLE IF NOT EXISTS migration (
  name TEXT NOT NULL PRIMARY KEY, applied_at BIGINT NOT NULL
)
"""
_CREATED_MEANWHILE = (  # errors if another process creates the table at the same time
    psycopg.errors.UniqueViolation,
    psycopg.errors.DuplicateObject,
    psycopg.errors.DuplicateTable,
)
_APPLIED = "SELECT name FROM migration"
_ONE_AT_A_TIME = "LOCK TABLE migration IN EXCLUSIVE MODE"
_ADD_MIGRATION = "INSERT INTO migration (name, applied_at) VALUES (%s, %s)"


def _migrate(connection: Connection, clock: Clock) -> None:
    with suppress(*_CREATED_MEANWHILE):
        connection.execute(_MIGRATIONS)
    applied = {name for (name,) in connection.execute(_APPLIED)}
    connection.timeout = None  # an index of a large table takes its time
    for step in migrations(DIALECT):
        if step.name not in applied:
            with connection.transaction():
                _apply(step, connection, clock())


def _apply(step: Migration, connection: psycopg.Connection[Row], now: int) -> None:
    connection.execute(_ONE_AT_A_TIME)
    if (step.name,) in connection.execute(_APPLIED).fetchall():
        return
    for statement in step.statements:
        connection.execute(statement.encode())
    connection.execute(_ADD_MIGRATION, (step.name, now))


def _options(url: str, timeout: float) -> dict[str, Any]:
    defaults = {
        "application_name": "pequel",
        "autocommit": True,
        "client_encoding": "utf8",
        "connect_timeout": min(10, max(2, round(timeout))),  # libpq takes no less than 2
        # A server that is gone without a word is noticed while nothing is sent, and while it is.
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": round(timeout * 1000),
    }
    try:
        return defaults | conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise Unsupported(f"not the address of a PostgreSQL database: {error}") from error


def _cause(error: Exception) -> str | None:
    return next((text for kinds, text in CAUSES if isinstance(error, kinds)), None)


def _without_bytes(row: Row) -> Row:
    """A row for JSON, with bytes as the hex text that PostgreSQL reads."""
    return tuple(f"\\x{value.hex()}" if isinstance(value, bytes) else value for value in row)


@lru_cache(maxsize=512)
def _translated(statement: str) -> bytes:
    statement = re.sub(r"EACH\((:\w+)\)", r"unnest(CAST(\1 AS text[]))", statement)
    statement = re.sub(r"BY_INDEX\(\w+\)", "", statement)  # it knows how many meet a condition
    statement = re.sub(
        r"NUMBERS\((:\w+)\) AS (\w+)", r"unnest(CAST(\1 AS bigint[])) AS \2 (value)", statement
    )
    return re.sub(r":([a-z]\w*)", r"%(\1)s", statement.replace("%", "%%")).encode()


@lru_cache(maxsize=64)
def _copying(into: Insertion) -> bytes:
    return f"COPY {into.table} ({', '.join(into.columns)}) FROM STDIN".encode()


@lru_cache(maxsize=64)
def _insertion(into: Insertion) -> bytes:
    """An INSERT of rows from one JSON text, which is far faster than a parameter for each value."""
    columns = ", ".join(into.columns)
    return f"""
    INSERT INTO {into.table} ({columns})
    SELECT {columns} FROM json_populate_recordset(NULL::{into.table}, %(rows)s)
    {into.conflict}
    """.encode()
