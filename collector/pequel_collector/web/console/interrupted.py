"""A form that was sent after its session had ended. It comes back after the login, and is not run.

The page of the login carries the address and the fields of the form as hidden fields. So nothing
is kept here of somebody who is not logged in. After the login, the page of the form shows what was
typed, and nothing changes until it is sent again, with the token of the new session.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from flask import Response, current_app, g, request
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import HTTPException

from ...access.sessions import Viewer
from ...errors import PequelError
from . import forms

MAX_KEPT = 32_000
"""Characters of the fields that the page of the login carries."""

MAX_ADDRESS = 500

AT, FIELDS = "kept_at", "kept_fields"
"""The hidden fields of the login: the address of the form, and its fields as a query."""

ENDED = "Your session has ended. Log in to go on."
COMES_BACK = "What you typed is not saved yet: it comes back after you log in."
IS_LOST = "What you sent was not saved. To copy it, go back in your browser before you log in."
NOT_SAVED = "Your session had ended, so this is not saved yet. Look at it, and send it again."


class Kept(NamedTuple):
    """A form: its address below the root of the application, and its fields as a query."""

    address: str
    fields: str


def refused() -> Kept | None:
    """The form that this request sends without a session; None for one that cannot come back."""
    sent = [(name, text) for name, text in forms.form().items(multi=True) if name != "form_token"]
    return _checked(Kept(request.path, urlencode(sent, errors="replace")))


def carried() -> Kept | None:
    """The form that a login carries; None if it carries none that can come back."""
    given = forms.form()
    return _checked(Kept(given.get(AT, ""), given.get(FIELDS, "")))


def page_of(kept: Kept, viewer: Viewer) -> Response | None:
    """The page of a form with what was typed, for who has logged in.

    None where it is not for them, or is not there any more.
    """
    found = _form_at(kept.address)
    if found is None or not all(viewer.may(scope) for scope in forms.scopes_of(found.view)):
        return None
    g.viewer, request.view_args = viewer, dict(found.arguments)
    g.form = MultiDict(parse_qsl(kept.fields, keep_blank_values=True))
    try:
        return forms.page_again(found.view, request.root_path + kept.address, NOT_SAVED)
    except PequelError:
        g.form = MultiDict()
        return None


class _Form(NamedTuple):
    view: forms.View
    arguments: Mapping[str, Any]


def _checked(kept: Kept) -> Kept | None:
    is_short = len(kept.address) <= MAX_ADDRESS and len(kept.fields) <= MAX_KEPT
    is_small = kept.fields.count("&") < forms.MAX_FIELDS
    return kept if is_short and is_small and _form_at(kept.address) else None


def _form_at(address: str) -> _Form | None:
    """The form that is sent to an address; None if there is none that can be shown again."""
    try:
        endpoint, arguments = current_app.url_map.bind("").match(address, method="POST")
    except HTTPException:
        return None
    view = current_app.view_functions[endpoint]
    return _Form(view, arguments) if forms.can_come_again(view) else None
