"""The ledger of leads: opened, restated, voided and merged as the marks say, and logged.

A lead is one definition, one subject, one cycle. What people did with it stays; what it rests on
follows the facts and the definition in force.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from types import MappingProxyType

from ..model import JSON, Lead, iso, lead_id
from ..ports import Change, WriteTransaction
from ..rules.engine.state import Mark
from ..rules.language.definition import Definition

Key = tuple[str, int]
"""A definition's name and a cycle."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """That a definition qualified, and why.

    ``late`` says that a deciding fact came more than an hour after its time; ``deciding`` are the
    messages of the moment itself.
    """

    time: int
    account: str | None
    evidence: dict[str, JSON]
    late: bool = False
    deciding: frozenset[str] = frozenset()


class Ledger:
    """The leads of one transaction. ``fresh`` are the messages that it brought.

    ``activated`` says from when on a definition counts that looks forward only, by name.
    """

    def __init__(
        self,
        tx: WriteTransaction,
        versions: Mapping[str, int],
        now: int,
        fresh: Collection[str],
        activated: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self._tx, self._versions, self._now, self._fresh = tx, versions, now, fresh
        self._activated = activated
        self._leads: dict[str, dict[Key, Lead]] = {}
        self._saved: dict[str, Lead] = {}
        self._opened: dict[str, Lead] = {}
        self._log: list[Change] = []

    def close(self) -> list[Lead]:
        """Write all of it; the leads that were opened, earliest qualification first."""
        self._tx.save_leads(list(self._saved.values()))
        self._tx.log(self._log)
        opened = (lead for lead in self._opened.values() if lead.state != "voided")
        return sorted(opened, key=attrgetter("qualified_at", "definition", "subject", "cycle"))

    def load(self, subjects: Collection[str]) -> None:
        """Read the leads of several subjects at once."""
        for subject, leads in self._tx.leads_of(subjects).items():
            self._leads[subject] = {(lead.definition, lead.cycle): lead for lead in leads}

    # -- as the marks say ------------------------------------------------------------------

    def align(
        self,
        subject: str,
        definitions: Sequence[Definition],
        marks: Mapping[tuple[int, int], Verdict | Mark],
        replayed: bool,
    ) -> None:
        """Bring the leads of a subject in line with its marks, by definition and cycle.

        Of a mark that stands as it stood there is only the mark; its lead stays as it is.
        """
        leads = self._of(subject)
        stands = {(definitions[rule].name, cycle) for rule, cycle in marks}
        for (rule, cycle), mark in marks.items():
            definition = definitions[rule]
            lead = leads.get((definition.name, cycle))
            if isinstance(mark, Verdict):
                self._follow(subject, definition, cycle, lead, mark, replayed)
        for key, lead in leads.items():
            if key not in stands and self._judges(lead):
                self._withdraw(lead)

    def _judges(self, lead: Lead) -> bool:
        """Whether what opened a lead is in force, and looks back as far as that."""
        since = self._activated.get(lead.definition, lead.qualified_at)
        same = self._versions.get(lead.definition) == lead.version
        return same and since <= lead.qualified_at

    def _follow(
        self,
        subject: str,
        definition: Definition,
        cycle: int,
        lead: Lead | None,
        verdict: Verdict,
        replayed: bool,
    ) -> None:
        if lead is None or lead.state == "voided":
            self._open(subject, definition, cycle, lead, verdict, replayed)
        else:
            self._restate(lead, definition, verdict)

    def _open(
        self,
        subject: str,
        definition: Definition,
        cycle: int,
        voided: Lead | None,
        verdict: Verdict,
        replayed: bool,
    ) -> None:
        backfilled = replayed and not verdict.deciding & set(self._fresh)
        flags = [flag for flag, on in (("backfilled", backfilled), ("late", verdict.late)) if on]
        name, expires = definition.name, definition.expires
        lead = Lead(
            id=lead_id(name, subject, cycle),
            definition=name,
            version=self._versions[name],
            subject=subject,
            cycle=cycle,
            qualified_at=verdict.time,
            marked_at=self._now,
            kind=definition.kind,
            priority=definition.priority,
            owner=definition.owner,
            due_at=None if definition.sla is None else self._now + definition.sla,
            account=verdict.account,
            expires_at=None if expires is None else verdict.time + expires,
            flags=flags,
            evidence=verdict.evidence,
        )
        self._note(lead, "opened" if voided is None else "reopened", {}, _resting(lead))
        self._keep(lead)
        self._opened[lead.id] = lead

    def _restate(self, lead: Lead, definition: Definition, verdict: Verdict) -> None:
        """Let a lead rest on what qualifies it now, if that is anything else than before."""
        before = _resting(lead)
        same = lead.evidence == verdict.evidence
        lead.version = self._versions[lead.definition]
        lead.qualified_at, lead.account = verdict.time, verdict.account
        lead.expires_at = None if definition.expires is None else verdict.time + definition.expires
        lead.evidence = verdict.evidence
        after = _resting(lead)
        if before["qualified_at"] != after["qualified_at"] and lead.id not in self._opened:
            _flag(lead, "restated")
        if before != after:
            self._note(lead, "restated", before, after)
        if before != after or not same:
            self._keep(lead)

    def _withdraw(self, lead: Lead) -> None:
        """The facts no longer give a lead: voided while nobody has worked it, else flagged."""
        if lead.state == "new":
            lead.state = "voided"
            reason = "what it rested on is gone"
            self._note(lead, "voided", {"state": "new"}, {"state": "voided"}, reason)
            self._keep(lead)
        elif lead.state != "voided" and _flag(lead, "restated"):
            self._note(lead, "restated", {}, {}, "what it rested on is gone")
            self._keep(lead)

    # -- when two users are one ------------------------------------------------------------

    def merge(self, merged: Iterable[tuple[str, str]]) -> None:
        """Pass the leads of users on to the person that they turned out to be.

        Of two for one definition and cycle, what was done with the earlier one stays.
        """
        for old, person in merged:
            for lead in list(self._of(old).values()):
                if lead.state != "voided":
                    self._pass_on(lead, person)

    def _pass_on(self, lead: Lead, person: str) -> None:
        leads = self._of(person)
        other = leads.get((lead.definition, lead.cycle))
        heir = lead_id(lead.definition, person, lead.cycle)
        if other is None or other.state == "voided" or lead.qualified_at < other.qualified_at:
            kept = _copy(lead, heir, person)
            leads[kept.definition, kept.cycle] = kept
            self._note(kept, "merged", {"from": lead.id}, _resting(kept))
            self._keep(kept)
        was = lead.state
        lead.state, lead.merged_into = "voided", heir
        reason = "two users are one person"
        after = {"state": "voided", "merged_into": heir}
        self._note(lead, "voided", {"state": was}, after, reason)
        self._keep(lead)

    # -- parts -----------------------------------------------------------------------------

    def _of(self, subject: str) -> dict[Key, Lead]:
        if subject not in self._leads:
            self.load([subject])
        return self._leads[subject]

    def _keep(self, lead: Lead) -> None:
        self._saved[lead.id] = lead
        self._of(lead.subject)[lead.definition, lead.cycle] = lead

    def _note(
        self, lead: Lead, what: str, before: JSON, after: JSON, reason: str | None = None
    ) -> None:
        self._log.append(Change(lead.id, self._now, what, before, after, reason))


def _resting(lead: Lead) -> dict[str, JSON]:
    """What a lead says of when it qualified, and under which version, as the ledger shows it."""
    return {
        "qualified_at": iso(lead.qualified_at),
        "version": lead.version,
        "account": lead.account,
    }


def _flag(lead: Lead, flag: str) -> bool:
    """Set a flag; whether it was not set before."""
    if flag in lead.flags:
        return False
    lead.flags.append(flag)
    return True


def _copy(lead: Lead, identifier: str, subject: str) -> Lead:
    """The same lead of another subject, with what was done with it."""
    kept = {name: getattr(lead, name) for name in Lead.__dataclass_fields__}
    return Lead(**{**kept, "id": identifier, "subject": subject, "flags": list(lead.flags)})
