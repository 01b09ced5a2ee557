"""Everything that is derived, made anew from the stored messages and held against what is stored.

Subject by subject, in the order of their keys: visitors, accounts, users. Some subjects at a time
are looked at in one consistent view of the store, so that a collector may go on writing meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from time import monotonic

from ..errors import BadRequest, NotFound, Unavailable
from ..identity.links import links_in
from ..leads.ledger import Verdict
from ..marking.active import CATALOGUE, backfill_progress
from ..marking.evaluators import Evaluators, active_evaluators, evaluators_of
from ..marking.replay import Replay, SubjectReplay, calls_in
from ..model import Lead, Message, Stored, kind_of, lead_id
from ..ports import LeadCursor, LeadFilter, Link, ReadTransaction, Store
from ..rules.engine.state import Fact
from ..rules.language.definition import Catalogue
from .compare import (
    ABSENT,
    Difference,
    Found,
    HistoryComparison,
    differ,
    entries,
    moment,
    shown,
    unlike,
)

AT_A_TIME = 500
"""How many subjects, or leads, are listed at a time."""

PATIENCE = 20.0
"""Seconds after which another view of the store is taken: an old one costs the database room."""

Clock = Callable[[], int]
Progress = Callable[[int], None]
Report = Callable[[Difference], None]
Qualifications = dict[tuple[str, int], Verdict]
"""Why a subject qualified, by the name of the definition and the cycle."""


@dataclass(slots=True)
class Summary:
    """What was looked at, and the number of differences.

    ``outdated`` are leads that only a version that is no longer in force gives; those stay as they
    are. ``tallied`` says whether the tallies could be compared: whether nothing arrived meanwhile.
    """

    subjects: int = 0
    messages: int = 0
    leads: int = 0
    outdated: int = 0
    differences: int = 0
    tallied: bool = True


def verify(
    store: Store,
    clock: Clock,
    report: Report,
    progress: Progress | None = None,
    catalogue: Catalogue | None = None,
) -> Summary:
    """Verify a store under the definitions in force, and report each difference as it is found.

    ``catalogue`` is what the caller takes to be in force, None for whatever is. ``progress`` is
    called with the number of subjects done. Raises NotFound in a store that no collector has
    opened yet, BadRequest where other definitions are in force, Unavailable where those change
    meanwhile or history is still being replayed under them.
    """
    with store.reading() as tx:
        evaluators = _in_force(tx, catalogue)
    return _Verification(store, evaluators, clock, report, progress).run()


def _in_force(tx: ReadTransaction, catalogue: Catalogue | None) -> Evaluators:
    note = tx.meta(CATALOGUE)
    if note is None:
        raise NotFound("no collector has opened this database yet: there is nothing to verify")
    if catalogue is not None and evaluators_of(tx, catalogue).version != note:
        raise BadRequest(
            "other definitions are in force in this database: without --config they are verified"
        )
    replay = backfill_progress(tx)
    if replay is not None and not replay.is_over:
        raise Unavailable("history is still being replayed under changed definitions: verify later")
    return active_evaluators(tx)


@dataclass(frozen=True, slots=True)
class _Extent:
    """What tells whether messages have arrived: how many there are, and the one that came last."""

    messages: int
    latest: str | None


class _Verification:
    def __init__(
        self,
        store: Store,
        evaluators: Evaluators,
        clock: Clock,
        report: Report,
        progress: Progress | None,
    ) -> None:
        self._store, self._machines, self._clock = store, evaluators, clock
        self._report, self._progress = report, progress
        self._summary = Summary()
        self._unattributed = self._conflicts = 0
        self._recount: Replay | None = None
        self._extent: _Extent | None = None

    def run(self) -> Summary:
        """Look at everything."""
        with self._store.reading() as tx:
            before = _extent(tx)
        self._walk(lambda tx, after: tx.visitors(after, AT_A_TIME))
        self._walk(lambda tx, after: tx.subjects(after, AT_A_TIME))
        with self._store.reading() as tx:
            if tx.totals()["leads"] != self._summary.leads:
                self._tell(_leads_of_nobody(tx, self._machines))
            self._summary.tallied = _extent(tx) == before
            if self._summary.tallied:
                self._tell(self._tallies(tx.totals()))
        return self._summary

    def _walk(self, keys_after: Callable[[ReadTransaction, str], list[str]]) -> None:
        after: str | None = ""
        while after is not None:
            with self._store.reading() as tx:
                if tx.meta(CATALOGUE) != self._machines.version:
                    raise Unavailable("the definitions have changed meanwhile: verify again")
                after = self._go_on(tx, after, keys_after)

    def _go_on(
        self,
        tx: ReadTransaction,
        after: str,
        keys_after: Callable[[ReadTransaction, str], list[str]],
    ) -> str | None:
        """Look at subjects for a while; the last one, or None at the end."""
        recount, began = self._recount_in(tx), monotonic()
        while keys := keys_after(tx, after):
            for key in keys:
                self._look(_Subject(tx, self._machines, recount, key))
                recount.trim()
            after = keys[-1]
            if self._progress:
                self._progress(self._summary.subjects)
            if monotonic() - began > PATIENCE:
                return after
        return None

    def _recount_in(self, tx: ReadTransaction) -> Replay:
        """What is known of others still holds in another view, if no time counts, nor a message."""
        extent, known = _extent(tx), self._recount
        if known is None or extent != self._extent or self._machines.has_clock:
            known = self._recount = Replay(tx, self._machines, self._clock())
        known.go_on(tx)
        self._extent = extent
        return known

    def _look(self, subject: _Subject) -> None:
        self._tell(subject.differences())
        self._summary.subjects += 1
        self._count(subject)

    def _count(self, subject: _Subject) -> None:
        self._summary.messages += subject.messages
        self._summary.leads += subject.leads
        self._summary.outdated += subject.outdated
        self._unattributed += subject.unattributed
        self._conflicts += subject.conflicts

    def _tell(self, found: Iterable[Difference]) -> None:
        for difference in found:
            self._summary.differences += 1
            self._report(difference)

    def _tallies(self, totals: dict[str, int]) -> Found:
        counted = {"unattributed": self._unattributed, "link_conflicts": self._conflicts}
        for name, number in counted.items():
            yield from differ("", f"tally {name}", totals.get(name, 0), number)


def _extent(tx: ReadTransaction) -> _Extent:
    latest = tx.latest(1)
    return _Extent(tx.totals()["messages"], latest[0].message.mid if latest else None)


class _Subject:
    """One visitor, account or user id, and what was counted in looking at it."""

    def __init__(
        self, tx: ReadTransaction, evaluators: Evaluators, recount: Replay, key: str
    ) -> None:
        self._tx, self._machines, self._recount, self._key = tx, evaluators, recount, key
        self._identities = recount.identities
        self.messages = self.leads = self.outdated = self.unattributed = self.conflicts = 0

    def differences(self) -> Found:
        """Everything about it that is not what its messages give."""
        match kind_of(self._key):
            case "account":
                yield from self._account()
            case "user":
                yield from self._user()
            case _:
                yield from self._visitor()

    def _visitor(self) -> Found:
        yield from self._links_to_nobody(self._tx.links([self._key]))
        if self._identities.user(self._key) is None:
            stored = self._tx.persons([self._key]).get(self._key)
            yield from differ(self._key, "person", stored or ABSENT, ABSENT)
            yield from self._facts_of_ids([self._key], list(self._tx.events([self._key])))

    def _account(self) -> Found:
        calls: list[Message] = []
        facts = self._recount.facts(self._key, self._noting(calls))
        yield from self._traits([self._key], calls)
        yield from self._derived(facts)

    def _noting(self, calls: list[Message]) -> Iterator[Stored]:
        """The messages of an account; the group calls that named it are noted on the way."""
        for each in self._recount.messages(self._key):
            if each.message.type == "group" and each.message.account is not None:
                calls.append(each.message)
            yield each

    def _user(self) -> Found:
        person = self._identities.person(self._key)
        own = list(self._tx.events([self._key]))
        yield from self._links([each.message for each in own])
        yield from self._persons(person)
        found: list[Stored] = []
        if person == self._key:
            ids = self._identities.ids_of(person)
            stored = own if ids == [person] else list(self._tx.events(ids))
            found = yield from self._facts_of_ids(ids, stored)
        yield from self._derived(self._recount.facts(self._key, found))

    # -- who is who ------------------------------------------------------------------------

    def _links(self, messages: list[Message]) -> Found:
        """The links that the messages of this user name."""
        made = {id_: place for (id_, _), place in links_in(messages).items()}
        around = self._tx.links([self._key])
        links = [link for link in around if link.user == self._key]
        stored = {link.id: (link.time, link.mid) for link in links}
        for id_ in {**made, **stored}:
            places = stored.get(id_, ABSENT), made.get(id_, ABSENT)
            yield from differ(self._key, f"link of {id_}", *places)
        self.conflicts = sum(map(self._identities.is_conflict, links))
        yield from self._links_to_nobody(around)

    def _links_to_nobody(self, links: list[Link]) -> Found:
        for link in links:
            if link.id == self._key and self._tx.span([link.user]) is None:
                yield Difference(self._key, f"link to {link.user}", moment(link.time), "nothing")

    def _persons(self, person: str) -> Found:
        stored = self._tx.persons([self._key]).get(self._key, self._key)
        yield from differ(self._key, "person", stored, person)
        if person == self._key:
            ids = self._tx.ids_of([person])[person], self._identities.ids_of(person)
            given = [dict.fromkeys(each, person) for each in ids]
            yield from entries(self._key, "person of", *given)

    # -- what is known of ids --------------------------------------------------------------

    def _facts_of_ids(
        self, ids: list[str], stored: list[Stored]
    ) -> Generator[Difference, None, list[Stored]]:
        """The accounts, group calls and traits of a person's messages; returns these as told."""
        messages = [each.message for each in stored]
        found = self._recount.attributed(self._key, messages)
        for was, now in zip(stored, found, strict=True):
            yield from differ(self._key, f"account of {now.message.mid}", was.account, now.account)
        self.messages = len(found)
        self.unattributed = sum(s.account is None and s.message.is_event for s in found)
        yield from self._memberships(ids, messages)
        own = [m for m in messages if m.type != "group" or m.account is None]
        yield from self._traits(ids, own)
        return found

    def _memberships(self, ids: list[str], messages: list[Message]) -> Found:
        stored = {c[:3]: c.account for calls in self._tx.memberships(ids).values() for c in calls}
        made = {call[:3]: call.account for call in calls_in(messages)}
        for place in {**made, **stored}:
            accounts = stored.get(place, ABSENT), made.get(place, ABSENT)
            yield from differ(self._key, f"group call {place[2]}", *accounts)

    def _traits(self, ids: list[str], messages: list[Message]) -> Found:
        """Traits that messages set: those of a group call on its account, others on their user."""
        stored = {each[:4]: each.value for each in self._tx.trait_history(ids)}
        made = {
            (ids[0] if kind_of(ids[0]) == "account" else m.subject, name, m.time, m.mid): value
            for m in messages
            for name, value in m.traits.items()
        }
        for place in {**made, **stored}:
            values = stored.get(place, ABSENT), made.get(place, ABSENT)
            yield from differ(self._key, f"trait {place[1]} of message {place[3]}", *values)

    # -- what is derived -------------------------------------------------------------------

    def _derived(self, facts: list[Fact]) -> Found:
        telling = self._recount.telling(self._key)
        body = self._tx.histories([self._key]).get(self._key)
        if body is not None:
            world, lags = self._recount.world, bool(self._tx.stale([self._key]))
            collation = HistoryComparison(self._tx, self._key, telling, world)
            yield from collation.differences(body, facts, lags)
        elif facts:
            yield Difference(self._key, "history", "nothing", f"{len(facts)} facts")
        telling.extend(facts[len(telling.book) :])
        self._let_the_clock_run(telling)
        yield from self._leads(_by_name(telling))

    def _let_the_clock_run(self, telling: SubjectReplay) -> None:
        """Up to when a message was last received, for then it ran for everybody."""
        latest = self._tx.latest(1) if self._machines.has_clock else []
        for each in latest:
            telling.advance(each.message.received)

    def _leads(self, verdicts: Qualifications) -> Found:
        leads = self._tx.leads_of([self._key])[self._key]
        self.leads = len(leads)
        stored = {(lead.definition, lead.cycle): lead for lead in leads}
        for place, verdict in verdicts.items():
            yield from self._lead(place, stored.get(place), verdict)
        for place, lead in stored.items():
            if place not in verdicts and lead.state != "voided":
                yield from self._not_given(lead)

    def _lead(self, place: tuple[str, int], lead: Lead | None, verdict: Verdict) -> Found:
        what = _lead_named(*place)
        if lead is None or lead.state == "voided":
            stands = "nothing" if lead is None else "voided"
            yield Difference(self._key, what, stands, f"qualified at {moment(verdict.time)}")
            return
        told = self._as_it_should_be(lead, verdict)
        for name in ("qualified_at", "expires_at"):
            times = moment(getattr(lead, name)), moment(getattr(told, name))
            yield from differ(self._key, f"{what}, {name}", *times)
        for name in ("id", "version", "account"):
            parts = getattr(lead, name), getattr(told, name)
            yield from differ(self._key, f"{what}, {name}", *parts)
        for steps, was, now in unlike(lead.evidence, told.evidence):
            where = " ".join(("evidence", *map(str, steps)))
            yield Difference(self._key, f"{what}, {where}", shown(was), shown(now))

    def _as_it_should_be(self, lead: Lead, verdict: Verdict) -> Lead:
        definition = self._machines.catalogue.named(lead.definition)
        expires = None if definition is None else definition.expires
        return replace(
            lead,
            id=lead_id(lead.definition, self._key, lead.cycle),
            version=self._machines.versions[lead.definition],
            qualified_at=verdict.time,
            account=verdict.account,
            expires_at=None if expires is None else verdict.time + expires,
            evidence=verdict.evidence,
        )

    def _not_given(self, lead: Lead) -> Found:
        """A lead that the messages do not give; one that was worked stays, and is flagged."""
        if self._machines.versions.get(lead.definition) != lead.version:
            self.outdated += 1
        elif lead.state == "new" or "restated" not in lead.flags:
            what = _lead_named(lead.definition, lead.cycle)
            yield Difference(
                self._key, what, f"qualified at {moment(lead.qualified_at)}", "nothing"
            )


def _by_name(telling: SubjectReplay) -> Qualifications:
    rules = telling.evaluator.rules
    return {(rules[rule].name, cycle): v for (rule, cycle), v in telling.verdicts.items()}


def _lead_named(definition: str, cycle: int) -> str:
    return f"lead for {definition}" + (f", cycle {cycle}" if cycle > 1 else "")


def _leads_of_nobody(tx: ReadTransaction, evaluators: Evaluators) -> Found:
    """Leads in force of subjects of which no message is stored."""
    cursor: LeadCursor | None = None
    while found := tx.leads(LeadFilter(), AT_A_TIME, cursor):
        cursor = found[-1][1]
        for lead, _ in found:
            active_definitions = evaluators.versions.get(lead.definition) == lead.version
            if active_definitions and tx.span([lead.subject]) is None:
                what = _lead_named(lead.definition, lead.cycle)
                qualified = f"qualified at {moment(lead.qualified_at)}"
                yield Difference(lead.subject, what, qualified, "nothing")
