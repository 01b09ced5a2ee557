"""The links that did not count, for people who look for mistakes in their tracking."""

from __future__ import annotations

from collections.abc import Collection

from ..model import kind_of
from ..ports import Link, ReadTransaction
from .resolver import Identities

MAX_LINKS = 1_000
"""Links of a person that are looked at, the first ones. A device of many people has very many."""


def conflicts_of(tx: ReadTransaction, ids: Collection[str]) -> list[Link]:
    """The conflicts among the links of a person with these ids, in the order of facts.

    Each is a link of one of the ids to another user, or of another person's id to one of the ids.
    """
    identities, first = Identities(tx), set[str]()
    found = []
    for link in tx.links(ids, MAX_LINKS):
        if kind_of(link.id) == "user":
            is_conflict = identities.is_conflict(link)
        else:
            # The first link of a visitor counts. Who has it has the visitor among their ids.
            is_conflict = link.id not in ids or link.id in first
            first.add(link.id)
        if is_conflict:
            found.append(link)
    return found
