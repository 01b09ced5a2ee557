"""The cookie that keeps a visitor's anonymous id, where the response is one of ASGI or WSGI.

The tests of Django have their own.
"""

import flask
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient
from werkzeug.test import Client

import pequel
from pequel.integrations import asgi, wsgi
from pequel.integrations.flask import init_app


def act(path):
    """What the view of a path tracks."""
    if path == "/page":
        pequel.page(name="pricing")
    if path == "/sign-up":
        pequel.identify("u1", {"email": "ada@example.com"})
        pequel.track("u1", "signed_up")
    if path == "/invite":
        pequel.track("u2", "invited")


class Wsgi:
    def __init__(self, **options):
        def app(environ, start_response):
            act(environ["PATH_INFO"])
            start_response("200 OK", [("Content-Type", "text/plain")])
            return [b"ok"]

        self._client = Client(wsgi.PequelMiddleware(app, **options), use_cookies=False)

    def get(self, path, cookie=None, scheme="http"):
        headers = {"Cookie": f"other=1; {cookie}"} if cookie else {}
        base = f"{scheme}://localhost"
        answer = self._client.get(path, headers=headers, base_url=base)
        return answer.headers.get("Set-Cookie")


class Flask(Wsgi):
    def __init__(self, **options):
        app = flask.Flask("shop")
        app.add_url_rule("/<name>", view_func=lambda name: (act(f"/{name}"), "ok")[1])
        init_app(app, **options)
        self._client = app.test_client(use_cookies=False)


class Asgi:
    def __init__(self, **options):
        async def view(request):
            act(request.url.path)
            return PlainTextResponse("ok")

        self._app = asgi.PequelMiddleware(Starlette(routes=[Route("/{name}", view)]), **options)

    def get(self, path, cookie=None, scheme="http"):
        headers = {"Cookie": f"other=1; {cookie}"} if cookie else {}
        client = TestClient(self._app, base_url=f"{scheme}://localhost")
        return client.get(path, headers=headers).headers.get("Set-Cookie")


@pytest.fixture(params=[Wsgi, Flask, Asgi])
def framework(request):
    return request.param


def test_the_first_page_view_of_a_visitor_has_the_id_of_the_cookie(framework, events):
    made = framework(cookie="visitor").get("/page")
    name, _, id_ = made.partition(";")[0].partition("=")
    assert name == "visitor"
    assert events.last["anonymousId"] == id_
    assert "HttpOnly" in made
    assert "SameSite=Lax" in made
    assert "Path=/" in made
    assert "Secure" not in made


def test_a_visitor_who_comes_back_keeps_the_id_and_gets_no_cookie(framework, events):
    assert framework(cookie="visitor").get("/page", "visitor=0123456789abcdef") is None
    assert events.last["anonymousId"] == "0123456789abcdef"


@pytest.mark.parametrize("value", ["", "short", "x" * 200, "<script>alert(1)"])
def test_a_cookie_that_cannot_be_one_of_ours_is_replaced(framework, events, value):
    assert framework(cookie="visitor").get("/page", f"visitor={value}").startswith("visitor=")
    assert len(events.last["anonymousId"]) == 32


def test_a_request_that_tracks_nothing_sets_no_cookie(framework, events):
    assert framework(cookie="visitor").get("/idle") is None
    assert len(events) == 0


def test_over_https_the_cookie_is_secure(framework, events):
    assert "Secure" in framework(cookie="visitor").get("/page", scheme="https")


def test_a_sign_up_with_explicit_ids_joins_the_visitor(framework, events):
    framework(cookie="visitor").get("/sign-up", "visitor=0123456789abcdef")
    joined = events.of_type("identify")[0]
    assert (joined["userId"], joined["anonymousId"]) == ("u1", "0123456789abcdef")


def test_an_event_of_another_user_does_not_join_the_visitor(framework, events):
    framework(cookie="visitor").get("/invite", "visitor=0123456789abcdef")
    assert "anonymousId" not in events.last


@pytest.mark.parametrize(
    "options", [{"cookie": "a b"}, {"cookie": 5}, {"cookie": "v", "anonymous": lambda _: "a"}]
)
def test_a_wrong_cookie_is_refused_at_start(options):
    with pytest.raises(TypeError, match="cookie"):
        wsgi.PequelMiddleware(lambda *_: [], **options)
