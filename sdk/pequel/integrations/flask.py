"""Flask: a scope for each request.

    from pequel.integrations.flask import init_app

    init_app(app, group=lambda request: session.get("account_id"))

A function is given the request, and can use all that Flask has in one.
"""

from __future__ import annotations

import sys
from inspect import iscoroutinefunction
from typing import TYPE_CHECKING, Any

import flask

from pequel.integrations.wsgi import PequelMiddleware
from pequel.scope import Resumed

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from pequel.messages.compose import Data, Id

    Answer: TypeAlias = Callable[[flask.Request], Id | None]


def logged_in(_request: flask.Request) -> Id | None:
    """The id of whoever Flask-Login knows to be logged in; None where it is not used."""
    login = sys.modules.get("flask_login")
    if login is None or not hasattr(flask.current_app, "login_manager"):
        return None
    user = login.current_user
    found: Id | None = user.get_id() if user.is_authenticated else None
    return found


def init_app(
    app: flask.Flask,
    *,
    user: Answer | None = logged_in,
    anonymous: Answer | None = None,
    group: Answer | None = None,
    context: Callable[[flask.Request], Data | None] | None = None,
    ip: bool = False,
) -> None:
    """Set the scope of each request of an application.

    It also holds while a body is streamed, as `flask.stream_with_context` does for the request.

    Args:
        app: the application.
        user: gives the user id of a request; None where there is none. Asks Flask-Login if not
            given.
        anonymous: the same for the anonymous id.
        group: the same for the account.
        context: gives further members of the context of each event.
        ip: whether the address of whoever asks is one.

    Raises:
        TypeError: one is no function, or a coroutine function.
    """
    middleware = PequelMiddleware(
        app.wsgi_app,
        user=_in_request(user),
        anonymous=_in_request(anonymous),
        group=_in_request(group),
        context=_in_request(context),
        ip=ip,
    )
    app.wsgi_app = middleware  # type: ignore[method-assign]
    flask.request_finished.connect(_resume, app)


def _in_request(ask: Callable[[flask.Request], Any] | None) -> Callable[[Any], Any] | None:
    """Asks a question of Flask's request, where there is one."""
    if not callable(ask) or iscoroutinefunction(ask):  # refused for what it is, if it is not None
        return ask
    return lambda _environ: ask(flask.request) if flask.has_request_context() else None


def _resume(_app: flask.Flask, response: flask.Response, **_more: object) -> None:
    if response.is_streamed and not response.direct_passthrough:
        response.response = Resumed(response.response)
