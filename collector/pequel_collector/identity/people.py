"""The person of each message of a transaction, and the account it is attributed to.

New links may give ids to other persons. Group calls say in which account a person is from when on,
or that the person leaves it; they count for all ids of the person, and may come late. Both can
change the person or the account of messages that were stored before: ``moves`` finds those.

    10   group, acme          in acme from 10 on
    20   group, brix          in brix from 20 on
    30   group, acme, left    not in acme any more: this changes nothing
    40   group, brix, left    in no account from 40 on

A message of an account alone has no person. It names its account, and is no group call of anybody.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from ..model import Message, Stored, fact_order, user_key
from ..ports import Link, Membership, ReadTransaction, WriteTransaction
from .links import FactOrder, LinkedIds, Links, connected, end_of, links_in, news, places, resolve

START = -(2**62)
"""Before every time."""

_USER = user_key("")


class Move(NamedTuple):
    """A stored message as it was attributed, and as it is now."""

    before: Stored
    after: Stored


class People:
    """Persons and their group calls, as they are at one moment of a transaction.

    ``persons`` has the person of every linked id, ``memberships`` the group calls made with each id
    of the persons in question.
    """

    def __init__(
        self, persons: Mapping[str, str], memberships: Mapping[str, Sequence[Membership]]
    ) -> None:
        self.persons = persons
        self.memberships = memberships
        calls: dict[str, Sequence[Membership]] = {}
        for id_, made in memberships.items():
            if made:
                person = persons.get(id_, id_)
                others = calls.get(person)
                calls[person] = sorted([*others, *made], key=fact_order) if others else made
        self._calls = {person: _that_count(made) for person, made in calls.items()}

    def person(self, id_: str) -> str:
        """The person of an id; an id without a link is a person of its own."""
        return self.persons.get(id_, id_)

    def user(self, id_: str) -> str | None:
        """The person of an id; None for a visitor who is not linked to a user."""
        person = self.person(id_)
        return person if person.startswith(_USER) else None

    def calls(self, id_: str) -> Sequence[Membership]:
        """The group calls of the person of an id that count, in the order of facts."""
        return self._calls.get(self.person(id_), ())

    def attribute(self, messages: Sequence[Message]) -> list[Stored]:
        """Each message with its person and its account.

        The account is the one that the message names, else that of the person's latest group call
        until then, unless the person left it.
        """
        persons = {s: self.persons.get(s, s) for s in {m.subject for m in messages}}
        users = {s: p if p.startswith(_USER) else None for s, p in persons.items()}
        calls = {s: self._calls[p] for s, p in persons.items() if p in self._calls}
        return [
            Stored(
                m,
                m.account
                if m.account is not None or m.subject not in calls
                else _account_at(calls[m.subject], m.time),
                users[m.subject],
            )
            for m in messages
        ]

    def after(self, changed: Mapping[str, str], joined: Iterable[Membership]) -> People:
        """The people after ids got other persons and group calls were made."""
        memberships = {id_: list(calls) for id_, calls in self.memberships.items()}
        for membership in joined:
            memberships[membership.subject].append(membership)
        for calls in memberships.values():
            calls.sort(key=fact_order)
        return People({**self.persons, **changed}, memberships)


def group_calls(messages: Iterable[Message]) -> list[Membership]:
    """The group calls of persons among messages."""
    return [
        Membership(m.subject, m.time, m.mid, m.account, m.position, m.is_leaving)
        for m in messages
        if m.type == "group" and m.account is not None and not m.is_of_account
    ]


def people_of(
    tx: ReadTransaction, messages: Sequence[Message], changed: Mapping[str, str]
) -> People:
    """The people that new messages concern, before ids get other persons."""
    moving = {*changed, *changed.values()}
    persons = tx.persons(moving.union(m.subject for m in messages))
    joining = {m.subject for m in messages if m.account is None or m.type == "group"}
    ids = tx.ids_of({persons.get(id_, id_) for id_ in joining | moving})
    linked = {id_: person for person, each in ids.items() for id_ in each}
    return People(persons | linked, tx.memberships(linked))


def link(tx: WriteTransaction, messages: Sequence[Message]) -> dict[str, str]:
    """Store the links that new messages name; the person of each id that gets another one.

    Updates the tally ``link_conflicts``. The caller writes the persons.
    """
    named = links_in(messages)
    new = news(named, _known(tx, named)) if named else {}
    if not new:
        return {}
    changed = _joined(tx, new)
    if changed is None:
        changed = _resolved(tx, new)
    tx.add_links([Link(*ids, p.time, p.mid, p.position) for ids, p in new.items()])
    return changed


def _joined(tx: ReadTransaction, new: Links) -> dict[str, str] | None:
    """The same as ``_resolved`` for links that only join persons; None for others.

    If each new link is the first of its id, and no circle appears, then in any order all of them
    count, and no stored link fares otherwise than before. So no other link needs to be read.
    """
    ids = {pair.id for pair in new}
    persons = tx.persons({id_ for pair in new for id_ in pair})
    users = {id_ for id_ in ids if id_.startswith(_USER)}
    if (
        len(ids) < len(new)
        or ids & persons.keys()
        or any(link.id in ids for link in tx.links(users))
    ):
        return None
    ends: dict[str, str] = {}
    for id_, user in new:
        person = end_of(persons.get(user, user), ends)
        if person == id_:
            return None
        ends[id_] = person
    owned = tx.ids_of(users)
    return {own: end_of(id_, ends) for id_ in sorted(ids) for own in owned.get(id_, [id_])}


def _resolved(tx: WriteTransaction, new: Links) -> dict[str, str]:
    """The person of each id that gets another one, from all links around the new ones."""
    around = _around(tx, new)
    before, after = resolve(around), resolve({**around, **new})
    if conflicts := len(after.conflicts) - len(before.conflicts):
        tx.count({"link_conflicts": conflicts})
    ids = {*before.users, *after.users}
    persons, ends = tx.persons(ids), after.persons()
    now = {id_: ends.get(id_, id_) for id_ in sorted(ids)}
    return {id_: person for id_, person in now.items() if persons.get(id_, id_) != person}


def moves(tx: ReadTransaction, before: People, after: People) -> list[Move]:
    """The stored messages that have another person or account now, in the order of facts."""
    changes = _changes(before, after)
    newest = tx.newest() if changes else None
    late = [(t, ids) for t, ids in changes.items() if newest is not None and t <= newest]
    found = [stored for since, ids in late for stored in tx.events(ids, since)]
    found.sort(key=lambda stored: fact_order(stored.message))
    was = [each._replace(person=before.user(each.message.subject)) for each in found]
    now = after.attribute([each.message for each in found])
    return [Move(old, new) for old, new in zip(was, now, strict=True) if old[1:] != new[1:]]


def _changes(before: People, after: People) -> dict[int, list[str]]:
    """The ids whose messages may be attributed differently, by the time of the first change."""
    alike: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for id_ in after.memberships:
        alike[before.person(id_), after.person(id_)].append(id_)
    changes: defaultdict[int, list[str]] = defaultdict(list)
    for ids in alike.values():
        since = _first_change(ids[0], before, after)
        if since is not None:
            changes[since] += ids
    return changes


def _first_change(id_: str, before: People, after: People) -> int | None:
    if before.user(id_) != after.user(id_):
        return START
    was, now = before.calls(id_), after.calls(id_)
    if was == now:
        return None
    times = sorted({call.time for call in {*was} ^ {*now}})
    return next((t for t in times if _account_at(was, t) != _account_at(now, t)), None)


def _that_count(calls: Sequence[Membership]) -> Sequence[Membership]:
    """Group calls of a person without those that leave an account that the person is not in."""
    if not any(call.left for call in calls):
        return calls
    found: list[Membership] = []
    for call in calls:
        is_inside = found and not found[-1].left and found[-1].account == call.account
        if is_inside or not call.left:
            found.append(call)
    return found


def _account_at(calls: Sequence[Membership], time: int) -> str | None:
    index = bisect_right(calls, time, key=attrgetter("time"))
    if not index or calls[index - 1].left:
        return None
    return calls[index - 1].account


def _known(tx: ReadTransaction, named: Links) -> dict[LinkedIds, FactOrder]:
    """The stored ones among named links. A visitor without a person has no link at all."""
    persons = tx.persons({ids.id for ids in named})
    candidates = {ids for ids in named if ids.id in persons or ids.id.startswith(_USER)}
    return places(tx.links_between(candidates))


def _around(tx: ReadTransaction, new: Links) -> dict[LinkedIds, FactOrder]:
    """The stored links that matter for what new ones come to.

    Between users that is every link that is connected with a new one. Of a visitor it is the first
    link, which is one of those to the visitor's person.
    """
    ids = {id_ for pair in new for id_ in pair}
    persons = tx.persons(ids)
    owned = tx.ids_of({persons.get(id_, id_) for id_ in ids})
    users = {id_ for each in owned.values() for id_ in each if id_.startswith(_USER)}
    links = places(connected(tx, users)[1])
    persons = tx.persons({id_ for pair in links for id_ in pair})
    return {
        pair: place
        for pair, place in links.items()
        if pair.id.startswith(_USER)
        or persons.get(pair.id) == persons.get(pair.user, pair.user)
        or pair in new
    }
