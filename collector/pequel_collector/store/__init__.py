"""Where everything is kept: a database, chosen by its URL.

``session`` is what the shared statements need from a database; ``sqlite`` and ``postgres`` give
it. ``reading`` and ``writing`` do what ``ports`` promises, with the SQL in ``statements`` over the
tables in ``schema``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ..errors import Unsupported
from ..ports import Store
from .blocks import SIZE
from .database import Database, SqlStore

__all__ = ["open_store"]


def _now() -> int:
    return time.time_ns() // 1_000_000


def open_store(
    url: str, *, clock: Callable[[], int] = _now, block_size: int = SIZE, make: bool = True
) -> Store:
    """Open the store at a URL, and make or update its tables.

    ``sqlite:///path`` is a file, ``sqlite://`` a store in memory that is gone when it is closed,
    ``postgresql://user@host/name`` a database on a server. ``block_size`` is the number of
    messages after which their postings are written. Raises Unsupported or Unavailable; without
    ``make``, NotFound where the file is missing, which is otherwise made.
    """
    database = _database(url, clock, make)
    try:
        database.migrate()
    except BaseException:
        database.close()
        raise
    return SqlStore(url, database, block_size)


def _database(url: str, clock: Callable[[], int], make: bool) -> Database:
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
