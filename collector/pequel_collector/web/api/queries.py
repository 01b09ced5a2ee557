"""Leads, users, accounts, events, rejected events and usage."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from threading import BoundedSemaphore

from flask import Blueprint, Response, request

from ...app.bootstrap import Collector
from ...errors import NotFound
from ...model import Kind
from ...ports import LeadFilter, RejectedFilter
from ...wire.normalise import MAX_LENGTH
from ..json import json_response
from ..paths import subject_and_view
from . import arguments, schemas
from .require_reader import require_reader

LONG_PAGE = 200
"""Items of a page that takes much memory while it is made."""

LONG_PAGES_AT_ONCE = 4
"""Long pages that a process makes at once; others wait. So memory stays bounded."""

_slots = BoundedSemaphore(LONG_PAGES_AT_ONCE)

_NONE = arguments.NoArguments()
_LIST = arguments.ListArguments()
_PAGE = arguments.PageArguments()
_LEADS = arguments.LeadArguments()
_REJECTED = arguments.RejectedArguments()


def blueprint(collector: Collector) -> Blueprint:
    """The read side of the API, over a collector."""
    bp = Blueprint("queries", __name__, url_prefix="/v1")
    require_reader(bp, collector)

    @bp.get("/pqls")
    def pqls() -> Response:
        given = arguments.read(request, _LEADS)
        given.pop("format", None)
        limit, cursor = given.pop("limit"), given.pop("cursor")
        with page_slot(limit):
            found = collector.queries.pqls(LeadFilter(**given), limit, cursor)
            return json_response(schemas.page(schemas.LEAD, found))

    @bp.get("/pqls/<lead_id>")
    def pql(lead_id: str) -> Response:
        arguments.read(request, _NONE)
        found = collector.queries.pql(storable("lead", lead_id))
        return json_response(schemas.LEAD.dump(found))

    @bp.get("/users/<rest:rest>")
    def user(rest: str) -> Response:
        return _subject(collector, "user", "/v1/users/", rest)

    @bp.get("/accounts/<rest:rest>")
    def account(rest: str) -> Response:
        return _subject(collector, "account", "/v1/accounts/", rest)

    @bp.get("/events")
    def events() -> Response:
        limit = arguments.read(request, _LIST)["limit"]
        with page_slot(limit):
            return json_response(schemas.page(schemas.EVENT, collector.queries.events(limit)))

    @bp.get("/rejected")
    def rejected() -> Response:
        given = arguments.read(request, _REJECTED)
        wanted = RejectedFilter(given.get("code"), given.get("key"))
        with page_slot(given["limit"]):
            found = collector.queries.rejected(wanted, given["limit"], given["cursor"])
            return json_response(schemas.page(schemas.REJECTED_EVENT, found))

    @bp.get("/usage")
    def usage() -> Response:
        arguments.read(request, _NONE)
        return json_response(schemas.USAGE.dump(collector.queries.usage(collector.keys.listed())))

    return bp


def _subject(collector: Collector, kind: Kind, prefix: str, rest: str) -> Response:
    """The profile, the status or the timeline of a user or an account."""
    queries = collector.queries
    identifier, view = subject_and_view(request, prefix, rest)
    identifier = storable(kind, identifier)
    given = arguments.read(request, _PAGE if view == "timeline" else _NONE)
    if view == "timeline":
        with page_slot(given["limit"]):
            found = queries.timeline(kind, identifier, given["limit"], given["cursor"])
            return json_response(schemas.page(schemas.EVENT, found))
    if view == "pql":
        return json_response(schemas.STATUS.dump(queries.status(kind, identifier)))
    return json_response(schemas.PROFILES[kind].dump(queries.profile(kind, identifier)))


def page_slot(limit: int) -> AbstractContextManager[object]:
    """A slot for making a long page; a short page needs none."""
    return _slots if limit > LONG_PAGE else nullcontext()


def storable(kind: str, identifier: str) -> str:
    """An id that can have been stored. Raises NotFound for one that ingestion rejects."""
    if not identifier.strip() or "\0" in identifier or len(identifier) > MAX_LENGTH:
        raise NotFound(f"there is no {kind} {identifier[:MAX_LENGTH]!a}", kind=kind)
    return identifier
