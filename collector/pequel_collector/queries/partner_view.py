"""What a partner sees of a lead that is its own: reduced until it has claimed it.

Before the claim there is nothing in it that names a person: of the traits only those that are
listed, the domain of the e-mail address, and no properties of events. Ids stay, except for those
that are e-mail addresses. After the claim the partner sees the lead, but of what people noted only
what it noted itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from msgspec.structs import replace as struct_with

from ..model import JSON, id_of, kind_of, subject_key
from ..ports import Change
from ..rules.language.definition import Project
from .answers import DefinitionAnswer, Definitions, LeadAnswer, LedgerAnswer

SHARED_TRAITS = ("country", "plan", "stage", "industry", "employees", "language", "region")
"""The traits that are shown before a claim, unless ``[project]`` lists others."""

SHOWN_OF_CHANGES = frozenset({
    "state", "qualified_at", "version", "account", "due_at", "route", "contacted_at", "won_at",
    "self_serve", "snoozed_until", "amount", "currency", "claimed_at", "claimed_until",
})  # fmt: skip
"""What a change shows of before and after."""

_ADDRESS = re.compile(r"[^\s@\"'<>(),;:]+@([^\s@\"'<>(),;:]+)")


def for_partner(answer: LeadAnswer, partner: str, project: Project) -> LeadAnswer:
    """A lead of a partner as that partner sees it."""
    own = _of_own(answer, partner)
    if answer.claim is not None:
        return own
    history = own.history and [_change_before_claim(each, partner) for each in own.history]
    return _reduced(own._replace(history=history), project)


def changes_for_partner(entry: LedgerAnswer, partner: str, project: Project) -> LedgerAnswer:
    """An entry of the ledger, of a lead of the partner."""
    change = change_for_partner(Change(*entry[:7]), partner)
    now = entry.lead_now
    if now is None or now.claim is None:
        change = _change_before_claim(change, partner)
    lead = None if now is None else for_partner(now, partner, project)
    return LedgerAnswer(*change[:7], lead)


def change_for_partner(change: Change, partner: str) -> Change:
    """A change of a lead, without what others noted."""
    actor = change.actor
    is_own = actor is None or actor.startswith("route:") or is_of(actor, partner)
    return change._replace(
        before=_shown(change.before),
        after=_shown(change.after),
        reason=change.reason if is_own else None,
        actor=change.actor if is_own else None,
    )


def _change_before_claim(change: Change, partner: str) -> Change:
    """A change without addresses, and without the reason of a route, which names values."""
    return change._replace(
        before=_without_why(masked(change.before)),
        after=_without_why(masked(change.after)),
        reason=change.reason if is_of(change.actor, partner) else None,
    )


def _without_why(part: Mapping[str, JSON]) -> dict[str, JSON]:
    route = part.get("route")
    told = {"route": {**route, "why": ""}} if isinstance(route, Mapping) else {}
    return {**part, **told}


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


def masked(value: JSON) -> JSON:
    """A value in which each e-mail address shows only its domain."""
    match value:
        case str():
            return _ADDRESS.sub(r"•••@\1", value)
        case list():
            return [masked(each) for each in value]
        case Mapping():
            return {name: masked(each) for name, each in value.items()}
        case _:
            return value


def masked_subject(subject: str) -> str:
    """The key of a subject whose id shows only the domain if it is an e-mail address."""
    return subject_key(kind_of(subject) or "user", str(masked(id_of(subject))))


def _of_own(answer: LeadAnswer, partner: str) -> LeadAnswer:
    """Of the contacts and the history, what the partner did, and what followed by itself."""
    history, contacts = answer.history, answer.contacts
    return answer._replace(
        history=history and [change_for_partner(each, partner) for each in history],
        contacts=contacts and [each for each in contacts if is_of(each.actor, partner)],
    )


def _reduced(answer: LeadAnswer, project: Project) -> LeadAnswer:
    shared = SHARED_TRAITS if project.partner_traits is None else project.partner_traits
    lead = answer.lead
    account = None if lead.account is None else str(masked(lead.account))
    subject = masked_subject(lead.subject)
    traits, of_account = (_traits(t, shared) for t in (answer.traits, answer.brief.account_traits))
    evidence = _harmless(lead.evidence, [*traits.values(), *of_account.values()])
    brief = answer.brief._replace(account_traits=of_account)
    return answer._replace(
        lead=replace(
            lead,
            subject=subject,
            account=account,
            evidence=evidence,
            route=lead.route and struct_with(lead.route, why=""),
        ),
        traits=traits,
        brief=brief,
        contacts=None if answer.contacts is None else [],
    )


def _traits(traits: Mapping[str, JSON], shared: tuple[str, ...]) -> dict[str, JSON]:
    found = {name: masked(traits[name]) for name in shared if name in traits}
    address = traits.get("email")
    if isinstance(address, str) and _ADDRESS.fullmatch(address):
        found["email"] = masked(address)
    return found


def _harmless(evidence: Mapping[str, JSON], shown_traits: Sequence[JSON]) -> dict[str, JSON]:
    """Evidence without properties, and without values but those of traits that are shown.

    The sentence names the values of all traits, so it goes with the first that is hidden.
    """
    shown: dict[str, JSON] = masked(evidence)
    for leaf in shown.get("leaves", ()):
        observed = leaf.get("observed")
        is_trait = isinstance(leaf.get("needed"), dict)
        is_value = is_trait or isinstance(observed, str | list | dict)
        if is_value and observed not in shown_traits:
            leaf["observed"] = None
            shown.pop("sentence", None)
        for event in leaf.get("events", ()):
            if isinstance(event, dict):
                event["properties"] = {}
    return shown


def _shown(part: Mapping[str, JSON]) -> dict[str, JSON]:
    return {name: value for name, value in part.items() if name in SHOWN_OF_CHANGES}


def _said(answer: DefinitionAnswer) -> DefinitionAnswer:
    definition = replace(answer.definition, source={}, text="", owner=None)
    return answer._replace(definition=definition, versions=())
