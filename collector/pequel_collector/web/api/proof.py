"""The proof of a lead: what the stored messages give in its place."""

from __future__ import annotations

from flask import Blueprint, Response, request
from marshmallow import Schema, fields

from ...audit.proof import Proofs
from ..collector import Collector
from ..json import answer
from . import arguments, schemas
from .require_reader import private

_NONE = arguments.NoArguments()


class Derived(Schema):
    """What the messages give: when, in which account, and why."""

    qualified_at = schemas.Moment()
    account = fields.String()
    evidence = fields.Raw()


class Proven(Schema):
    """The version under which a lead is proven; ``problem`` says why it cannot be."""

    name = fields.String()
    version = fields.Integer()
    hash = fields.String()
    text = fields.String()
    problem = fields.String()


class Part(Schema):
    """A part of a lead that the messages do not give as it is stored."""

    field = fields.String()
    stored = fields.Raw()
    derived = fields.Raw()


class Proof(Schema):
    """A lead, what the messages give in its place, and in what that differs."""

    result = fields.String()
    lead = fields.Nested(schemas.Lead)
    derived = fields.Nested(Derived)
    definition = fields.Nested(Proven)
    facts = fields.Integer()
    differences = fields.List(fields.Nested(Part))


PROOF = Proof()


def blueprint(collector: Collector) -> Blueprint:
    """The proofs of the leads of a collector."""
    paths = Blueprint("proof", __name__, url_prefix="/v1")
    private(paths, collector)

    @paths.get("/pqls/<lead_id>/proof")
    def proof(lead_id: str) -> Response:
        arguments.read(request, _NONE)
        proven = Proofs(collector.store, collector.clock).proof(lead_id)
        return answer(PROOF.dump(proven | {"lead": collector.queries.pql(lead_id)}))

    return paths
