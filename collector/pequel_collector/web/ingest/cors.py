"""What a browser must be told before it lets a page of another origin send events here."""

from __future__ import annotations

from flask import Flask, Response, request

from ..request import Named
from . import routes

DAY = "86400"


def install(app: Flask) -> None:
    """Let pages of any origin use the doors of an application, and read every answer there."""

    @app.after_request
    def allow(response: Response) -> Response:
        if routes.is_for_one(request):
            for name, value in allowances(request.headers, request.method):
                response.headers.add(name, value)
        return response


def allowances(headers: Named, method: str) -> list[tuple[str, str]]:
    """Headers that let the page that asks send what it asks to, and read when to try again."""
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
        allowed.append(("Access-Control-Max-Age", DAY))
        wanted = headers.get("Access-Control-Request-Headers")
        if wanted is not None:
            allowed.append(("Access-Control-Allow-Headers", wanted))
    return allowed
