"""Takes what CRMs write back: each event becomes a change of its lead, or an answer why not."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from standardwebhooks import Webhook

from ..delivery.forms.signatures import signers_of
from ..delivery.records import Misconfigured
from ..delivery.variables import required
from ..errors import BadRequest, Conflict, NotFound, Stale, Unavailable
from ..leads.crm import CrmEvent, Outcome, Skipped, asked, fresh, key_of, reason_for
from ..leads.states import state_at
from ..leads.transitions import LeadKey, transitions_of
from ..marking.work import LeadChange, living, tag
from ..model import Clock, Lead, LeadPatch
from ..ports import Store
from ..rules.language.crm import Crm

TALLY = "crm_events_"
"""How the names of running totals of outcomes begin: the CRM and the outcome follow."""

TRIES = 5
"""How often an event is looked at again because its lead changed in between."""

UNKNOWN = "no lead is known for the record"

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of one event. ``lead`` is the id of its lead, if there is one."""

    id: str
    outcome: Outcome
    reason: str | None = None
    lead: str | None = None


class CrmDesk:
    """The CRMs of the definitions in force, over one store. ``change`` changes a lead."""

    def __init__(
        self,
        store: Store,
        change: Callable[[str, LeadChange], Lead],
        crms: Callable[[], Mapping[str, Crm]],
        clock: Clock,
        environment: Mapping[str, str],
    ) -> None:
        self._store, self._change, self._crms = store, change, crms
        self._clock, self._environment = clock, environment

    def crm(self, name: str) -> Crm:
        """The CRM of a name. Raises NotFound."""
        found = self._crms().get(name)
        if found is None:
            raise NotFound(f"the definitions have no [crm.{ascii(name[:80])[1:-1]}]")
        return found

    def names(self) -> list[str]:
        """The names of all CRMs."""
        return list(self._crms())

    def secrets(self, crm: Crm) -> list[str]:
        """The secrets of a CRM's webhooks. Raises Unavailable, so that they are sent again."""
        with _configured(crm):
            return [required(self._environment, name) for name in crm.secret_env]

    def signers(self, crm: Crm) -> list[Webhook]:
        """The same for the Standard Webhooks scheme. Raises Unavailable."""
        with _configured(crm):
            return signers_of({"secret_env": crm.secret_env}, self._environment)

    def take(self, crm: Crm, events: Sequence[CrmEvent]) -> list[Taken]:
        """Take events, earliest first; what became of each, in the order of ``events``."""
        places = sorted(range(len(events)), key=lambda place: events[place].at)
        taken = {place: self._take(crm, events[place]) for place in places}
        self._count(crm, taken.values())
        return [taken[place] for place in range(len(events))]

    def _take(self, crm: Crm, event: CrmEvent) -> Taken:
        patch = asked(event, crm)
        if isinstance(patch, Skipped):
            return Taken(event.id, patch.outcome, patch.reason)
        for _ in range(TRIES):
            try:
                return self._try(crm, event, patch)
            except Stale:
                continue
            except NotFound:
                return Taken(event.id, "ignored", UNKNOWN)
        raise Unavailable("the lead changes all the time")

    def _try(self, crm: Crm, event: CrmEvent, patch: LeadPatch) -> Taken:
        """Decide on what the lead is now, and change it if it is still that. Raises Stale."""
        with self._store.reading() as view:
            named = event.lead or view.lead_of_reference(event.reference or "")
            lead = living(view, named or "", view.leads_by_id([named] if named else []))
            key = LeadKey(lead.definition, lead.cycle)
            done = transitions_of(view, [lead.subject])[lead.subject].get(key, [])
            current = tag(lead.id, view.count_changes(lead.id))
        left = fresh(patch, event, crm, lead, state_at(lead, self._clock()), done)
        if isinstance(left, Skipped):
            return Taken(event.id, left.outcome, left.reason, lead.id)
        key_text = key_of(event)
        change = LeadChange(
            left,
            reason_for(event, crm),
            crm.actor,
            if_match={current},
            idempotency_key=key_text,
            digest=key_text,
        )
        try:
            self._change(lead.id, change)
        except (BadRequest, Conflict) as error:
            _log.info("%s: a change of the lead %s was refused: %s", crm.name, lead.id, error)
            return Taken(event.id, "refused", error.message, lead.id)
        return Taken(event.id, "changed", None, lead.id)

    def _count(self, crm: Crm, taken: Iterable[Taken]) -> None:
        counts = Counter(f"{TALLY}{crm.name}:{each.outcome}" for each in taken)
        if counts:
            with self._store.writing() as tx:
                tx.count(counts)


@contextmanager
def _configured(crm: Crm) -> Iterator[None]:
    try:
        yield
    except Misconfigured as error:
        raise Unavailable(f"[crm.{crm.name}]: {error}") from None
