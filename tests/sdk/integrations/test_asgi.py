"""Small FastAPI and Starlette applications, whose requests have scopes."""

import asyncio
from contextlib import contextmanager

import fastapi
import pytest
from fastapi.responses import StreamingResponse
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.authentication import AuthCredentials, AuthenticationBackend, SimpleUser
from starlette.middleware import Middleware
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute

import pequel
from pequel.integrations.asgi import PequelMiddleware

ACCOUNTS = {"u1": "acme", "u2": "globex"}


def authenticate(request: fastapi.Request):
    """A dependency that runs in a thread, with a copy of the request's context."""
    name = request.headers.get("x-user")
    if name:
        pequel.set_context(user_id=name, group_id=ACCOUNTS.get(name))


def make_api(**functions):
    api = fastapi.FastAPI(dependencies=[fastapi.Depends(authenticate)])
    api.add_middleware(PequelMiddleware, **functions)

    @api.post("/projects/{name}")
    async def create(name: str):
        pequel.track(event="project_created", properties={"name": name})

    @api.post("/sync/{name}")
    def create_in_a_thread(name: str):
        pequel.track(event="project_created", properties={"name": name})

    @api.get("/stream")
    async def stream():
        async def rows():
            yield "first "
            await asyncio.sleep(0)
            pequel.track(event="streamed")
            yield "last"

        return StreamingResponse(rows())

    @api.post("/later")
    async def later(tasks: fastapi.BackgroundTasks):
        tasks.add_task(pequel.track, event="later")

    @api.get("/fail")
    async def fail():
        raise ZeroDivisionError

    return api


@pytest.fixture
def api():
    return TestClient(make_api(), raise_server_exceptions=False)


def test_an_event_is_that_of_whoever_a_dependency_found(api, events):
    headers = {"x-user": "u1", "user-agent": "Lynx"}
    api.post("/projects/p9", headers=headers)
    event = events.assert_tracked("project_created", user_id="u1", group_id="acme", name="p9")
    assert event["context"] == {
        "page": {"path": "/projects/p9"},
        "userAgent": "Lynx",
        "groupId": "acme",
    }


@pytest.mark.parametrize("path", ["/sync/p9", "/projects/p9"])
def test_requests_at_the_same_time_do_not_mix(events, path):
    async def ask(app, name):
        sent = []
        scope = {
            "type": "http",
            "method": "POST",
            "path": path,
            "headers": [(b"x-user", name.encode())],
            "query_string": b"",
        }

        async def receive():
            await asyncio.sleep(0)
            return {"type": "http.request", "body": b""}

        async def send(message):
            sent.append(message)

        await app(scope, receive, send)
        return sent[0]["status"]

    async def ask_all():
        app = make_api(context=lambda scope: {"name": dict(scope["headers"])[b"x-user"].decode()})
        return await asyncio.gather(*(ask(app, f"u{n}") for n in range(10)))

    assert asyncio.run(ask_all()) == [200] * 10
    assert sorted(event["userId"] for event in events) == [f"u{n}" for n in range(10)]
    assert all(event["userId"] == event["context"]["name"] for event in events)


def test_a_body_is_streamed_in_the_scope(api, events):
    assert api.get("/stream", headers={"x-user": "u1"}).text == "first last"
    events.assert_tracked("streamed", user_id="u1", group_id="acme")


def test_background_tasks_run_in_the_scope(api, events):
    api.post("/later", headers={"x-user": "u1"})
    events.assert_tracked("later", user_id="u1")


def test_a_request_that_fails_ends_its_scope(api, events):
    assert api.get("/fail", headers={"x-user": "u1"}).status_code == 500
    api.post("/projects/p9")
    assert [error.field for error in events.dropped] == ["userId"]


def test_the_functions_of_the_application_are_asked(events):
    async def account(scope):
        await asyncio.sleep(0)
        return "acme"

    async def locale(scope):
        return {"locale": "de"}

    api = make_api(
        user=lambda scope: "u5",
        anonymous=lambda scope: "a7",
        group=account,
        context=locale,
        ip=True,
    )
    TestClient(api).post("/projects/p9")
    assert (events.last["userId"], events.last["anonymousId"]) == ("u5", "a7")
    context = events.last["context"]
    assert (context["groupId"], context["locale"], context["ip"]) == ("acme", "de", "testclient")


def test_what_a_function_raises_is_logged_once_and_breaks_nothing(events, caplog):
    async def group(scope):
        raise KeyError("account")

    api = TestClient(make_api(user=lambda scope: 1 / 0, group=group))
    assert [api.post("/projects/p9").status_code for _ in range(3)] == [200, 200, 200]
    failures = [r.getMessage() for r in caplog.records if "failed" in r.getMessage()]
    assert len(failures) == 2
    assert len(events.dropped) == 3


class Backend(AuthenticationBackend):
    """Knows whoever says who they are."""

    async def authenticate(self, conn):
        name = conn.headers.get("x-user")
        return (AuthCredentials(["authenticated"]), SimpleUser(name)) if name else None


async def seen(request):
    pequel.track(event="seen")
    return PlainTextResponse("seen")


async def chat(websocket):
    await websocket.accept()
    pequel.track(event="chatted")
    await websocket.close()


async def through(request, call_next):
    """Starlette runs what is below this kind of middleware in a task of its own."""
    return await call_next(request)


@contextmanager
def starlette():
    routes = [Route("/seen", seen), WebSocketRoute("/chat", chat)]
    middleware = [
        Middleware(PequelMiddleware),
        Middleware(AuthenticationMiddleware, backend=Backend()),
        Middleware(BaseHTTPMiddleware, dispatch=through),
    ]
    with TestClient(Starlette(routes=routes, middleware=middleware)) as client:  # with a lifespan
        yield client


def test_starlettes_user_is_found_though_it_is_set_further_in(events):
    with starlette() as client:
        client.get("/seen", headers={"x-user": "u1"})
        client.get("/seen")
    events.assert_tracked("seen", user_id="u1")
    assert len(events.dropped) == 1


def test_a_websocket_has_a_scope(events):
    with starlette() as client, client.websocket_connect("/chat", headers={"x-user": "u1"}):
        pass
    event = events.assert_tracked("chatted", user_id="u1")
    assert event["context"]["page"] == {"path": "/chat"}


@pytest.mark.parametrize(
    ("user", "found"),
    [
        ("u1", "u1"),
        (5, 5),
        (None, None),
        (type("Old", (), {"is_authenticated": True, "id": 7})(), 7),
        (type("Visitor", (), {"is_authenticated": False, "id": 7})(), None),
    ],
)
def test_a_user_in_the_scope_may_be_of_several_kinds(user, found, events):
    async def app(scope, receive, send):
        pequel.track(event="seen")

    connection = {"type": "http", "path": "/", "headers": [], "user": user}
    asyncio.run(PequelMiddleware(app)(connection, None, None))
    assert [event["userId"] for event in events] == ([] if found is None else [str(found)])
