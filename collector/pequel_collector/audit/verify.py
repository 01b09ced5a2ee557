"""Compare everything that is derived with a replay of the stored messages.

It goes subject by subject, in the order of their keys: visitors, accounts, users. A number of
subjects share one consistent view of the store, so a collector can go on writing meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from time import monotonic

from ..errors import BadRequest, NotFound, Unavailable
from ..identity.links import FactOrder, links_in
from ..identity.people import group_calls
from ..insights.metrics.roles import Roles
from ..leads.basis import SUPERSEDED, is_superseded
from ..leads.ledger import ExplainedQualification, expiry, next_cycle
from ..leads.states import Outcome, outcome, winning
from ..leads.transitions import LeadKey, transitions_by_lead
from ..marking.active import backfill_progress, version_in_force
from ..marking.evaluators import Evaluators, active_evaluators, evaluators_of
from ..marking.replay import Replay
from ..model import Conversion, Lead, Message, Stored, fact_order, kind_of, lead_id
from ..ports import LeadCursor, LeadFilter, Link, Membership, ReadTransaction, Store, Trait
from ..rules.engine.state import Fact, State
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
from .milestones import MilestoneCheck, catch_up_if_kept

AT_ONCE = 500
"""How many subjects, or leads, one query lists."""

SECONDS_PER_VIEW = 20.0
"""How long one view of the store is used. An old view keeps the database from freeing space."""

Clock = Callable[[], int]
OnProgress = Callable[[int], None]
Report = Callable[[Difference], None]
KeysAfter = Callable[[ReadTransaction, str], list[str]]


@dataclass(slots=True)
class Summary:
    """What was compared, and the number of differences.

    ``outdated`` are leads that the definitions in force do not judge, which stay as they are: they
    qualified before a change with ``on_change = "forward"``.
    ``unattributed`` are events without an account, ``conflicts`` links of an id that has an earlier
    one to another user. ``tallied`` says whether the tallies were compared; if messages arrive
    meanwhile, they are not.
    """

    subjects: int = 0
    messages: int = 0
    leads: int = 0
    outdated: int = 0
    differences: int = 0
    unattributed: int = 0
    conflicts: int = 0
    tallied: bool = True


def verify(
    store: Store,
    clock: Clock,
    report: Report,
    on_progress: OnProgress | None = None,
    catalogue: Catalogue | None = None,
) -> Summary:
    """Verify a store under the definitions in force, and report each difference as it is found.

    ``catalogue`` are the definitions that the caller expects to be in force, None for any.
    ``on_progress`` gets the number of subjects done. Raises NotFound if no collector has opened the
    store yet, BadRequest if other definitions are in force, and Unavailable if those change
    meanwhile or the back-fill under them is not finished.
    """
    with store.reading() as tx:
        evaluators = _evaluators_in_force(tx, catalogue)
    return _Verification(store, evaluators, clock, report, on_progress).run()


def _evaluators_in_force(tx: ReadTransaction, catalogue: Catalogue | None) -> Evaluators:
    version = version_in_force(tx)
    if version is None:
        raise NotFound("no collector has opened this database yet: there is nothing to verify")
    if catalogue is not None and evaluators_of(tx, catalogue).version != version:
        raise BadRequest(
            "other definitions are in force in this database: without --config they are verified"
        )
    progress = backfill_progress(tx)
    if progress is not None and not progress.is_finished:
        raise Unavailable("history is still being replayed under changed definitions: verify later")
    return active_evaluators(tx)


@dataclass(frozen=True, slots=True)
class _Extent:
    """Which messages there are: it changes when one arrives."""

    messages: int
    latest: str | None


class _Verification:
    def __init__(
        self,
        store: Store,
        evaluators: Evaluators,
        clock: Clock,
        report: Report,
        on_progress: OnProgress | None,
    ) -> None:
        self._store, self._evaluators, self._clock = store, evaluators, clock
        self._report, self._on_progress = report, on_progress
        self._summary = Summary()
        self._replay: Replay | None = None
        self._extent: _Extent | None = None
        self._roles = Roles.of(evaluators.catalogue.project)

    def run(self) -> Summary:
        catch_up_if_kept(self._store, self._roles)
        with self._store.reading() as tx:
            before = _extent(tx)
        self._verify_all(lambda tx, after: tx.visitors(after, AT_ONCE))
        self._verify_all(lambda tx, after: tx.subjects(after, AT_ONCE))
        with self._store.reading() as tx:
            if tx.totals()["leads"] != self._summary.leads:
                self._report_all(_leads_without_messages(tx, self._evaluators))
            self._summary.tallied = _extent(tx) == before
            if self._summary.tallied:
                self._report_all(self._tallies(tx.totals()))
        return self._summary

    def _verify_all(self, keys_after: KeysAfter) -> None:
        after: str | None = ""
        while after is not None:
            with self._store.reading() as tx:
                if version_in_force(tx) != self._evaluators.version:
                    raise Unavailable("the definitions have changed meanwhile: verify again")
                after = self._verify_some(tx, after, keys_after)

    def _verify_some(self, tx: ReadTransaction, after: str, keys_after: KeysAfter) -> str | None:
        """Verify subjects for a while; the key of the last one, or None at the end."""
        replay, began = self._replay_in(tx), monotonic()
        milestones = MilestoneCheck(tx, self._roles)
        while keys := keys_after(tx, after):
            for key in keys:
                self._verify(_Subject(tx, self._evaluators, replay, key, milestones))
                replay.trim()
            after = keys[-1]
            if self._on_progress:
                self._on_progress(self._summary.subjects)
            if monotonic() - began > SECONDS_PER_VIEW:
                return after
        return None

    def _replay_in(self, tx: ReadTransaction) -> Replay:
        """The replay so far, if no message has arrived and no clock runs; else a new one."""
        extent, replay = _extent(tx), self._replay
        if replay is None or extent != self._extent or self._evaluators.has_clock:
            replay = self._replay = Replay(tx, self._evaluators, self._clock())
        replay.use(tx)
        self._extent = extent
        return replay

    def _verify(self, subject: _Subject) -> None:
        self._report_all(subject.differences())
        self._summary.subjects += 1
        self._summary.messages += subject.messages
        self._summary.leads += subject.leads
        self._summary.outdated += subject.outdated
        self._summary.unattributed += subject.unattributed
        self._summary.conflicts += subject.conflicts

    def _report_all(self, found: Iterable[Difference]) -> None:
        for difference in found:
            self._summary.differences += 1
            self._report(difference)

    def _tallies(self, totals: dict[str, int]) -> Found:
        summary = self._summary
        counted = {"unattributed": summary.unattributed, "link_conflicts": summary.conflicts}
        for name, number in counted.items():
            yield from differ("", f"tally {name}", totals.get(name, 0), number)


def _extent(tx: ReadTransaction) -> _Extent:
    latest = tx.latest(1)
    return _Extent(tx.totals()["messages"], latest[0].message.mid if latest else None)


class _Subject:
    """One visitor, account or user id, and what was counted while comparing it."""

    def __init__(
        self,
        tx: ReadTransaction,
        evaluators: Evaluators,
        replay: Replay,
        key: str,
        milestones: MilestoneCheck,
    ) -> None:
        self._milestones = milestones
        self._tx, self._evaluators, self._replay, self._key = tx, evaluators, replay, key
        self._identities = replay.identities
        self.messages = self.leads = self.outdated = self.unattributed = self.conflicts = 0

    def differences(self) -> Found:
        """Everything stored of it that is not what its messages give."""
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
        facts = self._replay.facts(self._key, self._messages_noting(calls))
        yield from self._milestones.of_account(self._key, self._replay.messages(self._key))
        yield from self._traits([self._key], calls)
        yield from self._derived(facts)

    def _messages_noting(self, calls: list[Message]) -> Iterator[Stored]:
        """The messages of an account, once; the group calls among them go into a list."""
        for each in self._replay.messages(self._key):
            self.messages += each.message.is_of_account  # others are counted with their person
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
        yield from self._derived(self._replay.facts(self._key, found))

    # -- who is who ------------------------------------------------------------------------

    def _links(self, messages: list[Message]) -> Found:
        """The links that the messages of this user name."""
        made = {ids.id: place for ids, place in links_in(messages).items()}
        around = self._tx.links([self._key])
        links = [link for link in around if link.user == self._key]
        stored = {link.id: FactOrder(*fact_order(link)) for link in links}
        yield from entries(self._key, "link of", stored, made)
        self.conflicts = sum(map(self._identities.is_conflict, links))
        yield from self._links_to_nobody(around)

    def _links_to_nobody(self, links: list[Link]) -> Found:
        """Links of this id to users who have no message."""
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
        """Compare accounts, group calls and traits; the messages as they should be attributed."""
        messages = [each.message for each in stored]
        found = self._replay.attributed(self._key, messages)
        for was, now in zip(stored, found, strict=True):
            yield from differ(self._key, f"account of {now.message.mid}", was.account, now.account)
        self.messages = len(found)
        self.unattributed = sum(s.account is None and s.message.is_event for s in found)
        yield from self._memberships(ids, messages)
        yield from self._milestones.of_ids(ids[0], ids, found)
        own = [m for m in messages if m.type != "group" or m.account is None]
        yield from self._traits(ids, own)
        return found

    def _memberships(self, ids: list[str], messages: list[Message]) -> Found:
        stored = [call for calls in self._tx.memberships(ids).values() for call in calls]
        accounts = [_accounts(calls) for calls in (stored, group_calls(messages))]
        for call in {**accounts[1], **accounts[0]}:
            pair = [each.get(call, ABSENT) for each in accounts]
            yield from differ(self._key, f"group call {call.mid}", *pair)

    def _traits(self, ids: list[str], messages: list[Message]) -> Found:
        """Traits that messages set: a group call on its account, others on their user."""
        account = ids[0] if kind_of(ids[0]) == "account" else None
        made = [
            Trait(account or m.subject, name, m.time, m.mid, value, m.position)
            for m in messages
            for name, value in m.traits_set.items()
        ]
        values = [_values(traits) for traits in (self._tx.trait_history(ids), made)]
        for trait in {**values[1], **values[0]}:
            pair = [each.get(trait, ABSENT) for each in values]
            yield from differ(self._key, f"trait {trait.name} of message {trait.mid}", *pair)

    # -- what is derived -------------------------------------------------------------------

    def _derived(self, facts: list[Fact]) -> Found:
        subject = self._replay.begin(self._key)
        body = self._tx.histories([self._key]).get(self._key)
        if body is not None:
            world, is_stale = self._replay.world, bool(self._tx.stale([self._key]))
            comparison = HistoryComparison(self._tx, self._key, subject, world)
            yield from comparison.differences(body, facts, is_stale)
        elif facts:
            yield Difference(self._key, "history", "nothing", f"{len(facts)} facts")
        subject.extend(facts[len(subject) :])
        if self._evaluators.has_clock:
            for latest in self._tx.latest(1):  # when it came, the clock ran for every subject
                subject.advance(latest.message.received)
        yield from self._leads(subject.qualifications, subject.head)

    def _leads(self, qualifications: dict[LeadKey, ExplainedQualification], state: State) -> Found:
        leads = self._tx.leads_of([self._key])[self._key]
        self.leads = len(leads)
        stored = {LeadKey(lead.definition, lead.cycle): lead for lead in leads}
        for key, qualification in qualifications.items():
            yield from self._lead(key, stored.get(key), qualification)
        for key, lead in stored.items():
            if key not in qualifications or self._evaluators.in_force.keeps(lead):
                yield from self._lead_without_basis(key, lead)
            yield from self._flag(key, lead)
        if stored:
            yield from self._outcomes(stored, self._replay.conversions(state))

    def _outcomes(self, stored: dict[LeadKey, Lead], conversions: list[Conversion]) -> Found:
        """What became of leads, from the conversions and from what people did."""
        done = transitions_by_lead(self._tx, {self._key: self._replay.ids_of(self._key)})
        for key, lead in stored.items():
            conversion = winning(lead, conversions, next_cycle(key, stored))
            wanted = outcome(replace(lead, conversion=conversion), done[self._key].get(key, ()))
            what = _lead_name(key)
            yield from differ(self._key, f"{what}, conversion", lead.conversion, conversion)
            for name in Outcome.__slots__:
                parts = getattr(lead, name), getattr(wanted, name)
                yield from differ(self._key, f"{what}, {name}", *parts)

    def _lead(
        self, key: LeadKey, lead: Lead | None, qualification: ExplainedQualification
    ) -> Found:
        what = _lead_name(key)
        if lead is not None and self._evaluators.in_force.keeps(lead):
            return
        if lead is None or lead.state == "voided":
            stored = "nothing" if lead is None else "voided"
            yield Difference(self._key, what, stored, f"qualified at {moment(qualification.time)}")
            return
        yield from differ(self._key, f"{what}, withdrawn", lead.withdrawn, None)
        wanted = self._as_it_should_be(lead, qualification)
        for name in ("qualified_at", "expires_at"):
            times = moment(getattr(lead, name)), moment(getattr(wanted, name))
            yield from differ(self._key, f"{what}, {name}", *times)
        for name in ("id", "version", "account"):
            parts = getattr(lead, name), getattr(wanted, name)
            yield from differ(self._key, f"{what}, {name}", *parts)
        for path, was, now in unlike(lead.evidence, wanted.evidence):
            where = " ".join(("evidence", *map(str, path)))
            yield Difference(self._key, f"{what}, {where}", shown(was), shown(now))

    def _as_it_should_be(self, lead: Lead, qualification: ExplainedQualification) -> Lead:
        definition = self._evaluators.catalogue.named(lead.definition)
        return replace(
            lead,
            id=lead_id(lead.definition, self._key, lead.cycle),
            version=self._evaluators.versions[lead.definition],
            qualified_at=qualification.time,
            account=qualification.account,
            expires_at=expiry(definition, qualification.time),
            evidence=qualification.evidence,
        )

    def _lead_without_basis(self, key: LeadKey, lead: Lead) -> Found:
        """A lead that the messages do not give under the definitions in force."""
        in_force = self._evaluators.in_force
        if lead.merged_into is not None:
            return
        if not in_force.judges(lead):
            self.outdated += 1
        elif lead.withdrawn is None:
            stored = f"qualified at {moment(lead.qualified_at)}"
            yield Difference(self._key, _lead_name(key), stored, "nothing")
        else:
            reason = in_force.reason(lead)
            yield from differ(self._key, f"{_lead_name(key)}, withdrawn", lead.withdrawn, reason)

    def _flag(self, key: LeadKey, lead: Lead) -> Found:
        flags = SUPERSEDED in lead.flags, is_superseded(lead)
        yield from differ(self._key, f"{_lead_name(key)}, flag {SUPERSEDED}", *flags)


def _accounts(calls: Iterable[Membership]) -> dict[Membership, str]:
    """The accounts of group calls, by all else that they have."""
    return {call._replace(account=""): call.account for call in calls}


def _values(traits: Iterable[Trait]) -> dict[Trait, object]:
    """The values of traits, by all else that they have."""
    return {trait._replace(value=None): trait.value for trait in traits}


def _lead_name(key: LeadKey) -> str:
    return f"lead for {key.definition}" + (f", cycle {key.cycle}" if key.cycle > 1 else "")


def _leads_without_messages(tx: ReadTransaction, evaluators: Evaluators) -> Found:
    """Leads with a basis, of subjects that have no message."""
    cursor: LeadCursor | None = None
    while found := tx.leads(LeadFilter(), AT_ONCE, cursor):
        cursor = found[-1][1]
        for lead, _ in found:
            is_active = lead.withdrawn is None and evaluators.in_force.judges(lead)
            if is_active and tx.span([lead.subject]) is None:
                what = _lead_name(LeadKey(lead.definition, lead.cycle))
                qualified = f"qualified at {moment(lead.qualified_at)}"
                yield Difference(lead.subject, what, qualified, "nothing")
