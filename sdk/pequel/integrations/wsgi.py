"""WSGI: a scope for each request of any such application.

    app = PequelMiddleware(app, user=lambda environ: environ.get("REMOTE_USER"))

A function is given the environ of a request.
"""

from __future__ import annotations

from functools import partial
from types import GeneratorType
from typing import TYPE_CHECKING, Any

from pequel.integrations.request_scope import RequestScope, page
from pequel.scope import Resumed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from pequel.messages.compose import Data, Id

    Answer: TypeAlias = Callable[[WSGIEnvironment], Id | None]


class PequelMiddleware:
    """Sets the scope of each request of an application."""

    def __init__(
        self,
        app: WSGIApplication,
        *,
        user: Answer | None = None,
        anonymous: Answer | None = None,
        group: Answer | None = None,
        context: Callable[[WSGIEnvironment], Data | None] | None = None,
        ip: bool = False,
    ) -> None:
        """Put it around an application.

        Args:
            app: the application.
            user: gives the user id of a request, from its environ; None where there is none.
            anonymous: the same for the anonymous id.
            group: the same for the account.
            context: gives further members of the context of each event.
            ip: whether the address of whoever asks is one.

        Raises:
            TypeError: one is no function, or a coroutine function.
        """
        questions = RequestScope(user=user, anonymous=anonymous, group=group, context=context)
        self._questions = questions.without_loop()
        self._app = app
        self._ip = ip

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request, in its scope."""
        with self._questions.scope(environ, partial(facts_of, environ, ip=self._ip)):
            body = self._app(environ, start_response)
            return Resumed(body) if isinstance(body, GeneratorType) else body


def facts_of(environ: WSGIEnvironment, *, ip: bool) -> dict[str, Any]:
    """What a request says by itself; late, since others may correct the address meanwhile."""
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    readable = path.encode("latin-1", "replace").decode("utf-8", "replace")
    address = environ.get("REMOTE_ADDR") if ip else None
    return page(readable, environ.get("HTTP_USER_AGENT"), address)
