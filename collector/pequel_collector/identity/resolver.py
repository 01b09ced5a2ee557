"""Who is who, resolved from the stored links and nothing else."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from ..model import kind_of
from ..ports import Link, ReadTransaction
from .links import LinkedIds, connected, places, resolve

CACHED = 50_000
"""How many users, and how many visitors, are remembered at most."""


class Group(NamedTuple):
    """Users who are connected by links: who each is, and who is linked to each person.

    ``candidates`` are the ids with a link to any id of a person; a visitor may have an earlier link
    to somebody else.
    """

    persons: dict[str, str]
    conflicts: set[LinkedIds]
    candidates: dict[str, set[str]]


class Identities:
    """Who is who, resolved from the stored links."""

    def __init__(self, tx: ReadTransaction) -> None:
        self._tx = tx
        self._groups: dict[str, Group] = {}
        self._first: dict[str, Link | None] = {}

    def person(self, id_: str) -> str:
        """The person of an id; an id without a link is a person of its own."""
        kind = kind_of(id_)
        if kind == "user":
            return self._group(id_).persons.get(id_, id_)
        if kind == "account":
            return id_  # of a message without a person
        first = self._first_link(id_)
        return id_ if first is None else self.person(first.user)

    def user(self, id_: str) -> str | None:
        """The person of an id; None for a visitor who is not linked to a user."""
        person = self.person(id_)
        return person if kind_of(person) == "user" else None

    def ids_of(self, person: str) -> list[str]:
        """All ids of a person, its own first."""
        if kind_of(person) != "user":
            return [person]
        ids = self._group(person).candidates.get(person, set())
        return [person, *sorted(id_ for id_ in ids - {person} if self.person(id_) == person)]

    def is_conflict(self, link: Link) -> bool:
        """Whether a link lost to an earlier one of its id."""
        if kind_of(link.id) == "user":
            return LinkedIds(link.id, link.user) in self._group(link.user).conflicts
        first = self._first_link(link.id)
        return first is not None and first.user != link.user

    def use(self, tx: ReadTransaction) -> None:
        """Read from another transaction, in which the links are the same."""
        self._tx = tx

    def trim(self) -> None:
        """Forget what was found, if it is much."""
        for known in (self._groups, self._first):
            if len(known) > CACHED:
                known.clear()

    def _first_link(self, visitor: str) -> Link | None:
        if visitor not in self._first:
            self._first[visitor] = next(iter(self._tx.links([visitor])), None)
        return self._first[visitor]

    def _group(self, user: str) -> Group:
        if user not in self._groups:
            users, links = connected(self._tx, {user})
            between = places(link for link in links if kind_of(link.id) == "user")
            resolution = resolve(between)
            persons = resolution.persons()
            candidates: defaultdict[str, set[str]] = defaultdict(set)
            for link in links:
                candidates[persons.get(link.user, link.user)].add(link.id)
            group = Group(persons, resolution.conflicts, candidates)
            self._groups.update(dict.fromkeys(users, group))
        return self._groups[user]
