"""Account mapping: the list of accounts that a partner has given, and its overlap with ours."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Response, request

from ...app.bootstrap import Collector
from ...ports import By
from ...rules.language.account_lists import MAX_ENTRIES, MAX_ENTRY
from ..answers import schemas
from ..asked import arguments, json_body
from ..json import json_response
from ..openapi.operation import Content, describe, query
from ..require_reader import current_key, current_partner, require_reader
from .partners import named_partner
from .queries import page_slot


class AccountList(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PUT``: account ids and domains, all of the list."""

    accounts: list[str]


LIST = Content(
    "application/json",
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["accounts"],
        "properties": {
            "accounts": {
                "type": "array",
                "maxItems": MAX_ENTRIES,
                "items": {"type": "string", "minLength": 1, "maxLength": MAX_ENTRY},
            }
        },
    },
    {"accounts": ["acme.example", "globex"]},
)

_OVERLAP = arguments.PageArguments()
_PUT = query(
    "Replace the account list of a partner",
    "leads",
    schemas.LIST_CHANGE,
    bodies=(LIST,),
    scope="work",
    errors=(404,),
)
_GET = query(
    "Which accounts of a partner's list are ours",
    "leads",
    schemas.OVERLAP,
    arguments=_OVERLAP,
    scope="leads",
    errors=(404,),
)


def blueprint(collector: Collector) -> Blueprint:
    """The calls of account mapping, over a collector."""
    bp = Blueprint("account_lists", __name__, url_prefix="/v1")
    require_reader(bp, collector)

    @bp.put("/partners/<partner_id>/accounts")
    @describe(_PUT)
    def put(partner_id: str) -> Response:
        name = named_partner(partner_id)
        asked = json_body.read(request, collector.settings, AccountList)
        by = By(current_key().id)
        change = collector.replace_account_list(name, asked.accounts, by)
        return json_response(schemas.LIST_CHANGE.dump(change))

    @bp.get("/partners/<partner_id>/overlap")
    @describe(_GET)
    def overlap(partner_id: str) -> Response:
        name = named_partner(partner_id)
        given = arguments.read(request, _OVERLAP)
        with page_slot(arguments.MAX_LIMIT):
            found = collector.overlaps.overlap(
                name, given["limit"], given["cursor"], for_partner=current_partner() is not None
            )
        return json_response(schemas.OVERLAP.dump(found))

    return bp
