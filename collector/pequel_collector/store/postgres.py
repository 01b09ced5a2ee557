"""PostgreSQL: one server, many collectors, one writer at a time.

A writer locks the row of the first block before it reads anything.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from typing import Any, ClassVar

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict

from ..errors import Unavailable, Unsupported
from ..model import Clock
from .database import Database, Pool, transaction
from .schema import Dialect, Migration, migrations
from .session import Insertion, Row, Session

DIALECT = Dialect(
    text='TEXT COLLATE "C"',
    bytes="BYTEA",
    clustered="",
    iso=(
        "to_char(timestamp 'epoch' + {} * interval '1 millisecond',"
        ' \'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"\')'
    ),
    json_object="json_object_agg(name, value::json ORDER BY name)::text",
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
SET lock_timeout = '10s'
"""
_DEFAULTS = {"application_name": "pequel", "connect_timeout": 10}

_ROWS_AT_ONCE = 5_000
"""Rows that are sent as one value."""

_ROWS_TO_COPY = 10
"""From so many rows on, COPY is faster than INSERT. It takes one more round trip."""


class PostgresSession(Session):
    """A transaction on PostgreSQL."""

    temporary: ClassVar[tuple[type[Exception], ...]] = (
        psycopg.OperationalError,
        psycopg.InterfaceError,
        psycopg.errors.ReadOnlySqlTransaction,
    )

    too_long: ClassVar[tuple[type[Exception], ...]] = (psycopg.errors.ProgramLimitExceeded,)

    _names = itertools.count()

    @property
    def alive(self) -> bool:
        return not self._connection.closed

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
    """A database on a server."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._options = _options(url)
        self._clock = clock
        self._pool = Pool(self._connect)

    def migrate(self) -> None:
        with _temporary(), self._connect() as connection:
            _migrate(connection, self._clock)

    @contextmanager
    def reading(self) -> Iterator[Session]:
        with transaction(self._pool, PostgresSession, READ) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """It reads what was committed before it got the lock."""
        with transaction(self._pool, PostgresSession, WRITE) as session:
            session.run(LOCK_WRITERS)
            yield session

    def close(self) -> None:
        self._pool.close()

    def _connect(self) -> psycopg.Connection[Row]:
        with _temporary():
            connection = psycopg.connect(**self._options, autocommit=True, client_encoding="utf8")
            try:
                connection.execute(_SETTINGS)
            except BaseException:
                connection.close()
                raise
            return connection


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


def _migrate(connection: psycopg.Connection[Row], clock: Clock) -> None:
    with suppress(*_CREATED_MEANWHILE):
        connection.execute(_MIGRATIONS)
    applied = {name for (name,) in connection.execute(_APPLIED)}
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


def _options(url: str) -> dict[str, Any]:
    try:
        return _DEFAULTS | conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise Unsupported(f"not the address of a PostgreSQL database: {error}") from error


@contextmanager
def _temporary() -> Iterator[None]:
    try:
        yield
    except psycopg.OperationalError as error:
        raise Unavailable("the database cannot be reached") from error


def _without_bytes(row: Row) -> Row:
    """A row for JSON, with bytes as the hex text that PostgreSQL reads."""
    return tuple(f"\\x{value.hex()}" if isinstance(value, bytes) else value for value in row)


@lru_cache(maxsize=512)
def _translated(statement: str) -> bytes:
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
