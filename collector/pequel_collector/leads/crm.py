"""What an event of a CRM asks of a lead: pure functions, without a store.

event ──asked──▶ patch ──fresh──▶ patch ──▶ LeadDesk
          │                │
          └── Skipped ◀────┘
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from msgspec import UNSET, UnsetType, structs

from ..model import Lead, LeadPatch, LeadState, Transition
from ..rules.language.crm import Crm

Outcome = Literal["changed", "unchanged", "ignored", "refused"]
"""What became of an event: ``refused`` are changes that the state of a lead does not allow."""

OUTCOMES: tuple[Outcome, ...] = ("changed", "unchanged", "ignored", "refused")


@dataclass(frozen=True, slots=True)
class CrmEvent:
    """A change in a CRM. ``id`` tells it from others of the CRM, ``at`` is its time (ms).

    It names the lead by its id, or by the reference to the record. ``owner`` None says that nobody
    owns the record any more. ``skipped`` says why it is of no interest, whatever the lead is.
    """

    id: str
    at: int = 0
    lead: str | None = None
    reference: str | None = None
    stage: str | UnsetType = UNSET
    owner: str | UnsetType | None = UNSET
    skipped: str | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Nothing is to be done, and why."""

    outcome: Outcome
    reason: str


def asked(event: CrmEvent, crm: Crm) -> LeadPatch | Skipped:
    """What an event asks for, in the words of leads."""
    if event.skipped is not None:
        return Skipped("ignored", event.skipped)
    state: LeadState | UnsetType = UNSET
    if event.stage is not UNSET:
        if event.stage not in crm.stages:
            return Skipped("ignored", f"[crm.{crm.name}] has no state for the stage")
        state = crm.stages[event.stage]
    owner = event.owner
    if isinstance(owner, str):
        if owner not in crm.owners:
            return Skipped("ignored", f"[crm.{crm.name}] has no entry for the owner")
        owner = crm.owners[owner]
    if state is UNSET and owner is UNSET:
        return Skipped("ignored", "neither the stage nor the owner has changed")
    return LeadPatch(state=state, owner=owner)


def fresh(
    patch: LeadPatch, event: CrmEvent, crm: Crm, lead: Lead, state: LeadState,
    done: Iterable[Transition],
) -> LeadPatch | Skipped:  # fmt: skip
    """What is left to do of a patch, given what was done with the lead before.

    ``state`` is the state of the lead now. Events may come in another order than they happened.
    """
    own = [made for made in done if made.actor == crm.actor and made.idempotency_key is not None]
    if any(made.idempotency_key == key_of(event) for made in own):
        return Skipped("unchanged", "this event was taken before")
    if patch.state is not UNSET and _is_outdated(
        event, [m for m in own if m.patch.state is not UNSET]
    ):
        patch = structs.replace(patch, state=UNSET)
    if patch.owner is not UNSET and _is_outdated(
        event, [m for m in own if m.patch.owner is not UNSET]
    ):
        patch = structs.replace(patch, owner=UNSET)
    if patch.state is UNSET and patch.owner is UNSET:
        return Skipped("ignored", "a later change of the CRM is known")
    if patch.state in (UNSET, state) and patch.owner in (UNSET, lead.owner):
        return Skipped("unchanged", "the lead is like this already")
    if patch.state == "assigned" and patch.owner is UNSET and lead.owner is None:
        # Else the actor would own it, as a person does who takes a lead.
        return Skipped("refused", "nobody is known to own the lead")
    # A state that the lead has already would be an illegal transition, or one more contact.
    return structs.replace(patch, state=UNSET) if patch.state == state else patch


def key_of(event: CrmEvent) -> str:
    """The idempotency key of an event: its time, and a hash of its id."""
    digest = blake2b(event.id.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
    return f"{event.at}:{digest}"


def _is_outdated(event: CrmEvent, done: Iterable[Transition]) -> bool:
    """Whether the CRM has sent a later change before."""
    return any(_time_of(made.idempotency_key) > event.at for made in done)


def _time_of(key: str | None) -> int:
    """The time in an idempotency key; 0 in one that was made by somebody else."""
    time, _, digest = (key or "").partition(":")
    return int(time) if time.isascii() and time.isdigit() and len(time) < 17 and digest else 0


def reason_for(event: CrmEvent, crm: Crm) -> str:
    """Why a lead is changed, as the ledger shows it."""
    stage = "" if event.stage is UNSET else f": {event.stage}"
    return f"changed in {crm.name}{stage}"[:500]
