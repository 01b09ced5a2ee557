"""Ids in a path, which may hold any character: a slash in one is told from one between parts."""

from __future__ import annotations

from urllib.parse import quote, unquote

from flask import Request
from werkzeug.routing import BaseConverter

from ..errors import BadRequest

VIEWS = ("pql", "timeline")


class Rest(BaseConverter):
    """The rest of a path, slashes and all."""

    regex = r"[\s\S]+"
    part_isolating = False


def require_text(request: Request) -> None:
    """Refuse a path of bytes that are no UTF-8: no id is written so. Raises BadRequest."""
    path = request.environ.get("PATH_INFO", "").encode("latin-1")
    try:
        path.decode()
    except UnicodeDecodeError as error:
        found = f"byte {error.start} is {path[error.start]:#04x}"
        raise BadRequest(f"the path is no UTF-8: {found}", "bad_path") from None


def subject_and_view(request: Request, prefix: str, rest: str) -> tuple[str, str]:
    """The id behind a prefix, and which view of it is asked for: ``""``, ``pql`` or ``timeline``.

    ``/v1/users/a%2Fpql`` is the user ``a/pql``, ``/v1/users/a/pql`` the view of the user ``a``.
    """
    escaped = _as_sent(request, prefix) or quote(rest)
    identifier, slash, view = escaped.rpartition("/")
    if slash and view in VIEWS:
        return unquote(identifier), view
    return unquote(escaped), ""


def _as_sent(request: Request, prefix: str) -> str:
    """What the request line says after a prefix, where the server passes the line on."""
    line = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or ""
    return str(line).partition("?")[0].partition(prefix)[2]
