"""Who the messages of a transaction are of, and the account that each falls to.

New links may give ids to other persons, and group calls, which form a history per person with
all of its ids, may come late. Either can change the person or the account of messages that were
stored before: ``moves`` finds those.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain
from operator import attrgetter

from ..model import Message, Stored, user_key
from ..ports import Link, Membership, ReadTransaction, WriteTransaction
from .links import Links, Pair, Place, links_in, news, resolve

START = -(2**62)
"""Before every time."""

Move = tuple[Stored, Stored]
"""A message as it was attributed, and as it now is."""

_USER = user_key("")
_order = attrgetter("time", "mid")


class People:
    """Persons and their group calls, as they are at one moment of a transaction.

    ``persons`` gives the person of every linked id, ``memberships`` the group calls made with each
    id of the persons who are concerned.
    """

    def __init__(
        self, persons: Mapping[str, str], memberships: Mapping[str, Sequence[Membership]]
    ) -> None:
        self.persons = persons
        self.memberships = memberships
        self._calls: dict[str, Sequence[Membership]] = {}
        for id_, made in memberships.items():
            if made:
                person = persons.get(id_, id_)
                others = self._calls.get(person)
                self._calls[person] = sorted([*others, *made], key=_order) if others else made

    def person(self, id_: str) -> str:
        """Whose an id is; without a link it is a person of its own."""
        return self.persons.get(id_, id_)

    def user(self, id_: str) -> str | None:
        """Whose an id is; None for a visitor whom no link leads to a user."""
        person = self.person(id_)
        return person if person.startswith(_USER) else None

    def calls(self, id_: str) -> Sequence[Membership]:
        """The group calls of the person whose an id is, in the order of facts."""
        return self._calls.get(self.person(id_), ())

    def attribute(self, messages: Sequence[Message]) -> list[Stored]:
        """Each message with its person and its account.

        That is the account it names, else that of its person's latest group call until then.
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
        """As they are once ids have got other persons, and group calls have been made."""
        memberships = {id_: list(calls) for id_, calls in self.memberships.items()}
        for membership in joined:
            memberships[membership.subject].append(membership)
        for calls in memberships.values():
            calls.sort(key=_order)
        return People({**self.persons, **changed}, memberships)


def people_of(
    tx: ReadTransaction, messages: Sequence[Message], changed: Mapping[str, str]
) -> People:
    """The people whom new messages concern, before ids get other persons."""
    moving = {*changed, *changed.values()}
    persons = tx.persons(moving.union(m.subject for m in messages))
    joining = {m.subject for m in messages if m.account is None or m.type == "group"}
    ids = tx.ids_of({persons.get(id_, id_) for id_ in joining | moving})
    linked = {id_: person for person, each in ids.items() for id_ in each}
    return People(persons | linked, tx.memberships(linked))


def link(tx: WriteTransaction, messages: Sequence[Message]) -> dict[str, str]:
    """Remember the links that new messages name; the person of each id that gets another one.

    Keeps the tally ``link_conflicts`` in line. The persons are not yet written.
    """
    named = links_in(messages)
    new = news(named, _known(tx, named)) if named else {}
    if not new:
        return {}
    around = _around(tx, new)
    before, after = resolve(around), resolve(around | new)
    tx.add_links([Link(*pair, *place) for pair, place in new.items()])
    if conflicts := len(after.conflicts) - len(before.conflicts):
        tx.count({"link_conflicts": conflicts})
    ids = {*before.users, *after.users}
    persons, ends = tx.persons(ids), after.persons()
    now = {id_: ends.get(id_, id_) for id_ in sorted(ids)}
    return {id_: person for id_, person in now.items() if persons.get(id_, id_) != person}


def moves(tx: ReadTransaction, before: People, after: People) -> list[Move]:
    """The stored messages that have another person or account now, in the order of facts."""
    turns = _turns(before, after)
    newest = tx.newest() if turns else None
    late = [(since, ids) for since, ids in turns.items() if newest is not None and since <= newest]
    found = [stored for since, ids in late for stored in tx.events(ids, since)]
    found.sort(key=lambda stored: _order(stored.message))
    was = [each._replace(person=before.user(each.message.subject)) for each in found]
    now = after.attribute([each.message for each in found])
    return [(old, new) for old, new in zip(was, now, strict=True) if old[1:] != new[1:]]


def _turns(before: People, after: People) -> dict[int, list[str]]:
    """From when on messages may be attributed anew: the ids that they came with, by time."""
    alike: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for id_ in after.memberships:
        alike[before.person(id_), after.person(id_)].append(id_)
    turns: defaultdict[int, list[str]] = defaultdict(list)
    for ids in alike.values():
        turn = _turn(ids[0], before, after)
        if turn is not None:
            turns[turn] += ids
    return turns


def _turn(id_: str, before: People, after: People) -> int | None:
    if before.user(id_) != after.user(id_):
        return START
    was, now = before.calls(id_), after.calls(id_)
    if was == now:
        return None
    times = sorted({call.time for call in {*was} ^ {*now}})
    return next((t for t in times if _account_at(was, t) != _account_at(now, t)), None)


def _account_at(calls: Sequence[Membership], time: int) -> str | None:
    index = bisect_right(calls, time, key=attrgetter("time"))
    return calls[index - 1].account if index else None


def _known(tx: ReadTransaction, named: Links) -> dict[Pair, Place]:
    """What is known of named links. A visitor without a person has no link at all."""
    persons = tx.persons({id_ for id_, _ in named})
    pairs = {pair for pair in named if pair[0] in persons or pair[0].startswith(_USER)}
    return _by_pair(tx.links_between(pairs))


def _around(tx: ReadTransaction, new: Links) -> dict[Pair, Place]:
    """The stored links that have a say in what new ones come to.

    Between users that is every link that is connected with a new one. A visitor has the first of
    its links, which is one of those to the person whose it is; where all are new visitors, it is
    enough to know whose the users are.
    """
    ids = {id_ for pair in new for id_ in pair}
    persons = tx.persons(ids)
    if not any(id_ in persons or id_.startswith(_USER) for id_, _ in new):
        return dict.fromkeys(persons.items(), (START, ""))
    owned = tx.ids_of({persons.get(id_, id_) for id_ in ids})
    links = _connected(tx, _users(chain.from_iterable(owned.values())))
    persons = tx.persons({id_ for pair in links for id_ in pair})
    return {
        (id_, user): place
        for (id_, user), place in links.items()
        if id_.startswith(_USER)
        or persons.get(id_) == persons.get(user, user)
        or (id_, user) in new
    }


def _connected(tx: ReadTransaction, users: set[str]) -> dict[Pair, Place]:
    """Every link of users, and of the users whom those lead to or from, and so on."""
    links: dict[Pair, Place] = {}
    seen: set[str] = set()
    while users:
        links |= _by_pair(tx.links(users))
        seen |= users
        ends = (pair for pair in links if pair[0].startswith(_USER))
        users = {*chain.from_iterable(ends)} - seen
    return links


def _users(ids: Iterable[str]) -> set[str]:
    return {id_ for id_ in ids if id_.startswith(_USER)}


def _by_pair(links: Collection[Link]) -> dict[Pair, Place]:
    return {(link.id, link.user): (link.time, link.mid) for link in links}
