"""Ids in a path may hold any character: an escaped slash belongs to an id, a plain one does not."""

from __future__ import annotations

from urllib.parse import quote, unquote

from flask import Request
from werkzeug.routing import BaseConverter

from ..errors import BadRequest
from ..model import Kind

VIEWS: dict[Kind, tuple[str, ...]] = {
    "user": ("pql", "timeline", "path"),
    "account": ("pql", "timeline", "people"),
}


class RestOfPath(BaseConverter):
    """The rest of a path, with its slashes."""

    regex = r"[\s\S]+"
    part_isolating = False


def require_utf8(request: Request) -> None:
    """Raises BadRequest for a path that is not UTF-8: no id is stored in such bytes."""
    path = request.environ.get("PATH_INFO", "").encode("latin-1")
    try:
        path.decode()
    except UnicodeDecodeError as error:
        found = f"byte {error.start} is {path[error.start]:#04x}"
        raise BadRequest(f"the path is not UTF-8: {found}", "bad_path") from None


def subject_and_view(request: Request, kind: Kind, prefix: str, rest: str) -> tuple[str, str]:
    """The id behind a prefix, and the view of it: ``""``, ``pql``, ``timeline``, ….

    ``/v1/users/a%2Fpql`` is the user ``a/pql``, ``/v1/users/a/pql`` the view of the user ``a``.
    """
    escaped = _escaped_rest(request, prefix) or quote(rest)
    identifier, slash, view = escaped.rpartition("/")
    if slash and view in VIEWS[kind]:
        return unquote(identifier), view
    return unquote(escaped), ""


def whole_rest(request: Request, prefix: str, rest: str) -> str:
    """The id behind a prefix, to the end of the path."""
    return unquote(_escaped_rest(request, prefix) or quote(rest))


def _escaped_rest(request: Request, prefix: str) -> str:
    """What the request line has after a prefix; empty if the server does not pass the line on."""
    line = request.environ.get("RAW_URI") or request.environ.get("REQUEST_URI") or ""
    return str(line).partition("?")[0].partition(prefix)[2]
