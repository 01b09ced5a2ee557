"""Partners: claims, the ledger of what a partner has won, and what there is to win."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, request
from msgspec import UNSET

from ...app.bootstrap import Collector
from ...errors import BadRequest, NotFound
from ...marking.work import LeadChange
from ...model import Claim, Key, LeadPatch
from ...queries.partner_view import actor_of
from ...queries.partners import AGES, BYS, USUAL_AGE
from ...rules.language.definition import Catalogue
from ...rules.language.routing import LONGEST_NAME, is_partner_name
from ..answers import schemas
from ..asked import arguments
from ..asked.lead_body import (
    FIELDS,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    body_text,
    conditions_in,
    fields_in,
    text_of,
)
from ..json import json_response
from ..openapi.operation import Content, describe, query
from ..require_reader import current_key, current_partner, require_reader
from .queries import lead_response, storable

_NONE = arguments.NoArguments()


class LedgerArguments(arguments.PageArguments):
    """The ledger of a partner; ``from`` is included, ``to`` is not."""

    won_from = arguments.Time()
    won_to = arguments.Time()


class PotentialArguments(arguments.NoArguments):
    """Which groups; ``max_age`` is how long ago a lead was marked at most."""

    by = arguments.OneOf(*BYS, load_default="country")
    max_age = arguments.OneOf(*AGES, load_default=USUAL_AGE)


_LEDGER, _POTENTIAL = LedgerArguments(), PotentialArguments()

CLAIM = Content(
    "application/json",
    {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            "partner": {"type": "string", "minLength": 1, "maxLength": LONGEST_NAME},
            "reason": {"type": "string", "minLength": 1, "maxLength": 2_000},
            "actor": {"type": "string", "minLength": 1, "maxLength": 512},
        },
    },
    {"actor": "Eva of North"},
)


CLAIM_FIELDS = {
    "partner": text_of(LONGEST_NAME),
    "reason": FIELDS["reason"],
    "actor": FIELDS["actor"],
}


_POST_CLAIM = query(
    "Claim a lead for a partner",
    "leads",
    schemas.LEAD,
    bodies=(CLAIM,),
    needs_body=False,
    scope="act",
    errors=(404, 409, 412),
    parameters=(IDEMPOTENCY_KEY, IF_MATCH),
)
_GET_LEDGER = query(
    "What a partner has won",
    "leads",
    schemas.PARTNER_LEDGER,
    arguments=_LEDGER,
    scope="leads",
    errors=(404,),
)
_GET_POTENTIAL = query(
    "How many leads there are for partners, by region or segment",
    "leads",
    schemas.POTENTIAL,
    arguments=_POTENTIAL,
    scope="leads",
)


def blueprint(collector: Collector) -> Blueprint:
    """The calls of partners, over a collector."""
    bp = Blueprint("partners", __name__, url_prefix="/v1")
    require_reader(bp, collector)
    handlers = Handlers(collector)
    bp.add_url_rule("/pqls/<lead_id>/claim", view_func=handlers.claim, methods=["POST"])
    bp.add_url_rule("/partners/<partner_id>/ledger", view_func=handlers.ledger)
    bp.add_url_rule("/partners/potential", view_func=handlers.potential)
    return bp


class Handlers:
    """Each reads its arguments, asks for one thing and answers."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    @describe(_POST_CLAIM)
    def claim(self, lead_id: str) -> Response:
        """``/pqls/ID/claim``."""
        arguments.read(request, _NONE)
        collector, key = self._collector, current_key()
        text = body_text(request, collector.settings)
        fields = fields_in(text, CLAIM_FIELDS)
        identifier = storable("lead", lead_id)
        lead = collector.queries.require_lead(identifier, key.partner)
        partner = _claimant(key, fields.get("partner"), lead.partner)
        until = collector.clock() + claim_length(collector.catalogue, partner)
        asked = LeadChange(
            LeadPatch(claim=Claim(partner, until)),
            reason=fields.get("reason"),
            actor=actor_in(key, fields.get("actor")),
            partner=key.partner,
            **conditions_in(request, text),
        )
        lead = collector.intake.change(identifier, asked)
        return lead_response(collector.queries.pql(lead.id, key.partner))

    @describe(_GET_LEDGER)
    def ledger(self, partner_id: str) -> Response:
        """``/partners/NAME/ledger``."""
        name = named_partner(partner_id)
        given = arguments.read(request, _LEDGER)
        found = self._collector.partners.ledger(
            name, given["limit"], given["cursor"], given.get("won_from"), given.get("won_to")
        )
        return json_response(schemas.PARTNER_LEDGER.dump(found))

    @describe(_GET_POTENTIAL)
    def potential(self) -> Response:
        """``/partners/potential``."""
        given = arguments.read(request, _POTENTIAL)
        found = self._collector.partners.potential(given["by"], given["max_age"])
        return json_response(schemas.POTENTIAL.dump(found))


def named_partner(name: str) -> str:
    """The partner that a path names. Raises NotFound for a partner's key that names another."""
    own = current_partner()
    if (own is not None and name != own) or not is_partner_name(name):
        raise NotFound(f"there is no partner {name[:LONGEST_NAME]!a}")
    return name


def _claimant(key: Key, named: str | None, current: str | None) -> str:
    """For which partner a lead is claimed. Raises BadRequest if that cannot be said."""
    if key.partner is not None and named not in (None, key.partner):
        raise _wrong_partner(f"{named!a}", f"{key.partner!a}, whose key this is")
    partner = key.partner or named or current
    if partner is None or not is_partner_name(partner):
        raise _wrong_partner("nothing" if partner is None else f"{partner!a}", "a partner's name")
    return partner


def _wrong_partner(found: str, expected: str) -> BadRequest:
    message = f"partner: found {found}, expected {expected}"
    return BadRequest(message, "bad_field", field="partner", found=found, expected=expected)


def claim_length(catalogue: Catalogue, partner: str) -> int:
    """How long a claim of a partner lasts (ms)."""
    found = catalogue.routing.partner(partner)
    return catalogue.project.claim if found is None or found.claim is None else found.claim


def actor_in(key: Key, named: str | None) -> str:
    """Who makes a change: with a partner's key the partner, and whom it names behind that."""
    if key.partner is None:
        return named or key.label or key.id
    partner = actor_of(key.partner)
    return partner if named is None else f"{partner}/{named}"


def of_key(key: Key, asked: LeadChange) -> LeadChange:
    """A change by a key, signed. Raises BadRequest for what a partner may not change."""
    signed = replace(asked, actor=actor_in(key, asked.actor), partner=key.partner)
    if key.partner is None:
        return signed
    if asked.patch.owner is not UNSET or asked.patch.state == "assigned":
        field = "owner" if asked.patch.owner is not UNSET else "state"
        raise BadRequest(
            f"{field}: a partner's key cannot assign a lead, expected new, contacted, won, lost or "
            "dismissed, a contact or an amount",
            "bad_field",
            field=field,
        )
    return signed
