"""``PATCH /v1/pqls/{id}`` and ``GET /v1/pqls/changes``: leads as people work them."""

from __future__ import annotations

from flask import Blueprint, Response, request

from ...app.bootstrap import Collector
from ..answers import schemas
from ..asked import arguments
from ..asked.lead_body import IDEMPOTENCY_KEY, IF_MATCH, LEAD_CHANGE, lead_change_in
from ..json import json_response
from ..openapi.operation import describe, query, query_page
from ..require_reader import current_key, current_partner, require_reader
from .partners import of_key
from .queries import lead_response, page_slot, storable

_NONE = arguments.NoArguments()
_CHANGES = arguments.ChangesArguments()
_PATCH = query(
    "Change a lead: its state, owner, contact or snooze",
    "leads",
    schemas.LEAD,
    bodies=(LEAD_CHANGE,),
    scope="act",
    errors=(404, 409, 412),
    parameters=(IDEMPOTENCY_KEY, IF_MATCH),
)
_GET_CHANGES = query_page(
    "The ledger of all leads", "leads", schemas.LEDGER_ENTRY, arguments=_CHANGES, scope="leads"
)


def blueprint(collector: Collector) -> Blueprint:
    """Working with leads, over a collector."""
    bp = Blueprint("leads", __name__, url_prefix="/v1")
    require_reader(bp, collector)

    @bp.patch("/pqls/<lead_id>")
    @describe(_PATCH)
    def change(lead_id: str) -> Response:
        key = current_key()
        arguments.read(request, _NONE)
        asked = lead_change_in(request, collector.settings, collector.clock(), None)
        identifier = storable("lead", lead_id)
        collector.queries.require_lead(identifier, key.partner)
        lead = collector.intake.change(identifier, of_key(key, asked))
        return lead_response(collector.queries.pql(lead.id, key.partner))

    @bp.get("/pqls/changes")
    @describe(_GET_CHANGES)
    def changes() -> Response:
        given = arguments.read(request, _CHANGES)
        with page_slot(given["limit"]):
            found = collector.queries.changes(given["limit"], given["after"], current_partner())
            return json_response(schemas.page(schemas.LEDGER_ENTRY, found))

    return bp
