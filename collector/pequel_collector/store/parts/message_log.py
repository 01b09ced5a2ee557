"""Reads the messages of a block in the order of facts, page by page."""

from __future__ import annotations

from ...model import Stored
from .. import rows
from ..session import Session
from ..statements import SELECT_MESSAGES

_FIRST_TIMES = """
SELECT number, (
  SELECT time FROM event WHERE event.block = block.number AND time >= :since
  ORDER BY time LIMIT 1
)
FROM block
"""

_IN_BLOCK = f"""
{SELECT_MESSAGES}
WHERE block = :block AND time >= :time AND time < :until
  AND (time, position, mid) > (:time, :position, :mid)
ORDER BY time, position, mid LIMIT :limit
"""


def block_starts(session: Session, since: int) -> dict[int, int]:
    """The time of the first message of each block at or after an instant."""
    found = session.run(_FIRST_TIMES, since=since)
    return {number: time for number, time in found if time is not None}


def messages_in(
    session: Session, block: int, after: tuple[int, int, str], until: int, limit: int
) -> list[Stored]:
    """The messages of a block after a place and before an instant, in the order of facts."""
    time, position, mid = after
    place = {"time": time, "position": position, "mid": mid}
    found = session.run(_IN_BLOCK, block=block, until=until, limit=limit, **place)
    return [rows.to_message(row) for row in found]
