"""Forms of the list of leads, and of one lead: changes to leads, and views to save and remove."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from flask import Blueprint, Response, request

from ...errors import BadRequest, NotFound
from ...ports import SavedView
from ..api.queries import storable
from . import changes, forms, frame
from .forms import again, form
from .frame import Console, done, needs, page_for, url, viewer
from .lead import lead_page
from .leads import filters_in, list_page

MAX_VIEWS = 100
"""Views that can be saved."""

MAX_VIEW_NAME = 60
MAX_VIEW_QUERY = 2_000


def add(bp: Blueprint, console: Console) -> None:
    """The routes, over a console."""
    collector = console.collector

    def sender(status: int) -> Response:
        return _sender(console, status)

    def whole_list(status: int) -> Response:
        return list_page(console, _filters_of(form().get("query", "")), status)

    @bp.post("/leads")
    @page_for("act")
    @again(sender)
    def change_leads() -> Response:
        given = form()
        ids = changes.require_ids(given.getlist("lead"))
        outcome = changes.change_all(collector, ids, given, viewer())
        back = frame.local(given.get("next"), url("console.inbox"))
        if outcome.refusal is not None:
            raise outcome.refusal
        if outcome.failed:
            return _list_after(console, outcome, back)
        notice = changes.ACTIONS[changes.require_action(given)][1]
        number = len(outcome.changed)
        return done(back, notice, "the lead" if number == 1 else f"{number} leads")

    @bp.post("/views")
    @needs("work")
    @again(whole_list)
    def save_view() -> Response:
        name, query = view_in(form())
        view = SavedView(secrets.token_hex(6), name, query, viewer().actor, collector.clock())
        with collector.store.writing() as tx:
            if len(tx.saved_views()) >= MAX_VIEWS:
                raise BadRequest(f"there are {MAX_VIEWS} views already: remove one first")
            tx.add_saved_view(view)
        return done(url("console.inbox") + (f"?{query}" if query else ""), "saved")

    @bp.post("/views/<view_id>/remove")
    @needs("work")
    @again(whole_list)
    def remove_view(view_id: str) -> Response:
        with collector.store.writing() as tx:
            if not tx.remove_saved_view(storable("view", view_id)):
                raise NotFound("there is no such view any more")
        return done(url("console.inbox"), "removed")


def view_in(form: Mapping[str, str]) -> tuple[str, str]:
    """The name and the query of a view to save. Raises BadRequest."""
    name = forms.required(form, "name", "a name for the view", MAX_VIEW_NAME)
    query = form.get("query", "")
    if len(query) > MAX_VIEW_QUERY:
        raise BadRequest(f"the address is over {MAX_VIEW_QUERY} characters", field="query")
    given = {name: text for name, text in parse_qsl(query) if name != "cursor"}
    filters_in(given)
    return name, urlencode(given)


def _sender(console: Console, status: int) -> Response:
    """The page from which leads were changed: a lead, or the list with its filters."""
    place = urlsplit(frame.local(form().get("next"), url("console.inbox")))
    path = place.path.removeprefix(request.root_path)
    if path.startswith("/leads/"):
        return lead_page(console, unquote(path.removeprefix("/leads/")), status)
    return list_page(console, _filters_of(place.query), status)


def _list_after(console: Console, outcome: changes.Outcome, back: str) -> Response:
    """The list from which leads were changed, with what was done and what was not."""
    result = {
        "changed": len(outcome.changed),
        "failed": outcome.failed,
        "names": changes.names_of(console.collector, outcome, viewer().key.partner),
    }
    status = 200 if outcome.changed else 409
    return list_page(console, _filters_of(urlsplit(back).query), status, result)


def _filters_of(query: str) -> dict[str, str]:
    """The filters of an address; none where they are not understood: the form is what counts."""
    given = dict(parse_qsl(query[:MAX_VIEW_QUERY]))
    try:
        filters_in(given)
    except BadRequest:
        return {}
    return given
