"""Users or accounts in the order in which they were last seen, latest first."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from ...model import Kind, kind_of
from ...ports import ReadTransaction, Seen

MESSAGES_AT_ONCE = 1_000
"""Messages of each block that one step looks at."""


class Known(NamedTuple):
    """A user or an account that was seen: its ids, and the time of its last message (ms)."""

    key: str
    ids: Sequence[str]
    last: int
    place: Seen
    """Where it is in the order of who was seen last."""


def recently_seen(
    tx: ReadTransaction, kind: Kind, before: Seen | None, at_once: int
) -> Iterator[tuple[list[Known], Seen | None]]:
    """Who was last seen before a place, some at a time, and the place after them; None at the end.

    Everybody comes once, at the time of their last message. Some may be nobody, where a few have
    sent very many messages.
    """
    known: set[str] = set()
    more = True
    while more:
        seen, more = tx.recently_seen(kind, before, MESSAGES_AT_ONCE)
        before = seen[-1] if seen else before
        for start in range(0, max(1, len(seen)), at_once):
            some = seen[start : start + at_once]
            new = {each.key: each for each in reversed(some) if each.key not in known}
            known |= new.keys()
            is_end = not more and start + at_once >= len(seen)
            yield _at_their_last(tx, kind, new.values()), None if is_end else some[-1]


def known(
    tx: ReadTransaction, kind: Kind, keys: Collection[str]
) -> dict[str, tuple[str, Sequence[str]]]:
    """The subject that each key stands for, with all ids. Visitors who are nobody are left out."""
    if kind == "account":
        return {key: (key, (key,)) for key in keys if key}
    linked = tx.persons(keys)
    persons = {key: linked.get(key, key) for key in keys}
    of_users = {key: person for key, person in persons.items() if kind_of(person) == "user"}
    ids = tx.ids_of(set(of_users.values()))
    return {key: (person, ids.get(person, [person])) for key, person in of_users.items()}


def _at_their_last(tx: ReadTransaction, kind: Kind, seen: Collection[Seen]) -> list[Known]:
    """Those whose last message this is."""
    if not seen:
        return []
    subjects = known(tx, kind, {each.key for each in seen})
    ids_of = [id_ for _, ids in subjects.values() for id_ in ids]
    lasts = tx.last_times(ids_of, min(each.time for each in seen))
    found = []
    for place in seen:
        key, ids = subjects.get(place.key, ("", ()))
        own = [(lasts[id_], id_) for id_ in ids if id_ in lasts]
        # Of ids with their last message at the same time, the greatest one comes first.
        if own and max(own) == (place.time, place.key):
            found.append(Known(key, ids, place.time, place))
    return sorted(found, key=lambda each: each.place, reverse=True)


def first_times(tx: ReadTransaction, some: Collection[Known]) -> dict[str, int]:
    """When each of some users or accounts was first seen (ms), by key."""
    found = tx.first_seen({id_ for each in some for id_ in each.ids})
    return {each.key: min(found[id_] for id_ in each.ids if id_ in found) for each in some}
