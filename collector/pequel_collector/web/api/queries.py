"""Leads, users, accounts, events, rejected events and usage."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from threading import BoundedSemaphore

from flask import Blueprint, Response, request

from ...app.bootstrap import Collector
from ...errors import NotFound
from ...model import Kind
from ...ports import LeadFilter, RejectedFilter
from ...queries.answers import LeadAnswer
from ...wire.normalise import MAX_LENGTH
from ..json import json_response
from ..openapi.operation import Operation, Tag, describe, query, query_page
from ..paths import subject_and_view, whole_rest
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
    handlers = Handlers(collector)
    bp.add_url_rule("/pqls", view_func=handlers.pqls)
    bp.add_url_rule("/pqls/<lead_id>", view_func=handlers.pql)
    bp.add_url_rule("/users/<rest:rest>", view_func=handlers.user)
    bp.add_url_rule("/accounts/<rest:rest>", view_func=handlers.account)
    bp.add_url_rule("/events", view_func=handlers.events)
    bp.add_url_rule("/events/<rest:message_id>", view_func=handlers.event)
    bp.add_url_rule("/rejected", view_func=handlers.rejected)
    bp.add_url_rule("/usage", view_func=handlers.usage)
    return bp


def _of_subject(kind: Kind) -> tuple[Operation, ...]:
    """The calls about a user or an account."""
    tag: Tag = "users and accounts"
    path, errors = f"/v1/{kind}s/{{id}}", (404,)
    a_kind = {"user": "a user", "account": "an account"}[kind]
    status = f"Whether {a_kind} is a PQL, and how far it is"
    timeline = f"The timeline of {a_kind}"
    return (
        query(a_kind.capitalize(), tag, schemas.PROFILES[kind], path=path, errors=errors),
        query(status, tag, schemas.STATUS, path=f"{path}/pql", errors=errors),
        query_page(
            timeline,
            tag,
            schemas.EVENT,
            arguments=_PAGE,
            path=f"{path}/timeline",
            errors=errors,
        ),
    )


class Handlers:
    """Each reads its arguments, asks one question and answers."""

    def __init__(self, collector: Collector) -> None:
        self._queries, self._keys = collector.queries, collector.keys

    @describe(query_page("Leads", "leads", schemas.LEAD, arguments=_LEADS))
    def pqls(self) -> Response:
        """``/pqls``."""
        given = arguments.read(request, _LEADS)
        given.pop("format", None)
        limit, cursor = given.pop("limit"), given.pop("cursor")
        with page_slot(limit):
            found = self._queries.pqls(LeadFilter(**given), limit, cursor)
            return json_response(schemas.page(schemas.LEAD, found))

    @describe(query("A lead", "leads", schemas.LEAD, errors=(404,)))
    def pql(self, lead_id: str) -> Response:
        """``/pqls/ID``."""
        arguments.read(request, _NONE)
        return lead_response(self._queries.pql(storable("lead", lead_id)))

    @describe(*_of_subject("user"))
    def user(self, rest: str) -> Response:
        """``/users/ID``, ``/users/ID/pql``, ``/users/ID/timeline``."""
        return self._subject("user", "/v1/users/", rest)

    @describe(*_of_subject("account"))
    def account(self, rest: str) -> Response:
        """``/accounts/ID``, ``/accounts/ID/pql``, ``/accounts/ID/timeline``."""
        return self._subject("account", "/v1/accounts/", rest)

    @describe(query_page("The latest events", "events", schemas.EVENT, arguments=_LIST))
    def events(self) -> Response:
        """``/events``."""
        limit = arguments.read(request, _LIST)["limit"]
        with page_slot(limit):
            return json_response(schemas.page(schemas.EVENT, self._queries.events(limit)))

    @describe(query("One event", "events", schemas.EVENT, errors=(404,)))
    def event(self, message_id: str) -> Response:
        """``/events/ID``."""
        mid = storable("event", whole_rest(request, "/v1/events/", message_id))
        arguments.read(request, _NONE)
        return json_response(schemas.EVENT.dump(self._queries.event(mid)))

    @describe(query_page("Rejected events", "events", schemas.REJECTED_EVENT, arguments=_REJECTED))
    def rejected(self) -> Response:
        """``/rejected``."""
        given = arguments.read(request, _REJECTED)
        wanted = RejectedFilter(given.get("code"), given.get("key"))
        with page_slot(given["limit"]):
            found = self._queries.rejected(wanted, given["limit"], given["cursor"])
            return json_response(schemas.page(schemas.REJECTED_EVENT, found))

    @describe(query("What came in, by key and month", "events", schemas.USAGE))
    def usage(self) -> Response:
        """``/usage``."""
        arguments.read(request, _NONE)
        return json_response(schemas.USAGE.dump(self._queries.usage(self._keys.listed())))

    def _subject(self, kind: Kind, prefix: str, rest: str) -> Response:
        identifier, view = subject_and_view(request, prefix, rest)
        identifier = storable(kind, identifier)
        if view == "timeline":
            return self._timeline(kind, identifier)
        arguments.read(request, _NONE)
        if view == "pql":
            return json_response(schemas.STATUS.dump(self._queries.status(kind, identifier)))
        return json_response(schemas.PROFILES[kind].dump(self._queries.profile(kind, identifier)))

    def _timeline(self, kind: Kind, identifier: str) -> Response:
        given = arguments.read(request, _PAGE)
        with page_slot(given["limit"]):
            found = self._queries.timeline(kind, identifier, given["limit"], given["cursor"])
            return json_response(schemas.page(schemas.EVENT, found))


def lead_response(answer: LeadAnswer) -> Response:
    """One lead, with its tag for ``If-Match``."""
    response = json_response(schemas.LEAD.dump(answer))
    if answer.tag is not None:
        response.set_etag(answer.tag)
    return response


def page_slot(limit: int) -> AbstractContextManager[object]:
    """A slot for making a long page; a short page needs none."""
    return _slots if limit > LONG_PAGE else nullcontext()


def storable(kind: str, identifier: str) -> str:
    """An id that can have been stored. Raises NotFound for one that ingestion rejects."""
    if not identifier.strip() or "\0" in identifier or len(identifier) > MAX_LENGTH:
        raise NotFound(f"there is no {kind} {identifier[:MAX_LENGTH]!a}", kind=kind)
    return identifier
