"""Who is who after messages are removed: the inverse of ``people.link``.

A stored link has the place of the first message that names it. If that message is removed, the next
one that names it takes its place; without one, the link is gone. Either can change who is whose:

    (10, 0, "m1")   a:v1 -> u:ada    removed
    (20, 0, "m2")   a:v1 -> u:bob    was a conflict, and is the first link of v1 now: v1 is bob
    (30, 0, "m3")   a:v1 -> u:ada    the link is stored at this place now, and is a conflict
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from ..model import Message, kind_of
from ..ports import Link, ReadTransaction, WriteTransaction
from .links import FactOrder, LinkedIds, connected, links_in, places, resolve


def unlink(tx: WriteTransaction, removed: Sequence[Message]) -> dict[str, str]:
    """Bring links in line with the removal of messages; the person of each id that gets another.

    The messages must be removed already. Updates the tally ``link_conflicts``. The caller writes
    the persons.
    """
    gone = _first_named_by(tx, removed)
    if not gone:
        return {}
    around = _around(tx, gone)
    tx.remove_links(_as_links(gone))
    next_ = _named_next(tx, gone)
    tx.add_links(_as_links(next_))
    left = {ids: place for ids, place in around.items() if ids not in gone}
    return _changed(tx, around, {**left, **next_})


def _as_links(places_: Mapping[LinkedIds, FactOrder]) -> list[Link]:
    return [Link(*ids, at.time, at.mid, at.position) for ids, at in places_.items()]


def _first_named_by(tx: ReadTransaction, removed: Sequence[Message]) -> dict[LinkedIds, FactOrder]:
    """The stored links whose place is that of a removed message."""
    named = links_in(removed)
    mids = {message.mid for message in removed}
    stored = places(tx.links_between(named)) if named else {}
    return {ids: place for ids, place in stored.items() if place.mid in mids}


def _around(tx: ReadTransaction, gone: Collection[LinkedIds]) -> dict[LinkedIds, FactOrder]:
    """The stored links that matter for what becomes of those that are gone.

    That is every link of a visitor who loses one, and every link that is connected with them. Of
    another visitor only the links to the visitor's own person count: its first one is among them.
    """
    visitors = {ids.id for ids in gone if kind_of(ids.id) != "user"}
    links = [*tx.links(visitors)] if visitors else []
    users = {end for ids in gone for end in ids if end not in visitors}
    users |= {link.user for link in links}
    found = places([*links, *connected(tx, users)[1]])
    persons = tx.persons({end for ids in found for end in ids})
    return {
        ids: place
        for ids, place in found.items()
        if kind_of(ids.id) == "user"
        or ids.id in visitors
        or persons.get(ids.id) == persons.get(ids.user, ids.user)
    }


def _named_next(
    tx: ReadTransaction, gone: Mapping[LinkedIds, FactOrder]
) -> dict[LinkedIds, FactOrder]:
    """For each link, the place of the first message that is left and names it."""
    wanted: defaultdict[str, dict[LinkedIds, FactOrder]] = defaultdict(dict)
    for ids, place in gone.items():
        wanted[ids.user][ids] = place
    found: dict[LinkedIds, FactOrder] = {}
    for user, links in wanted.items():
        found |= _next_of(tx, user, links)
    return found


def _next_of(
    tx: ReadTransaction, user: str, links: Mapping[LinkedIds, FactOrder]
) -> dict[LinkedIds, FactOrder]:
    found: dict[LinkedIds, FactOrder] = {}
    for stored in tx.events([user], since=min(place.time for place in links.values())):
        for ids, place in links_in([stored.message]).items():
            if ids in links:
                found.setdefault(ids, place)
        if len(found) == len(links):
            break
    return found


def _changed(
    tx: WriteTransaction,
    links_before: Mapping[LinkedIds, FactOrder],
    links_after: Mapping[LinkedIds, FactOrder],
) -> dict[str, str]:
    before, after = resolve(links_before), resolve(links_after)
    if conflicts := len(after.conflicts) - len(before.conflicts):
        tx.count({"link_conflicts": conflicts})
    ids = {*before.users, *after.users}
    persons, ends = tx.persons(ids), after.persons()
    now = {id_: ends.get(id_, id_) for id_ in sorted(ids)}
    return {id_: person for id_, person in now.items() if persons.get(id_, id_) != person}
