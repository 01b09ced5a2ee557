"""A body that is the text of a definitions file."""

from __future__ import annotations

from flask import Request

from ...config import Settings
from ...errors import BadRequest, DefinitionError, Problem, TooLarge
from ...marking.active import BODY
from ...rules.parser.toml import MAX_LENGTH
from ...wire import body
from .. import bodies

MAX_BYTES = 4 * MAX_LENGTH
"""Bytes of a body: a character has 4 at most."""

NOT_UTF8 = "bad_json"
"""The code that ``body.read`` gives to a body that is not UTF-8."""


def definitions_in(request: Request, settings: Settings) -> str:
    """The text of a body, plain or gzip. Raises DefinitionError if it is not UTF-8."""
    most = min(MAX_BYTES, settings.max_body)
    raw = bodies.read(request.environ, request.stream, most)
    if len(raw) > most:
        raise TooLarge(f"the body is over {most} bytes", limit=most)
    encoding = request.headers.get("Content-Encoding", "")
    try:
        return body.read(raw, encoding, settings, min(MAX_BYTES, settings.max_inflated)).decode()
    except BadRequest as error:
        if error.code != NOT_UTF8:
            raise
        found = f"a mistake: {error.message}"
        raise DefinitionError([Problem("valid TOML", found, "toml", BODY, 1, 1)]) from None
