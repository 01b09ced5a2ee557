"""What arrives, in the order in which it was committed: events, refused events, and leads.

A page begins at a place in the log of arrivals. Nothing is missed while others write, because an
arrival is never added before one that was visible. Who comes back too late reads how far they are
behind: the item ``missed``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Literal, NamedTuple

from ...model import Stored, account_key
from ...ports import Arrival, ReadTransaction, StoredRejectedEvent
from ..answers import LeadAnswer
from ..cursors import decode_place, encode, list_id
from ..queries import Queries
from .looking_back import look_back
from .wanted import FollowFilter, ids_wanted, is_refused_wanted, is_wanted

ARRIVALS_AT_ONCE = 64
"""Arrivals that a step reads."""

MAX_STEPS = 10
"""Steps of a page. With filters it may come out empty, and still have a next one."""

What = Literal["event", "refused", "lead", "missed"]


class Place(NamedTuple):
    """A place in the log of arrivals: the first so many items of an arrival were read."""

    number: int
    taken: int


class Followed(NamedTuple):
    """Something that arrived. ``number`` is how many items were missed; None if nobody knows."""

    kind: What
    at: int | None = None
    event: Stored | None = None
    refused: StoredRejectedEvent | None = None
    lead: LeadAnswer | None = None
    number: int | None = None
    looks_like: str | None = None
    """The event that was probably meant, where no definition uses the name of this one."""


class FollowPage(NamedTuple):
    """What arrived, and where to read on."""

    data: Sequence[Followed]
    next_cursor: str
    next: Place


class Named(NamedTuple):
    """An item of an arrival, by its id."""

    arrival: Arrival
    kind: What
    id: str
    after: Place


class Following:
    """Reads what arrives, over one store."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries

    def place(self, wanted: FollowFilter, cursor: str | None) -> Place:
        """Where to read on; without a cursor, after what has arrived by now. Raises BadRequest."""
        found = decode_place(_list(wanted), cursor)
        if found is not None:
            return Place(*found)
        with self._queries.store.reading() as tx:
            return Place(tx.last_arrival() + 1, 0)

    def page(self, wanted: FollowFilter, limit: int, place: Place) -> FollowPage:
        """What arrived from a place on, oldest first. It always has a next cursor."""
        with self._queries.store.reading() as tx:
            last = tx.last_arrival()
            if place.number > last + 1:  # of another database, or of one that was restored
                found, place = [Followed("missed")], Place(last + 1, 0)
            else:
                found, place = self._read(tx, wanted, limit, place)
        return FollowPage(found, encode(_list(wanted), *place), place)

    def latest(self, wanted: FollowFilter, number: int) -> FollowPage:
        """The last items that arrived, oldest first, and the place after them.

        It looks at a bounded part of the log. With a filter, older messages and rejected events
        come from what is stored, so there are fewer only where those looked at have no more.
        """
        with self._queries.store.reading() as tx:
            end = tx.last_arrival()
            subjects = ids_wanted(tx, wanted)
            backwards = named_backwards(tx, end)
            found: list[Followed] = []
            for _ in range(MAX_STEPS):
                named = list(islice(backwards, max(number, ARRIVALS_AT_ONCE)))[::-1]
                found = [*self._items(tx, named, wanted, subjects), *found]
                if not named or len(found) >= number:
                    break
            if any(wanted) and len(found) < number:
                found = [*_older(tx, wanted, number, found), *found]
        place = Place(end + 1, 0)
        return FollowPage(found[-number:], encode(_list(wanted), *place), place)

    def _read(
        self, tx: ReadTransaction, wanted: FollowFilter, limit: int, place: Place
    ) -> tuple[list[Followed], Place]:
        found: list[Followed] = []
        subjects = ids_wanted(tx, wanted)
        for _ in range(MAX_STEPS):
            arrivals = tx.arrivals_after(place.number - 1, ARRIVALS_AT_ONCE)
            if not arrivals or len(found) >= limit:
                break
            if arrivals[0].number > place.number:
                found.append(Followed("missed"))
                place = Place(arrivals[0].number, 0)
            named = list(items_of(arrivals, place, limit - len(found)))
            found += self._items(tx, named, wanted, subjects)
            place = named[-1].after if named else place
        return found, place

    def _items(
        self,
        tx: ReadTransaction,
        named: Sequence[Named],
        wanted: FollowFilter,
        subjects: frozenset[str],
    ) -> Iterator[Followed]:
        """The items that still exist and are wanted."""
        messages = tx.messages(ids_of(named, "event"))
        rejected = tx.rejected_by_id(ids_of(named, "refused"))
        leads = self._leads(tx, named, wanted, subjects)
        for item in named:
            if item.kind == "missed":
                yield Followed("missed", number=item.arrival.left_out)
            elif (stored := messages.get(item.id)) and is_wanted(stored, wanted, subjects):
                yield Followed("event", stored.message.received, event=stored)
            elif (refused := rejected.get(item.id)) and is_refused_wanted(
                refused, wanted, subjects
            ):
                yield Followed("refused", refused.received_at, refused=refused)
            elif item.kind == "lead" and (answer := leads.get(item.id)):
                yield Followed("lead", answer.lead.marked_at, lead=answer)

    def _leads(
        self,
        tx: ReadTransaction,
        named: Sequence[Named],
        wanted: FollowFilter,
        subjects: frozenset[str],
    ) -> Mapping[str, LeadAnswer]:
        found = tx.leads_by_id(ids_of(named, "lead"))
        if not found:
            return {}
        if any(wanted):
            by_arrival = _by_arrival(tx, named, wanted, subjects)
            found = {
                id_: lead
                for id_, lead in found.items()
                if lead.subject in subjects or lead.subject in by_arrival[id_]
            }
        answers = self._queries.answers_in(tx, list(found.values()))
        return {answer.lead.id: answer for answer in answers}


def _older(
    tx: ReadTransaction, wanted: FollowFilter, number: int, found: Sequence[Followed]
) -> list[Followed]:
    """What is stored of what is wanted besides what was found, oldest first."""
    known = {each.event.message.mid for each in found if each.event}
    known_refused = {each.refused.id for each in found if each.refused}
    stored = look_back(tx, wanted, number)
    older = [
        *(
            Followed("event", each.message.received, event=each)
            for each in stored.messages
            if each.message.mid not in known
        ),
        *(
            Followed("refused", each.received_at, refused=each)
            for each in stored.rejected
            if each.id not in known_refused
        ),
    ]
    return sorted(older, key=lambda each: each.at or 0)


def _by_arrival(
    tx: ReadTransaction, named: Sequence[Named], wanted: FollowFilter, subjects: frozenset[str]
) -> Mapping[str, set[str]]:
    """The subjects of the wanted events that came together with each lead, by its id.

    The messages of each arrival are read once, however many leads it has.
    """
    read: dict[int, set[str]] = {}
    found: dict[str, set[str]] = {}
    for item in named:
        if item.kind == "lead":
            number = item.arrival.number
            if number not in read:
                read[number] = _subjects_of_events(tx, item.arrival, wanted, subjects)
            found[item.id] = read[number]
    return found


def _subjects_of_events(
    tx: ReadTransaction, arrival: Arrival, wanted: FollowFilter, subjects: frozenset[str]
) -> set[str]:
    """The users and accounts of the wanted events of an arrival."""
    found: set[str] = set()
    for start in range(0, len(arrival.messages), 100):
        came = tx.messages(arrival.messages[start : start + 100])
        of_filter = [each for each in came.values() if is_wanted(each, wanted, subjects)]
        ids = {each.message.subject for each in of_filter}
        accounts = {account_key(each.account) for each in of_filter if each.account is not None}
        found |= ids | accounts | set(tx.persons(ids).values())
    return found


def _list(wanted: FollowFilter) -> str:
    return list_id("following", wanted)


def items_of(arrivals: Sequence[Arrival], place: Place, limit: int) -> Iterator[Named]:
    """The items of arrivals from a place on, in the order: events, refused ones, leads.

    What an arrival does not name comes last, as one item ``missed``.
    """
    for arrival in arrivals:
        sorts: tuple[tuple[What, Sequence[str]], ...] = (
            ("event", arrival.messages),
            ("refused", arrival.rejected),
            ("lead", arrival.leads),
            ("missed", ("",) if arrival.left_out else ()),
        )
        items = [(kind, id_) for kind, ids in sorts for id_ in ids]
        start = place.taken if arrival.number == place.number else 0
        for i, (kind, id_) in enumerate(items[start:], start + 1):
            if limit <= 0:
                return
            limit -= 1
            is_last = i == len(items)
            after = Place(arrival.number + 1, 0) if is_last else Place(arrival.number, i)
            yield Named(arrival, kind, id_, after)


def named_backwards(tx: ReadTransaction, end: int) -> Iterator[Named]:
    """The items of the arrivals that are kept, from the last one back."""
    while end > 0:
        first = max(1, end + 1 - ARRIVALS_AT_ONCE)
        arrivals = tx.arrivals_after(first - 1, end + 1 - first)
        for arrival in reversed(arrivals):
            yield from reversed(list(items_of([arrival], Place(arrival.number, 0), sys.maxsize)))
        if not arrivals or arrivals[0].number > first:  # older ones are deleted
            return
        end = first - 1


def ids_of(named: Sequence[Named], kind: What) -> list[str]:
    """The ids of the items of one kind."""
    return [item.id for item in named if item.kind == kind]
