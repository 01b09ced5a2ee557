"""What a partner sees of a lead that is its own: reduced until it has claimed it.

Before the claim there is nothing in it that names a person: of the traits only those that are
listed, the domain of the e-mail address, and no properties of events. Ids stay, except for those
that are e-mail addresses. After the claim the partner sees the lead, but of what people noted only
what it noted itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from msgspec.structs import replace as struct_with

from ..model import JSON, Routed
from ..ports import Change
from ..rules.language.definition import Catalogue
from .answers import DefinitionAnswer, Definitions, LeadAnswer, LedgerAnswer
from .masking import ADDRESS, masked, masked_subject
from .partner_evidence import reduced_evidence

SHARED_TRAITS = ("country", "plan", "stage", "industry", "employees", "language", "region")
"""The traits that are shown before a claim, unless ``[project]`` lists others."""

SHOWN_OF_CHANGES = frozenset({
    "state", "qualified_at", "version", "account", "due_at", "contacted_at", "won_at",
    "self_serve", "snoozed_until", "amount", "currency", "claimed_at", "claimed_until",
})  # fmt: skip
"""What a change shows of before and after."""


def for_partner(answer: LeadAnswer, partner: str, catalogue: Catalogue) -> LeadAnswer:
    """A lead of a partner as that partner sees it."""
    own = _of_own(answer, partner)
    if answer.claim is not None:
        return own
    history = own.history and [_change_before_claim(each, partner) for each in own.history]
    return _reduced(own._replace(history=history), catalogue)


def changes_for_partner(entry: LedgerAnswer, partner: str, catalogue: Catalogue) -> LedgerAnswer:
    """An entry of the ledger, of a lead of the partner."""
    change = change_for_partner(Change(*entry[:7]), partner)
    now = entry.lead_now
    if now is None or now.claim is None:
        change = _change_before_claim(change, partner)
    lead = None if now is None else for_partner(now, partner, catalogue)
    return LedgerAnswer(*change[:7], lead)


def change_for_partner(change: Change, partner: str) -> Change:
    """A change of a lead, without what others noted, and without the time before it was theirs."""
    actor = change.actor
    is_own = actor is None or is_of(actor, partner)
    is_named = is_own or (actor or "").startswith("route:")
    was_of_another = change.before.get("partner") not in (None, partner)
    return change._replace(
        before={} if was_of_another else _shown(change.before),
        after=_shown(change.after),
        reason=change.reason if is_own else None,
        actor=actor if is_named else None,
    )


def _change_before_claim(change: Change, partner: str) -> Change:
    """A change without addresses, and without a reason that others wrote."""
    return change._replace(
        before=masked(change.before),
        after=masked(change.after),
        reason=change.reason if is_of(change.actor, partner) else None,
    )


def definitions_for_partner(found: Definitions) -> Definitions:
    """The definitions with their names and sentences, without how they are written."""
    data = [_said(each) for each in found.data]
    return Definitions(data, None, None, project={}, features={}, metrics=[], labels={})


def actor_of(partner: str) -> str:
    """How what a partner does is signed."""
    return f"partner:{partner}"


def is_of(actor: str | None, partner: str) -> bool:
    """Whether the partner, or one of its people, signed with this."""
    own = actor_of(partner)
    return actor is not None and (actor == own or actor.startswith(f"{own}/"))


def _of_own(answer: LeadAnswer, partner: str) -> LeadAnswer:
    """Of the route, the contacts and the history, what is the partner's own business.

    Why a route matched is not: it tells which other routes were full.
    """
    history, contacts, route = answer.history, answer.contacts, answer.lead.route
    is_own = route is not None and route.partner in (None, partner)
    own_route = struct_with(route, why="") if route is not None and is_own else None
    return answer._replace(
        lead=replace(answer.lead, route=own_route),
        history=history and [change_for_partner(each, partner) for each in history],
        contacts=contacts and [each for each in contacts if is_of(each.actor, partner)],
    )


def _reduced(answer: LeadAnswer, catalogue: Catalogue) -> LeadAnswer:
    lead, project = answer.lead, catalogue.project
    shared = SHARED_TRAITS if project.partner_traits is None else project.partner_traits
    traits, of_account = (_traits(t, shared) for t in (answer.traits, answer.brief.account_traits))
    return answer._replace(
        lead=replace(
            lead,
            subject=masked_subject(lead.subject),
            account=None if lead.account is None else str(masked(lead.account)),
            owner=None,
            evidence=reduced_evidence(lead.evidence, catalogue.named(lead.definition), shared),
            route=lead.route and _without_people(lead.route),
        ),
        traits=traits,
        brief=answer.brief._replace(account_traits=of_account),
        contacts=None if answer.contacts is None else [],
    )


def _without_people(route: Routed) -> Routed:
    """A route that does not say which user or team looks after the lead."""
    assigned = None if route.partner is None else route.assigned
    return struct_with(route, assigned=assigned, owner=None)


def _traits(traits: Mapping[str, JSON], shared: tuple[str, ...]) -> dict[str, JSON]:
    found = {name: masked(traits[name]) for name in shared if name in traits}
    address = traits.get("email")
    if isinstance(address, str) and ADDRESS.fullmatch(address):
        found["email"] = masked(address)
    return found


def _shown(part: Mapping[str, JSON]) -> dict[str, JSON]:
    return {name: value for name, value in part.items() if name in SHOWN_OF_CHANGES}


def _said(answer: DefinitionAnswer) -> DefinitionAnswer:
    definition = replace(answer.definition, source={}, text="", owner=None)
    return answer._replace(definition=definition, versions=())
