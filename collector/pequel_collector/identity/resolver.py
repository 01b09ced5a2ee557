"""Who is who, resolved anew from the stored links and nothing else."""

from __future__ import annotations

from typing import NamedTuple

from ..model import kind_of
from ..ports import Link, ReadTransaction
from .links import Pair, Place, Resolution, resolve

ROOM = 50_000
"""Groups of connected ids that are remembered, at most."""


class Circle(NamedTuple):
    """Users who are connected by links: who each is, and all links to them, visitors' too."""

    resolution: Resolution
    links: list[Link]


class Identities:
    """Who is who, resolved anew from the stored links."""

    def __init__(self, tx: ReadTransaction) -> None:
        self._tx = tx
        self._circles: dict[str, Circle] = {}
        self._first: dict[str, Link | None] = {}

    def person(self, id_: str) -> str:
        """Whose an id is; without a link it is a person of its own."""
        if kind_of(id_) == "user":
            return self._circle(id_).resolution.person(id_)
        first = self._first_link(id_)
        return id_ if first is None else self.person(first.user)

    def user(self, id_: str) -> str | None:
        """Whose an id is; None for a visitor whom no link leads to a user."""
        person = self.person(id_)
        return person if kind_of(person) == "user" else None

    def ids_of(self, person: str) -> list[str]:
        """All ids of a person, its own first."""
        if kind_of(person) != "user":
            return [person]
        ids = {link.id for link in self._circle(person).links}
        return [person, *sorted(id_ for id_ in ids - {person} if self.person(id_) == person)]

    def is_conflict(self, link: Link) -> bool:
        """Whether a link lost to an earlier one of its id."""
        if kind_of(link.id) == "user":
            return (link.id, link.user) in self._circle(link.user).resolution.conflicts
        first = self._first_link(link.id)
        return first is not None and first.user != link.user

    def go_on(self, tx: ReadTransaction) -> None:
        """Go on in another view of the store, in which the links are the same."""
        self._tx = tx

    def trim(self) -> None:
        """Forget what was found, where that is much."""
        for known in (self._circles, self._first):
            if len(known) > ROOM:
                known.clear()

    def _first_link(self, visitor: str) -> Link | None:
        if visitor not in self._first:
            self._first[visitor] = next(iter(self._tx.links([visitor])), None)
        return self._first[visitor]

    def _circle(self, user: str) -> Circle:
        if user not in self._circles:
            users, links = self._connected(user)
            between = {_pair(link): _place(link) for link in links if kind_of(link.id) == "user"}
            circle = Circle(resolve(between), links)
            self._circles.update(dict.fromkeys(users, circle))
        return self._circles[user]

    def _connected(self, user: str) -> tuple[set[str], list[Link]]:
        links: set[Link] = set()
        seen: set[str] = set()
        users = {user}
        while users:
            links.update(self._tx.links(users))
            seen |= users
            ends = {end for link in links if kind_of(link.id) == "user" for end in _pair(link)}
            users = ends - seen
        return seen, sorted(links)


def _pair(link: Link) -> Pair:
    return link.id, link.user


def _place(link: Link) -> Place:
    return link.time, link.mid
