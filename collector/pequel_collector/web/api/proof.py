"""``/v1/pqls/ID/proof``: a lead, derived again from the stored messages."""

from __future__ import annotations

from typing import NamedTuple

from flask import Blueprint, Response, request

from ...app.bootstrap import Collector
from ...audit.proof import Proof, Proofs
from ...queries.answers import LeadAnswer
from ..answers import schemas
from ..asked import arguments
from ..json import json_response
from ..openapi.operation import describe, query
from ..require_reader import require_reader

_NONE = arguments.NoArguments()


class ProofAnswer(NamedTuple):
    """A proof with the lead as it is stored."""

    lead: LeadAnswer
    proof: Proof


def blueprint(collector: Collector) -> Blueprint:
    """The proofs of the leads of a collector."""
    bp = Blueprint("proof", __name__, url_prefix="/v1")
    require_reader(bp, collector)

    @bp.get("/pqls/<lead_id>/proof")
    @describe(query("A lead, derived again", "leads", schemas.PROOF, errors=(404,)))
    def proof(lead_id: str) -> Response:
        arguments.read(request, _NONE)
        proven = Proofs(collector.store, collector.clock).proof(lead_id)
        found = ProofAnswer(collector.queries.pql(lead_id), proven)
        return json_response(schemas.PROOF.dump(found))

    return bp
