"""Stored messages as facts of their subjects."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice

from ..leads.states import ENDS
from ..model import Stored, Transition, account_key, fact_order, kind_of
from ..ports import ReadTransaction
from ..rules.engine.state import Fact
from .evaluators import Evaluators
from .history import History, TooManyFacts

MESSAGES_PER_LOOKUP = 500
"""How many messages share one query for their persons."""


def facts_since(
    tx: ReadTransaction, evaluators: Evaluators, histories: Mapping[str, History]
) -> dict[str, list[Fact]]:
    """The facts of each subject that are later than the head of its history, in order."""
    since = min(history.head.time for history in histories.values())
    found = facts_of(tx, evaluators, histories.keys(), since)
    return {
        key: [fact for fact in facts if fact.time > histories[key].head.time]
        for key, facts in found.items()
    }


def facts_of(
    tx: ReadTransaction,
    evaluators: Evaluators,
    keys: Collection[str],
    since: int | None = None,
    limit: int | None = None,
) -> dict[str, list[Fact]]:
    """The facts of each subject, or those from an instant on (ms), in order.

    Persons and accounts are taken as stored. An id that is linked to another person has no facts
    of its own. Raises TooManyFacts if the subjects have more messages than ``limit`` in total.
    """
    found: dict[str, list[Fact]] = {key: [] for key in keys}
    users = [key for key in keys if kind_of(key) == "user"]
    linked = tx.persons(users)
    own = [key for key in users if key not in linked]
    ids = tx.ids_of(own)
    person_of = {id_: person for person in own for id_ in ids.get(person, [person])}
    events = tx.events(person_of, since) if person_of else iter(())
    room = _Room(limit)
    for each in room.checked(events):
        person = person_of[each.message.subject]
        if (fact := evaluators.users.fact(each._replace(person=person))) is not None:
            found[person].append(fact)
    accounts = [key for key in keys if kind_of(key) == "account"]
    events = tx.events(accounts, since) if accounts else iter(())
    for each in with_persons(tx, room.checked(events)):
        if each.account is not None and (fact := evaluators.accounts.fact(each)) is not None:
            found[account_key(each.account)].append(fact)
    if evaluators.cooling:
        subjects = person_of | {account: account for account in accounts}
        _add_ends(found, ends_of(tx, evaluators, subjects), subjects)
    return found


def ends_of(
    tx: ReadTransaction, evaluators: Evaluators, ids: Collection[str]
) -> dict[str, list[Fact]]:
    """The ends of leads of some ids as facts, where a definition has a cooldown."""
    found: dict[str, list[Fact]] = {}
    for transition in tx.transitions_of(ids) if evaluators.cooling else ():
        if (fact := end_of(transition, evaluators)) is not None:
            found.setdefault(transition.subject, []).append(fact)
    return found


def end_of(transition: Transition, evaluators: Evaluators) -> Fact | None:
    """A dismissed or lost lead as a fact of its subject; None if no cooldown asks for it."""
    if transition.patch.state not in ENDS or transition.definition not in evaluators.cooling:
        return None
    return Fact(transition.at, f"end {transition.number}", ended=transition.definition)


def _add_ends(
    found: dict[str, list[Fact]], ends: Mapping[str, list[Fact]], person_of: Mapping[str, str]
) -> None:
    for id_, facts in ends.items():
        person = person_of[id_]
        found[person] = sorted([*found[person], *facts], key=fact_order)


class _Room:
    """How many more messages may be read."""

    def __init__(self, limit: int | None) -> None:
        self._limit, self._read = limit, 0

    def checked(self, messages: Iterable[Stored]) -> Iterator[Stored]:
        """The same messages. Raises TooManyFacts when they are too many."""
        for each in messages:
            self._read += 1
            if self._limit is not None and self._read > self._limit:
                raise TooManyFacts
            yield each


def with_persons(tx: ReadTransaction, messages: Iterable[Stored]) -> Iterator[Stored]:
    """Messages, each with its person as stored."""
    known: dict[str, str | None] = {}
    rest = iter(messages)
    while some := list(islice(rest, MESSAGES_PER_LOOKUP)):
        new = {each.message.subject for each in some} - known.keys()
        linked = tx.persons(new)
        for id_ in new:
            known[id_] = linked.get(id_, id_ if kind_of(id_) == "user" else None)
        yield from (each._replace(person=known[each.message.subject]) for each in some)
