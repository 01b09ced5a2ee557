"""What a partner has in the console: its own leads, claims, the ledger, and definitions in words.

The list and the definitions have the addresses that others use, and ask as the partner. Every other
page needs a key that may read everything.
"""

from __future__ import annotations

import secrets

from flask import Blueprint, Response, request

from ...errors import NotFound
from ...leads.states import LEGAL, state_at
from ...marking.work import LeadChange
from ...model import Claim, LeadPatch, id_of, kind_of
from ..api.partners import actor_in, claim_length
from ..api.queries import storable
from ..asked import arguments
from . import changes
from .forms import again
from .frame import Console, done, needs, page_for, url, viewer
from .timeline import strip_of

PAGE = 50
"""Won leads of a page."""

GIVEN_TO_PARTNERS = ("new", "contacted", "won", "lost", "dismissed")
"""The states to which a partner can take a lead that it has claimed."""


class LedgerArguments(arguments.NoArguments):
    """Where the ledger goes on."""

    cursor = arguments.Cursor(load_default=None)


_LEDGER = LedgerArguments()


def add(bp: Blueprint, console: Console) -> None:
    """The routes, over a console."""
    collector = console.collector

    @bp.get("/ledger")
    @page_for("leads")
    def ledger() -> Response:
        cursor = arguments.read(request, _LEDGER)["cursor"]
        found = collector.partners.ledger(own_name(), PAGE, cursor)
        return console.page("partner/ledger.html", ledger=found)

    def same_lead(status: int) -> Response:
        lead_id = (request.view_args or {})["lead_id"]
        return lead_page(console, lead_id, own_name(), status)

    @bp.post("/leads/<lead_id>/claim")
    @page_for("act")
    @needs("act")
    @again(same_lead)
    def claim(lead_id: str) -> Response:
        partner, identifier = own_name(), storable("lead", lead_id)
        collector.queries.require_lead(identifier, partner)
        until = collector.clock() + claim_length(collector.catalogue, partner)
        asked = LeadChange(
            LeadPatch(claim=Claim(partner, until)),
            actor=actor_in(viewer().key, viewer().actor),
            partner=partner,
        )
        lead = collector.intake.change(identifier, asked)
        return done(url("console.lead", lead_id=lead.id), "claimed")


def own_name() -> str:
    """The partner whose key opened the session. Raises NotFound for a session of another kind."""
    name = viewer().key.partner
    if name is None:
        raise NotFound("this page is of partners, and this is not the session of one")
    return name


def lead_page(console: Console, lead_id: str, partner: str, status: int = 200) -> Response:
    """A lead as its partner sees it. Raises NotFound for the lead of another one."""
    collector = console.collector
    answer = collector.queries.pql(storable("lead", lead_id), partner)
    allowed = LEGAL[state_at(answer.lead, collector.clock())]
    return console.page(
        "partner/lead.html",
        status,
        answer=answer,
        leaves=[(leaf, strip_of(leaf)) for leaf in answer.evidence["leaves"]],
        parts=console.parts.get(answer.lead.definition, {}),
        name=id_of(answer.lead.subject),
        kind=kind_of(answer.lead.subject) or "user",
        allowed=[state for state in allowed if state in GIVEN_TO_PARTNERS],
        snoozes=changes.SNOOZES,
        reasons=changes.REASONS,
        owners=(),
        once=secrets.token_hex(8),
        address=url("console.lead", lead_id=lead_id),
    )
