"""The life of a lead: its state, from the facts, from what people did, and from now.

``outcome`` takes the transitions of a lead and the conversion that wins it in order of time. For
example, with the conversion at 30, which came late:

    10   assigned to ben     assigned, owner ben
    20   a contact           contacted, contacted_at 20
    30   the conversion      won, won_at 30
    40   lost, by ben        won: ben did not know yet

A transition that is not legal where it lands leaves the state as it is, and its other parts count.
An owner counts if nobody has taken the lead: so the owner of a lead that was won meanwhile is not
lost. It does not matter what was known when a transition was recorded.

What a route decided is a transition too. It sets the owner or the partner, and leaves the state:
nobody has worked a lead that was only routed. See ``deciding`` for two leads that became one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from operator import attrgetter

from msgspec import UNSET

from ..model import (
    CLOSED_STATES,
    EXPANSION_KINDS,
    Claim,
    Contact,
    Conversion,
    Lead,
    LeadPatch,
    LeadState,
    Routed,
    Transition,
)

LEGAL: dict[LeadState, tuple[LeadState, ...]] = {
    "new": ("assigned", "contacted", "won", "lost", "dismissed"),
    "assigned": ("new", "assigned", "contacted", "won", "lost", "dismissed"),
    "contacted": ("contacted", "won", "lost", "dismissed"),
    "won": (),
    "lost": ("won",),
    "dismissed": ("new", "won"),
    "expired": ("assigned", "contacted", "won", "lost", "dismissed"),
    "voided": (),
}
"""The states to which people can take a lead, by its state."""

SET_BY_PEOPLE: tuple[LeadState, ...] = (
    "new", "assigned", "contacted", "won", "lost", "dismissed",
)  # fmt: skip

NEEDS_REASON: tuple[LeadState, ...] = ("dismissed", "lost")

ENDS: tuple[LeadState, ...] = ("dismissed", "lost")
"""The states that start the cooldown of a definition."""

in_order = attrgetter("at", "number")
"""The place of a transition among those of a lead."""


@dataclass(slots=True)
class Outcome:
    """What has become of a lead. Its fields are those of ``Lead``."""

    state: LeadState
    owner: str | None
    contacted_at: int | None = None
    won_at: int | None = None
    self_serve: bool = False
    snoozed_until: int | None = None
    amount: str | None = None
    currency: str | None = None
    partner: str | None = None
    route: Routed | None = None
    claimed_at: int | None = None
    claimed_until: int | None = None


OUTCOME_FIELDS = tuple(field.name for field in fields(Outcome))


def outcome(lead: Lead, transitions: Iterable[Transition]) -> Outcome:
    """What the facts of a lead and its transitions add up to, without the clock."""
    ordered = deciding(lead.subject, sorted(transitions, key=in_order))
    if lead.merged_into is not None:
        return Outcome("voided", lead.default_owner)
    if lead.withdrawn is not None:
        of_people = _fold(lead.default_owner, ordered, None)
        if of_people.state == "new":
            return replace(of_people, state="voided", snoozed_until=None)
    return _fold(lead.default_owner, ordered, lead.conversion)


def apply(lead: Lead, found: Outcome) -> bool:
    """Write an outcome to its lead; whether that changes it."""
    before = outcome_of(lead)
    for name in OUTCOME_FIELDS:
        setattr(lead, name, getattr(found, name))
    return before != found


def outcome_of(lead: Lead) -> Outcome:
    """The outcome that is stored with a lead."""
    return Outcome(**{name: getattr(lead, name) for name in OUTCOME_FIELDS})


def state_at(lead: Lead, now: int) -> LeadState:
    """The state of a lead at an instant: ``new`` becomes ``expired`` by itself."""
    is_over = lead.expires_at is not None and lead.expires_at <= now
    return "expired" if is_over and lead.state == "new" else lead.state


def is_overdue(lead: Lead, now: int) -> bool:
    """Whether a lead waits for its first contact after ``due_at``, and is not snoozed."""
    waits = state_at(lead, now) in ("new", "assigned")
    is_late = lead.due_at is not None and lead.due_at <= now
    return waits and is_late and (lead.snoozed_until is None or lead.snoozed_until <= now)


def winning(
    lead: Lead, conversions: Iterable[Conversion], until: int | None = None
) -> Conversion | None:
    """The first conversion after a lead qualified, up to an instant, that wins a lead of its kind.

    ``until`` is when its subject qualified in the next cycle.
    """
    expands = lead.kind in EXPANSION_KINDS
    found = [
        each
        for each in conversions
        if each.expands == expands
        and each.time > lead.qualified_at
        and (until is None or each.time <= until)
    ]
    return min(found, key=attrgetter("time", "mid"), default=None)


def contacts_of(transition: Transition) -> list[Contact]:
    """The contact that a transition logs, with its time. ``contacted`` alone is a contact too."""
    contact = transition.patch.contact
    if contact is UNSET:
        return [Contact(at=transition.at)] if transition.patch.state == "contacted" else []
    at = transition.at if contact.at is None else contact.at
    return [Contact(contact.channel, at, contact.note)]


def is_claimed(lead: Lead, now: int) -> bool:
    """Whether a partner holds a lead: its claim has not run out, or it made contact in time."""
    return lead.claimed_until is not None and (
        now < lead.claimed_until or lead.state not in ("new", "assigned")
    )


def deciding(subject: str, transitions: Iterable[Transition]) -> list[Transition]:
    """The transitions without those of routes that do not count.

    Two leads that became one were routed twice. Then the decision for the subject's own id counts,
    else the first one, with the escalations of either.
    """
    made = list(transitions)
    first = [each for each in made if each.patch.routed is not UNSET and not each.patch.routed.step]
    if len(first) < 2:
        return made
    own = [each for each in first if each.subject == subject]
    chosen = (own or first)[0]
    return [
        each
        for each in made
        if each.patch.routed is UNSET
        or each is chosen
        or (each.patch.routed.step and each.subject in (chosen.subject, subject))
    ]


# -- the fold ------------------------------------------------------------------------------


@dataclass(slots=True)
class _Fold:
    """An outcome in the making. ``desk`` is who owns the lead while nobody has taken it."""

    found: Outcome
    desk: str | None


def _fold(
    default_owner: str | None, transitions: Sequence[Transition], conversion: Conversion | None
) -> Outcome:
    fold = _Fold(Outcome("new", default_owner), default_owner)
    found, waiting = fold.found, conversion
    for transition in transitions:
        if waiting is not None and waiting.time <= transition.at:
            _convert(found, waiting)
            waiting = None
        _take(fold, transition, default_owner)
    if waiting is not None:
        _convert(found, waiting)
    times = [c.at for t in transitions for c in contacts_of(t) if c.at is not None]
    found.contacted_at = min(times, default=None)
    if found.won_at is not None:
        found.self_serve = found.contacted_at is None or found.contacted_at > found.won_at
    if found.state in CLOSED_STATES:
        found.snoozed_until = None
    return found


def _convert(found: Outcome, conversion: Conversion) -> None:
    """Win a lead by its conversion. What people won keeps its time and its amount."""
    is_won = found.state == "won"
    if not is_won:
        found.state, found.won_at = "won", conversion.time
    if conversion.amount is not None and not (is_won and found.amount is not None):
        found.amount, found.currency = conversion.amount, conversion.currency


def _take(fold: _Fold, transition: Transition, default_owner: str | None) -> None:
    patch = transition.patch
    if patch.routed is not UNSET:
        _route(fold, patch.routed, transition.at, default_owner)
    elif patch.claim is not UNSET:
        _claim(fold.found, patch.claim, transition.at)
    else:
        _change(fold, transition)


def _route(fold: _Fold, routed: Routed, at: int, default_owner: str | None) -> None:
    """Follow a route. It takes a lead from nobody; an escalation takes it from all but a claim."""
    found, owner = fold.found, routed.owner or default_owner
    if routed.step or found.owner == fold.desk:
        found.owner = owner
    if not _holds_claim(found, at):
        found.partner, found.claimed_at, found.claimed_until = routed.partner, None, None
    fold.desk, found.route = owner, routed


def _claim(found: Outcome, claim: Claim, at: int) -> None:
    """Let a partner claim a lead, unless it is claimed or closed."""
    if _holds_claim(found, at) or found.state not in ("new", "assigned"):
        return
    found.state, found.partner = "assigned", claim.partner
    found.claimed_at, found.claimed_until = at, claim.until


def _holds_claim(found: Outcome, at: int) -> bool:
    return found.claimed_until is not None and (
        at < found.claimed_until or found.state not in ("new", "assigned")
    )


def _change(fold: _Fold, transition: Transition) -> None:
    found, desk = fold.found, fold.desk
    patch, wanted = transition.patch, _wanted(transition.patch)
    is_legal = wanted is not None and wanted in LEGAL[found.state]
    is_free = found.owner == desk
    if patch.owner is not UNSET and (is_legal or is_free or patch.state is UNSET):
        found.owner = patch.owner or desk
    if wanted is not None and is_legal:
        found.state = wanted
        if wanted == "new":
            found.owner, found.claimed_at, found.claimed_until = desk, None, None
        if wanted == "won":
            found.won_at = transition.at
    if contacts_of(transition) and found.state in ("new", "assigned"):
        found.state = "contacted"
    for name in ("snoozed_until", "amount", "currency"):
        if (value := getattr(patch, name)) is not UNSET:
            setattr(found, name, value)


def _wanted(patch: LeadPatch) -> LeadState | None:
    """The state that is asked for. An owner alone assigns a new lead, or gives it back."""
    if patch.state is not UNSET:
        return patch.state
    if patch.owner is UNSET:
        return None
    return "new" if patch.owner is None else "assigned"
