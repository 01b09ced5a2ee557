"""One lead: why, who, what they did, what to do; and its proof."""

from __future__ import annotations

import secrets

from flask import Blueprint, Response

from ...audit.proof import Proofs
from ...errors import BadRequest
from ...leads.states import LEGAL, state_at
from ...model import id_of, kind_of
from ...queries.answers import LeadAnswer, Person
from ..api.queries import storable
from . import changes, partner
from .frame import Console, page_for, url, viewer
from .holders import holder_of
from .owners import known_owners
from .timeline import days_of, deciding_in, happened, strip_of

LATEST = 80
"""Messages of the subject that the page looks at."""

PEOPLE = 6
"""People of the account that the page names."""


def add(bp: Blueprint, console: Console) -> None:
    """The routes, over a console."""
    collector = console.collector

    @bp.get("/leads/<lead_id>")
    @page_for("leads")
    def lead(lead_id: str) -> Response:
        return lead_page(console, lead_id)

    @bp.get("/leads/<lead_id>/proof")
    def proof(lead_id: str) -> Response:
        identifier = storable("lead", lead_id)
        proven = Proofs(collector.store, collector.clock).proof(identifier)
        answer = collector.queries.pql(identifier)
        return console.page("proof.html", answer=answer, proof=proven)


def lead_page(console: Console, lead_id: str, status: int = 200) -> Response:
    """A lead, as whoever looks may see it. Raises NotFound."""
    if viewer().key.partner is not None:
        return partner.lead_page(console, lead_id, partner.own_name(), status)
    collector = console.collector
    answer = collector.queries.pql(storable("lead", lead_id))
    subject = answer.lead.subject
    kind = kind_of(subject) or "user"
    latest = collector.queries.timeline(kind, id_of(subject), LATEST)
    deciding = deciding_in(answer.evidence)
    lines = happened(latest.data, collector.catalogue.project.key_events, deciding)
    return console.page(
        "lead.html",
        status,
        answer=answer,
        leaves=[(leaf, strip_of(leaf)) for leaf in answer.evidence["leaves"]],
        guards=answer.evidence.get("guards", ()),
        days=days_of(lines),
        is_more=latest.next_cursor is not None,
        people=_people(console, answer),
        holder=holder_of(answer.lead.owner, answer.history or ()),
        allowed=LEGAL[state_at(answer.lead, collector.clock())],
        snoozes=changes.SNOOZES,
        reasons=changes.REASONS,
        owners=known_owners(console),
        once=secrets.token_hex(8),
        kind=kind,
        parts=console.parts.get(answer.lead.definition, {}),
        address=url("console.lead", lead_id=lead_id),
    )


def _people(console: Console, answer: LeadAnswer) -> list[Person]:
    """The people of the account of a lead; none for an account never seen.

    A user whose lead it is comes first, then who is most engaged.
    """
    if answer.account is None:
        return []
    try:
        page = console.collector.lists.people(answer.account, PEOPLE, None)
    except BadRequest:  # an account with too many people to compare
        return []
    own = id_of(answer.lead.subject) if kind_of(answer.lead.subject) == "user" else None
    return sorted(page.data, key=lambda person: person.id != own)
