"""What people do with leads: check a change that somebody asks for, store it, and apply it.

A lead that is dismissed or lost ends, which is a fact of its subject where the definition has a
cooldown. So the history of the subject is folded with it, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import NamedTuple

import msgspec
from msgspec import UNSET

from ..errors import BadRequest, Conflict, NotFound, PequelError, Stale
from ..leads.ledger import Ledger
from ..leads.states import ENDS, LEGAL, NEEDS_REASON, is_claimed, state_at
from ..model import (
    CLOSED_STATES,
    Clock,
    Lead,
    LeadPatch,
    LeadState,
    Transition,
    iso,
    lead_id,
)
from ..ports import ReadTransaction, Store, WriteTransaction
from .derive import Derivation
from .evaluators import Evaluators
from .facts import end_of
from .preparations import Preparations

MAX_CHANGES = 500
"""Changes of people to one lead. Each further one reads them all, and so does each answer. After
that a lead can only be closed."""


@dataclass(frozen=True, slots=True)
class LeadChange:
    """What somebody asks for.

    ``if_state`` is the state that the lead must have, ``if_match`` are the tags of which it must
    have one. A change with the ``idempotency_key`` of an earlier one of the lead is that one, sent
    again; ``digest`` tells whether it is the same. With a ``partner``, the lead must be the
    partner's, and claimed by it, unless the change is the claim.
    """

    patch: LeadPatch
    reason: str | None = None
    actor: str | None = None
    if_state: LeadState | None = None
    if_match: Collection[str] | None = None
    idempotency_key: str | None = None
    digest: str | None = None
    partner: str | None = None


class LeadRequest(NamedTuple):
    """A change of one lead, given by its id."""

    lead_id: str
    change: LeadChange


class LeadDesk:
    """Takes the changes of people to leads, each in a transaction of its own.

    ``evaluators_in`` returns the evaluators of the definitions that are active in a transaction.
    """

    def __init__(
        self, store: Store, evaluators_in: Callable[[ReadTransaction], Evaluators], clock: Clock
    ) -> None:
        self._store, self._evaluators_in, self._clock = store, evaluators_in, clock

    def change(self, lead_id: str, asked: LeadChange) -> Lead:
        """Make a change; the lead after it, on disk when this returns.

        A merged lead stands for the one that lives. Raises NotFound, BadRequest, Conflict if the
        state of the lead does not allow it, and Stale; then nothing has changed.
        """

        def attempt(is_brief: bool) -> Lead | PequelError:
            with self._store.writing() as tx:
                work = LeadWork(tx, self._evaluators_in(tx), self._clock(), is_brief=is_brief)
                [result] = work.change_all([LeadRequest(lead_id, asked)])
                return result

        with Preparations(self._store, self._clock) as preparations:
            result = preparations.run(attempt)
        if isinstance(result, PequelError):
            raise result
        return result


class LeadWork:
    """The changes of people in one write transaction, each decided in its turn."""

    def __init__(
        self, tx: WriteTransaction, evaluators: Evaluators, now: int, *, is_brief: bool
    ) -> None:
        self._tx, self._evaluators, self._now = tx, evaluators, now
        self._is_brief = is_brief
        self._ledger = self._new_ledger()

    def change_all(self, requests: Sequence[LeadRequest]) -> list[Lead | PequelError]:
        """Make several changes; for each the lead after it, or why it was not made."""
        if not requests:
            return []
        named = self._tx.leads_by_id({request.lead_id for request in requests})
        self._ledger.load({lead.subject for lead in named.values()})
        results: list[Lead | PequelError] = []
        for identifier, asked in requests:
            try:
                lead = self._ledger.lead(living(self._tx, identifier, named))
                if asked.partner is not None and lead.partner != asked.partner:
                    raise NotFound(f"there is no lead {identifier}", id=identifier)
                results.append(self._change(lead, asked))
            except (BadRequest, Conflict, NotFound, Stale) as error:
                results.append(error)
        self._ledger.close(self._tx)
        return results

    def _change(self, named: Lead, asked: LeadChange) -> Lead:
        lead, done = self._ledger.lead(named), self._ledger.transitions(named)
        if self._is_repeated(done, asked):
            return replace(lead)
        if len(done) >= MAX_CHANGES and asked.patch.state not in CLOSED_STATES:
            raise Conflict(f"a lead takes {MAX_CHANGES} changes at most", "too_many_changes")
        if asked.if_match is not None and self._tag(lead) not in asked.if_match:
            raise Stale("the lead has changed since it was read: read it again", id=lead.id)
        check(lead, asked, self._now)
        # After the lead qualified, whatever the clocks of different collectors say.
        at = max([self._now, lead.qualified_at + 1, *(earlier.at for earlier in done)])
        patch = _complete(lead, asked, self._now)
        of = lead.subject, lead.definition, lead.cycle
        made = Transition(
            *of, at, patch, asked.reason, asked.actor, asked.idempotency_key, asked.digest
        )
        if patch.state in ENDS and lead.definition in self._evaluators.cooling:
            return self._end(lead, made)
        self._take(lead, made)
        return replace(lead)

    def _is_repeated(self, done: Sequence[Transition], asked: LeadChange) -> bool:
        """Whether a request was taken before. Raises Conflict if its key was for another one."""
        key = asked.idempotency_key
        earlier = next((t for t in done if key is not None and t.idempotency_key == key), None)
        if earlier is not None and earlier.digest != asked.digest:
            raise Conflict(
                "this Idempotency-Key came with another change of the lead before",
                "idempotency_key_reused",
            )
        return earlier is not None

    def _tag(self, lead: Lead) -> str:
        self._write()
        return tag(lead.id, self._tx.count_changes(lead.id))

    def _take(self, lead: Lead, made: Transition) -> Transition:
        [stored] = self._tx.add_transitions([made])
        self._ledger.take(lead, stored, what(lead, made.patch))
        return stored

    def _end(self, lead: Lead, made: Transition) -> Lead:
        """Dismiss or lose a lead that has a cooldown, and fold the history of its subject."""
        self._write()
        derivation = Derivation(self._tx, self._evaluators, self._now, is_brief=self._is_brief)
        derivation.load([lead.subject])  # before the end is stored, so that it has it not yet
        stored = self._take(lead, made)
        self._write()
        if (fact := end_of(stored, self._evaluators)) is not None:
            derivation.end(lead.subject, fact)
            derivation.finish()
        return replace(self._ledger.lead(lead))

    def _write(self) -> None:
        """Write what the ledger has; leads are read again after that."""
        self._ledger.close(self._tx)
        self._ledger = self._new_ledger()

    def _new_ledger(self) -> Ledger:
        evaluators = self._evaluators
        return Ledger(self._tx, evaluators.in_force, evaluators.catalogue, self._now)


def tag(lead_id: str, revision: int) -> str:
    """The tag of a lead for ``ETag`` and ``If-Match``; every change of it has another.

    ``revision`` is the number of changes of this lead. It is not a number of the ledger, which
    would tell a partner how often the leads of others change.
    """
    return blake2b(f"{lead_id}\0{revision}".encode(), digest_size=8).hexdigest()


def living(tx: ReadTransaction, identifier: str, known: Mapping[str, Lead]) -> Lead:
    """The lead of an id among ``known``; of a merged one, the lead that lives. Raises NotFound."""
    lead = known.get(identifier)
    if lead is None:
        raise NotFound(f"there is no lead {identifier}", id=identifier)
    if lead.merged_into is None:
        return lead
    person = tx.persons([lead.subject]).get(lead.subject, lead.subject)
    return tx.lead(lead_id(lead.definition, person, lead.cycle)) or lead


def check(lead: Lead, asked: LeadChange, now: int) -> None:
    """Raises Conflict if the state of a lead does not allow a change, BadRequest if it is wrong."""
    if asked.patch.claim is not UNSET:
        check_claim(lead, now)
    elif asked.partner is not None and not is_claimed(lead, now):
        raise Conflict("claim the lead first", "not_claimed", state=state_at(lead, now), allowed=[])
    state, wanted = state_at(lead, now), asked.patch.state
    if asked.if_state is not None and asked.if_state != state:
        raise _conflict(state, f"the lead is {state}, expected {asked.if_state}")
    if state == "voided":
        raise _conflict(state, "a voided lead cannot be changed")
    if wanted is not UNSET and wanted not in LEGAL[state]:
        raise _conflict(state, f"a lead that is {state} cannot become {wanted}")
    if wanted is not UNSET and wanted in NEEDS_REASON and asked.reason is None:
        raise BadRequest(
            f"reason: found nothing, expected why the lead is {wanted}", field="reason"
        )
    after = state if wanted is UNSET else wanted
    if asked.patch.snoozed_until not in (UNSET, None) and after in CLOSED_STATES:
        raise _conflict(state, f"a lead that is {after} cannot be snoozed")


def check_claim(lead: Lead, now: int) -> None:
    """Raises Conflict if a lead cannot be claimed now."""
    state = state_at(lead, now)
    if is_claimed(lead, now) and lead.claimed_until is not None:
        raise Conflict(
            f"the lead is claimed by {lead.partner}",
            "already_claimed",
            state=state,
            allowed=list(LEGAL[state]),
            until=iso(lead.claimed_until),
        )
    if state not in ("new", "assigned", "expired"):
        raise _conflict(state, f"a lead that is {state} cannot be claimed")


def what(lead: Lead, patch: LeadPatch) -> str:
    """The word for a change in the ledger."""
    if patch.claim is not UNSET:
        return "claimed"
    if patch.state == "new":
        return "reopened" if lead.state == "dismissed" else "given_back"
    if patch.state is not UNSET:
        return patch.state
    if patch.contact is not UNSET:
        return "contacted"
    if patch.owner is not UNSET:
        return "owner_removed" if patch.owner is None else "assigned"
    if patch.snoozed_until is not UNSET:
        return "woken" if patch.snoozed_until is None else "snoozed"
    return "amount_set"


def _complete(lead: Lead, asked: LeadChange, now: int) -> LeadPatch:
    """The patch with what follows from it.

    Who takes a lead without naming an owner owns it. A contact without a time is made now.
    """
    patch, takes = asked.patch, asked.patch.state == "assigned"
    if takes and patch.owner is UNSET and lead.owner is None and asked.actor is not None:
        patch = msgspec.structs.replace(patch, owner=asked.actor)
    if patch.contact is not UNSET and patch.contact.at is None:
        contact = msgspec.structs.replace(patch.contact, at=now)
        patch = msgspec.structs.replace(patch, contact=contact)
    return patch


def _conflict(state: LeadState, message: str) -> Conflict:
    return Conflict(message, state=state, allowed=list(LEGAL[state]))
