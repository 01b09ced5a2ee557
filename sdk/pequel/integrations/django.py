"""Django: a scope for each request.

    MIDDLEWARE = [
        ...,
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "pequel.integrations.django.middleware",
    ]
    PEQUEL = {"group": "shop.tracking.account_of"}

The setting PEQUEL is optional.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.decorators import sync_and_async_middleware
from django.utils.module_loading import import_string

from pequel.integrations.request_scope import RequestScope, request_facts
from pequel.integrations.visitor import MAX_AGE, Visitor
from pequel.log import LogOnce
from pequel.scope import Resumed, ResumedAsync, set_context

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from django.http import HttpRequest
    from django.http.response import HttpResponseBase

    from pequel.messages.compose import Id

    Respond: TypeAlias = Callable[[HttpRequest], HttpResponseBase]
    RespondAsync: TypeAlias = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


def logged_in(request: HttpRequest) -> Id | None:
    """The primary key of `request.user`, if the user is logged in."""
    user = getattr(request, "user", None)
    return user.pk if user is not None and user.is_authenticated else None


@sync_and_async_middleware  # type: ignore[untyped-decorator]
def middleware(get_response: Respond | RespondAsync) -> Respond | RespondAsync:
    """Set the scope of each request, as the setting PEQUEL says.

    `PEQUEL` is a dict of functions of a request, or of their dotted paths: `user`, `anonymous` and
    `group` return an id or None, and `context` returns further members for the context of each
    event. `ip` adds the address of the client to the context. `cookie` is the name of a cookie
    that keeps the anonymous id. A visitor without one gets it with the response, if anything was
    tracked.

    Raises:
        ImproperlyConfigured: the setting is not a dict, a key is unknown, a value is not a
            function, a path leads nowhere, or a coroutine function is used without a loop.
    """
    with _configuration_errors():
        configuration = _Configuration(**_setting())
    if iscoroutinefunction(get_response):
        return _async_middleware(cast("RespondAsync", get_response), configuration)
    return _middleware(cast("Respond", get_response), configuration.without_loop())


class _Configuration:
    """The setting PEQUEL."""

    def __init__(
        self, *, user: Any = logged_in, ip: bool = False, cookie: str | None = None, **others: Any
    ) -> None:
        self.default_user = user is logged_in
        self.ip = ip
        functions = {"user": user, **others}
        self.request_scope = RequestScope(
            cookie=cookie, **{name: _imported(one) for name, one in functions.items()}
        )

    def without_loop(self) -> _Configuration:
        with _configuration_errors():
            self.request_scope.without_loop()
        return self

    def facts_of(self, request: HttpRequest) -> dict[str, Any]:
        """Path, user agent and address of a request."""
        address = request.META.get("REMOTE_ADDR") if self.ip else None
        return request_facts(request.path, request.META.get("HTTP_USER_AGENT"), address)

    def visitor_of(self, request: HttpRequest) -> Visitor | None:
        cookie = self.request_scope.cookie
        return None if cookie is None else Visitor(request.COOKIES.get(cookie))

    def finish(
        self, request: HttpRequest, response: HttpResponseBase, visitor: Visitor | None
    ) -> HttpResponseBase:
        """The response, with the cookie of a new visitor, and a body that runs in the scope."""
        if visitor is not None and visitor.new_id is not None:
            response.set_cookie(
                str(self.request_scope.cookie),
                visitor.new_id,
                max_age=MAX_AGE,
                secure=request.is_secure(),
                httponly=True,
                samesite="Lax",
            )
        return _resume_body(response)


def _middleware(get_response: Respond, configuration: _Configuration) -> Respond:
    def respond(request: HttpRequest) -> HttpResponseBase:
        visitor = configuration.visitor_of(request)
        facts = partial(configuration.facts_of, request)
        with configuration.request_scope.scope(request, facts, visitor):
            return configuration.finish(request, get_response(request), visitor)

    return respond


def _async_middleware(get_response: RespondAsync, configuration: _Configuration) -> RespondAsync:
    async def respond(request: HttpRequest) -> HttpResponseBase:
        visitor = configuration.visitor_of(request)
        facts = partial(configuration.facts_of, request)
        with await configuration.request_scope.scope_async(request, facts, visitor):
            if configuration.default_user:
                await _find_user(request)
            return configuration.finish(request, await get_response(request), visitor)

    return respond


_session_failed = LogOnce("request.auser", "so the user is not known")


async def _find_user(request: HttpRequest) -> None:
    """Find the user that is logged in, as `request.user` must not query the database in a loop.

    Does nothing for a request without a session, as it has no user.
    """
    if settings.SESSION_COOKIE_NAME not in request.COOKIES or not hasattr(request, "auser"):
        return
    with _session_failed:
        user = await request.auser()
        if user.is_authenticated:
            set_context(user_id=user.pk)


def _resume_body(response: HttpResponseBase) -> HttpResponseBase:
    """The response; a streamed body runs in the scope, but a file is left to the server."""
    if response.streaming and getattr(response, "file_to_stream", None) is None:
        resumed = ResumedAsync if response.is_async else Resumed
        response.streaming_content = resumed(response.streaming_content)
    return response


def _setting() -> dict[str, Any]:
    given = getattr(settings, "PEQUEL", {})
    if not isinstance(given, dict) or not all(isinstance(name, str) for name in given):
        raise TypeError(f"must be a dict of functions by their names, not {given!r}")
    return given


def _imported(function: Any) -> Any:
    return import_string(function) if isinstance(function, str) else function


@contextmanager
def _configuration_errors() -> Iterator[None]:
    try:
        yield
    except (TypeError, ImportError) as error:
        raise ImproperlyConfigured(f"the setting PEQUEL: {error}") from error
