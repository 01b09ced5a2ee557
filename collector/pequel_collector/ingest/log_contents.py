"""What a log has: its events by name, its people, and which messages came twice.

There may be many ids, so they are in a temporary database of SQLite, which keeps about 2 MB in
memory and the rest in a file that goes with it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from ..model import Message

MAX_NAMES = 10_000
"""Names of events that are counted one by one."""

OTHERS = "(other events)"


@dataclass(slots=True)
class NameCount:
    """How often an event came, and when first and last (ms)."""

    number: int
    first: int
    last: int


class LogContents:
    """Counts messages. Close it at the end; ``names`` stays."""

    def __init__(self) -> None:
        self.names: dict[str, NameCount] = {}
        self._db = sqlite3.connect("")
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute(
            "CREATE TABLE seen (kind TEXT, id BLOB, PRIMARY KEY (kind, id)) WITHOUT ROWID"
        )

    def add(self, messages: Sequence[Message], known: Collection[str] = ()) -> int:
        """Count messages of which some ids are known; how many are new."""
        for message in messages:
            self._count(message)
        self._insert((kind, id_) for message in messages for kind, id_ in _people(message))
        return self._insert(("message", m.mid) for m in messages if m.mid not in known)

    def people(self) -> dict[str, int]:
        """The numbers of users, visitors and accounts."""
        query = "SELECT kind, count(*) FROM seen GROUP BY kind"
        found = dict(self._db.execute(query).fetchall())
        return {f"{kind}s": found.get(kind, 0) for kind in ("user", "visitor", "account")}

    def close(self) -> None:
        """Forget the ids."""
        self._db.close()

    def _count(self, message: Message) -> None:
        name = label(message)
        if name not in self.names and len(self.names) >= MAX_NAMES:
            name = OTHERS
        found = self.names.setdefault(name, NameCount(0, message.time, message.time))
        found.number += 1
        found.first = min(found.first, message.time)
        found.last = max(found.last, message.time)

    def _insert(self, ids: Iterator[tuple[str, str]]) -> int:
        before = self._db.total_changes
        rows = [(kind, id_.encode("utf-8", "surrogatepass")) for kind, id_ in ids]
        with self._db:
            self._db.executemany("INSERT OR IGNORE INTO seen (kind, id) VALUES (?, ?)", rows)
        return self._db.total_changes - before


def label(message: Message) -> str:
    """The name of a track call; the type of another call, in brackets."""
    return (message.name or "") if message.type == "track" else f"({message.type})"


def _people(message: Message) -> Iterator[tuple[str, str]]:
    if message.user_id:
        yield "user", message.user_id
    if message.subject.startswith("a:"):
        yield "visitor", message.subject[2:]
    elif message.anonymous_id:
        yield "visitor", message.anonymous_id
    if message.account:
        yield "account", message.account
