"""Read what a handler has left of a request body.

A server closes the connection of a request whose body was not read, often before the client has
seen the response. The client then sends again what was rejected for good.
"""

from __future__ import annotations

from contextlib import suppress
from typing import IO

from flask import Flask, Response, request
from werkzeug.exceptions import ClientDisconnected

from ..errors import Unavailable

CHUNK = 65_536
"""Bytes that are read at a time, and forgotten."""


def install(app: Flask, max_bytes: int) -> None:
    """Drain the body of every request, up to ``max_bytes``."""

    @app.after_request
    def drain_body(response: Response) -> Response:
        drain(request.stream, max_bytes)
        return response


def drain(stream: IO[bytes], max_bytes: int) -> None:
    """Read what is left of a body, up to ``max_bytes``."""
    left = max_bytes
    # The client is gone, or no memory is free to read on.
    with suppress(ClientDisconnected, Unavailable):
        while left > 0 and (chunk := stream.read(min(left, CHUNK))):
            left -= len(chunk)
