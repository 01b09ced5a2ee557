"""One user or account with all of its ids."""

from __future__ import annotations

from functools import cached_property

from ..errors import NotFound
from ..model import Kind, Stored, id_of, kind_of, subject_key
from ..ports import ReadTransaction


class Subject:
    """A user, who may have several ids, or an account."""

    def __init__(self, tx: ReadTransaction, key: str, ids: list[str]) -> None:
        self._tx, self.key, self.ids = tx, key, ids

    @classmethod
    def of(cls, tx: ReadTransaction, kind: Kind, identifier: str) -> Subject:
        """The subject of an id. An id that is linked to another user stands for that user."""
        key = subject_key(kind, identifier)
        if kind == "account":
            return cls(tx, key, [key])
        person = tx.persons([key]).get(key, key)
        return cls(tx, person, tx.ids_of([person]).get(person, [person]))

    def span(self) -> tuple[int, int]:
        """Times of its first and last message (ms). Raises NotFound if there is none."""
        span = self._tx.span(self.ids)
        if span is None:
            raise self._not_found()
        return span

    @cached_property
    def newest(self) -> Stored:
        """Its latest message. Raises NotFound if there is none."""
        found = self._tx.latest_of(self.ids, 1)
        if not found:
            raise self._not_found()
        return found[0]

    def require_messages(self) -> None:
        """Raises NotFound for one that was never seen."""
        _ = self.newest

    def account(self) -> str | None:
        """The account of a user now: that of the latest message with one.

        A message without an account comes before any group call, or after the one with which the
        user left. Of those before it, the latest with an account names it: it is that call, or
        there is none. Raises NotFound for a user without messages.
        """
        return self.newest.account or self._tx.latest_named(self.ids)

    def _not_found(self) -> NotFound:
        kind, identifier = kind_of(self.key), id_of(self.key)
        return NotFound(f"there is no {kind} {identifier}", kind=kind, id=identifier)
