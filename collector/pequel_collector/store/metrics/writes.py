"""Writing what metrics are counted from: the part of a write transaction that serves them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence

from ...model import account_key, bucket_of
from ...ports import MILESTONES, FirstFact, ReadTransaction, RevenueEvent, Spend
from .. import rows, statements
from ..encoding import escape, unescape
from ..session import Row, Session
from . import statements as sql
from .reads import SPEND_WRITES, MetricReads

_OF_PERSON = ("seen", "signup", "trial", "value", "conversion")


class MetricWrites(MetricReads, ReadTransaction):
    """The methods of ``ports.WriteTransaction`` for metrics, over a session."""

    _session: Session
    _keeps: bool | None = None

    def note_stale_milestones(self, ids: Iterable[str]) -> None:
        """Note ids whose messages, persons or accounts change, if anybody asks for metrics."""
        if self._keeps is None:
            self._keeps = self.meta(MILESTONES) is not None
        if self._keeps:
            self._session.insert(sql.NOTE_STALE, sorted({rows.of_key(id_) for id_ in ids}))

    def add_first_facts(
        self, facts: Sequence[FirstFact], revenue: Sequence[RevenueEvent]
    ) -> list[FirstFact]:
        known = {fact[:3]: fact[3:6] for fact in self.first_facts({f.subject for f in facts})}
        first: dict[tuple[str, str, str], FirstFact] = {}
        for fact in sorted(facts, key=lambda fact: fact[3:6]):
            if fact[:3] not in first and fact[3:6] < known.get(fact[:3], _AFTER_ALL):
                first[fact[:3]] = fact
        written = [_from_first_fact(fact) for fact in first.values()]
        self._session.insert(sql.ADD_FIRST_FACTS, sorted(written, key=lambda row: row[:4]))
        added = {event[:4]: _from_revenue(event) for event in revenue}
        self._session.insert(sql.ADD_REVENUE, [added[key] for key in sorted(added)])
        return list(first.values())

    def forget_first_facts(self, ids: Collection[str]) -> set[str]:
        accounts = self.accounts_of_first_facts(ids)
        self._session.run_for(sql.FORGET_FIRST_FACTS, ids)
        self._session.run_for(sql.FORGET_REVENUE, ids)
        return accounts

    def refresh_milestones(self, ids: Collection[str], accounts: Collection[str]) -> None:
        persons = self.persons(ids)
        gone = [id_ for id_ in ids if persons.get(id_, id_) != id_]
        whose = {persons.get(id_, id_) for id_ in ids if not id_.startswith("g:")}
        saved = [*self._of_persons(whose), *self._of_accounts(set(accounts) - {""})]
        kept = {row[0] for row in saved}
        asked = {*gone, *whose, *map(account_key, accounts)}
        self._session.run_for(sql.REMOVE_MILESTONES, {k for k in asked if escape(k) not in kept})
        self._session.insert(sql.SAVE_MILESTONES, sorted(saved, key=lambda row: row[:2]))

    def clear_stale_milestones(self, ids: Collection[str]) -> None:
        self._session.run_for(sql.CLEAR_STALE, ids)

    def clear_milestones(self) -> None:
        for statement in sql.CLEAR:
            self._session.run(statement)

    def save_spend(self, spent: Sequence[Spend]) -> None:
        latest = {each[:3]: each for each in spent}
        written = [(day, escape(channel), money, a) for day, channel, money, a in latest.values()]
        self._session.insert(sql.SAVE_SPEND, sorted(written))
        number = int(self.meta(SPEND_WRITES) or 0) + 1
        self._session.insert(statements.SET_META, [(SPEND_WRITES, str(number))])

    def _of_persons(self, whose: Collection[str]) -> list[Row]:
        ids_of = self.ids_of(whose)
        owners = {id_: person for person, ids in ids_of.items() for id_ in ids}
        found: defaultdict[str, list[FirstFact]] = defaultdict(list)
        for fact in self.first_facts(owners):
            found[owners[fact.subject]].append(fact)
        return [_of_person(person, facts) for person, facts in found.items()]

    def _of_accounts(self, accounts: Collection[str]) -> list[Row]:
        times: defaultdict[str, dict[str, int]] = defaultdict(dict)
        found = self._session.run(sql.ACCOUNT_FIRSTS, accounts=sorted(accounts)) if accounts else ()
        for account, role, time in found:
            times[unescape(account)][role] = time
        return [self._of_account(account, first) for account, first in times.items()]

    def _of_account(self, account: str, first: dict[str, int]) -> Row:
        member = next(iter(self._session.run(sql.FIRST_MEMBER, account=account)), (None,))[0]
        key = account_key(account)
        times = (first.get("trial"), first.get("value"), first.get("conversion"))
        return (escape(key), bucket_of(key), first["seen"], None, *times, member, None)


_AFTER_ALL = (2**62, 0, "")


def _of_person(person: str, facts: Sequence[FirstFact]) -> Row:
    times = {
        role: min((f.time for f in facts if f.role == role), default=None) for role in _OF_PERSON
    }
    touches = [fact for fact in facts if fact.role == "touch"]
    channel = min(touches, key=lambda fact: fact[3:6]).channel if touches else None
    found = (times[role] for role in _OF_PERSON)
    return (escape(person), bucket_of(person), *found, None, escape(channel))


def _from_first_fact(fact: FirstFact) -> Row:
    subject, role, account, time, position, mid, channel = fact
    key = escape(subject), role, escape(account), bucket_of(subject)
    return (*key, time, position, escape(mid), escape(channel))


def _from_revenue(event: RevenueEvent) -> Row:
    subject, time, position, mid, account, *rest = event
    place = time, position, escape(mid)
    return (escape(subject), *place, bucket_of(subject), escape(account), *rest)
