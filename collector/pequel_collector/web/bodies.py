"""Bodies that were not asked for: they are read to their end all the same.

A server drops the connection of a body that nobody reads, often before its client has seen the
answer; the client then sends again what was refused for good.
"""

from __future__ import annotations

from contextlib import suppress
from typing import IO

from flask import Flask, Response, request
from werkzeug.exceptions import ClientDisconnected

from ..errors import Unavailable

BLOCK = 65_536
"""Bytes that are read at a time, and forgotten."""


def install(app: Flask, most: int) -> None:
    """Read what an application has left of a body, but no more than so many bytes."""

    @app.after_request
    def read_to_the_end(response: Response) -> Response:
        exhaust(request.stream, most)
        return response


def exhaust(stream: IO[bytes], most: int) -> None:
    """Read what is left of a body, but no more than so many bytes."""
    left = most
    # Nobody waits for the answer any longer, or there is no room to read on.
    with suppress(ClientDisconnected, Unavailable):
        while left > 0 and (found := stream.read(min(left, BLOCK))):
            left -= len(found)
