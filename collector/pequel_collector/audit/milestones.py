"""Whether the tables that metrics are counted from are what the messages give.

The tables catch up when somebody asks, so first they do. Ids whose messages arrive meanwhile are
left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from ..insights.metrics import catch_up
from ..insights.metrics.roles import Roles, first_facts, revenue_events
from ..model import Stored, id_of
from ..ports import BlockMessage, FirstFact, Milestone, ReadTransaction, Store
from .compare import Found, entries

_OF_PERSON = ("seen", "signup", "trial", "value", "conversion")


class MilestoneCheck:
    """Compares the milestones of subjects with their messages, in one view of the store."""

    def __init__(self, tx: ReadTransaction, roles: Roles) -> None:
        self._tx, self._roles = tx, roles
        done = catch_up.progress(tx)
        self._is_kept = done is not None and done.roles == roles.digest
        self._unread: frozenset[str] = frozenset()
        if done is not None and self._is_kept:
            self._unread = frozenset((*done.ids, *tx.ids_not_read(done.block, done.messages)))

    def of_ids(self, key: str, ids: Sequence[str], stored: Sequence[Stored]) -> Found:
        """A person or a visitor, of all its ids."""
        if not self._is_kept or not self._unread.isdisjoint(ids):
            return
        messages = [catch_up.block_message(each) for each in stored]
        facts = first_facts(messages, self._roles)
        yield from entries(key, "first fact", _named(self._tx.first_facts(ids)), _named(facts))
        events = (self._tx.revenue_of(ids), revenue_events(messages, self._roles))
        yield from entries(key, "revenue event", *({e.mid: e[1:] for e in each} for each in events))
        found = self._tx.milestones([key]).get(key)
        given = _milestone_of(facts) if facts else None
        yield from entries(key, "milestone", _fields(found), _fields(given))

    def of_account(self, key: str, stored: Iterable[Stored]) -> Found:
        """An account, of all messages that fell to it."""
        if not self._is_kept:
            return
        ids: set[str] = set()
        members: list[str] = []
        facts = first_facts(_noting(stored, ids, members), self._roles)
        if not self._unread.isdisjoint(ids):
            return
        own = _milestone_of([fact for fact in facts if fact.account == id_of(key)])
        given = own._replace(signup=None, channel=None, first_member=next(iter(members), None))
        found = self._tx.milestones([key]).get(key)
        is_given = given.seen is not None
        yield from entries(key, "milestone", _fields(found), _fields(given if is_given else None))


def _noting(stored: Iterable[Stored], ids: set[str], members: list[str]) -> Iterator[BlockMessage]:
    """The messages for metrics; their ids and the first person go into the lists."""
    for each in stored:
        ids.add(each.message.subject)
        if each.person is not None and not members:
            members.append(each.person)
        yield catch_up.block_message(each)


def catch_up_if_kept(store: Store, roles: Roles) -> None:
    """Read what was stored since the last time, if somebody has ever asked for a metric."""
    if catch_up.is_kept(store):
        catch_up.catch_up(store, roles)


def _named(facts: Iterable[FirstFact]) -> dict[str, object]:
    return {f"{f.role} of {f.subject} in {f.account!r}": f[3:] for f in facts}


def _milestone_of(facts: Collection[FirstFact]) -> Milestone:
    seen, signup, trial, value, conversion = (
        min((fact.time for fact in facts if fact.role == role), default=None) for role in _OF_PERSON
    )
    touches = sorted((fact for fact in facts if fact.role == "touch"), key=lambda fact: fact[3:6])
    channel = touches[0].channel if touches else None
    return Milestone(seen, signup, trial, value, conversion, None, channel)


def _fields(found: Milestone | None) -> dict[str, object]:
    return {} if found is None else found._asdict()
