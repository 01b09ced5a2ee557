"""Who gets into the console, with which rights, and for how long."""

from __future__ import annotations

from typing import Any

import pytest

from pequel_collector.access.keys import Keys
from pequel_collector.access.sessions import (
    HOUR,
    IDLE,
    LINK_LASTS,
    LONGEST,
    OVERLAP,
    ROTATION,
    Sessions,
)
from pequel_collector.app.bootstrap import Collector
from pequel_collector.web.app import create_app
from pequel_collector.web.console.frame import local
from pequel_collector.web.console.throttle import ADDRESSES, WINDOW, WRONG_KEYS, Throttle

PAGES = [
    "/activity", "/live", "/definitions", "/definition?name=set_up", "/near?name=x", "/editor",
    "/users", "/user?id=ada",
    "/accounts", "/account?id=acme", "/feature?name=basics", "/catalogue", "/event?name=x",
    "/settings", "/leads.csv", "/leads/0", "/leads/0/proof", "/live/lines?after=x",
]  # fmt: skip


def cookie_of(answer: Any) -> str:
    return str(answer.headers["Set-Cookie"])


class TestTheForm:
    def test_the_root_asks_a_stranger_for_a_key(self, stranger: Any) -> None:
        answer = stranger.get("/")
        assert answer.status_code == 200
        assert '<input type="password" name="key"' in stranger.page

    @pytest.mark.parametrize("path", PAGES)
    def test_every_other_page_asks_too(self, stranger: Any, path: str) -> None:
        answer = stranger.get(path)
        assert answer.status_code == 401
        assert '<input type="password" name="key"' in stranger.page

    def test_no_form_works_for_a_stranger(self, stranger: Any) -> None:
        for path in ("/leads", "/views", "/keys", "/editor/publish", "/live/test", "/logout"):
            assert stranger.client.post(path, data={"lead": "x"}).status_code == 401, path

    @pytest.mark.parametrize("kind", ["read", "admin"])
    def test_a_key_that_reads_opens_a_session(self, stranger: Any, kind: str) -> None:
        assert stranger.log_in(kind).headers["Location"] == "/"
        stranger.get("/")
        assert "<h1>Leads</h1>" in stranger.page

    def test_a_work_key_opens_a_session(self, stranger: Any, collector: Collector) -> None:
        token = collector.keys.create("work", "sales").token
        stranger.log_in(token)
        stranger.get("/")
        assert "<bdi>sales</bdi>" in stranger.page

    @pytest.mark.parametrize(
        ("key", "expected"),
        [
            ("", "Type a key"),
            ("nothing", "is unknown"),
            ("write-key", "This is a write key"),
            ("\0\ud800", "is unknown"),
            ("x" * 10_000, "is unknown"),
        ],
    )
    def test_any_other_key_is_refused_with_the_reason(
        self, stranger: Any, key: str, expected: str
    ) -> None:
        data = {"key": key.encode("utf-8", "surrogatepass")}
        answer = stranger.client.post("/login", data=data)
        assert answer.status_code == 401
        assert expected in answer.get_data(as_text=True)

    def test_after_logging_in_the_page_comes_that_was_asked_for(self, stranger: Any) -> None:
        stranger.get("/user?id=a%2Fb")
        assert 'name="next" value="/user?id=a%2Fb"' in stranger.page
        answer = stranger.client.post("/login", data={"key": "admin-key", "next": "/user?id=a%2Fb"})
        assert answer.headers["Location"] == "/user?id=a%2Fb"

    @pytest.mark.parametrize(
        "target", ["https://evil.example", "//evil.example", "/\\evil.example", "evil", "/\n/evil"]
    )
    def test_no_other_site_can_be_that_page(self, target: str) -> None:
        assert local(target, "/") == "/"

    def test_the_name_is_what_acts(self, stranger: Any) -> None:
        stranger.log_in("admin", "  Mia \x00 <b>  ")
        stranger.get("/")
        assert "<bdi>Mia &lt;b&gt;</bdi>" in stranger.page


class TestTheCookie:
    def test_is_for_this_site_only_and_hidden_from_scripts(self, stranger: Any) -> None:
        cookie = cookie_of(stranger.log_in("read"))
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert "Secure" not in cookie

    def test_is_secure_behind_tls(self, stranger: Any) -> None:
        answer = stranger.client.post(
            "/login", data={"key": "read-key"}, base_url="https://localhost"
        )
        assert "Secure" in cookie_of(answer)

    def test_holds_nothing_that_the_store_has(self, stranger: Any, collector: Collector) -> None:
        token = cookie_of(stranger.log_in("read")).partition("=")[2].partition(";")[0]
        with collector.store.reading() as tx:
            assert tx.console_session(token) is None

    def test_of_a_stranger_is_nothing(self, stranger: Any) -> None:
        stranger.client.set_cookie("pequel_session", "made up")
        assert stranger.get("/settings").status_code == 401


class TestForms:
    def test_need_the_token_of_the_session(self, admin: Any) -> None:
        for token in ("", "wrong", "é"):
            answer = admin.client.post("/views", data={"name": "x", "form_token": token})
            assert answer.status_code == 403, token

    def test_of_another_site_are_refused(self, admin: Any) -> None:
        for path in ("/login", "/logout"):
            answer = admin.client.post(
                path, data={"key": "read-key"}, headers={"Sec-Fetch-Site": "cross-site"}
            )
            assert answer.status_code == 403, path

    @pytest.mark.parametrize(
        ("origin", "status"),
        [
            ("https://evil.example", 403),
            ("http://localhost.evil.example", 403),
            ("http://localhost:81", 403),
            ("null", 403),
            ("http://[", 403),
            ("http://localhost", 303),
            ("https://LOCALHOST", 303),
        ],
    )
    def test_of_another_origin_are_refused_where_the_browser_says_no_more(
        self, stranger: Any, origin: str, status: int
    ) -> None:
        answer = stranger.client.post(
            "/login", data={"key": "read-key"}, headers={"Origin": origin}
        )
        assert answer.status_code == status

    def test_that_are_too_large_are_refused(self, admin: Any) -> None:
        answer = admin.client.post("/editor/check", data={"text": "x" * 3_000_000})
        assert answer.status_code == 413
        many = {"data": "a=&" * 2_000, "content_type": "application/x-www-form-urlencoded"}
        assert admin.client.post("/editor/check", **many).status_code == 413

    def test_need_the_right_kind_of_key(self, stranger: Any, collector: Collector) -> None:
        stranger.log_in("read")
        for path in ("/leads", "/views", "/keys", "/editor/publish", "/live/test"):
            answer = stranger.post(path, lead="x", name="x", text="", kind="read")
            assert answer.status_code == 403, path
        assert "needs a session of the kind" in stranger.page
        assert len(collector.keys.listed()) == 3


class TestLoggingOut:
    def test_ends_the_session(self, admin: Any) -> None:
        copied = admin.client.get_cookie("pequel_session").value
        admin.post("/logout")
        admin.client.set_cookie("pequel_session", copied)
        assert admin.get("/settings").status_code == 401

    def test_everywhere_ends_every_session_of_the_key(
        self, admin: Any, collector: Collector
    ) -> None:
        sessions = Sessions(collector.store, collector.keys, collector.clock)
        admin_key, read_key = (collector.keys.find(f"{kind}-key") for kind in ("admin", "read"))
        assert admin_key
        assert read_key
        same, other = sessions.open(admin_key), sessions.open(read_key)
        admin.post("/logout-everywhere")
        assert sessions.find(same.token) is None
        assert sessions.find(other.token) is not None


class TestWrongKeys:
    def test_are_limited_by_address(self, stranger: Any) -> None:
        for _ in range(WRONG_KEYS):
            assert stranger.log_in("wrong").status_code == 401
        answer = stranger.log_in("admin")
        assert answer.status_code == 429
        assert 0 < int(answer.headers["Retry-After"]) <= WINDOW + 1

    def test_are_forgotten_after_a_while_and_after_a_right_one(self) -> None:
        now = [0.0]
        throttle = Throttle(lambda: now[0])
        for _ in range(WRONG_KEYS):
            assert throttle.wait("a") == 0
            throttle.failed("a")
        assert throttle.wait("a") > 0
        assert throttle.wait("b") == 0
        now[0] = WINDOW + 1
        assert throttle.wait("a") == 0
        throttle.failed("a")
        throttle.succeeded("a")
        assert throttle.wait("a") == 0

    def test_take_bounded_memory(self) -> None:
        throttle = Throttle(lambda: 0.0)
        for number in range(ADDRESSES + 100):
            throttle.failed(str(number))
        assert len(throttle._failures) == ADDRESSES


@pytest.fixture
def sessions(collector: Collector) -> Sessions:
    return Sessions(collector.store, collector.keys, collector.clock)


class TestLinks:
    def test_open_one_session_with_every_right(self, stranger: Any, sessions: Sessions) -> None:
        path = f"/open/{sessions.link()}"
        assert stranger.client.head(path).status_code == 200
        assert stranger.get(path).status_code == 303
        stranger.get("/settings")
        assert "Make a key" in stranger.page
        assert stranger.get(path).status_code == 401
        assert "was used" in stranger.page

    def test_last_a_quarter_of_an_hour(self, sessions: Sessions, clock: Any) -> None:
        token = sessions.link()
        clock.now += LINK_LASTS
        assert sessions.follow(token) is None

    def test_are_no_sessions(self, sessions: Sessions) -> None:
        assert sessions.find(sessions.link()) is None
        assert sessions.follow("made up") is None


class TestSessions:
    """On both databases."""

    @pytest.fixture
    def sessions(self, store_url: str, clock: Any) -> Any:
        from pequel_collector.config import Settings
        from pequel_collector.store import open_store

        store = open_store(store_url)
        self.keys = Keys(store, clock, Settings())
        yield Sessions(store, self.keys, clock)
        store.close()

    def test_end_with_their_key(self, sessions: Sessions, clock: Any) -> None:
        new = self.keys.create("read")
        session = sessions.open(new.key)
        found = sessions.find(session.token)
        assert found
        assert found.key == new.key
        self.keys.revoke(new.key.id)
        assert sessions.find(session.token) is None

    def test_end_without_use(self, sessions: Sessions, clock: Any) -> None:
        session = sessions.open(self.keys.create("read").key)
        clock.now += IDLE
        assert sessions.find(session.token) is None

    def test_change_their_token_every_hour(self, sessions: Sessions, clock: Any) -> None:
        old = sessions.open(self.keys.create("read").key, "Mia").token
        clock.now += ROTATION
        found = sessions.find(old)
        assert found
        assert found.new_token
        assert found.actor == "Mia"
        again = sessions.find(old)
        assert again
        assert again.form_token == found.form_token
        clock.now += OVERLAP
        assert sessions.find(old) is None
        kept = sessions.find(found.new_token)
        assert kept
        assert kept.new_token is None

    def test_end_after_thirty_days_in_any_case(self, sessions: Sessions, clock: Any) -> None:
        token = sessions.open(self.keys.create("read").key).token
        began = clock.now
        while found := sessions.find(token):
            token = found.new_token or token
            clock.now += 20 * HOUR
        assert LONGEST <= clock.now - began <= LONGEST + 20 * HOUR

    def test_leave_nothing_behind(self, sessions: Sessions, clock: Any) -> None:
        old = sessions.open(self.keys.create("read").key)
        clock.now += IDLE
        sessions.open(old.viewer.key)
        with sessions._store.reading() as tx:
            assert tx.console_session(old.viewer.session.digest) is None

    def test_of_a_key_with_another_secret_end(self, sessions: Sessions, clock: Any) -> None:
        from dataclasses import replace

        new = self.keys.create("read")
        session = sessions.open(replace(new.key, digest="another"))
        assert sessions.find(session.token) is None

    def test_saved_views_are_kept_by_name(self, sessions: Sessions) -> None:
        from pequel_collector.ports import SavedView

        views = [SavedView("2", "b\0\ud800", "x=1", "Mia", 1), SavedView("1", "a", "", "é", 2)]
        with sessions._store.writing() as tx:
            for view in views:
                tx.add_saved_view(view)
            assert tx.saved_views() == [views[1], views[0]]
            assert tx.remove_saved_view("1")
            assert not tx.remove_saved_view("1")
            assert tx.saved_views() == [views[0]]


def test_the_headers_of_every_page_forbid_what_is_not_ours(admin: Any, ada: str) -> None:
    for path in ("/", "/live", f"/leads/{ada}", "/nothing", "/assets/console.css"):
        answer = admin.get(path)
        policy = answer.headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'none'" in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_no_page_holds_a_script_or_a_style_of_its_own(admin: Any, ada: str) -> None:
    import re

    for path in ("/", "/live", f"/leads/{ada}", "/editor", "/settings", "/user?id=ada"):
        admin.get(path)
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", admin.page), path
        assert not re.search(r'(?:src|href|action)="https?:', admin.page), path


def test_the_console_works_below_a_path(collector: Collector) -> None:
    client = create_app(collector).test_client()
    below = {"SCRIPT_NAME": "/pequel"}
    answer = client.post("/login", data={"key": "admin-key"}, environ_overrides=below)
    assert answer.headers["Location"] == "/pequel/"
    assert "Path=/pequel" in cookie_of(answer)


def test_an_unknown_page_is_an_error_in_the_looks_of_the_console(stranger: Any) -> None:
    answer = stranger.get("/nothing")
    assert answer.status_code == 404
    assert "There is nothing here" in stranger.page
    answer = stranger.client.get("/nothing")
    assert answer.json["error"]["code"] == "not_found"


def test_files_have_an_address_that_changes_with_them(admin: Any) -> None:
    import re

    admin.get("/")
    [path] = re.findall(r'href="(/assets/console\.css\?v=\w+)"', admin.page)
    answer = admin.client.get(path)
    assert answer.mimetype == "text/css"
    assert "immutable" in answer.headers["Cache-Control"]
    assert admin.client.get("/assets/nothing").status_code == 404
