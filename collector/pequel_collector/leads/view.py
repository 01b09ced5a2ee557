"""What a condition on a lead sees: it is read from the store, as far as the conditions ask."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple

from ..model import JSON, Lead, account_key, id_of, kind_of
from ..ports import ReadTransaction
from ..rules.language.account_lists import DOMAIN, domain_of_account
from ..rules.language.definition import Catalogue
from ..rules.language.lead_condition import (
    LeadCondition,
    LeadView,
    MappedTo,
    QualifiedFor,
    TraitIs,
    parts_of,
    usage_of,
)

LeadsOf = Callable[[str], Iterable[Lead]]
"""The leads of a subject, given its key."""


class Needs(NamedTuple):
    """What conditions ask for besides the lead."""

    traits: bool = False
    account_traits: bool = False
    qualified: bool = False
    mapped_to: bool = False


def needs_of(conditions: Iterable[LeadCondition | None]) -> Needs:
    """What some conditions ask for."""
    parts = [part for condition in conditions for part in parts_of(condition)]
    traits = [part.account for part in parts if isinstance(part, TraitIs)]
    qualified = any(isinstance(part, QualifiedFor) for part in parts)
    mapped_to = any(isinstance(part, MappedTo) for part in parts)
    return Needs(False in traits, True in traits or mapped_to, qualified, mapped_to)


def view_of(
    tx: ReadTransaction, lead: Lead, catalogue: Catalogue, needs: Needs, leads_of: LeadsOf
) -> LeadView:
    """What conditions with these needs see of a lead now."""
    kind = kind_of(lead.subject) or "user"
    account = id_of(lead.subject) if kind == "account" else lead.account
    key = None if account is None else account_key(account)
    wanted = {lead.subject} if needs.traits else set()
    wanted |= {key} if needs.account_traits and key is not None else set()
    users = tx.ids_of([each for each in wanted if kind_of(each) == "user"]) if wanted else {}
    traits = tx.traits({each: users.get(each, [each]) for each in wanted}) if wanted else {}
    definition = catalogue.named(lead.definition)
    account_traits = {} if key is None else traits.get(key, {})
    return LeadView(
        definition=lead.definition,
        kind=lead.kind,
        priority=lead.priority,
        subject=kind,
        account=account,
        partner=lead.partner,
        traits=traits.get(lead.subject, {}),
        account_traits=account_traits,
        usage={} if definition is None else usage_of(definition, lead.evidence),
        qualified=_qualified(lead, key, leads_of) if needs.qualified else (),
        mapped_to=_mapped_to(tx, account, account_traits) if needs.mapped_to else (),
    )


def _mapped_to(
    tx: ReadTransaction, account: str | None, traits: Mapping[str, JSON]
) -> Collection[str]:
    """The partners that have an account on their lists now."""
    if account is None:
        return ()
    return tx.partners_listing(account, domain_of_account(account, traits.get(DOMAIN)))


def _qualified(lead: Lead, account: str | None, leads_of: LeadsOf) -> set[str]:
    keys = {lead.subject} if account is None else {lead.subject, account}
    found = (each for key in keys for each in leads_of(key))
    return {lead.definition, *(each.definition for each in found if each.state != "voided")}
