"""Read request bodies, and drain what a handler has left of one.

A server closes the connection of a request whose body was not read, often before the client has
seen the response. The client then sends again what was rejected for good.
"""

from __future__ import annotations

from contextlib import suppress
from typing import IO, Any

from flask import Flask, Response, request
from werkzeug.exceptions import ClientDisconnected
from werkzeug.wsgi import get_content_length

from ..errors import BadRequest, Unavailable

CHUNK = 65_536
"""Bytes that are read at a time, and forgotten."""


def install(app: Flask, max_bytes: int) -> None:
    """Drain the body of every request, up to ``max_bytes``."""

    @app.after_request
    def drain_body(response: Response) -> Response:
        drain(request.stream, max_bytes)
        return response


def read(environ: dict[str, Any], stream: IO[bytes], max_bytes: int) -> bytes:
    """A body; of a longer one than ``max_bytes``, one byte more.

    Raises BadRequest for a body that ends before its ``Content-Length``.
    """
    # Werkzeug takes an empty length for 0; a chunked body has none.
    length = get_content_length(environ) if environ.get("CONTENT_LENGTH") else None
    wanted = max_bytes + 1 if length is None else min(length, max_bytes + 1)
    chunks: list[bytes] = []
    left = wanted
    while left > 0 and (chunk := stream.read(left)):
        chunks.append(chunk)
        left -= len(chunk)
    if length is not None and left > 0:
        raise BadRequest(f"the body ends after {wanted - left} of {length} bytes", "truncated_body")
    return b"".join(chunks)


def drain(stream: IO[bytes], max_bytes: int) -> None:
    """Read what is left of a body, up to ``max_bytes``."""
    left = max_bytes
    # The client is gone, or no memory is free to read on.
    with suppress(ClientDisconnected, Unavailable):
        while left > 0 and (chunk := stream.read(min(left, CHUNK))):
            left -= len(chunk)
