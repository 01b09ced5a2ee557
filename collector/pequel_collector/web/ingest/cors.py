"""CORS headers: pages of any origin may send events, and read every response to them."""

from __future__ import annotations

from flask import Flask, Response, request
from werkzeug.datastructures import Headers as FlaskHeaders

from ..request import Headers
from . import routes

ONE_DAY = "86400"


def install(app: Flask) -> None:
    """Add the headers to every response to a request that may bring events."""

    @app.after_request
    def add_headers(response: Response) -> Response:
        if routes.may_be_of_page(request):
            for name, value in cors_headers(request.headers, request.method):
                response.headers.add(name, value)
        return response


def cors_headers(headers: Headers | FlaskHeaders, method: str) -> list[tuple[str, str]]:
    """The headers that allow what a request of a page asks for, and show when to retry."""
    allowed = [("Vary", "Origin")]
    origin = headers.get("Origin")
    if origin is None:
        return allowed
    allowed += [
        ("Access-Control-Allow-Origin", origin),
        ("Access-Control-Allow-Credentials", "true"),
        ("Access-Control-Expose-Headers", "Retry-After"),
    ]
    if method == "OPTIONS":
        allowed.append(("Access-Control-Allow-Methods", "GET, POST, OPTIONS"))
        allowed.append(("Access-Control-Max-Age", ONE_DAY))
        requested = headers.get("Access-Control-Request-Headers")
        if requested is not None:
            allowed.append(("Access-Control-Allow-Headers", requested))
    return allowed
