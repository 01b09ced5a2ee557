"""Who was seen last: the latest messages of all, from the newest block back.

No table has when somebody was last seen, because every event would have to update it. Instead the
messages are read in the order of their times, latest first, by the index that each block has.
"""

from __future__ import annotations

from ...model import Kind, account_key
from ...ports import Seen
from ..encoding import unescape
from ..session import Row, Session

_END = 2**62
_BLOCKS = "SELECT number, newest_before FROM block ORDER BY number DESC"

# Messages without an account are looked at too, so that the limit bounds the work.
_LATEST = """
SELECT time, {who} AS who FROM event
WHERE block = :block AND time <= :time AND (time < :time OR {who} < :who)
ORDER BY time DESC, {who} DESC LIMIT :limit
"""
_WHO = {"user": "subject", "account": "coalesce(account, '')"}


def recently_seen(
    session: Session, kind: Kind, before: Seen | None, limit: int
) -> tuple[list[Seen], bool]:
    """Who sent messages before a place, latest first, and whether there are earlier ones.

    At most ``limit`` messages of each block are looked at. Somebody with several messages comes
    several times. An empty key stands for messages without an account.
    """
    time, who = (before.time, _stored(kind, before.key)) if before else (_END, "")
    statement = _LATEST.format(who=_WHO[kind])
    found: set[Row] = set()
    cut: Row = (-_END, "")  # where the messages of a block were cut off
    for block, newest_before in session.run(_BLOCKS):
        rows = session.run(statement, block=block, time=time, who=who, limit=limit)
        found.update(rows)
        if len(rows) == limit:
            cut = max(cut, rows[-1])
        if newest_before is None or newest_before < cut[0]:
            break
    latest = sorted((row for row in found if row >= cut), reverse=True)
    return [Seen(at, _key(kind, unescape(name))) for at, name in latest], cut[0] > -_END


def _key(kind: Kind, name: str) -> str:
    return account_key(name) if kind == "account" and name else name


def _stored(kind: Kind, key: str) -> str:
    return key[2:] if kind == "account" else key
