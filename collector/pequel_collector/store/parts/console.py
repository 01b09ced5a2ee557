"""What the console stores: sessions and saved views. ``ports`` documents the methods."""

from __future__ import annotations

from collections.abc import Collection

from ...ports.console import ConsoleReads, ConsoleSession, ConsoleWrites, SavedView
from ...ports.leads import Change
from .. import rows
from ..encoding import escape, unescape
from ..session import Insertion, Row, Session
from ..statements import CHANGES_BY, LAST_CHANGE
from .lead_list import MAX_INDEXED_OWNER, OPEN_NOW

MAX_COUNTED = 1_000
"""Leads of an account that are looked at."""

_SESSION = """
SELECT digest, family, kind, key_mark, actor, began_at, made_at, ends_at
FROM console_session WHERE digest = :digest
"""
_ADD_SESSION = Insertion(
    "console_session",
    ("digest", "family", "kind", "key_mark", "actor", "began_at", "made_at", "ends_at"),
)
_SHORTEN = "UPDATE console_session SET ends_at = :at WHERE digest = :digest AND ends_at > :at"
_END_FAMILY = "DELETE FROM console_session WHERE family = :family"
_END_ALL = "DELETE FROM console_session WHERE coalesce(key_mark, '') = :key_mark AND kind = :kind"
_TAKE = "DELETE FROM console_session WHERE digest = :digest RETURNING digest"
_PURGE = "DELETE FROM console_session WHERE ends_at <= :now"
_VIEWS = "SELECT id, name, query, actor, made_at FROM saved_view ORDER BY name, id"
_ADD_VIEW = Insertion("saved_view", ("id", "name", "query", "actor", "made_at"))

# Each owner is one step in the index of leads by owner, however many leads it has.
_OWNERS = """
WITH RECURSIVE found(owner, number) AS (
  SELECT min(substr(owner, 1, 64)), 1 FROM lead WHERE substr(owner, 1, 64) IS NOT NULL
  UNION ALL
  SELECT (SELECT min(substr(owner, 1, 64)) FROM lead WHERE substr(owner, 1, 64) > found.owner),
    number + 1
  FROM found WHERE found.owner IS NOT NULL AND number < :limit
)
SELECT owner FROM found WHERE owner IS NOT NULL
"""

# One statement for each account: each is a range of the index, and reads no more than it counts.
_OF_PEOPLE = f"""
SELECT count(*) FROM (SELECT * FROM lead WHERE account = :account LIMIT {MAX_COUNTED}) lead
WHERE substr(subject, 1, 2) = 'u:' AND {OPEN_NOW}
"""
_REMOVE_VIEW = "DELETE FROM saved_view WHERE id = :id RETURNING id"


class SqlConsoleReads(ConsoleReads):
    """The reads, in shared SQL."""

    _session: Session

    def console_session(self, digest: str) -> ConsoleSession | None:
        found = self._session.run(_SESSION, digest=digest)
        return _to_session(found[0]) if found else None

    def saved_views(self) -> list[SavedView]:
        return [_to_view(row) for row in self._session.run(_VIEWS)]

    def lead_owners(self, limit: int) -> list[str]:
        found = [owner for (owner,) in self._session.run(_OWNERS, limit=limit)]
        return [unescape(owner) for owner in found if len(owner) < MAX_INDEXED_OWNER]

    def last_change(self) -> int:
        [(number,)] = self._session.run(LAST_CHANGE)
        return int(number)

    def changes_by(self, actor: str, after: int, before: int, limit: int) -> list[Change]:
        values = {"actor": actor, "after": after, "before": before, "limit": limit}
        return [rows.to_change(row) for row in self._session.run(CHANGES_BY, **values)]

    def open_leads_of_people(self, accounts: Collection[str], now: int) -> dict[str, int]:
        return {
            account: self._session.run(_OF_PEOPLE, account=account, now=now)[0][0]
            for account in accounts
        }


class SqlConsoleWrites(ConsoleWrites):
    """The writes, in shared SQL."""

    _session: Session

    def add_console_session(self, session: ConsoleSession) -> None:
        digest, family, kind, key_mark, actor, *times = session
        row = digest, family, kind, escape(key_mark), escape(actor), *times
        self._session.insert(_ADD_SESSION, [row])

    def shorten_console_session(self, digest: str, at: int) -> None:
        self._session.run(_SHORTEN, digest=digest, at=at)

    def end_console_session(self, family: str) -> None:
        self._session.run(_END_FAMILY, family=family)

    def end_console_sessions_of(self, session: ConsoleSession) -> None:
        self._session.run(_END_ALL, key_mark=session.key_mark or "", kind=session.kind)

    def take_console_session(self, digest: str) -> bool:
        return bool(self._session.run(_TAKE, digest=digest))

    def purge_console_sessions(self, now: int) -> None:
        self._session.run(_PURGE, now=now)

    def add_saved_view(self, view: SavedView) -> None:
        id_, name, query, actor, made_at = view
        self._session.insert(
            _ADD_VIEW, [(id_, escape(name), escape(query), escape(actor), made_at)]
        )

    def remove_saved_view(self, view_id: str) -> bool:
        return bool(self._session.run(_REMOVE_VIEW, id=view_id))


def _to_session(row: Row) -> ConsoleSession:
    digest, family, kind, key_mark, actor, *times = row
    return ConsoleSession(digest, family, kind, unescape(key_mark), unescape(actor), *times)


def _to_view(row: Row) -> SavedView:
    id_, name, query, actor, made_at = row
    return SavedView(id_, unescape(name), unescape(query), unescape(actor), made_at)
