"""JSON responses in UTF-8, for any data that was stored."""

from __future__ import annotations

import json

import msgspec
from flask import Response

from ..model import JSON


def json_response(data: JSON, status: int = 200, **headers: str) -> Response:
    """Data as a response; ``retry_after="2"`` is the header ``Retry-After``."""
    response = Response(encode(data), status, mimetype="application/json")
    for name, value in headers.items():
        response.headers[name.replace("_", "-").title()] = value
    return response


def encode(data: JSON) -> bytes:
    """Data as JSON. NaN and the infinities become null; a lone surrogate is escaped."""
    try:
        return msgspec.json.encode(data)
    except UnicodeEncodeError:
        return json.dumps(data, separators=(",", ":"), allow_nan=False).encode()
