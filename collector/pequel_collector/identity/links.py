"""Who is who: the links that messages name between ids, and the person at the end of them.

An id is a subject key: a user's or a visitor's. A *link* says that an id is a user's, and stands
at the place in the order of facts of the first message that says so. Links are taken in that
order: each id has one, the first, and one that would close a circle is passed over. Hence who is
who is a pure function of the links, in whatever order they become known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from ..model import Message, anonymous_key, user_key

Pair = tuple[str, str]
"""An id, and the user that it is named with."""

Place = tuple[int, str]
"""A place in the order of facts: time and messageId."""

Links = Mapping[Pair, Place]

_USER = user_key("")


def links_in(messages: Sequence[Message]) -> dict[Pair, Place]:
    """The links that messages name, each at its first place.

    A message with a user and a visitor links the visitor to the user; an alias links its previous
    id, as a user and as a visitor. Who names nobody but oneself links nothing.
    """
    named = [(anonymous_key(m.anonymous_id), m) for m in messages if m.anonymous_id is not None]
    aliases = [m for m in messages if m.type == "alias"]
    named += [(id_, message) for message in aliases for id_ in _previous(message)]
    links: dict[Pair, Place] = {}
    for id_, message in named:
        user, place = message.subject, (message.time, message.mid)
        if user.startswith(_USER) and id_ != user:
            links[id_, user] = min(place, links.get((id_, user), place))
    return links


def news(named: Links, known: Links) -> dict[Pair, Place]:
    """The named links that are not known, or not at so early a place."""
    return {
        pair: place for pair, place in named.items() if pair not in known or place < known[pair]
    }


@dataclass(frozen=True, slots=True)
class Resolution:
    """What links come to: the user that each linked id is given to, and the links that lost.

    ``conflicts`` are those whose id had a link already. One that would have closed a circle is
    none of them.
    """

    users: dict[str, str] = field(default_factory=dict)
    conflicts: set[Pair] = field(default_factory=set)

    def person(self, id_: str) -> str:
        """The user at the end of the links; an id without a link is a person of its own."""
        while id_ in self.users:
            id_ = self.users[id_]
        return id_

    def persons(self) -> dict[str, str]:
        """The person of every linked id."""
        ends = dict(self.users)
        return {id_: _end(id_, ends) for id_ in self.users}


def resolve(links: Links) -> Resolution:
    """Take links in the order of facts.

    They must be all that touch any of their users, but of a visitor the first is enough, for
    nobody is linked to a visitor.
    """
    resolution = Resolution()
    ends: dict[str, str] = {}
    for id_, user in sorted(links, key=links.__getitem__):
        if id_ in ends:
            resolution.conflicts.add((id_, user))
        elif _end(user, ends) != id_:
            resolution.users[id_] = ends[id_] = user
    return resolution


def _previous(alias: Message) -> list[str]:
    previous = alias.previous_id
    return [] if previous is None else [anonymous_key(previous), user_key(previous)]


def _end(id_: str, ends: dict[str, str]) -> str:
    """Where an id leads to. On the way it shortens the way for the next who asks."""
    while (user := ends.get(id_)) is not None:
        ends[id_] = ends.get(user, user)
        id_ = user
    return id_
