"""A transaction on a database, as far as the shared statements need it.

Statements are written once, for both databases. ``:name`` is a value; ``= ANY(:names)`` matches any
value of a list. Each database translates them, and has all other differences in its own module.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Generator, Iterator, Sequence
from typing import Any, ClassVar, NamedTuple

from ..errors import TooLarge, Unavailable
from .encoding import escape, escape_all

Row = tuple[Any, ...]


class Insertion(NamedTuple):
    """An INSERT: a table, its columns, and the ON CONFLICT clause for a key that is there already.

    ``has_bytes`` says that a column holds bytes.
    """

    table: str
    columns: tuple[str, ...]
    conflict: str = ""
    has_bytes: bool = False


class Session(ABC):
    """A transaction that has begun. After a statement fails, it can only be undone."""

    too_long: ClassVar[tuple[type[Exception], ...]] = ()
    """Errors of the driver for a text that does not fit into an index. They become TooLarge."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._streams: list[Generator[Row, None, None]] = []
        self._over = self._failed = False

    @property
    def has_failed(self) -> bool:
        """Whether a statement failed, so that nothing more can be done but to undo it all."""
        return self._failed

    def run(self, statement: str, **values: Any) -> list[Row]:
        """The rows of a statement."""
        self._check()
        try:
            return self._run(statement, {name: _plain(value) for name, value in values.items()})
        except Exception as error:
            self._fail(error)
            raise

    def run_for(self, statement: str, subjects: Collection[str]) -> list[Row]:
        """The rows of a statement about several subjects; none for no subjects."""
        return self.run(statement, subjects=sorted(subjects)) if subjects else []

    def stream(self, statement: str, **values: Any) -> Iterator[Row]:
        """The rows of a statement that may have too many rows for the memory."""
        rows = self._guarded_stream(statement, values)
        self._streams.append(rows)
        return rows

    def insert(self, into: Insertion, rows: Sequence[Row]) -> None:
        """Insert rows that are sorted by key. Their values are in the order of the columns."""
        if not rows:
            return
        self._check()
        try:
            self._insert(into, rows)
        except Exception as error:
            self._fail(error)
            raise

    def commit(self, statement: str = "COMMIT") -> None:
        self._close_streams()
        if self._failed:
            raise Unavailable("a statement of this transaction failed, so it was undone")
        self.run(statement)
        self._over = True

    def undo(self, statement: str = "ROLLBACK") -> None:
        """Undo the transaction. If that fails, the connection is no longer alive."""
        if not self._over:
            self._over = True
            try:
                self._close_streams()
                self._undo(statement)
            except Exception as error:
                if self.cause(error) is None:
                    raise

    @staticmethod
    @abstractmethod
    def cause(error: Exception) -> str | None:
        """Why the database cannot be used now; None if that is not the reason for the error."""

    @abstractmethod
    def _run(self, statement: str, values: dict[str, Any]) -> list[Row]: ...

    @abstractmethod
    def _stream(self, statement: str, values: dict[str, Any]) -> Iterator[Row]: ...

    @abstractmethod
    def _insert(self, into: Insertion, rows: Sequence[Row]) -> None: ...

    @abstractmethod
    def _undo(self, statement: str) -> None: ...

    def _guarded_stream(self, statement: str, values: dict[str, Any]) -> Generator[Row, None, None]:
        self._check()
        try:
            yield from self._stream(statement, {n: _plain(v) for n, v in values.items()})
        except Exception as error:
            self._fail(error)
            raise

    def _close_streams(self) -> None:
        while self._streams:
            self._streams.pop().close()

    def _check(self) -> None:
        if self._over:
            raise RuntimeError("the transaction is over")

    def _fail(self, error: Exception) -> None:
        """Let the transaction fail by an error. Raises the error that stands for it, if any."""
        self._failed = True
        if isinstance(error, self.too_long):
            raise TooLarge("an id or a name is too long for the database") from error
        if cause := self.cause(error):
            raise unusable(cause) from error


def unusable(cause: str) -> Unavailable:
    """The error for a database that cannot be used now."""
    return Unavailable(f"the database cannot be used at the moment: {cause}")


def _plain(value: Any) -> Any:
    """A value for a statement: text in its stored form."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, list) and value and isinstance(value[0], str):
        return escape_all(value)
    return value
