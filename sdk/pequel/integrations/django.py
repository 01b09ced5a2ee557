"""Django: a scope for each request.

    MIDDLEWARE = [
        ...,
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "pequel.integrations.django.middleware",
    ]
    PEQUEL = {"group": "shop.tracking.account_of"}

The setting PEQUEL may be left out.
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

from pequel.integrations.request_scope import RequestScope, page
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
    """The primary key of `request.user`, if that is logged in."""
    user = getattr(request, "user", None)
    return user.pk if user is not None and user.is_authenticated else None


@sync_and_async_middleware  # type: ignore[untyped-decorator]
def middleware(get_response: Respond | RespondAsync) -> Respond | RespondAsync:
    """Set the scope of each request, as the setting PEQUEL says.

    `PEQUEL` is a dict of functions of a request, or of their dotted paths: `user`, `anonymous` and
    `group`, which give an id or None, and `context`, which gives further members of the context of
    each event. `ip` says whether the address of whoever asks is one.

    Raises:
        ImproperlyConfigured: the setting is no dict, or it has another key, a path at which there
            is nothing, what is no function, or a coroutine function without a loop.
    """
    with _improper():
        setup = _Setup(**_given())
    if iscoroutinefunction(get_response):
        return _async_middleware(cast("RespondAsync", get_response), setup)
    return _middleware(cast("Respond", get_response), setup.without_loop())


class _Setup:
    """What the settings say."""

    def __init__(self, *, user: Any = logged_in, ip: bool = False, **others: Any) -> None:
        self.asks_session = user is logged_in
        self.ip = ip
        functions = {"user": user, **others}
        self.questions = RequestScope(**{name: _found(one) for name, one in functions.items()})

    def without_loop(self) -> _Setup:
        with _improper():
            self.questions.without_loop()
        return self

    def facts_of(self, request: HttpRequest) -> dict[str, Any]:
        """What a request says by itself."""
        address = request.META.get("REMOTE_ADDR") if self.ip else None
        return page(request.path, request.META.get("HTTP_USER_AGENT"), address)


def _middleware(get_response: Respond, setup: _Setup) -> Respond:
    def respond(request: HttpRequest) -> HttpResponseBase:
        with setup.questions.scope(request, partial(setup.facts_of, request)):
            return _resumed(get_response(request))

    return respond


def _async_middleware(get_response: RespondAsync, setup: _Setup) -> RespondAsync:
    async def respond(request: HttpRequest) -> HttpResponseBase:
        with await setup.questions.scope_async(request, partial(setup.facts_of, request)):
            if setup.asks_session:
                await _ask_session(request)
            return _resumed(await get_response(request))

    return respond


_session_failed = LogOnce("request.auser", "and so who is logged in is not known")


async def _ask_session(request: HttpRequest) -> None:
    """Find out who is logged in, since `request.user` must not ask the database in a loop.

    Only where the request has a session; without one nobody is.
    """
    if settings.SESSION_COOKIE_NAME not in request.COOKIES or not hasattr(request, "auser"):
        return
    with _session_failed:
        user = await request.auser()
        if user.is_authenticated:
            set_context(user_id=user.pk)


def _resumed(response: HttpResponseBase) -> HttpResponseBase:
    """The response, whose body is streamed in the scope; a file is left to the server."""
    if response.streaming and getattr(response, "file_to_stream", None) is None:
        resumed = ResumedAsync if response.is_async else Resumed
        response.streaming_content = resumed(response.streaming_content)
    return response


def _given() -> dict[str, Any]:
    given = getattr(settings, "PEQUEL", {})
    if not isinstance(given, dict) or not all(isinstance(name, str) for name in given):
        raise TypeError(f"must be a dict of functions by their names, not {given!r}")
    return given


def _found(function: Any) -> Any:
    return import_string(function) if isinstance(function, str) else function


@contextmanager
def _improper() -> Iterator[None]:
    try:
        yield
    except (TypeError, ImportError) as error:
        raise ImproperlyConfigured(f"the setting PEQUEL: {error}") from error
