"""A request that brings events: its headers, its query and its body, straight from WSGI."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import IO, Any
from urllib.parse import parse_qsl

from flask import Request
from werkzeug.wsgi import get_input_stream


class Headers:
    """The headers of a request, looked up when they are asked for."""

    __slots__ = ("_environ",)

    def __init__(self, environ: Mapping[str, Any]) -> None:
        self._environ = environ

    def get(self, name: str, /) -> str | None:
        """A header; the case of its name does not matter."""
        value: str | None = self._environ.get(_variable(name))
        return value


class RawRequest:
    """A request that brings events, without what Flask does for each request."""

    __slots__ = ("environ", "headers", "stream")

    def __init__(self, environ: dict[str, Any], stream: IO[bytes] | None = None) -> None:
        self.environ = environ
        self.headers = Headers(environ)
        self.stream = stream or get_input_stream(environ)

    @property
    def args(self) -> Mapping[str, str]:
        """The query parameters; the first of several with one name."""
        query = self.environ.get("QUERY_STRING")
        return dict(reversed(parse_qsl(query, keep_blank_values=True))) if query else {}


AnyRequest = Request | RawRequest


@lru_cache(maxsize=64)
def _variable(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")
