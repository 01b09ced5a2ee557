"""Lists of users and accounts: search, who is nearly there, who has used a feature."""

from __future__ import annotations

from flask import Blueprint, Response, request

from ...app.bootstrap import Collector
from ...model import Kind
from ...queries.adoption import AdoptionFilter
from ..json import json_response
from . import arguments, schemas
from .require_reader import require_reader

_SUBJECTS = arguments.SubjectArguments()
_NEAR = arguments.NearArguments()
_ADOPTION = arguments.AdoptionArguments()


def blueprint(collector: Collector) -> Blueprint:
    """The lists of subjects, over a collector."""
    bp = Blueprint("lists", __name__, url_prefix="/v1")
    require_reader(bp, collector)
    lists = collector.lists

    def subjects(kind: Kind) -> Response:
        given = arguments.read(request, _SUBJECTS)
        found = lists.subjects(kind, given["q"], given["limit"], given["cursor"])
        return json_response(schemas.page(schemas.LISTED_SUBJECT, found))

    @bp.get("/users")
    def users() -> Response:
        return subjects("user")

    @bp.get("/accounts")
    def accounts() -> Response:
        return subjects("account")

    @bp.get("/near")
    def near() -> Response:
        given = arguments.read(request, _NEAR)
        return json_response(schemas.NEAR.dump(lists.near(**given)))

    @bp.get("/adoption")
    def adoption() -> Response:
        given = arguments.read(request, _ADOPTION)
        limit, cursor = given.pop("limit"), given.pop("cursor")
        found = lists.adoption(AdoptionFilter(**given), limit, cursor)
        return json_response(schemas.ADOPTION.dump(found))

    return bp
