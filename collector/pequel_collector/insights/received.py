"""Which events arrive: those among the latest messages, with their properties."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from ..model import Stored
from ..ports import ReadTransaction
from .sample import Arrivals
from .sampling import arrivals


class Received(NamedTuple):
    """The events among the latest ``messages``, by name, and when the last of each was (ms).

    ``users`` is how many users or visitors sent each. ``is_whole`` says that there are no other
    messages, so an event that is not among them was never received.
    """

    messages: int
    is_whole: bool
    events: Mapping[str, Arrivals]
    lasts: Mapping[str, int]
    users: Mapping[str, int]


def received(tx: ReadTransaction, limit: int) -> Received:
    """The events among the latest messages, at most so many."""
    found = tx.latest(limit + 1)
    latest = found[:limit]
    lasts: dict[str, int] = {}
    users: dict[str, set[str]] = {}
    for name, message in _named(latest):
        lasts[name] = max(lasts.get(name, message.message.time), message.message.time)
        users.setdefault(name, set()).add(message.message.subject)
    numbers = {name: len(keys) for name, keys in users.items()}
    return Received(len(latest), len(found) <= limit, arrivals(latest, tx), lasts, numbers)


def _named(latest: list[Stored]) -> list[tuple[str, Stored]]:
    return [(stored.message.name, stored) for stored in latest if stored.message.name is not None]
