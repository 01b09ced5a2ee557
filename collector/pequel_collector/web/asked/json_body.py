"""Bodies that are JSON objects, read into records."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec
from flask import Request

from ...config import Settings
from ...errors import BadRequest, TooLarge
from ...model import JSON
from ...rules.language.quantities import milliseconds
from ...wire import body
from .. import bodies
from . import arguments

Record = TypeVar("Record", bound=msgspec.Struct)

MAX_BYTES = 4_000_000
"""Bytes of a body, as sent and inflated: two texts of definitions, and more."""

_WRONG_TYPE = re.compile(r"Expected `(.+?)`, got `(.+?)`(?: - at `\$\.(.+?)`)?")
_PLACE = re.compile(r"`\$\.(.+?)`$")
_NO_ARGUMENTS = arguments.NoArguments()
_UNKNOWN = re.compile(r"Object contains unknown field `(.+?)`")


def read(request: Request, settings: Settings, kind: type[Record]) -> Record:
    """The record in a body of a call that has no parameters.

    Raises BadRequest, which names the field that is wrong.
    """
    arguments.read(request, _NO_ARGUMENTS)
    text = text_of(request, settings, MAX_BYTES)
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.ValidationError as error:
        raise _wrong(str(error), kind) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise BadRequest(f"the body is not JSON: {error}", "bad_json") from None


def text_of(request: Request, settings: Settings, max_bytes: int) -> bytes:
    """A body of at most so many bytes, as sent and inflated. Raises PequelError."""
    most = min(max_bytes, settings.max_body)
    raw = bodies.read(request.environ, request.stream, most)
    if len(raw) > most:
        raise TooLarge(f"the body is over {most} bytes", limit=most)
    encoding = request.headers.get("Content-Encoding", "")
    return body.read(raw, encoding, settings, min(max_bytes, settings.max_inflated))


def mistake(field: str, found: str, expected: str) -> BadRequest:
    """The error for a field that cannot be used."""
    return BadRequest(
        f"{field}: found {found}, expected {expected}",
        "bad_field",
        field=field,
        found=found,
        expected=expected,
    )


def duration(field: str, text: str) -> int:
    """The length (ms) of a duration in a field. Raises BadRequest."""
    try:
        return milliseconds(text)
    except ValueError as error:
        raise mistake(field, repr(text[:100]), str(error)) from None


def _wrong(message: str, kind: type[msgspec.Struct]) -> BadRequest:
    if unknown := _UNKNOWN.search(message):
        names = ", ".join(kind.__struct_encode_fields__)
        return mistake(ascii(unknown[1][:100])[1:-1], "an unknown field", f"one of {names}")
    if wrong := _WRONG_TYPE.search(message):
        expected = wrong[1].replace(" | ", " or ")
        return mistake(wrong[3] or "body", f"a value of the type {wrong[2]}", expected)
    place = _PLACE.search(message)
    return BadRequest(
        f"the body is wrong: {message}", "bad_field", field=place[1] if place else "body"
    )


def schema_of(kind: type[msgspec.Struct]) -> JSON:
    """The JSON Schema of a record, for the description of the API."""
    (found,), components = msgspec.json.schema_components([kind])
    return components[kind.__name__] if "$ref" in found else found
