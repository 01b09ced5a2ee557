"""Who is who: the links between ids that messages name, and the person at the end of them.

An id is the subject key of a user or a visitor. A link says that an id is a user's. It has a place
in the order of facts (time, position, messageId): that of the first message that names it. Links
are taken in that order. The first link of an id counts, each later one is a conflict, and a link
that would close a circle is skipped. So who is who depends on the set of links only, not on the
order in which they arrive:

    (10, 0, "m1")   a:v1  -> u:ada     v1 is ada
    (20, 0, "m2")   u:ada -> u:adele   ada is adele, and so is v1
    (30, 0, "m3")   a:v1  -> u:bob     a conflict: v1 has a link already
    (30, 1, "a4")   u:adele -> u:ada   skipped: it would close a circle
    persons         a:v1, u:ada -> u:adele
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ..model import Message, anonymous_key, fact_order, kind_of, user_key
from ..ports import Link, ReadTransaction


class LinkedIds(NamedTuple):
    """An id, and the user that it is named with."""

    id: str
    user: str


class FactOrder(NamedTuple):
    """A place in the order of facts."""

    time: int
    position: int
    mid: str


Links = Mapping[LinkedIds, FactOrder]

_USER = user_key("")


def links_in(messages: Sequence[Message]) -> dict[LinkedIds, FactOrder]:
    """The links that messages name, each at its first place.

    A message with a user and a visitor links the visitor to the user. An alias links its previous
    id, both as a user and as a visitor. An id is never linked to itself.
    """
    named = [(anonymous_key(m.anonymous_id), m) for m in messages if m.anonymous_id is not None]
    aliases = [m for m in messages if m.type == "alias"]
    named += [(id_, message) for message in aliases for id_ in _previous_ids(message)]
    links: dict[LinkedIds, FactOrder] = {}
    for id_, message in named:
        user = message.subject
        if user.startswith(_USER) and id_ != user:
            ids, place = LinkedIds(id_, user), FactOrder(*fact_order(message))
            links[ids] = min(place, links.get(ids, place))
    return links


def news(named: Links, known: Links) -> dict[LinkedIds, FactOrder]:
    """The named links that are not known yet, or only at a later place."""
    return {ids: place for ids, place in named.items() if ids not in known or place < known[ids]}


@dataclass(frozen=True, slots=True)
class Resolution:
    """What links come to: the user that each linked id was given, and the links that lost.

    ``conflicts`` are the links whose id had another link already. A link that was skipped because
    it would close a circle is not among them.
    """

    users: dict[str, str] = field(default_factory=dict)
    conflicts: set[LinkedIds] = field(default_factory=set)

    def persons(self) -> dict[str, str]:
        """The person of every linked id."""
        ends = dict(self.users)
        return {id_: end_of(id_, ends) for id_ in self.users}


def resolve(links: Links) -> Resolution:
    """Take links in the order of facts.

    They must be all links to or from any of their users. Of a visitor the first link is enough,
    since no id is linked to a visitor.
    """
    resolution = Resolution()
    ends: dict[str, str] = {}
    for ids in sorted(links, key=links.__getitem__):
        id_, user = ids
        if id_ in ends:
            resolution.conflicts.add(ids)
        elif end_of(user, ends) != id_:
            resolution.users[id_] = ends[id_] = user
    return resolution


def places(links: Iterable[Link]) -> dict[LinkedIds, FactOrder]:
    """Stored links by their ids."""
    return {LinkedIds(link.id, link.user): FactOrder(*fact_order(link)) for link in links}


def connected(tx: ReadTransaction, users: set[str]) -> tuple[set[str], set[Link]]:
    """Users, all users that links connect with them, and every link of any of these."""
    links: set[Link] = set()
    seen: set[str] = set()
    while users:
        found = set(tx.links(users)) - links  # a chain takes a round for each of its links
        links |= found
        seen |= users
        between = (link for link in found if kind_of(link.id) == "user")
        users = {end for link in between for end in (link.id, link.user)} - seen
    return seen, links


def _previous_ids(alias: Message) -> list[str]:
    previous = alias.previous_id
    return [] if previous is None else [anonymous_key(previous), user_key(previous)]


def end_of(id_: str, ends: dict[str, str]) -> str:
    """Where an id leads to. It shortens the chain on the way, for the next call."""
    while (user := ends.get(id_)) is not None:
        ends[id_] = ends.get(user, user)
        id_ = user
    return id_
