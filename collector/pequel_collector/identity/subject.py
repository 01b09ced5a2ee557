"""One user or account with all of its ids."""

from __future__ import annotations

from ..errors import NotFound
from ..model import Kind, id_of, kind_of, subject_key
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
            kind, identifier = kind_of(self.key), id_of(self.key)
            raise NotFound(f"there is no {kind} {identifier}", kind=kind, id=identifier)
        return span

    def account(self) -> str | None:
        """The account of a user now: that of the latest message with one."""
        accounts = [stored.account for stored in self._tx.events(self.ids) if stored.account]
        return accounts[-1] if accounts else None
