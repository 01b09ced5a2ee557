"""A web application that tracks each request, for a server that loads it before it forks."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from .sdks import make

sdk = make(os.environ["PEERS_SDK"], os.environ["PEERS_HOST"])


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Answer at once."""
    number = int(environ["PATH_INFO"].removeprefix("/") or 0)
    sdk.track(f"user-{number:06}", {"n": number})
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
