"""Reads of all subjects at once: one pass over the messages, without what nobody asks for.

The database sorts the messages by subject, in files where they are many.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from ...model import Kind, account_key, fact_order
from ...ports import Scan, ScannedMessage, Trait
from ..encoding import MARK, decode, escape, unescape
from ..session import Row, Session

_TRAIT_CALL: dict[Kind, str] = {"user": "identify", "account": "group"}
_TIMES_IN_ACCOUNTS = """
SELECT account, time FROM event WHERE name = :name AND account IS NOT NULL ORDER BY account, time
"""
_LEAD_SUBJECTS = "SELECT DISTINCT definition, subject FROM lead WHERE state <> 'voided'"
_HAS_TIME_OF_DAY = "SELECT EXISTS (SELECT 1 FROM event WHERE time % 86400000 <> 0)"


class BulkReads:
    """The part of a read transaction that reads all subjects; see ``ports``."""

    _session: Session
    _has_persons: bool | None

    def scan(self, wanted: Scan) -> Iterator[tuple[str, Sequence[ScannedMessage]]]:
        statement = _scan(wanted, self._any_is_linked())
        values = {} if wanted.names is None else {"names": sorted(wanted.names)}
        may_have_marks = not _is_plain(wanted)
        for key, group in groupby(self._session.stream(statement, **values), key=itemgetter(0)):
            yield _key(wanted.kind, key), _messages(list(group), may_have_marks)

    def first_times(self, kind: Kind, name: str | None) -> Iterator[tuple[str, int]]:
        condition = "e.name IS NOT NULL" if name is None else "e.name = :name"
        owner, join = _owner(kind, self._any_is_linked())
        statement = f"""
            SELECT {owner}, min(e.time) FROM event e {join}
            WHERE {condition} AND {_IS_SUBJECT[kind].format(owner)} GROUP BY {owner}
        """
        values = {} if name is None else {"name": name}
        for key, time in self._session.stream(statement, **values):
            yield _key(kind, key), time

    def trait_values(self, kind: Kind, names: Collection[str]) -> Iterator[tuple[str, list[Trait]]]:
        owner, join = _owner(kind, self._any_is_linked(), of="e.subject")
        prefix = "u:" if kind == "user" else "g:"
        rows = self._session.stream(
            f"""
            SELECT {owner}, e.name, e.time, e.mid, e.value, e.position FROM trait e {join}
            WHERE e.name = ANY(:names) AND {owner} >= :first AND {owner} < :last
            ORDER BY {owner}, e.time, e.position, e.mid
            """,
            names=sorted(names),
            first=prefix,
            last=prefix[0] + ";",
        )
        for key, group in groupby(rows, key=itemgetter(0)):
            yield unescape(key), [_trait(row) for row in group]

    def times_in_accounts(self, name: str) -> Iterator[tuple[str, int]]:
        for account, time in self._session.stream(_TIMES_IN_ACCOUNTS, name=name):
            yield unescape(account), time

    def lead_subjects(self) -> Iterator[tuple[str, str]]:
        for definition, subject in self._session.stream(_LEAD_SUBJECTS):
            yield unescape(definition), unescape(subject)

    def has_only_dates(self) -> bool:
        [(found,)] = self._session.run(_HAS_TIME_OF_DAY)
        return not found

    @abstractmethod
    def _any_is_linked(self) -> bool: ...


_IS_SUBJECT: dict[Kind, str] = {
    "user": "{0} >= 'u:' AND {0} < 'u;'",
    "account": "{0} IS NOT NULL",
}


def _owner(kind: Kind, is_linked: bool, of: str | None = None) -> tuple[str, str]:
    """The expression for the key of a message's subject, and the join that it needs."""
    column = of or ("e.subject" if kind == "user" else "e.account")
    if kind == "account" or not is_linked:
        return column, ""
    return f"coalesce(p.person, {column})", _JOIN


_JOIN = "LEFT JOIN person p ON p.subject = e.subject AND p.bucket = e.bucket"


def _scan(wanted: Scan, is_linked: bool) -> str:
    """The statement of a scan. What the database sorts is kept short: it takes most of the time."""
    is_user = wanted.kind == "user"
    owner, _ = _owner(wanted.kind, is_linked)
    person = "coalesce(p.person, e.subject)" if is_linked else "e.subject"
    parts = (
        ("e.account", not is_user or wanted.in_accounts or wanted.sets_traits),
        (person, not is_user),
        ("e.type", wanted.sets_traits),
        ("e.properties", wanted.properties),
        ("e.traits", wanted.sets_traits),
        ("e.context", wanted.context),
    )
    more = [f", {part if asked else 'NULL'}" for part, asked in parts] if wanted.has_parts else []
    place, order = (
        ("e.position, e.mid", ", e.position, e.mid") if wanted.in_order else ("0, ''", "")
    )
    return f"""
        SELECT {owner}, e.time, {place}, e.name {"".join(more)}
        FROM event e {_JOIN if is_linked else ""}
        WHERE {_condition(wanted)} AND {_IS_SUBJECT[wanted.kind].format(owner)}
        ORDER BY {owner}, e.time {order}
    """


def _is_plain(wanted: Scan) -> bool:
    """Whether no text of a message can have another stored form, so that none has to be checked."""
    if wanted.names is None or wanted.in_order or wanted.has_ids:
        return False
    return all(escape(name) == name for name in wanted.names)


def _condition(wanted: Scan) -> str:
    if wanted.names is None:
        return "1 = 1"
    parts = ["e.name = ANY(:names)"]
    if wanted.sets_traits:
        parts.append(f"e.type = '{_TRAIT_CALL[wanted.kind]}'")
    if wanted.in_accounts:
        parts.append("e.account IS NOT NULL")
    return f"({' OR '.join(parts)})"


def _key(kind: Kind, stored: str) -> str:
    text = unescape(stored)
    return text if kind == "user" else account_key(text)


def _messages(rows: list[Row], may_have_marks: bool) -> Sequence[ScannedMessage]:
    """Rows with text as it was before it was stored.

    The rows stay plain tuples, in the order of the fields: making a record of each takes as long
    as reading it.
    """
    if not (may_have_marks and _has_mark(rows)):
        return rows  # type: ignore[return-value]  # a row has the fields of a ScannedMessage
    found = [ScannedMessage(*row[:3], *map(unescape, row[3:7]), *row[7:]) for row in rows]
    return sorted(found, key=fact_order)


def _has_mark(rows: list[Row]) -> bool:
    """Whether a text of some rows is not as it was. Ids differ, and other texts repeat."""
    if MARK in "".join([row[3] for row in rows]):
        return True
    others = {text for row in rows for text in row[4:7]}
    return any(text is not None and MARK in text for text in others)


def _trait(row: Row) -> Trait:
    subject, name, time, mid, value, position = row
    return Trait(unescape(subject), unescape(name), time, unescape(mid), decode(value), position)
