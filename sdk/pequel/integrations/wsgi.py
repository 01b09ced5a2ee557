"""WSGI: a scope for each request of any WSGI application.

    app = PequelMiddleware(app, user=lambda environ: environ.get("REMOTE_USER"))

The functions take the environ of a request.
"""

from __future__ import annotations

from functools import partial
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from pequel.integrations.request_scope import RequestScope, request_facts
from pequel.integrations.visitor import in_header, set_cookie
from pequel.scope import Resumed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from pequel.integrations.visitor import Visitor
    from pequel.messages.compose import Data, Id

    Function: TypeAlias = Callable[[WSGIEnvironment], Id | None]


class PequelMiddleware:
    """Sets the scope of each request of an application."""

    def __init__(
        self,
        app: WSGIApplication,
        *,
        user: Function | None = None,
        anonymous: Function | None = None,
        cookie: str | None = None,
        group: Function | None = None,
        context: Callable[[WSGIEnvironment], Data | None] | None = None,
        ip: bool = False,
    ) -> None:
        """Wrap an application.

        Args:
            app: the application.
            user: returns the user id for an environ, or None.
            anonymous: the same for the anonymous id.
            cookie: the name of a cookie that keeps the anonymous id. A visitor without one gets it
                with the response, if anything was tracked.
            group: the same for the account.
            context: returns further members for the context of each event.
            ip: add the address of the client to the context.

        Raises:
            TypeError: an argument is not a function, or is a coroutine function.
        """
        request_scope = RequestScope(
            cookie=cookie, user=user, anonymous=anonymous, group=group, context=context
        )
        self._request_scope = request_scope.without_loop()
        self._app = app
        self._ip = ip

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Handle a request in its scope."""
        cookie, visitor = self._request_scope.cookie, None
        if cookie is not None:
            visitor = in_header(cookie, environ.get("HTTP_COOKIE", ""))
            start_response = _with_cookie(cookie, visitor, environ, start_response)
        facts = partial(facts_of, environ, ip=self._ip)
        with self._request_scope.scope(environ, facts, visitor):
            body = self._app(environ, start_response)
            return Resumed(body) if isinstance(body, GeneratorType) else body


def _with_cookie(
    name: str, visitor: Visitor, environ: WSGIEnvironment, start_response: StartResponse
) -> StartResponse:
    def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[[bytes], object]:
        secure = environ.get("wsgi.url_scheme") == "https"
        return start_response(status, headers + set_cookie(name, visitor, secure=secure), *more)

    return start


def facts_of(environ: WSGIEnvironment, *, ip: bool) -> dict[str, Any]:
    """Path, user agent and address, read when needed: middleware may correct the address."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    readable = path.encode("latin-1", "replace").decode("utf-8", "replace")
    address = environ.get("REMOTE_ADDR") if ip else None
    return request_facts(readable, environ.get("HTTP_USER_AGENT"), address)
