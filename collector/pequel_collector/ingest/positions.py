"""The positions of new messages: their places among the messages of one instant.

A request with three messages of one instant, of which the second is stored already:

    m1 at 10:00   new         position 0
    m2 at 10:00   duplicate   not counted
    m3 at 10:00   new         position 1
    m4 at 10:01   new         position 0

The batches of an imported file count as one request.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from ..errors import Unavailable
from ..model import Message


class FileInstants:
    """How many messages of each instant were stored from one file.

    A file may have a different instant on each line. So the numbers are in a temporary database of
    SQLite, which keeps about 2 MB in memory and the rest in a file that goes with it.
    """

    def __init__(self) -> None:
        self._db = sqlite3.connect("")
        self._db.execute("PRAGMA journal_mode = OFF")
        self._db.execute(
            "CREATE TABLE instant (time INTEGER NOT NULL PRIMARY KEY, stored INTEGER NOT NULL)"
        )

    def stored(self, messages: Sequence[Message]) -> dict[int, int]:
        """How many were stored of the instants of these messages; no zeros."""
        times = json.dumps(list({message.time for message in messages}))
        query = "SELECT time, stored FROM instant WHERE time IN (SELECT value FROM json_each(?))"
        return dict(self._db.execute(query, [times]))

    def add(self, messages: Sequence[Message]) -> None:
        """Count messages that were stored. Raises Unavailable if the temporary file cannot grow."""
        statement = """
            INSERT INTO instant (time, stored) VALUES (?, 1)
            ON CONFLICT (time) DO UPDATE SET stored = stored + 1
        """
        try:
            with self._db:
                self._db.executemany(statement, [(message.time,) for message in messages])
        except sqlite3.OperationalError as error:
            raise Unavailable(f"cannot write a temporary file: {error}") from error

    def close(self) -> None:
        self._db.close()


def with_positions(messages: Sequence[Message], earlier: Mapping[int, int]) -> Sequence[Message]:
    """New messages of one request in their order, each with its position.

    ``earlier`` is how many messages of an instant the same file had before.
    """
    if not earlier and len({message.time for message in messages}) == len(messages):
        return messages
    numbers = dict(earlier)
    found = []
    for message in messages:
        position = numbers.get(message.time, 0)
        numbers[message.time] = position + 1
        found.append(replace(message, position=position) if position else message)
    return found
