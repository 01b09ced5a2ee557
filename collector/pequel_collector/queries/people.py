"""The people of an account, most engaged first, and who of them caused its leads."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import NamedTuple

from ..errors import NotFound
from ..marking.snapshot import Snapshot
from ..model import Lead, account_key, id_of, kind_of
from ..ports import Activity, ReadTransaction
from ..rules.language.quantities import DAY
from .answers import Person
from .directory import named, person_traits

RECENTLY = 30 * DAY
"""Events of the last 30 days say who is engaged."""

MAX_MESSAGES = 10_000
"""Messages of an account that are read, those that arrived last."""

MAX_DECIDING = 1_000
"""Messages of one instant among which those that decided a lead are looked for."""


class PeopleCursor(NamedTuple):
    """The last person of a page, as of a time (ms)."""

    now: int
    recent: int
    last: int
    key: str


class People(NamedTuple):
    """People, and whether all messages of the account were read."""

    data: list[Person]
    complete: bool
    next: PeopleCursor | None


def people(snapshot: Snapshot, account: str, limit: int, after: PeopleCursor | None) -> People:
    """Those with a message in an account. Raises NotFound for an account never seen."""
    tx, key = snapshot.tx, account_key(account)
    now = snapshot.now if after is None else after.now
    found, complete = tx.activity_in(key, now - RECENTLY, MAX_MESSAGES)
    if not found:
        raise NotFound(f"there is no account {account}", kind="account", id=account)
    persons = _by_person(tx, found)
    order = sorted((-each.recent, -each.last, person) for person, each in persons.items())
    if after is not None:
        order = [each for each in order if each > (-after.recent, -after.last, after.key)]
    keys = [person for *_, person in order[:limit]]
    shown = _answers(snapshot, key, {person: persons[person] for person in keys})
    last = persons[keys[-1]] if len(order) > limit else None
    cursor = last and PeopleCursor(now, last.recent, last.last, keys[-1])
    return People(shown, complete, cursor)


def _by_person(tx: ReadTransaction, found: Mapping[str, Activity]) -> dict[str, Activity]:
    """The activity of each person, over all ids; without visitors who are not known."""
    linked = tx.persons(found)
    persons: dict[str, Activity] = {}
    for id_, activity in found.items():
        person = linked.get(id_, id_)
        if kind_of(person) == "user":
            persons[person] = persons.get(person, Activity()).plus(activity)
    return persons


def _answers(snapshot: Snapshot, account: str, persons: Mapping[str, Activity]) -> list[Person]:
    tx, names = snapshot.tx, person_traits(snapshot.evaluators.catalogue)
    ids = tx.ids_of(persons)
    traits = tx.traits(ids)
    leads = tx.leads_of([account])[account]
    caused = _caused(tx, account, [lead for lead in leads if lead.state != "voided"])
    return [
        Person(
            id=id_of(person),
            traits=named(traits[person], names),
            first_seen=activity.first,
            last_seen=activity.last,
            events=activity.events,
            events_30d=activity.recent,
            caused=caused.get(person, []),
        )
        for person, activity in persons.items()
    ]


def _caused(tx: ReadTransaction, account: str, leads: Iterable[Lead]) -> dict[str, list[str]]:
    """The ids of the leads that each person caused: with an event that decided it.

    An event decides a lead if it happened at the instant of the lead, and is evidence of it. Where
    no evidence names one of that instant, each message of it decides.
    """
    found: defaultdict[str, list[str]] = defaultdict(list)
    for lead in leads:
        at = lead.qualified_at
        messages = [each.message for each in islice(tx.events([account], at, at), MAX_DECIDING)]
        named_ = _named_in(lead)
        deciding = [each for each in messages if each.mid in named_]
        users = {each.subject for each in deciding or messages}
        for person in {tx.persons(users).get(user, user) for user in users}:
            found[person].append(lead.id)
    return found


def _named_in(lead: Lead) -> set[str]:
    """The ids of the messages in the evidence of a lead. Earlier releases stored only the ids."""
    events = [each for leaf in lead.evidence.get("leaves", ()) for each in leaf["events"]]
    return {each if isinstance(each, str) else each["message_id"] for each in events}
