"""The current traits of subjects: of each name, the value that was set last.

A subject may have had very many values, or a few of each name, as most have. So first all values of
the subjects are read, up to a number. If there are more, each name is searched for its last value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from ...model import JSON
from .. import statements as sql
from ..encoding import decode, unescape
from ..session import Row, Session

FEW_VALUES = 8
"""Values of each subject, on average, that are read without a search."""

MIN_FEW = 32

Value = tuple[int, int, str, str]
"""The time, the position and the message of a value, and the value as it is stored."""


def current_traits(
    session: Session, subjects: Mapping[str, Collection[str]]
) -> dict[str, dict[str, JSON]]:
    """The traits of each subject, over all of its ids. Those that are unset are left out."""
    latest: dict[str, dict[str, Value]] = {}
    for id_, name, time, position, mid, value in _values(session, subjects):
        of_id = latest.setdefault(unescape(id_), {})
        found, of_name = (time, position, unescape(mid), value), unescape(name)
        if of_name not in of_id or of_id[of_name] < found:
            of_id[of_name] = found
    return {
        subject: _current(latest[id_] for id_ in ids if id_ in latest)
        for subject, ids in subjects.items()
    }


def _values(session: Session, subjects: Mapping[str, Collection[str]]) -> list[Row]:
    """Values of the ids, with the last one of each name."""
    ids = sorted({id_ for each in subjects.values() for id_ in each})
    if not ids:
        return []
    limit = max(MIN_FEW, FEW_VALUES * len(ids))
    found = session.run(sql.FEW_TRAITS, subjects=ids, limit=limit)
    return found if len(found) < limit else session.run(sql.TRAITS, subjects=ids)


def _current(values: Iterable[Mapping[str, Value]]) -> dict[str, JSON]:
    latest: dict[str, Value] = {}
    for of_one_id in values:
        for name, value in of_one_id.items():
            if name not in latest or latest[name] < value:
                latest[name] = value
    return {name: decode(latest[name][-1]) for name in sorted(latest) if latest[name][-1] != "null"}
