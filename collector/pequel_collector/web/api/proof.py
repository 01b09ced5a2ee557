"""``/v1/pqls/ID/proof``: a lead, derived again from the stored messages."""

from __future__ import annotations

from flask import Blueprint, Response, request
from marshmallow import Schema, fields

from ...app.bootstrap import Collector
from ...audit.proof import Proofs
from ..json import json_response
from . import arguments, schemas
from .require_reader import require_reader

_NONE = arguments.NoArguments()


class Derived(Schema):
    """What the messages give."""

    state = fields.String()
    qualified_at = fields.String()
    account = fields.String()
    evidence = fields.Raw()


class Proven(Schema):
    """The version of the definition; ``problem`` says why it cannot be evaluated."""

    name = fields.String()
    version = fields.Integer()
    hash = fields.String()
    text = fields.String()
    problem = fields.String()


class Part(Schema):
    """A part of a lead that differs."""

    field = fields.String()
    stored = fields.Raw()
    derived = fields.Raw()


class Proof(Schema):
    """A stored lead, the derived one, and their differences."""

    result = fields.String()
    lead = fields.Nested(schemas.Lead)
    derived = fields.Nested(Derived)
    definition = fields.Nested(Proven)
    facts = fields.Integer()
    differences = fields.List(fields.Nested(Part))


PROOF = Proof()


def blueprint(collector: Collector) -> Blueprint:
    """The proofs of the leads of a collector."""
    bp = Blueprint("proof", __name__, url_prefix="/v1")
    require_reader(bp, collector)

    @bp.get("/pqls/<lead_id>/proof")
    def proof(lead_id: str) -> Response:
        arguments.read(request, _NONE)
        proven = Proofs(collector.store, collector.clock).proof(lead_id)
        return json_response(PROOF.dump(proven | {"lead": collector.queries.pql(lead_id)}))

    return bp
