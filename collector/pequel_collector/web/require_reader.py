"""Routes that need a key, which may do what the description of the route says."""

from __future__ import annotations

from flask import Blueprint, Response, current_app, g, request

from ..access.keys import Scope, may
from ..app.bootstrap import Collector
from ..errors import Forbidden
from ..model import Key
from . import credentials
from .openapi.operation import operations_of
from .paths import require_utf8


def require_reader(bp: Blueprint, collector: Collector) -> None:
    """Require a key with the scope of each route of a blueprint; keep answers out of caches."""

    @bp.before_request
    def authorize() -> None:
        token = credentials.reader_token(request)
        g.key = _require(collector, token, _scope())

    @bp.before_request
    def check_path() -> None:
        require_utf8(request)

    @bp.after_request
    def disable_caching(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response


def current_key() -> Key:
    """The key of this request."""
    key: Key = g.key
    return key


def current_partner() -> str | None:
    """The partner whose leads alone this request may see; None for a key that sees all."""
    return current_key().partner


def _require(collector: Collector, token: str | None, scope: Scope) -> Key:
    """The key of a token. Raises Unauthorized, or Forbidden for a partner's key."""
    key = None if token is None else credentials.find(collector.keys, token)
    if key is not None and key.kind == "partner" and not may(key, scope):
        raise Forbidden("a partner's key sees its own leads and the definitions, and nothing else")
    return credentials.require_key(collector.keys, token, scope)


def _scope() -> Scope:
    """The scope that the route of this request is described with."""
    view = current_app.view_functions.get(request.endpoint or "")
    scopes = [operation.scope for operation in operations_of(view)]
    return scopes[0] if scopes and scopes[0] is not None else "read"
