"""The ledger of leads: opens, restates, voids and merges them, and logs each change.

A lead is one definition, one subject and one cycle. What people did with a lead stays. When it
qualified, and on what evidence, follows the facts and the definition in force.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from operator import attrgetter
from types import MappingProxyType
from typing import NamedTuple

from ..model import JSON, Conversion, Lead, Transition, iso, kind_of, lead_id
from ..ports import Change, ReadTransaction, WriteTransaction
from ..rules.engine.state import Qualification
from ..rules.language.definition import Definition
from .states import Outcome, apply, in_order, outcome, outcome_of, winning

NO_BASIS = "what it rested on is gone"
"""The reason for withdrawing a lead, as the change log shows it."""

CONVERTED = "the conversion"
"""The reason for the state of a lead that a conversion has won."""


class LeadKey(NamedTuple):
    """What tells the leads of one subject apart."""

    definition: str
    cycle: int


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


class Ledger:
    """The leads of one transaction. ``new`` are the ids of the messages that it stored.

    ``activated`` is since when a definition with ``on_change = "forward"`` counts, by name.
    """

    def __init__(
        self,
        tx: WriteTransaction,
        versions: Mapping[str, int],
        now: int,
        new: Collection[str],
        activated: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._tx, self._versions, self._now, self._new = tx, versions, now, frozenset(new)
        self._activated = activated
        self._leads: dict[str, dict[LeadKey, Lead]] = {}
        self._transitions: dict[str, dict[LeadKey, list[Transition]]] = {}
        self._saved: dict[str, Lead] = {}
        self._opened: dict[str, Lead] = {}
        self._changes: list[Change] = []

    def close(self) -> list[Lead]:
        """Write all changes; the leads that were opened, earliest qualification first."""
        self._tx.save_leads(list(self._saved.values()))
        self._tx.log(self._changes)
        opened = (lead for lead in self._opened.values() if lead.state != "voided")
        return sorted(opened, key=attrgetter("qualified_at", "definition", "subject", "cycle"))

    def withdrawn(self) -> list[Lead]:
        """The leads that this transaction has voided."""
        return [lead for lead in self._saved.values() if lead.state == "voided"]

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
        leads = self._of(subject)
        for key, qualification in qualifications.items():
            if isinstance(qualification, ExplainedQualification):
                definition, lead = definitions[key.definition], leads.get(key)
                if lead is None or lead.state == "voided":
                    opened = self._new_lead(subject, definition, key.cycle, qualification, replayed)
                    self._open(opened, "opened" if lead is None else "reopened")
                else:
                    self._restate(lead, definition, qualification)
        for key, lead in leads.items():
            if key not in qualifications and self._is_judged(lead):
                self._withdraw(lead)
        for key, lead in leads.items():
            self._win(lead, winning(lead, conversions, next_cycle(key, leads)))

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
        apply(found, self._outcome(found))
        self._log_outcome(found, what, before, transition.reason, transition.actor)
        self._save(found)

    def _is_judged(self, lead: Lead) -> bool:
        """Whether the version of a lead is in force, and counts as far back as the lead."""
        since = self._activated.get(lead.definition, lead.qualified_at)
        same = self._versions.get(lead.definition) == lead.version
        return same and since <= lead.qualified_at

    def _new_lead(
        self,
        subject: str,
        definition: Definition,
        cycle: int,
        qualification: ExplainedQualification,
        replayed: bool,
    ) -> Lead:
        backfilled = replayed and not qualification.deciding & self._new
        flags = {"backfilled": backfilled, "late": qualification.late}
        return Lead(
            id=lead_id(definition.name, subject, cycle),
            definition=definition.name,
            version=self._versions[definition.name],
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

    def _open(self, lead: Lead, what: str) -> None:
        apply(lead, self._outcome(lead))
        before = {} if what == "opened" else {"state": "voided"}
        self._log(lead, what, before, {"state": lead.state, **_basis(lead)})
        self._save(lead)
        self._opened[lead.id] = lead

    def _restate(
        self, lead: Lead, definition: Definition, qualification: ExplainedQualification
    ) -> None:
        """Update what a lead rests on, if that differs from before."""
        before, was = _basis(lead), (lead.evidence, lead.withdrawn)
        lead.version, lead.withdrawn = self._versions[lead.definition], None
        lead.qualified_at, lead.account = qualification.time, qualification.account
        lead.expires_at = expiry(definition, qualification.time)
        lead.evidence = qualification.evidence
        after = _basis(lead)
        if before["qualified_at"] != after["qualified_at"] and lead.id not in self._opened:
            _flag(lead, "restated")
        if before != after:
            self._log(lead, "restated", before, after)
        if before != after or was != (lead.evidence, None):
            self._save(lead)

    def _withdraw(self, lead: Lead) -> None:
        """Void a lead that the facts no longer give; if somebody has worked it, only flag it."""
        if lead.withdrawn is not None or lead.merged_into is not None:
            return
        before, lead.withdrawn = outcome_of(lead), NO_BASIS
        apply(lead, self._outcome(lead))
        if lead.state == "voided":
            self._log_outcome(lead, "voided", before, NO_BASIS)
        elif _flag(lead, "restated"):
            self._log(lead, "restated", {}, {}, NO_BASIS)
        self._save(lead)

    def _win(self, lead: Lead, conversion: Conversion | None) -> None:
        """Let a conversion win a lead, or no longer."""
        before, lead.conversion = lead.conversion, conversion
        was = outcome_of(lead)
        if apply(lead, self._outcome(lead)):
            what = "won" if lead.state == "won" != was.state else "restated"
            reason = None if before == conversion else CONVERTED
            self._log_outcome(lead, what, was, reason)
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
            apply(own, self._outcome(own))
            self._log(own, "merged", {"from": lead.id}, {"state": own.state, **_basis(own)})
        else:
            self._join(own, lead)
        self._save(own)
        before = {"state": lead.state}
        lead.state, lead.merged_into = "voided", heir
        after = {"state": "voided", "merged_into": heir}
        self._log(lead, "voided", before, after, "two users are one person")
        self._save(lead)

    def _join(self, own: Lead, other: Lead) -> None:
        """Give a lead what people did with another one, and its basis if that is earlier."""
        before = outcome_of(own)
        apply(own, self._outcome(own))
        self._log(own, "merged", {"from": other.id, **_shown(before)}, _shown(outcome_of(own)))
        if other.qualified_at < own.qualified_at:
            basis = _basis(own)
            own.version, own.qualified_at = other.version, other.qualified_at
            own.account, own.expires_at = other.account, other.expires_at
            own.evidence, own.withdrawn = other.evidence, other.withdrawn
            _flag(own, "restated")
            self._log(own, "restated", basis, _basis(own))

    # -- what people did -------------------------------------------------------------------

    def _outcome(self, lead: Lead) -> Outcome:
        return outcome(lead, self._did(lead.subject, LeadKey(lead.definition, lead.cycle)))

    def _did(self, subject: str, key: LeadKey) -> list[Transition]:
        return self._transitions.setdefault(subject, {}).setdefault(key, [])

    def _log_outcome(
        self,
        lead: Lead,
        what: str,
        before: Outcome,
        reason: str | None = None,
        actor: str | None = None,
    ) -> None:
        """Log the parts of an outcome that differ from before, and the state in any case."""
        was, now = _shown(before), _shown(outcome_of(lead))
        differing = [name for name in now if name == "state" or was[name] != now[name]]
        was, now = ({name: each[name] for name in differing} for each in (was, now))
        self._log(lead, what, was, now, reason, actor)

    # -- reading and writing ---------------------------------------------------------------

    def _of(self, subject: str) -> dict[LeadKey, Lead]:
        if subject not in self._leads:
            self.load([subject])
        return self._leads[subject]

    def _save(self, lead: Lead) -> None:
        self._saved[lead.id] = lead
        self._of(lead.subject)[LeadKey(lead.definition, lead.cycle)] = lead

    def _log(
        self,
        lead: Lead,
        what: str,
        before: Mapping[str, JSON],
        after: Mapping[str, JSON],
        reason: str | None = None,
        actor: str | None = None,
    ) -> None:
        """Log an entry, whose ``before`` and ``after`` have the state at least.

        A lead has none before it was opened.
        """
        was = before if what == "opened" else {"state": lead.state, **before}
        is_now = {"state": lead.state, **after}
        self._changes.append(Change(lead.id, self._now, what, was, is_now, reason, actor))


def transitions_of(
    tx: ReadTransaction, subjects: Collection[str]
) -> dict[str, dict[LeadKey, list[Transition]]]:
    """What people did with the leads of each subject, and with those of its other ids."""
    users = tx.ids_of([subject for subject in subjects if kind_of(subject) == "user"])
    return transitions_by_lead(tx, {each: users.get(each, [each]) for each in subjects})


def transitions_by_lead(
    tx: ReadTransaction, ids: Mapping[str, Collection[str]]
) -> dict[str, dict[LeadKey, list[Transition]]]:
    """What people did with the leads of each subject, given all of its ids."""
    by_id: dict[str, list[Transition]] = {id_: [] for each in ids.values() for id_ in each}
    for transition in tx.transitions_of(by_id):
        by_id[transition.subject].append(transition)
    found: dict[str, dict[LeadKey, list[Transition]]] = {subject: {} for subject in ids}
    for subject, each in ids.items():
        for made in sorted(chain.from_iterable(by_id[id_] for id_ in each), key=in_order):
            found[subject].setdefault(LeadKey(made.definition, made.cycle), []).append(made)
    return found


def next_cycle(key: LeadKey, leads: Mapping[LeadKey, Lead]) -> int | None:
    """When the subject of a lead qualified in the next cycle."""
    later = leads.get(LeadKey(key.definition, key.cycle + 1))
    return None if later is None or later.state == "voided" else later.qualified_at


def expiry(definition: Definition | None, qualified_at: int) -> int | None:
    """When a lead expires (ms); None if it never does."""
    length = None if definition is None else definition.expires
    return None if length is None else qualified_at + length


def _basis(lead: Lead) -> dict[str, JSON]:
    """When a lead qualified and under which version, as the change log shows it."""
    return {
        "qualified_at": iso(lead.qualified_at),
        "version": lead.version,
        "account": lead.account,
    }


def _shown(found: Outcome) -> dict[str, JSON]:
    """An outcome as the change log shows it."""
    times = ("contacted_at", "won_at", "snoozed_until")
    shown = {name: getattr(found, name) for name in Outcome.__slots__}
    return shown | {name: iso(shown[name]) for name in times if shown[name] is not None}


def _flag(lead: Lead, flag: str) -> bool:
    """Set a flag; whether it was not set before."""
    if flag in lead.flags:
        return False
    lead.flags.append(flag)
    return True
