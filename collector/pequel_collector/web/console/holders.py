"""Who has a lead, since when, and who gave it to them. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ...leads.routing import route_in
from ...ports import Change


class Holder(NamedTuple):
    """Who has a lead now.

    ``since`` is when they got it (ms), and ``giver`` who gave it: a person or a route, as the
    ledger names them. Both are None where the history does not say it.
    """

    owner: str
    since: int | None = None
    giver: str | None = None

    @property
    def took_it(self) -> bool:
        """Whether they took it themselves."""
        return self.giver == self.owner

    @property
    def route(self) -> str | None:
        """The route that gave it to them; None if a person did."""
        return route_in(self.giver)


def holder_of(owner: str | None, history: Sequence[Change]) -> Holder | None:
    """Who has a lead, by its latest entry that changed the owner; None if nobody has it."""
    if owner is None:
        return None
    for change in reversed(history):
        if isinstance(change.after, Mapping) and "owner" in change.after:
            is_theirs = change.after["owner"] == owner
            return Holder(owner, change.at, change.actor) if is_theirs else Holder(owner)
    return Holder(owner)
