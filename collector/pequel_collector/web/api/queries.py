"""Leads, users, accounts, events, rejected events and usage."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from threading import BoundedSemaphore
from typing import Any

from flask import Blueprint, Response, request

from ...app.bootstrap import Collector
from ...errors import Forbidden, NotFound
from ...model import Kind
from ...ports import LeadFilter, RejectedFilter
from ...queries.answers import LeadAnswer
from ...queries.lead_tests import LeadTests
from ...wire.normalise import MAX_LENGTH
from ..answers import schemas
from ..asked import arguments
from ..asked.arguments import MAX_LIMIT
from ..json import json_response
from ..openapi.operation import Operation, Tag, describe, query, query_page
from ..paths import subject_and_view, whole_rest
from ..require_reader import current_partner, require_reader
from .files import CONTENTS, require_whole
from .lead_export import LEADS_AS

LONG_PAGE = 20
"""Items of a page that takes much memory while it is made."""

LONG_PAGES_AT_ONCE = 2
"""Long pages that a process makes at once; others wait. So memory stays bounded."""

_slots = BoundedSemaphore(LONG_PAGES_AT_ONCE)

LISTED_TRAITS = ("country", "plan")
"""Traits that have an index."""

_NONE = arguments.NoArguments()
_LIST = arguments.ListArguments()
_PAGE = arguments.PageArguments()
_SHORT_PAGE = arguments.ShortPageArguments()
_LEADS = arguments.LeadArguments()
_REJECTED = arguments.RejectedArguments()


_GET_LEADS = replace(
    query_page("Leads", "leads", schemas.LEAD, arguments=_LEADS, scope="leads"),
    beside=schemas.BESIDE_LEADS,
    contents=CONTENTS,
)
_PATH = query(
    "The path of a user",
    "users and accounts",
    schemas.PATH,
    path="/v1/users/{id}/path",
    errors=(404,),
)
_PEOPLE = query(
    "The people of an account",
    "users and accounts",
    schemas.PEOPLE,
    arguments=_SHORT_PAGE,
    path="/v1/accounts/{id}/people",
    errors=(404,),
)


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
        _PATH if kind == "user" else _PEOPLE,
    )


class Handlers:
    """Each reads its arguments, asks one question and answers."""

    def __init__(self, collector: Collector) -> None:
        self._queries, self._lists = collector.queries, collector.lists
        self._keys = collector.keys

    @describe(_GET_LEADS)
    def pqls(self) -> Response:
        """``/pqls``, as JSON, or whole as CSV or as JSON in lines."""
        given = arguments.read(request, _LEADS)
        form, limit, cursor = map(given.pop, ("format", "limit", "cursor"))
        count = given.pop("count", False)
        tests, partner = tests_in(given), current_partner()
        state = None if given["state"] == "any" else given["state"]
        is_likely = given.get("sort") == arguments.LIKELIHOOD
        if is_likely:
            _require_sortable(form, partner)
            del given["sort"]
        wanted = LeadFilter(**given | {"state": state})
        if form != "json":
            require_whole(form)
            leads = self._queries.all_pqls(wanted, tests, partner)
            return LEADS_AS[form](leads)
        with page_slot(MAX_LIMIT if is_likely else limit):
            if is_likely:
                likely = self._queries.likely_pqls(wanted, limit, cursor, tests)
                page = schemas.page(schemas.LEAD, likely) | schemas.LOOKED_AT.dump(likely)
            else:
                found = self._queries.pqls(wanted, limit, cursor, tests, partner)
                page = schemas.page(schemas.LEAD, found)
            if count:
                page |= schemas.TOTAL.dump(self._queries.count_pqls(wanted, tests, partner))
            return json_response(page)

    @describe(query("A lead", "leads", schemas.LEAD, errors=(404,), scope="leads"))
    def pql(self, lead_id: str) -> Response:
        """``/pqls/ID``."""
        arguments.read(request, _NONE)
        found = self._queries.pql(storable("lead", lead_id), current_partner())
        return lead_response(found)

    @describe(*_of_subject("user"))
    def user(self, rest: str) -> Response:
        """``/users/ID``, and its views ``pql``, ``timeline`` and ``path``."""
        return self._subject("user", "/v1/users/", rest)

    @describe(*_of_subject("account"))
    def account(self, rest: str) -> Response:
        """``/accounts/ID``, and its views ``pql``, ``timeline`` and ``people``."""
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
        identifier, view = subject_and_view(request, kind, prefix, rest)
        identifier = storable(kind, identifier)
        if view == "timeline":
            return self._timeline(kind, identifier)
        if view == "people":
            return self._people(identifier)
        arguments.read(request, _NONE)
        if view == "path":
            return json_response(schemas.PATH.dump(self._lists.path(identifier)))
        if view == "pql":
            return json_response(schemas.STATUS.dump(self._queries.status(kind, identifier)))
        return json_response(schemas.PROFILES[kind].dump(self._queries.profile(kind, identifier)))

    def _people(self, identifier: str) -> Response:
        given = arguments.read(request, _SHORT_PAGE)
        found = self._lists.people(identifier, given["limit"], given["cursor"])
        return json_response(schemas.PEOPLE.dump(found))

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


def tests_in(given: dict[str, Any]) -> LeadTests:
    """What no index serves, taken out of the arguments. ``trait.country`` is ``country``."""
    traits = given.pop(arguments.LeadArguments.PREFIX, {})
    for name in LISTED_TRAITS:
        if name in traits and name not in given:
            given[name] = traits.pop(name)
    return LeadTests(given.pop("q", None), given.pop("holds_now", None), traits)


def _require_sortable(form: str, partner: str | None) -> None:
    """Raises BadRequest or Forbidden for a list that cannot be sorted by likelihood."""
    if form != "json":
        raise arguments.mistake("sort", f"likelihood with format={form}", "another order")
    if partner is not None:
        raise Forbidden("a partner's key does not see how likely others are to convert")


def page_slot(limit: int) -> AbstractContextManager[object]:
    """A slot for making a long page; a short page needs none."""
    return _slots if limit > LONG_PAGE else nullcontext()


def storable(kind: str, identifier: str) -> str:
    """An id that can have been stored. Raises NotFound for one that ingestion rejects."""
    if not identifier.strip() or "\0" in identifier or len(identifier) > MAX_LENGTH:
        raise NotFound(f"there is no {kind} {identifier[:MAX_LENGTH]!a}", kind=kind)
    return identifier
