"""The stores: SQLite and PostgreSQL, chosen by URL. May import: `ports`, `model` and `errors`.

``session`` is what the shared SQL needs from a database; ``sqlite`` and ``postgres`` implement it.
``read_transaction`` and ``write_transaction`` implement ``ports`` with the SQL of ``statements``
and ``lead_list``, over the tables in ``schema``.
"""

from __future__ import annotations

import time

from ..errors import Unsupported
from ..model import Clock
from ..ports import Store
from .blocks import BLOCK_SIZE
from .database import Database, SqlStore

__all__ = ["open_store"]


def _now() -> int:
    return time.time_ns() // 1_000_000


def open_store(
    url: str, *, clock: Clock = _now, block_size: int = BLOCK_SIZE, make: bool = True
) -> Store:
    """Open the store at a URL, and create or update its tables.

    ``sqlite:///path`` is a file, ``sqlite://`` a store in memory that ends with ``close``,
    ``postgresql://user@host/name`` a database on a server. ``block_size`` is how many messages a
    block has. A missing file is created; without ``make``, NotFound is raised instead. Raises
    Unsupported or Unavailable.
    """
    database = _database(url, clock, make)
    try:
        database.migrate()
    except BaseException:
        database.close()
        raise
    return SqlStore(url, database, block_size)


def _database(url: str, clock: Clock, make: bool) -> Database:
    scheme, _, rest = url.partition("://")
    try:
        match scheme:
            case "sqlite" if rest == "" or rest.startswith("/"):
                from .sqlite import open_database

                return open_database(rest[1:], make)
            case "postgresql" | "postgres":
                from .postgres import Postgres

                return Postgres(url, clock)
    except ImportError as error:
        extra = "collector" if scheme == "sqlite" else "collector,postgres"
        raise Unsupported(f'{scheme} needs {error.name}: pip install "pequel[{extra}]"') from error
    raise Unsupported(f"found the database {url!r}, expected sqlite:///PATH or postgresql://…")
