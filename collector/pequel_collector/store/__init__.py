"""The stores: SQLite and PostgreSQL, chosen by URL. May import: `ports`, `model` and `errors`.

``session`` is what the shared SQL needs from a database; ``sqlite`` and ``postgres`` implement it.
``read_transaction`` and ``write_transaction`` implement ``ports`` with the SQL of ``statements``,
over the tables in ``schema``. ``parts`` and ``metrics`` are what they are made of, by subject.
"""

from __future__ import annotations

import time

from ..errors import Unsupported
from ..model import Clock
from ..ports import Store
from .blocks import BLOCK_SIZE
from .database import Database, SqlStore
from .sections import SECTION_BLOCKS

__all__ = ["open_store"]

TIMEOUT = 60.0
"""Seconds that a command waits for the database."""

CONNECTIONS = 4
"""Connections of a command to PostgreSQL."""


def _now() -> int:
    return time.time_ns() // 1_000_000


def open_store(
    url: str,
    *,
    clock: Clock = _now,
    block_size: int = BLOCK_SIZE,
    section_blocks: int = SECTION_BLOCKS,
    make: bool = True,
    timeout: float = TIMEOUT,
    connections: int = CONNECTIONS,
) -> Store:
    """Open the store at a URL, and create or update its tables.

    ``sqlite:///path`` is a file, ``sqlite://`` a store in memory that ends with ``close``,
    ``postgresql://user@host/name`` a database on a server. ``block_size`` is how many messages a
    block has, ``section_blocks`` how many blocks a section has: it must be the same whenever this
    store is opened. A missing file is created; without ``make``, NotFound is raised instead.
    ``timeout`` is how many seconds a transaction waits to begin and, on PostgreSQL, a statement for
    its end. ``connections`` is the maximum to PostgreSQL. Raises Unsupported or Unavailable.
    """
    database = _database(url, clock, make, timeout, connections)
    try:
        database.migrate()
    except BaseException:
        database.close()
        raise
    return SqlStore(url, database, block_size, section_blocks)


def _database(url: str, clock: Clock, make: bool, timeout: float, connections: int) -> Database:
    scheme, _, rest = url.partition("://")
    try:
        match scheme:
            case "sqlite" if rest == "" or rest.startswith("/"):
                from .sqlite import open_database

                return open_database(rest[1:], timeout, make)
            case "postgresql" | "postgres":
                from .postgres import Postgres

                return Postgres(url, clock, timeout, connections)
    except ImportError as error:
        extra = "collector" if scheme == "sqlite" else "collector,postgres"
        raise Unsupported(f'{scheme} needs {error.name}: pip install "pequel[{extra}]"') from error
    raise Unsupported(f"found the database {url!r}, expected sqlite:///PATH or postgresql://…")
