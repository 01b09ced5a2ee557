"""Questions: who is a PQL, since when and why; what arrived, and what was refused."""

from __future__ import annotations

from flask import Blueprint, Response, request

from ...errors import NotFound
from ...model import Kind
from ...ports import LeadFilter, RejectedFilter
from ...wire.normalise import MAX_LENGTH
from ..collector import Collector
from ..json import answer
from ..paths import subject_and_view
from . import arguments, schemas
from .require_reader import private

_NONE = arguments.NoArguments()
_LIST = arguments.ListArguments()
_PAGE = arguments.PageArguments()
_LEADS = arguments.LeadArguments()
_REFUSED = arguments.RefusedArguments()


def blueprint(collector: Collector) -> Blueprint:
    """The read side of the API, over a collector."""
    paths = Blueprint("query", __name__, url_prefix="/v1")
    queries = collector.queries

    private(paths, collector)

    @paths.get("/pqls")
    def pqls() -> Response:
        given = arguments.read(request, _LEADS)
        given.pop("format", None)
        limit, cursor = given.pop("limit"), given.pop("cursor")
        found = queries.pqls(LeadFilter(**given), limit, cursor)
        return answer(schemas.page(schemas.LEAD, found))

    @paths.get("/pqls/<lead_id>")
    def pql(lead_id: str) -> Response:
        arguments.read(request, _NONE)
        return answer(schemas.LEAD.dump(queries.pql(_seen("lead", lead_id))))

    @paths.get("/users/<rest:rest>")
    def user(rest: str) -> Response:
        return _subject(collector, "user", "/v1/users/", rest)

    @paths.get("/accounts/<rest:rest>")
    def account(rest: str) -> Response:
        return _subject(collector, "account", "/v1/accounts/", rest)

    @paths.get("/events")
    def events() -> Response:
        limit = arguments.read(request, _LIST)["limit"]
        return answer(schemas.page(schemas.EVENT, queries.events(limit)))

    @paths.get("/rejected")
    def rejected() -> Response:
        given = arguments.read(request, _REFUSED)
        wanted = RejectedFilter(given.get("code"), given.get("key"))
        found = queries.rejected(wanted, given["limit"], given["cursor"])
        return answer(schemas.page(schemas.REFUSED, found))

    @paths.get("/usage")
    def usage() -> Response:
        arguments.read(request, _NONE)
        return answer(queries.usage(collector.keys.listed()))

    return paths


def _subject(collector: Collector, kind: Kind, prefix: str, rest: str) -> Response:
    """A user or an account: what is known of it, or one of the views behind its id."""
    queries = collector.queries
    identifier, view = subject_and_view(request, prefix, rest)
    identifier = _seen(kind, identifier)
    given = arguments.read(request, _PAGE if view == "timeline" else _NONE)
    if view == "timeline":
        found = queries.timeline(kind, identifier, given["limit"], given["cursor"])
        return answer(schemas.page(schemas.EVENT, found))
    if view == "pql":
        return answer(schemas.STATUS.dump(queries.status(kind, identifier)))
    profile = queries.user(identifier) if kind == "user" else queries.account(identifier)
    return answer(schemas.PROFILE.dump(profile))


def _seen(kind: str, identifier: str) -> str:
    """An id that may have been stored: others are refused on the way in. Raises NotFound."""
    if not identifier.strip() or "\0" in identifier or len(identifier) > MAX_LENGTH:
        raise NotFound(f"there is no {kind} {identifier!a}", kind=kind)
    return identifier
