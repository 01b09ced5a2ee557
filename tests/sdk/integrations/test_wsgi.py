"""Any WSGI application, whose requests have scopes."""

from wsgiref.util import setup_testing_defaults

import pytest

import pequel
from pequel.integrations.wsgi import PequelMiddleware


def call(app, **environ):
    """Call an application as a server does; returns the body."""
    setup_testing_defaults(environ)
    body = app(environ, lambda status, headers: None)
    assert pequel.current_context() == {}
    try:
        return b"".join(body)
    finally:
        getattr(body, "close", list)()


def user_of(environ):
    return environ.get("REMOTE_USER")


def test_a_request_has_a_scope(events):
    def app(environ, start_response):
        pequel.track(event="seen")
        return [b"seen"]

    wrapped = PequelMiddleware(app, user=user_of, group=lambda environ: "acme", ip=True)
    environ = {"SCRIPT_NAME": "/shop", "PATH_INFO": "/caf\xc3\xa9", "REMOTE_ADDR": "192.0.2.1"}
    call(wrapped, REMOTE_USER="u1", HTTP_USER_AGENT="Lynx", **environ)
    assert events.assert_tracked("seen", user_id="u1")["context"] == {
        "page": {"path": "/shop/café"},
        "userAgent": "Lynx",
        "ip": "192.0.2.1",
        "groupId": "acme",
    }


def test_an_application_that_is_a_generator_runs_in_its_scope(events):
    """All of it runs when the server takes the body."""
    closed = []

    def app(environ, start_response):
        try:
            with pequel.context(locale="de"):
                yield b"first "
                pequel.track(event="seen")
            yield b"last"
            pequel.track(event="seen_again")
        finally:
            closed.append(pequel.current_context()["user_id"])

    assert call(PequelMiddleware(app, user=user_of), REMOTE_USER="u1") == b"first last"
    inside, after = events
    assert (inside["userId"], inside["context"]["locale"]) == ("u1", "de")
    assert (after["userId"], "locale" in after["context"]) == ("u1", False)
    assert closed == ["u1"]


def test_one_that_is_left_early_is_closed_in_its_scope(events):
    def app(environ, start_response):
        try:
            yield b"first"
        finally:
            pequel.track(event="left")

    body = PequelMiddleware(app, user=user_of)({"REMOTE_USER": "u1"}, None)
    next(body)
    body.close()
    events.assert_tracked("left", user_id="u1")


def test_one_that_fails_ends_its_scope(events):
    def app(environ, start_response):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        call(PequelMiddleware(app, user=user_of), REMOTE_USER="u1")
