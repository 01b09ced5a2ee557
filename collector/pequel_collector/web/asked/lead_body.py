"""The body of ``PATCH /v1/pqls/{id}``: what somebody changes of a lead."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from hashlib import sha256
from typing import Any

from flask import Request

from ...config import Settings
from ...errors import BadRequest, TooLarge
from ...leads.states import LEGAL, SET_BY_PEOPLE
from ...marking.work import LeadChange
from ...model import JSON, Contact, LeadPatch, is_number, parse_iso
from ...rules.engine.conversions import amount_of, currency_of
from ...wire import body
from .. import bodies
from ..openapi.operation import Content

MAX_BODY = 32_768
"""Bytes of a body."""

MAX_LENGTH = 512
"""Characters of an owner, an actor, a channel or an idempotency key."""

MAX_NOTE = 2_000
"""Characters of a reason or a note."""

Reader = Callable[[JSON], Any]
"""Reads the value of a field. Raises Expected if it is wrong."""

MAX_DIGITS = 28
"""Digits of an amount that is looked at, and zeros before or after them."""

_MAX_SHOWN = 200
_NAMES = {dict: "an object", list: "a list", type(None): "null"}
_HEADER = "Idempotency-Key"


class Expected(Exception):
    """What would have been right in place of a value."""


def lead_change_in(request: Request, settings: Settings, now: int, actor: str | None) -> LeadChange:
    """The change that a request asks for. ``actor`` is who makes it, if the body names nobody.

    Raises BadRequest.
    """
    text = body_text(request, settings)
    return lead_change(_object(text), now, actor, **conditions_in(request, text))


def body_text(request: Request, settings: Settings) -> bytes:
    """The body of a request. Raises TooLarge."""
    raw = bodies.read(request.environ, request.stream, MAX_BODY)
    if len(raw) > MAX_BODY:
        raise TooLarge(f"the body is over {MAX_BODY} bytes", limit=MAX_BODY)
    return body.read(raw, request.headers.get("Content-Encoding", ""), settings, MAX_BODY)


def conditions_in(request: Request, text: bytes) -> dict[str, Any]:
    """What the headers of a request with this body say of its change. Raises BadRequest."""
    conditions: dict[str, Any] = {}
    if request.headers.get(_HEADER) is not None:
        key = _value(_HEADER, request.headers[_HEADER], text_of(MAX_LENGTH))
        conditions |= {"idempotency_key": key, "digest": sha256(text).hexdigest()}
    if "If-Match" in request.headers and not request.if_match.star_tag:
        conditions["if_match"] = request.if_match.as_set()
    return conditions


def fields_in(text: bytes, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """The fields of a body, none in an empty one. Raises BadRequest."""
    return _fields(_object(text), readers) if text.strip() else {}


def lead_change(
    fields: Mapping[str, JSON], now: int, actor: str | None, **conditions: Any
) -> LeadChange:
    """The change that the fields of a body ask for. Raises BadRequest.

    ``actor`` is who makes it, if the fields name nobody.
    """
    given = {"actor": actor, **_fields(fields, FIELDS)}
    _check(given, now)
    patch = LeadPatch(**{name: given[name] for name in PATCHED if name in given})
    return LeadChange(patch, **{n: v for n, v in given.items() if n not in PATCHED}, **conditions)


def _object(text: bytes) -> Mapping[str, JSON]:
    try:
        found = json.loads(text, parse_float=_decimal, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        found = str(error).partition(";")[0]  # the rest is for programmers
        raise BadRequest(f"the body is not JSON: {found}", "bad_json") from None
    if not isinstance(found, dict):
        raise _mistake("body", _shown(found), "an object")
    return found


def _decimal(text: str) -> Decimal:
    """A number as it was written; one beyond all exponents is infinite."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return Decimal("Infinity")


def _refuse(name: str) -> JSON:
    raise ValueError(f"{name} is not a number")


def _check(given: Mapping[str, Any], now: int) -> None:
    if not given.keys() & {*PATCHED}:
        raise BadRequest(f"found nothing to change, expected one of {', '.join(PATCHED)}")
    contact = given.get("contact")
    if contact is not None and contact.at is not None and contact.at > now:
        raise BadRequest("contact.at: found a time in the future", field="contact.at")
    if given.get("state") == "new" and given.get("owner") is not None:
        raise BadRequest("owner: found one with the state new, expected none", field="owner")


def _fields(
    given: Mapping[str, JSON], readers: Mapping[str, Reader], within: str = ""
) -> dict[str, Any]:
    for name in given:
        if name not in readers:
            expected = f"one of {', '.join(readers)}"
            raise _mistake(within + ascii(name[:_MAX_SHOWN])[1:-1], "an unknown field", expected)
    return {name: _value(within + name, value, readers[name]) for name, value in given.items()}


def _value(name: str, value: JSON, reader: Reader) -> Any:
    try:
        return reader(value)
    except Expected as error:
        raise _mistake(name, _shown(value), str(error)) from None


def _mistake(field: str, found: JSON, expected: str) -> BadRequest:
    return BadRequest(
        f"{field}: found {found}, expected {expected}",
        "bad_field",
        field=field,
        found=found,
        expected=expected,
    )


def _shown(value: JSON) -> str:
    """A value as an error shows it, with its type."""
    if isinstance(value, dict | list | None):
        return _NAMES[type(value)]
    if isinstance(value, str):
        return f"the text {value[:_MAX_SHOWN]!a}"
    if isinstance(value, bool):
        return f"the truth value {str(value).lower()}"
    return f"the number {str(value)[:_MAX_SHOWN]}"


# -- the fields ----------------------------------------------------------------------------


def text_of(longest: int) -> Reader:
    """A reader of a text that is not blank."""

    def read(value: JSON) -> str:
        if not isinstance(value, str) or not value.strip() or len(value) > longest:
            raise Expected(f"a text of 1 to {longest} characters")
        if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value):
            raise Expected("a text without the character NUL and without half a surrogate pair")
        return value

    return read


def one_of(*words: str) -> Reader:
    """A reader of one of several words."""

    def read(value: JSON) -> JSON:
        if value not in words:
            raise Expected(f"one of {', '.join(words)}")
        return value

    return read


def or_null(reader: Reader) -> Reader:
    """A reader of a value that may be removed."""

    def read(value: JSON) -> Any:
        try:
            return None if value is None else reader(value)
        except Expected as error:
            raise Expected(f"{error}, or null") from None

    return read


def _time(value: JSON) -> int:
    found = parse_iso(value) if isinstance(value, str) else None
    if found is None or found < 0:
        raise Expected("a time in ISO 8601 from 1970 on, such as 2026-03-01T10:00:00.000Z")
    return found


def _amount(value: JSON) -> str:
    if is_number(value) and value == 0:
        return "0"  # also of -0.0
    found = None if isinstance(value, Decimal) and _is_extreme(value) else amount_of(value)
    if found is None:
        raise Expected('an amount such as "1200.00"')
    return found


def _is_extreme(number: Decimal) -> bool:
    return abs(number.adjusted()) > MAX_DIGITS or len(number.as_tuple().digits) > MAX_DIGITS


def _currency(value: JSON) -> str:
    found = currency_of(value)
    if found is None:
        raise Expected('three letters such as "EUR"')
    return found


def _contact(value: JSON) -> Contact:
    if not isinstance(value, dict):
        raise Expected(f"an object with {', '.join(CONTACT)}")
    return Contact(**_fields(value, CONTACT, "contact."))


CONTACT: dict[str, Reader] = {
    "channel": or_null(text_of(MAX_LENGTH)),
    "at": or_null(_time),
    "note": or_null(text_of(MAX_NOTE)),
}

FIELDS: dict[str, Reader] = {
    "state": one_of(*SET_BY_PEOPLE),
    "owner": or_null(text_of(MAX_LENGTH)),
    "reason": text_of(MAX_NOTE),
    "actor": text_of(MAX_LENGTH),
    "contact": _contact,
    "snoozed_until": or_null(_time),
    "amount": or_null(_amount),
    "currency": or_null(_currency),
    "if_state": one_of(*LEGAL),
}

PATCHED = tuple(name for name in LeadPatch.__struct_fields__ if name in FIELDS)


# -- what the description of the API says of it -----------------------------------------------


def _text_or_null(longest: int) -> JSON:
    return {"type": ["string", "null"], "minLength": 1, "maxLength": longest}


_TIME: JSON = {"type": ["string", "null"], "format": "date-time"}

_CONTACT: JSON = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "properties": {
        "channel": _text_or_null(MAX_LENGTH),
        "at": _TIME,
        "note": _text_or_null(MAX_NOTE),
    },
}
LEAD_CHANGE = Content(
    "application/json",
    {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": False,
        "properties": {
            "state": {"type": "string", "enum": list(SET_BY_PEOPLE)},
            "owner": _text_or_null(MAX_LENGTH),
            "reason": {"type": "string", "minLength": 1, "maxLength": MAX_NOTE},
            "actor": {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH},
            "contact": _CONTACT,
            "snoozed_until": _TIME,
            "amount": {"type": ["string", "number", "null"], "examples": ["1200.00"]},
            "currency": {"type": ["string", "null"], "pattern": "^[A-Za-z]{3}$"},
            "if_state": {"type": "string", "enum": list(LEGAL)},
        },
    },
    {"state": "contacted", "contact": {"channel": "email"}},
)
IDEMPOTENCY_KEY: JSON = {
    "name": _HEADER,
    "in": "header",
    "description": "A request that is sent again with the same key changes nothing more.",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH},
}
IF_MATCH: JSON = {
    "name": "If-Match",
    "in": "header",
    "description": "The `ETag` of the lead as you know it. If it has changed since: 412.",
    "schema": {"type": "string", "minLength": 1},
}
