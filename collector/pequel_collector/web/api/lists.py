"""Lists of users and accounts: search, who is nearly there, who has used a feature."""

from __future__ import annotations

from dataclasses import replace

from flask import Blueprint, Response, request

from ...app.bootstrap import Collector
from ...model import Kind
from ...queries.adoption import AdoptionFilter
from ...queries.directory import person_traits
from ..answers import schemas
from ..asked import arguments
from ..json import json_response
from ..openapi.operation import Operation, Tag, describe, query, query_page
from ..require_reader import require_reader
from .files import CONTENTS, require_whole
from .subject_export import subjects_as

_SUBJECTS = arguments.SubjectArguments()
_NEAR = arguments.NearArguments()
_ADOPTION = arguments.AdoptionArguments()

_TAG: Tag = "users and accounts"


def _list_of(summary: str) -> Operation:
    page = query_page(summary, _TAG, schemas.LISTED_SUBJECT, arguments=_SUBJECTS)
    return replace(page, contents=CONTENTS)


def blueprint(collector: Collector) -> Blueprint:
    """The lists of subjects, over a collector."""
    bp = Blueprint("lists", __name__, url_prefix="/v1")
    require_reader(bp, collector)
    lists = collector.lists

    def subjects(kind: Kind) -> Response:
        given = arguments.read(request, _SUBJECTS)
        text, traits, form = given["q"], given.get(arguments.TRAIT, {}), given["format"]
        if form != "json":
            require_whole(form)
            described = person_traits(collector.catalogue)
            return subjects_as(form, kind, lists.all_subjects(kind, text, traits), described)
        found = lists.subjects(kind, text, given["limit"], given["cursor"], traits)
        return json_response(schemas.page(schemas.LISTED_SUBJECT, found))

    @bp.get("/users")
    @describe(_list_of("Users"))
    def users() -> Response:
        return subjects("user")

    @bp.get("/accounts")
    @describe(_list_of("Accounts"))
    def accounts() -> Response:
        return subjects("account")

    @bp.get("/near")
    @describe(query("Who is nearly there", _TAG, schemas.NEAR, arguments=_NEAR))
    def near() -> Response:
        given = arguments.read(request, _NEAR)
        return json_response(schemas.NEAR.dump(lists.near(**given)))

    @bp.get("/adoption")
    @describe(query("Who has used a feature", _TAG, schemas.ADOPTION, arguments=_ADOPTION))
    def adoption() -> Response:
        given = arguments.read(request, _ADOPTION)
        limit, cursor = given.pop("limit"), given.pop("cursor")
        found = lists.adoption(AdoptionFilter(**given), limit, cursor)
        return json_response(schemas.ADOPTION.dump(found))

    return bp
