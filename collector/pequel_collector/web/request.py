"""A request as the doors look at it: its headers, its query and its body, straight from WSGI."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import IO, Any, Protocol
from urllib.parse import parse_qsl

from werkzeug.wsgi import get_input_stream

Environ = Mapping[str, Any]
"""What WSGI says about a request."""


class Named(Protocol):
    """Texts by name."""

    def get(self, name: str, /) -> str | None:
        """One of them; None if there is none of that name."""


class Carries(Protocol):
    """What may carry a key."""

    @property
    def headers(self) -> Named:
        """The headers."""

    @property
    def args(self) -> Named:
        """The parameters of the query."""


class Headers:
    """The headers of a request, looked up only when they are asked for."""

    __slots__ = ("_environ",)

    def __init__(self, environ: Environ) -> None:
        self._environ = environ

    def get(self, name: str, /) -> str | None:
        """A header, whatever the case of its name."""
        found: str | None = self._environ.get(_variable(name))
        return found


class RawRequest:
    """A request that brings events."""

    __slots__ = ("environ", "headers", "stream")

    def __init__(self, environ: dict[str, Any], stream: IO[bytes] | None = None) -> None:
        self.environ = environ
        self.headers = Headers(environ)
        self.stream = stream or get_input_stream(environ)

    @property
    def args(self) -> Mapping[str, str]:
        """The parameters of the query; of one that is given twice, the first."""
        query = self.environ.get("QUERY_STRING")
        return dict(reversed(parse_qsl(query, keep_blank_values=True))) if query else {}


@lru_cache(maxsize=64)
def _variable(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")
