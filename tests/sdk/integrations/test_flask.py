"""A small Flask application, whose requests have scopes."""

from contextlib import closing
from wsgiref.util import FileWrapper

import flask
import flask_login
import pytest
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import EnvironBuilder

import pequel
from pequel.integrations.flask import init_app

PEOPLE = {"u1": "acme", "u2": "globex"}


class Person(flask_login.UserMixin):
    def __init__(self, name):
        self.id = name


def account_of(request):
    return PEOPLE.get(flask_login.current_user.get_id())


def make_app(**functions):
    """An application with a log-in by Flask-Login."""
    app = flask.Flask("shop")
    app.secret_key = "secret"
    flask_login.LoginManager(app).user_loader(Person)
    init_app(app, **functions)

    @app.post("/login/<name>")
    def login(name):
        pequel.track(event="login_seen", anonymous_id="a1")
        flask_login.login_user(Person(name))
        pequel.track(event="logged_in")
        return "welcome"

    @app.get("/projects/<name>")
    def create(name):
        pequel.track(event="project_created", properties={"name": name})
        return "created"

    @app.get("/fail")
    def fail():
        pequel.set_context(locale="de")
        pequel.track(event="failing")
        raise ZeroDivisionError

    @app.get("/stream")
    def stream():
        @flask.stream_with_context
        def rows():
            yield "first "
            pequel.track(event="streamed")
            yield flask.request.path

        return rows()

    @app.get("/alone")
    def alone():
        def rows():
            pequel.track(event="streamed")
            yield "alone"

        return rows()

    @app.get("/file")
    def file():
        return flask.send_file(__file__)

    @app.get("/async")
    async def asynchronous():
        pequel.track(event="async_seen")
        return "done"

    return app


@pytest.fixture
def browser():
    return make_app(group=account_of).test_client()


def test_events_are_those_of_whoever_is_logged_in(browser, events):
    browser.post("/login/u1")
    browser.get("/projects/p9", headers={"User-Agent": "Lynx"})
    event = events.assert_tracked("project_created", user_id="u1", group_id="acme", name="p9")
    assert event["context"] == {
        "page": {"path": "/projects/p9"},
        "userAgent": "Lynx",
        "groupId": "acme",
    }


def test_who_logs_in_during_a_request_is_known_from_then_on(browser, events):
    browser.post("/login/u1")
    seen, logged_in = events
    assert "userId" not in seen
    assert logged_in["userId"] == "u1"


def test_nobody_is_nobody(browser, events):
    browser.get("/projects/p9")
    assert [error.field for error in events.dropped] == ["userId"]


def test_the_next_request_has_a_scope_of_its_own(browser, events):
    browser.post("/login/u1")
    browser.get("/fail")
    browser.post("/login/u2")
    browser.get("/projects/p9")
    assert events.last["userId"] == "u2"
    assert "locale" not in events.last["context"]


def test_a_request_that_fails_ends_its_scope(browser, events):
    browser.post("/login/u1")
    assert browser.get("/fail").status_code == 500
    events.assert_tracked("failing", user_id="u1")
    assert pequel.current_context() == {}


def test_a_body_is_streamed_in_the_scope(browser, events):
    browser.post("/login/u1")
    response = browser.get("/stream", buffered=False)
    assert pequel.current_context() == {}
    assert response.data == b"first /stream"
    events.assert_tracked("streamed", user_id="u1", group_id="acme")
    assert pequel.current_context() == {}


def test_a_file_is_left_to_the_server(browser, events):
    """It may send it without reading it."""
    environ = EnvironBuilder("/file").get_environ() | {"wsgi.file_wrapper": FileWrapper}
    with closing(browser.application(environ, lambda *_: None)) as body:
        assert isinstance(body, FileWrapper)


def test_a_body_that_is_streamed_without_its_request_is_nobodys(browser, events, caplog):
    """Nobody is asked for then who is logged in, so nothing fails."""
    browser.post("/login/u1")
    assert browser.get("/alone").data == b"alone"
    assert [error.field for error in events.dropped] == ["userId"]
    assert "failed" not in caplog.text


def test_an_async_view_has_the_scope_too(browser, events):
    pytest.importorskip("asgiref")
    browser.post("/login/u1")
    browser.get("/async")
    events.assert_tracked("async_seen", user_id="u1")


def test_the_functions_of_the_application_are_asked(events):
    app = make_app(
        user=lambda request: request.headers.get("X-User"),
        anonymous=lambda request: request.cookies.get("visitor"),
        context=lambda request: {"locale": "de", "page": {"title": request.endpoint}},
        ip=True,
    )
    browser = app.test_client()
    browser.set_cookie("visitor", "a7")
    browser.get("/projects/p9", headers={"X-User": "u5"})
    assert (events.last["userId"], events.last["anonymousId"]) == ("u5", "a7")
    assert events.last["context"]["ip"] == "127.0.0.1"
    assert events.last["context"]["locale"] == "de"
    assert events.last["context"]["page"] == {"title": "create"}


def test_the_address_is_told_only_if_asked_for(browser, events):
    browser.post("/login/u1")
    assert "ip" not in events.last["context"]


@pytest.mark.parametrize("first", [True, False])
def test_behind_a_proxy_that_the_application_trusts_the_address_is_right(first, events):
    """Whether or not the application is told of the proxy first."""
    app = flask.Flask("shop")
    if first:
        app.wsgi_app = ProxyFix(app.wsgi_app)
    init_app(app, user=lambda request: "u1", ip=True)
    if not first:
        app.wsgi_app = ProxyFix(app.wsgi_app)
    app.add_url_rule("/", view_func=lambda: str(pequel.track(event="seen")))
    app.test_client().get("/", headers={"X-Forwarded-For": "192.0.2.1"})
    assert events.last["context"]["ip"] == "192.0.2.1"


def test_what_a_function_raises_is_logged_once_and_breaks_nothing(events, caplog):
    app = make_app(
        user=lambda request: "u1", group=lambda request: 1 / 0, context=lambda request: 5
    )
    browser = app.test_client()
    assert [browser.get("/projects/p9").status_code for _ in range(3)] == [200, 200, 200]
    assert len(events.tracked("project_created")) == 3
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2
    assert any("'group' failed" in message for message in messages)
    assert any("'context' failed" in message for message in messages)


def test_a_function_that_tracks_is_not_asked_by_itself(events):
    """Such as the loader of users."""

    def user(request):
        pequel.track(event="loading", anonymous_id="a1")
        pequel.track(event="nobody_yet")
        return "u1"

    make_app(user=user).test_client().get("/projects/p9")
    assert [event["event"] for event in events] == ["loading", "project_created"]
    assert len(events.dropped) == 1


def test_a_request_that_tracks_nothing_asks_nothing(events):
    asked = []
    make_app(user=asked.append, group=asked.append).test_client().get("/no-such-page")
    assert asked == []


def test_an_answer_is_kept_for_the_request_once_there_is_one(events):
    answers = iter([None, "u1", "u2"])
    app = make_app(user=lambda request: next(answers))
    app.add_url_rule("/", view_func=lambda: str([pequel.track(event="seen") for _ in range(4)]))
    app.test_client().get("/")
    assert [event["userId"] for event in events] == ["u1", "u1", "u1"]
    app.test_client().get("/")
    assert events.last["userId"] == "u2"


def test_a_coroutine_function_is_refused(events):
    async def user(request):
        return "u1"

    with pytest.raises(TypeError, match="asynchronous"):
        make_app(user=user)


@pytest.mark.parametrize("name", ["user", "anonymous", "group", "context"])
def test_what_is_no_function_is_refused(name, events):
    with pytest.raises(TypeError, match=f"{name} must be a function, not str"):
        make_app(**{name: "u1"})


def test_an_object_for_a_user_makes_no_user(events):
    """Or all of them would be one."""
    app = make_app(user=lambda request: flask_login.current_user)
    app.test_client().post("/login/u1")
    assert [one.get("userId") for one in events] == [None]
    assert "userId must be text or a number" in str(events.dropped[0])


def test_without_flask_login_nobody_is_known(events):
    app = flask.Flask("plain")
    init_app(app)

    @app.get("/")
    def start():
        pequel.track(event="seen")
        return "seen"

    assert app.test_client().get("/").status_code == 200
    assert len(events.dropped) == 1
