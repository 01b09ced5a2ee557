"""The ledger of leads: opens, restates, voids and merges them, and logs each change.

A lead is one definition, one subject and one cycle. What people did with a lead stays. When it
qualified, and on what evidence, follows the facts and the definition in force.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from operator import attrgetter

from msgspec import UNSET

from ..model import (
    JSON,
    Conversion,
    Lead,
    LeadPatch,
    Routed,
    Transition,
    iso,
    lead_id,
)
from ..ports import Change, ReadTransaction, WriteTransaction
from ..rules.engine.state import Qualification
from ..rules.language.definition import Catalogue, Definition
from ..rules.language.lead_condition import LeadView
from .basis import DEFINITION_CHANGED, SUPERSEDED, InForce, is_superseded
from .change_log import ChangeLog, basis_of, outcome_as_logged
from .deadlines import WAITING, passed
from .holdout import HOLDOUT, falls_in, is_held_out
from .outbox import to_send
from .router import Router
from .routing import route_actor
from .states import Outcome, apply, is_claimed, outcome, outcome_of, winning
from .transitions import LeadKey, transitions_of
from .view import needs_of, view_of

CONVERTED = "the conversion"
"""The reason for the state of a lead that a conversion has won."""

_LAST = 2**62
"""The number of a transition until it is stored."""


@dataclass(frozen=True, slots=True)
class ExplainedQualification:
    """A ``Qualification`` with its evidence: that a definition qualified, and why.

    ``late`` says that a deciding fact was received more than an hour after its time. ``deciding``
    are the ids of the messages that decided it.
    """

    time: int
    account: str | None
    evidence: dict[str, JSON]
    late: bool = False
    deciding: frozenset[str] = frozenset()


@dataclass(slots=True)
class Effects:
    """What aligning did to leads, by id.

    ``gained`` have a basis that they did not have before, ``lost`` the reverse, voided or not.
    ``moved`` qualified at another time before, which is given (ms).
    """

    gained: dict[str, Lead] = field(default_factory=dict)
    lost: dict[str, Lead] = field(default_factory=dict)
    moved: dict[str, tuple[Lead, int]] = field(default_factory=dict)


class Ledger:
    """The leads of one transaction. ``new`` are the ids of the messages that it stored.

    ``catalogue`` says who gets new leads. Until ``close``, nothing is written: a read transaction
    will do to see the ``effects``.
    """

    def __init__(
        self,
        tx: ReadTransaction,
        in_force: InForce,
        catalogue: Catalogue,
        now: int,
        new: Collection[str] = (),
    ) -> None:
        self._tx, self._in_force, self._now, self._new = tx, in_force, now, frozenset(new)
        self.effects = Effects()
        self._leads: dict[str, dict[LeadKey, Lead]] = {}
        self._transitions: dict[str, dict[LeadKey, list[Transition]]] = {}
        self._saved: dict[str, Lead] = {}
        self._opened: dict[str, Lead] = {}
        self._log = ChangeLog(now)
        self._routed: list[Transition] = []
        self._catalogue = catalogue
        self._router = Router(tx, catalogue, now, lambda key: self._of(key).values())

    def close(self, tx: WriteTransaction) -> list[Lead]:
        """Write all changes; the leads that were opened, earliest qualification first."""
        if self._routed:
            tx.add_transitions(self._routed)
        self._router.close(tx)
        tx.save_leads(list(self._saved.values()))
        self._queue_alerts(tx, tx.log(self._log.entries))
        opened = (lead for lead in self._opened.values() if lead.state != "voided")
        return sorted(opened, key=attrgetter("qualified_at", "definition", "subject", "cycle"))

    def _queue_alerts(self, tx: WriteTransaction, logged: Sequence[Change]) -> None:
        """Put what alerts send of these entries into the outbox."""
        rules = self._in_force.alerts
        if not (rules.alerts and logged):
            return
        needs = needs_of(alert.when for alert in rules.alerts)

        def view(lead: Lead) -> LeadView:
            return view_of(tx, lead, self._catalogue, needs, lambda key: self._of(key).values())

        tx.queue_deliveries(list(to_send(rules, logged, self._saved, self._now, view)))

    def load(self, subjects: Collection[str]) -> None:
        """Read the leads of several subjects at once."""
        for subject, leads in self._tx.leads_of(subjects).items():
            self._leads[subject] = {LeadKey(lead.definition, lead.cycle): lead for lead in leads}
        worked = [subject for subject in subjects if self._leads[subject]]
        self._transitions |= transitions_of(self._tx, worked)

    # -- following the qualifications ------------------------------------------------------

    def align(
        self,
        subject: str,
        definitions: Mapping[str, Definition],
        qualifications: Mapping[LeadKey, ExplainedQualification | Qualification],
        conversions: Collection[Conversion],
        replayed: bool,
    ) -> None:
        """Bring the leads of a subject in line with its qualifications and conversions.

        A qualification without evidence is as it was before, so its lead keeps its basis.
        """
        leads, fresh = self._of(subject), []
        for key, qualification in qualifications.items():
            if isinstance(qualification, ExplainedQualification):
                definition, lead = definitions[key.definition], leads.get(key)
                if lead is None or (lead.state == "voided" and not _can_come_back(lead)):
                    opened = self._new_lead(subject, definition, key.cycle, qualification, replayed)
                    self._open(opened, "opened" if lead is None else "reopened")
                    fresh.append(opened)
                elif not self._in_force.keeps(lead):
                    self._restate(lead, definition, qualification)
        for key, lead in leads.items():
            if key not in qualifications and self._in_force.judges(lead):
                self._withdraw(lead)
        for key, lead in leads.items():
            self._win(lead, winning(lead, conversions, next_cycle(key, leads)))
        for lead in fresh:
            self._route(lead)

    def lead(self, named: Lead) -> Lead:
        """A lead as it is now in this transaction."""
        return self._of(named.subject)[LeadKey(named.definition, named.cycle)]

    def transitions(self, lead: Lead) -> list[Transition]:
        """What people did with a lead, in order."""
        self._of(lead.subject)
        return self._did(lead.subject, LeadKey(lead.definition, lead.cycle))

    def take(self, lead: Lead, transition: Transition, what: str) -> None:
        """Bring a lead in line with what somebody has just done with it."""
        found = self.lead(lead)
        self.transitions(found).append(transition)
        before = outcome_of(found)
        self._apply(found)
        self._log.add_outcome(found, what, before, transition.reason, transition.actor)
        self._save(found)

    # -- who gets a lead -------------------------------------------------------------------

    def _route(self, lead: Lead) -> None:
        """Route a lead that has been opened, unless it was before, is closed, or is held out."""
        if lead.state not in WAITING or is_held_out(lead):
            return
        if lead.route is None and (routed := self._router.decide(lead)) is not None:
            self._follow(lead, routed, "routed")
        if lead.route is not None:
            self._router.set_deadlines(lead, self._first_routed(lead))
        self._save(lead)

    def _follow(self, lead: Lead, routed: Routed, what: str) -> None:
        """Record what a route decided, and bring the lead in line with it."""
        before, done = outcome_of(lead), self.transitions(lead)
        at = max([self._now, lead.qualified_at + 1, *(earlier.at for earlier in done)])
        of, actor = (lead.subject, lead.definition, lead.cycle), route_actor(routed)
        made = Transition(*of, at, LeadPatch(routed=routed), routed.why, actor, number=_LAST)
        self._routed.append(made)
        done.append(made)
        self._apply(lead)
        self._log.add_outcome(lead, what, before, routed.why, actor)

    def _first_routed(self, lead: Lead) -> int:
        done = self.transitions(lead)
        return min((t.at for t in done if t.patch.routed is not UNSET), default=self._now)

    def pass_deadlines(self, named: Lead) -> None:
        """Log that a lead is due soon or overdue, and escalate it, if it is time; once each."""
        lead = self.lead(named)
        for what in passed(lead, self._now):
            lead.due_soon_at = None
            if what == "escalated":
                self._escalate(lead)
                continue
            if what == "overdue":
                lead.overdue_for = lead.due_at
            due = None if lead.due_at is None else iso(lead.due_at)
            self._log.add(lead, what, {}, {"due_at": due})
        self._save(lead)

    def _escalate(self, lead: Lead) -> None:
        """Give a lead to whom its route names next. From a partner's claim no partner takes it."""
        to, lead.escalate_at = self._router.next_assignment(lead), None
        if to is not None and to.kind == "partner" and is_claimed(lead, self._now):
            lead.escalate_at = lead.claimed_until
        elif (routed := self._router.escalate(lead)) is not None:
            self._follow(lead, routed, "escalated")
            self._router.set_deadlines(lead, self._first_routed(lead))

    def _new_lead(
        self,
        subject: str,
        definition: Definition,
        cycle: int,
        qualification: ExplainedQualification,
        replayed: bool,
    ) -> Lead:
        backfilled = replayed and not qualification.deciding & self._new
        held_out = not backfilled and falls_in(subject, self._in_force.holdout)
        flags = {"backfilled": backfilled, "late": qualification.late, HOLDOUT: held_out}
        lead = Lead(
            id=lead_id(definition.name, subject, cycle),
            definition=definition.name,
            version=self._in_force.versions[definition.name],
            subject=subject,
            cycle=cycle,
            qualified_at=qualification.time,
            marked_at=self._now,
            kind=definition.kind,
            priority=definition.priority,
            owner=definition.owner,
            default_owner=definition.owner,
            due_at=None if definition.sla is None else self._now + definition.sla,
            account=qualification.account,
            expires_at=expiry(definition, qualification.time),
            flags=[flag for flag, is_set in flags.items() if is_set],
            evidence=qualification.evidence,
        )
        self._router.set_due_soon(lead)
        return lead

    def _open(self, lead: Lead, what: str) -> None:
        self._apply(lead)
        before = {} if what == "opened" else {"state": "voided"}
        held_out = {HOLDOUT: True} if is_held_out(lead) else {}
        self._log.add(lead, what, before, {"state": lead.state, **basis_of(lead), **held_out})
        self._save(lead)
        self._opened[lead.id] = self.effects.gained[lead.id] = lead

    def _restate(
        self, lead: Lead, definition: Definition, qualification: ExplainedQualification
    ) -> None:
        """Update what a lead rests on, if that differs from before."""
        before, was = basis_of(lead), (lead.evidence, lead.withdrawn)
        since, state = lead.qualified_at, lead.state
        lead.version, lead.withdrawn = self._in_force.versions[lead.definition], None
        lead.qualified_at, lead.account = qualification.time, qualification.account
        lead.expires_at = expiry(definition, qualification.time)
        lead.evidence = qualification.evidence
        after = basis_of(lead)
        if since != lead.qualified_at and lead.id not in self._opened:
            _flag(lead, "restated")
        if was[1] is not None:
            self._reinstate(lead, state, {"state": state, **before})
        else:
            if before != after:
                self._log.add(lead, "restated", before, after)
            if since != lead.qualified_at and lead.id not in self._opened:
                self.effects.moved[lead.id] = lead, since
        if before != after or was != (lead.evidence, None):
            self._save(lead)

    def _reinstate(self, lead: Lead, state: str, before: Mapping[str, JSON]) -> None:
        """Let a lead that was withdrawn stand again, as people left it."""
        self._apply(lead)
        self._log.add(lead, "reopened", before, {"state": lead.state, **basis_of(lead)})
        self.effects.gained[lead.id] = lead
        if state == "voided":
            self._opened[lead.id] = lead

    def _withdraw(self, lead: Lead) -> None:
        """Void a lead that is no longer given; if somebody has worked it, only flag it."""
        reason, was = self._in_force.reason(lead), lead.withdrawn
        if lead.merged_into is not None or was not in (None, DEFINITION_CHANGED) or was == reason:
            return
        before, lead.withdrawn = outcome_of(lead), reason
        self._apply(lead)
        if was is None:
            self.effects.lost[lead.id] = lead
        if lead.state == "voided" != before.state:
            self._log.add_outcome(lead, "voided", before, reason)
        elif is_superseded(lead):
            self._log.add(lead, SUPERSEDED, {}, {}, reason)
        elif lead.state != "voided" and _flag(lead, "restated"):
            self._log.add(lead, "restated", {}, {}, reason)
        self._save(lead)

    def _win(self, lead: Lead, conversion: Conversion | None) -> None:
        """Let a conversion win a lead, or no longer."""
        before, lead.conversion = lead.conversion, conversion
        was = outcome_of(lead)
        if self._apply(lead):
            what = "won" if lead.state == "won" != was.state else "restated"
            reason = None if before == conversion else CONVERTED
            self._log.add_outcome(lead, what, was, reason)
        elif before == conversion:
            return
        self._save(lead)

    # -- when two users turn out to be one person ------------------------------------------

    def merge(self, merged: Mapping[str, str]) -> None:
        """Pass the leads of users on to the person that each turned out to be.

        If both have a lead for one definition and cycle, the person's own lead stays. It gets the
        earlier ``qualified_at``, and what people did with either. The other one is voided.
        """
        for old, person in merged.items():
            for lead in list(self._of(old).values()):
                if lead.state != "voided":
                    self._pass_on(lead, person)

    def _pass_on(self, lead: Lead, person: str) -> None:
        key, heir = (
            LeadKey(lead.definition, lead.cycle),
            lead_id(lead.definition, person, lead.cycle),
        )
        own = self._of(person).get(key)
        if own is None or own.state == "voided":
            own = replace(lead, id=heir, subject=person, flags=list(lead.flags))
            self._transitions.setdefault(person, transitions_of(self._tx, [person])[person])
            self._apply(own)
            self._log.add(own, "merged", {"from": lead.id}, {"state": own.state, **basis_of(own)})
        else:
            self._join(own, lead)
        self._save(own)
        before = {"state": lead.state}
        lead.state, lead.merged_into = "voided", heir
        after = {"state": "voided", "merged_into": heir}
        self._log.add(lead, "voided", before, after, "two users are one person")
        self._save(lead)

    def _join(self, own: Lead, other: Lead) -> None:
        """Give a lead what people did with another one, and its basis if that is earlier."""
        before = outcome_of(own)
        self._apply(own)
        if before.route is None and own.route is not None:
            own.due_at, own.due_soon_at = other.due_at, other.due_soon_at
            own.overdue_for, own.escalate_at = other.overdue_for, other.escalate_at
        self._log.add(
            own,
            "merged",
            {"from": other.id, **outcome_as_logged(before)},
            outcome_as_logged(outcome_of(own)),
        )
        if other.qualified_at < own.qualified_at and other.withdrawn != DEFINITION_CHANGED:
            before_it = basis_of(own)
            own.version, own.qualified_at = other.version, other.qualified_at
            own.account, own.expires_at = other.account, other.expires_at
            own.evidence, own.withdrawn = other.evidence, other.withdrawn
            _flag(own, "restated")
            self._log.add(own, "restated", before_it, basis_of(own))

    # -- what people did -------------------------------------------------------------------

    def _outcome(self, lead: Lead) -> Outcome:
        return outcome(lead, self._did(lead.subject, LeadKey(lead.definition, lead.cycle)))

    def _apply(self, lead: Lead) -> bool:
        """Bring a lead in line with its basis and what people did; whether its outcome changed."""
        is_other = apply(lead, self._outcome(lead))
        if is_superseded(lead):
            _flag(lead, SUPERSEDED)
        elif SUPERSEDED in lead.flags:
            lead.flags.remove(SUPERSEDED)
        return is_other

    def _did(self, subject: str, key: LeadKey) -> list[Transition]:
        return self._transitions.setdefault(subject, {}).setdefault(key, [])

    # -- reading and writing ---------------------------------------------------------------

    def _of(self, subject: str) -> dict[LeadKey, Lead]:
        if subject not in self._leads:
            self.load([subject])
        return self._leads[subject]

    def _save(self, lead: Lead) -> None:
        self._saved[lead.id] = lead
        self._of(lead.subject)[LeadKey(lead.definition, lead.cycle)] = lead


def _can_come_back(lead: Lead) -> bool:
    """Whether a voided lead is the same again once it is given: only its definition had changed."""
    return lead.withdrawn == DEFINITION_CHANGED and lead.merged_into is None


def next_cycle(key: LeadKey, leads: Mapping[LeadKey, Lead]) -> int | None:
    """When the subject of a lead qualified in the next cycle."""
    later = leads.get(LeadKey(key.definition, key.cycle + 1))
    return None if later is None or later.state == "voided" else later.qualified_at


def expiry(definition: Definition | None, qualified_at: int) -> int | None:
    """When a lead expires (ms); None if it never does."""
    length = None if definition is None else definition.expires
    return None if length is None else qualified_at + length


def _flag(lead: Lead, flag: str) -> bool:
    """Set a flag; whether it was not set before."""
    if flag in lead.flags:
        return False
    lead.flags.append(flag)
    return True
