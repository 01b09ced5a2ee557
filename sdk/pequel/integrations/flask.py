"""Flask: a scope for each request.

    from pequel.integrations.flask import init_app

    init_app(app, group=lambda request: session.get("account_id"))

The functions take the request, and may use `session`, `g` and the rest of Flask.
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

    Function: TypeAlias = Callable[[flask.Request], Id | None]


def logged_in(_request: flask.Request) -> Id | None:
    """The id of the user that Flask-Login has logged in; None without Flask-Login."""
    login = sys.modules.get("flask_login")
    if login is None or not hasattr(flask.current_app, "login_manager"):
        return None
    user = login.current_user
    found: Id | None = user.get_id() if user.is_authenticated else None
    return found


def init_app(
    app: flask.Flask,
    *,
    user: Function | None = logged_in,
    anonymous: Function | None = None,
    cookie: str | None = None,
    group: Function | None = None,
    context: Callable[[flask.Request], Data | None] | None = None,
    ip: bool = False,
) -> None:
    """Set the scope of each request of an application.

    The scope also lasts while a body is streamed.

    Args:
        app: the application.
        user: returns the user id for a request, or None. The default asks Flask-Login.
        anonymous: the same for the anonymous id.
        cookie: the name of a cookie that keeps the anonymous id. A visitor without one gets it
            with the response, if anything was tracked.
        group: the same for the account.
        context: returns further members for the context of each event.
        ip: add the address of the client to the context.

    Raises:
        TypeError: an argument is not a function, or is a coroutine function.
    """
    middleware = PequelMiddleware(
        app.wsgi_app,
        user=_with_flask_request(user),
        anonymous=_with_flask_request(anonymous),
        cookie=cookie,
        group=_with_flask_request(group),
        context=_with_flask_request(context),
        ip=ip,
    )
    app.wsgi_app = middleware  # type: ignore[method-assign]
    flask.request_finished.connect(_resume, app)


def _with_flask_request(
    function: Callable[[flask.Request], Any] | None,
) -> Callable[[Any], Any] | None:
    """A function of the environ that calls `function` with Flask's request, if there is one."""
    if not callable(function) or iscoroutinefunction(function):
        return function  # the middleware rejects it, unless it is None
    return lambda _environ: function(flask.request) if flask.has_request_context() else None


def _resume(_app: flask.Flask, response: flask.Response, **_more: object) -> None:
    if response.is_streamed and not response.direct_passthrough:
        response.response = Resumed(response.response)
