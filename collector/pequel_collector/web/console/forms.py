"""The form that was sent: its fields, and its page again where it cannot be used.

A mistake loses nothing that was typed: the page of the form comes again, with the fields as they
were sent, and with the mistake beside the field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from io import BytesIO
from typing import Any, NamedTuple

from flask import Response, g, request
from markupsafe import Markup
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from ...access.keys import Scope
from ...errors import BadRequest, Forbidden, PequelError, TooLarge
from .. import bodies, errors
from . import words

MAX_FIELDS = 1_000
"""Fields of a form."""

View = Callable[..., Any]


class Mistake(NamedTuple):
    """Why a form was refused. ``form`` names it, ``field`` is the field that is wrong, if one is.

    A form is named by the address that it is sent to; one with several buttons also by the
    ``action`` of the button: ``/leads#assign``.
    """

    form: str
    field: str
    message: str


def read_form(limit: int) -> MultiDict[str, str]:
    """The fields of the form in the body. Raises TooLarge.

    Flask would read the body through a method that the server's stream has not.
    """
    raw = bodies.read(request.environ, request.stream, limit)
    if len(raw) > limit:
        raise TooLarge(f"the form is over {limit} bytes", limit=limit)
    if raw.count(b"&") >= MAX_FIELDS and not request.mimetype.startswith("multipart/"):
        raise TooLarge(f"the form has over {MAX_FIELDS} fields", limit=MAX_FIELDS)
    parser = FormDataParser(max_form_memory_size=limit, max_form_parts=MAX_FIELDS)
    try:
        _, fields, _ = parser.parse(
            BytesIO(raw), request.mimetype, len(raw), request.mimetype_params
        )
    except RequestEntityTooLarge:
        raise TooLarge(f"the form has over {MAX_FIELDS} fields", limit=MAX_FIELDS) from None
    return fields


def form() -> MultiDict[str, str]:
    """The fields of the form that was sent."""
    found: MultiDict[str, str] = g.get("form") or MultiDict()
    return found


# -- fields --------------------------------------------------------------------------------


def optional(form: Mapping[str, str], name: str, longest: int) -> str:
    """A line of text in a form; empty if it was left blank. Raises BadRequest."""
    line = " ".join(form.get(name, "").split())
    if "\0" in line:
        raise BadRequest(f"{name}: found the character NUL, expected none", field=name)
    if len(line) > longest:
        expected = f"{longest} at most"
        raise BadRequest(f"{name}: found {len(line)} characters, expected {expected}", field=name)
    return line


def required(form: Mapping[str, str], name: str, what: str, longest: int) -> str:
    """A line of text in a form that must be filled in. Raises BadRequest."""
    line = optional(form, name, longest)
    if not line:
        raise BadRequest(f"{name}: found nothing, expected {what}", field=name)
    return line


# -- mistakes ------------------------------------------------------------------------------


def again(page: Callable[[int], Response]) -> Callable[[View], View]:
    """A view of a form. If it refuses the form, ``page`` comes again, with the status given to it.

    What somebody may not do stays an error: its page would offer the same form again.
    """

    def wrap(view: View) -> View:
        @wraps(view)
        def checked(*args: Any, **values: Any) -> Any:
            try:
                return view(*args, **values)
            except Forbidden:
                raise
            except PequelError as error:
                return _refused(error, page)

        checked.page_again = page  # type: ignore[attr-defined]  # a mark on the function
        return checked

    return wrap


def can_come_again(view: View) -> bool:
    """Whether a view is of a form that has a page to come again."""
    return hasattr(view, "page_again")


def page_again(view: View, address: str, message: str) -> Response:
    """The page of a form at an address, with the fields of this request, and a message."""
    g.mistake = Mistake(_name_of_form(address), "", message)
    page: Callable[[int], Response] = view.page_again  # type: ignore[attr-defined]
    return page(200)


def scopes_of(view: View) -> Sequence[Scope]:
    """The scopes that a key needs for a view."""
    return [getattr(view, "scope", "read"), *getattr(view, "needed", ())]


def _refused(error: PequelError, page: Callable[[int], Response]) -> Response:
    problem = errors.problem_of(error)
    field = str(problem.details.get("field", "")).rpartition(".")[2]
    address = request.root_path + request.path
    g.mistake = Mistake(_name_of_form(address), field, _for_people(problem.message))
    response = page(problem.status)
    if problem.status in (429, 503):
        response.headers["Retry-After"] = str(problem.details.get("retry_after", 2))
    return response


def _for_people(message: str) -> str:
    """A message as a page says it. A field of a form is left empty where JSON has null."""
    return words.first_up(re.sub(r", or null$", ", or nothing", message))


def _name_of_form(address: str) -> str:
    action = form().get("action")
    return address + (f"#{action}" if action else "")


def mistake() -> Mistake | None:
    """Why the form of this request was refused; None if it was not."""
    found: Mistake | None = g.get("mistake")
    return found


def is_refused(name: str) -> bool:
    """Whether this form was refused."""
    found = mistake()
    return found is not None and found.form == name


def typed(name: str, field: str, otherwise: str = "") -> str:
    """What a field of a form shows: what was typed if the form was refused."""
    return form().get(field, "") if is_refused(name) else otherwise


def picked(field: str) -> Sequence[str]:
    """The values that were picked in a form that was refused."""
    return form().getlist(field) if mistake() else ()


def marked(name: str, field: str) -> Markup:
    """Attributes of a field that say that it is wrong; nothing for one that is right."""
    if not _is_wrong(name, field):
        return Markup("")
    return Markup(' aria-invalid="true" aria-describedby="{}"').format(_id_of(name, field))


def beside(name: str, field: str) -> Markup:
    """The mistake beside its field; nothing beside one that is right."""
    found = mistake()
    if found is None or not _is_wrong(name, field):
        return Markup("")
    said = words.said(found.message, 400)
    return Markup('<span class="wrong" id="{}">{}</span>').format(_id_of(name, field), said)


def _is_wrong(name: str, field: str) -> bool:
    found = mistake()
    return found is not None and (found.form, found.field) == (name, field)


def _id_of(name: str, field: str) -> str:
    return "wrong-" + "".join(c if c.isalnum() else "-" for c in f"{name}-{field}")


FUNCTIONS = {
    "is_refused": is_refused, "typed": typed, "picked": picked, "marked": marked, "beside": beside
}  # fmt: skip
"""What templates ask about the form."""
