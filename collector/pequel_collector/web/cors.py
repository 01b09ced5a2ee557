"""What a browser must be told before it lets a page of another origin send events here."""

from __future__ import annotations

from flask import Flask, Response, request

from . import doors

DAY = "86400"


def install(app: Flask) -> None:
    """Let pages of any origin use the doors of an application, and read every answer there."""

    @app.after_request
    def allow(response: Response) -> Response:
        return _allow(response) if doors.is_for_one(request) else response


def _allow(response: Response) -> Response:
    """Let the page that asks send what it asks to send, and read when to try again."""
    headers = response.headers
    headers.add("Vary", "Origin")
    origin = request.headers.get("Origin")
    if origin is None:
        return response
    headers["Access-Control-Allow-Origin"] = origin
    headers["Access-Control-Allow-Credentials"] = "true"
    headers["Access-Control-Expose-Headers"] = "Retry-After"
    if request.method == "OPTIONS":
        headers["Access-Control-Allow-Methods"] = "GET, POST, OPTIONS"
        headers["Access-Control-Max-Age"] = DAY
        wanted = request.headers.get("Access-Control-Request-Headers")
        if wanted is not None:
            headers["Access-Control-Allow-Headers"] = wanted
    return response
