"""A small Django application with log-in and sessions, whose requests have scopes."""

import asyncio
from contextlib import closing
from pathlib import Path

import django
import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.http import FileResponse, HttpResponse, StreamingHttpResponse
from django.urls import path

import pequel
from pequel.integrations.django import middleware

PASSWORD = "secret"


def create(request, name):
    pequel.track(event="project_created", properties={"name": name})
    return HttpResponse("created")


async def create_async(request, name):
    await asyncio.sleep(0)
    pequel.track(event="project_created", properties={"name": name})
    return HttpResponse("created")


def log_in(request, name):
    from django.contrib.auth import authenticate, login

    pequel.track(event="login_seen", anonymous_id="a1")
    login(request, authenticate(request, username=name, password=PASSWORD))
    pequel.track(event="logged_in")
    return HttpResponse("welcome")


async def log_in_async(request, name):
    from django.contrib.auth import aauthenticate, alogin

    await alogin(request, await aauthenticate(request, username=name, password=PASSWORD))
    pequel.track(event="logged_in")
    return HttpResponse("welcome")


def fail(request):
    pequel.set_context(locale="de")
    raise ZeroDivisionError


def stream(request):
    def rows():
        yield "first "
        pequel.track(event="streamed")
        yield "last"

    return StreamingHttpResponse(rows())


async def stream_async(request):
    async def rows():
        yield "first "
        await asyncio.sleep(0)
        pequel.track(event="streamed")
        yield "last"

    return StreamingHttpResponse(rows())


def file(request):
    return FileResponse(Path(__file__).open("rb"))


urlpatterns = [
    path("projects/<name>", create),
    path("async/projects/<name>", create_async),
    path("login/<name>", log_in),
    path("async/login/<name>", log_in_async),
    path("fail", fail),
    path("stream", stream),
    path("async/stream", stream_async),
    path("file", file),
]


def account_of(request):
    return f"account of {request.user.pk}" if request.user.is_authenticated else None


def locale_of(request):
    return {"locale": "de"}


async def slow_account_of(request):
    await asyncio.sleep(0)
    return "slow account"


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """The ids of two users of a real database."""
    database = tmp_path_factory.mktemp("django") / "shop.db"
    settings.configure(
        ROOT_URLCONF=__name__,
        SECRET_KEY="secret",
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": database}},
        INSTALLED_APPS=[
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
        ],
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "pequel.integrations.django.middleware",
        ],
    )
    django.setup()
    from django.contrib.auth.models import User
    from django.core.management import call_command
    from django.db import connections

    call_command("migrate", verbosity=0)
    yield [str(User.objects.create_user(name, password=PASSWORD).pk) for name in ("ada", "grace")]
    connections.close_all()


@pytest.fixture
def browser(people, events):
    from django.test import Client

    return Client(raise_request_exception=False)


@pytest.fixture
def async_browser(people, events):
    from django.test import AsyncClient

    return AsyncClient()


@pytest.fixture
def pequel_setting(monkeypatch):
    """Sets PEQUEL for a test."""
    return lambda **given: monkeypatch.setattr(settings, "PEQUEL", given, raising=False)


async def served(path):
    """Ask the whole application as an ASGI server does; returns the status."""
    from django.core.asgi import get_asgi_application

    received, sent = asyncio.Queue(), asyncio.Queue()
    await received.put({"type": "http.request", "body": b""})
    request = {
        "type": "http",
        "method": "GET",
        "path": path,
        "query_string": b"",
        "headers": [(b"user-agent", b"Lynx"), (b"host", b"shop.example")],
        "client": ("192.0.2.1", 7),
    }
    await get_asgi_application()(request, received.get, sent.put)
    return (await sent.get())["status"]


class TestSync:
    def test_events_are_those_of_whoever_is_logged_in(self, browser, events, people):
        browser.get("/login/ada")
        browser.get("/projects/p9", headers={"User-Agent": "Lynx"})
        event = events.assert_tracked("project_created", user_id=people[0], name="p9")
        assert event["context"] == {"page": {"path": "/projects/p9"}, "userAgent": "Lynx"}

    def test_who_logs_in_during_a_request_is_known_from_then_on(self, browser, events, people):
        browser.get("/login/ada")
        seen, logged_in = events
        assert "userId" not in seen
        assert logged_in["userId"] == people[0]

    def test_a_path_is_told_as_it_is_read(self, browser, events):
        browser.get("/login/ada")
        browser.get("/projects/caf%C3%A9")
        assert events.last["context"]["page"] == {"path": "/projects/café"}

    def test_nobody_is_nobody(self, browser, events):
        browser.get("/projects/p9")
        assert [error.field for error in events.dropped] == ["userId"]

    def test_a_request_that_tracks_nothing_does_not_touch_the_session(self, browser, events):
        """Else each of its answers would vary by cookie."""
        browser.get("/login/ada")
        with closing(browser.get("/file")) as answer:
            assert "Vary" not in answer

    def test_a_request_that_fails_ends_its_scope(self, browser, events, people):
        browser.get("/login/ada")
        assert browser.get("/fail").status_code == 500
        assert pequel.current_context() == {}

    def test_a_body_is_streamed_in_the_scope(self, browser, events, people):
        browser.get("/login/ada")
        answer = browser.get("/stream")
        assert pequel.current_context() == {}
        assert b"".join(answer.streaming_content) == b"first last"
        events.assert_tracked("streamed", user_id=people[0])

    def test_a_file_is_left_to_the_server(self, people):
        """It may send it without reading it."""
        from django.test import RequestFactory

        with closing(middleware(file)(RequestFactory().get("/file"))) as answer:
            assert answer.file_to_stream is not None


class TestAsync:
    def test_events_are_those_of_whoever_is_logged_in(self, async_browser, events, people):
        async def browse():
            await async_browser.get("/login/grace")
            await async_browser.get("/async/projects/p9")

        asyncio.run(browse())
        events.assert_tracked("project_created", user_id=people[1], name="p9")

    def test_who_logs_in_during_a_request_is_known_from_then_on(
        self, async_browser, events, people
    ):
        asyncio.run(async_browser.get("/async/login/grace"))
        events.assert_tracked("logged_in", user_id=people[1])

    def test_a_sync_view_has_the_scope_too(self, async_browser, events, people):
        async def browse():
            await async_browser.get("/async/login/grace")
            await async_browser.get("/projects/p9")

        asyncio.run(browse())
        events.assert_tracked("project_created", user_id=people[1])

    def test_facts_are_told_as_a_server_gives_them(self, people, events, pequel_setting):
        """Not by Django's client, which gives the path in another encoding than servers do."""
        pequel_setting(user=lambda request: "u5", ip=True)
        assert asyncio.run(served("/async/projects/café")) == 200
        assert events.last["context"] == {
            "page": {"path": "/async/projects/café"},
            "userAgent": "Lynx",
            "ip": "192.0.2.1",
        }

    def test_nobody_is_nobody_and_no_error(self, async_browser, events, caplog):
        assert asyncio.run(async_browser.get("/async/projects/p9")).status_code == 200
        assert [error.field for error in events.dropped] == ["userId"]
        assert not [record for record in caplog.records if record.exc_info]

    def test_a_body_is_streamed_in_the_scope(self, async_browser, events, people):
        async def browse():
            await async_browser.get("/async/login/grace")
            answer = await async_browser.get("/async/stream")
            assert pequel.current_context() == {}
            return [part async for part in answer.streaming_content]

        assert b"".join(asyncio.run(browse())) == b"first last"
        events.assert_tracked("streamed", user_id=people[1])

    def test_requests_at_the_same_time_do_not_mix(self, people, events):
        from django.test import AsyncClient

        async def browse(name):
            browser = AsyncClient()
            await browser.get(f"/async/login/{name}")
            for _ in range(3):
                await browser.get(f"/async/projects/{name}")

        async def browse_all():
            await asyncio.gather(browse("ada"), browse("grace"))

        asyncio.run(browse_all())
        done = [(e["properties"]["name"], e["userId"]) for e in events.tracked("project_created")]
        assert sorted(done) == [("ada", people[0])] * 3 + [("grace", people[1])] * 3

    def test_a_coroutine_function_is_asked(self, async_browser, events, pequel_setting, people):
        pequel_setting(group=slow_account_of, user=lambda request: "u5")
        asyncio.run(async_browser.get("/async/projects/p9"))
        events.assert_tracked("project_created", user_id="u5", group_id="slow account")


class TestSetting:
    """PEQUEL in the settings."""

    def test_functions_are_given_by_path_or_as_they_are(
        self, browser, events, pequel_setting, people
    ):
        pequel_setting(group=f"{__name__}.account_of", context=locale_of, ip=True)
        browser.get("/login/ada")
        browser.get("/projects/p9")
        account = f"account of {people[0]}"
        event = events.assert_tracked("project_created", user_id=people[0], group_id=account)
        assert (event["context"]["locale"], event["context"]["ip"]) == ("de", "127.0.0.1")

    def test_what_a_function_raises_is_logged_once_and_breaks_nothing(
        self, browser, events, pequel_setting, caplog
    ):
        pequel_setting(user=lambda request: "u5", group=lambda request: 1 / 0)
        assert [browser.get("/projects/p9").status_code for _ in range(3)] == [200] * 3
        assert len(events.tracked("project_created")) == 3
        assert len([r for r in caplog.records if "'group' failed" in r.getMessage()]) == 1

    def test_a_mistake_is_found_at_the_start(self, people, pequel_setting):
        pequel_setting(groups=account_of)
        with pytest.raises(ImproperlyConfigured, match="unknown name: groups; the names are user"):
            middleware(lambda request: None)

    @pytest.mark.parametrize("group", [5, "django.VERSION"])
    def test_what_is_no_function_is_one(self, people, pequel_setting, group):
        pequel_setting(group=group)
        with pytest.raises(ImproperlyConfigured, match="group must be a function"):
            middleware(lambda request: None)

    @pytest.mark.parametrize("path", ["no.such.path", "os.path.nothing", "os"])
    def test_a_path_that_leads_nowhere_is_one(self, people, pequel_setting, path):
        pequel_setting(group=path)
        with pytest.raises(ImproperlyConfigured, match="PEQUEL"):
            middleware(lambda request: None)

    @pytest.mark.parametrize("setting", [None, "x", 5, {1: 2}])
    def test_what_is_no_dict_of_names_is_one(self, people, monkeypatch, setting):
        monkeypatch.setattr(settings, "PEQUEL", setting, raising=False)
        with pytest.raises(ImproperlyConfigured, match="PEQUEL: must be a dict of functions"):
            middleware(lambda request: None)

    def test_a_coroutine_function_without_a_loop_is_one(self, people, pequel_setting):
        pequel_setting(group=slow_account_of)
        with pytest.raises(ImproperlyConfigured, match="asynchronous"):
            middleware(lambda request: None)


class TestTheCookieOfAVisitor:
    @pytest.fixture(autouse=True)
    def _cookie(self, pequel_setting):
        pequel_setting(cookie="visitor")

    def test_the_first_event_has_its_id_and_later_ones_the_same(self, browser, events):
        made = browser.get("/projects/p9", secure=True).cookies["visitor"]
        browser.get("/projects/p9")
        assert [event["anonymousId"] for event in events] == [made.value] * 2
        assert (made["httponly"], made["samesite"], made["secure"]) == (True, "Lax", True)

    def test_it_is_not_set_by_a_request_that_tracks_nothing(self, browser, events):
        with closing(browser.get("/file")) as answer:
            assert "visitor" not in answer.cookies

    def test_a_login_joins_the_visitor(self, browser, events, people):
        browser.get("/projects/p9")
        browser.get("/login/ada")
        joined = events.tracked("logged_in")[0]
        assert (joined["userId"], joined["anonymousId"]) == (people[0], events[0]["anonymousId"])

    async def _ask(self, browser):
        return (await browser.get("/async/projects/p9")).cookies["visitor"].value

    def test_asynchronous_views_have_it_too(self, async_browser, events):
        made = asyncio.run(self._ask(async_browser))
        assert events.last["anonymousId"] == made

    def test_a_wrong_name_is_refused_at_start(self, browser, pequel_setting):
        pequel_setting(cookie="a b")
        with pytest.raises(ImproperlyConfigured, match="cookie"):
            browser.get("/projects/p9")
