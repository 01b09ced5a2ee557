"""A reader asks politely, says what went wrong, and gives up in time."""

import base64
import inspect
import json
import threading
from datetime import datetime, timedelta, timezone
from uuid import UUID

import pytest
import requests
import responses
from responses import matchers

import pequel
from pequel.reading.reader import Reader

HOST = "http://collector.test"
STATUS = {"subject": {"kind": "user", "id": "u1"}, "is_pql": True, "leads": [], "progress": []}
NOT_FOUND = {"error": {"code": "not_found", "message": "no user u1", "details": {"id": "u1"}}}
BUSY = {"error": {"code": "unavailable", "message": "try later", "details": {}}}


@pytest.fixture
def http():
    with responses.RequestsMock() as mocked:
        yield mocked


@pytest.fixture
def reader(clock):
    return Reader("key", HOST, clock=clock, jitter=lambda: 1.0)


def asked(http):
    return [call.request.url.removeprefix(HOST) for call in http.calls]


class TestAQuestion:
    def test_carries_the_key_as_bearer_and_gives_the_answer(self, http, reader):
        http.get(f"{HOST}/v1/users/u1/pql", json=STATUS)
        assert reader.pql("u1") == STATUS
        headers = http.calls[0].request.headers
        assert headers["Authorization"] == "Bearer key"
        assert headers["User-Agent"].startswith("pequel-python/")

    def test_may_have_a_key_of_any_text(self, http):
        """Which a bearer cannot carry."""
        http.get(f"{HOST}/v1/users/u1/pql", json=STATUS)
        Reader("ключ", HOST).pql("u1")
        scheme, sent = http.calls[0].request.headers["Authorization"].split()
        assert (scheme, base64.b64decode(sent).decode()) == ("Basic", "ключ:")

    def test_can_be_about_an_account(self, http, reader):
        http.get(f"{HOST}/v1/accounts/acme/pql", json=STATUS)
        assert reader.account_pql("acme")["is_pql"]

    @pytest.mark.parametrize("more", [{}, {"progress": "none"}])
    def test_without_its_progress_is_no_answer_about_it(self, http, reader, more):
        http.get(f"{HOST}/v1/users/u1/pql", json={"is_pql": True, **more})
        with pytest.raises(pequel.ReaderError, match="without progress"):
            reader.progress("u1")

    def test_can_be_about_progress_alone(self, http, reader):
        http.get(f"{HOST}/v1/users/u1/pql", json={**STATUS, "progress": [{"definition": "d"}]})
        assert [one["definition"] for one in reader.progress("u1")] == ["d"]

    @pytest.mark.parametrize(
        ("identity", "path"),
        [
            ("a/b c?d#e%", "a%2Fb%20c%3Fd%23e%25"),
            ("zoë", "zo%C3%AB"),
            ("half \ud800", "half%20%EF%BF%BD"),
            ("..", "%2E%2E"),
            (7, "7"),
            (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ],
    )
    def test_may_be_about_any_id(self, http, reader, identity, path):
        http.get(f"{HOST}/v1/users/{path}/pql", json=STATUS)
        reader.pql(identity)
        assert asked(http) == [f"/v1/users/{path}/pql"]

    @pytest.mark.parametrize("identity", ["", "  ", True, ["u1"], None])
    def test_about_what_is_no_id_is_not_asked(self, reader, identity):
        with pytest.raises(pequel.ReaderError) as caught:
            reader.pql(identity)
        assert caught.value.code == "bad_id"

    def test_may_go_to_a_collector_below_a_path(self, http):
        http.get(f"{HOST}/pequel/v1/users/u1/pql", json=STATUS)
        assert Reader("key", f"{HOST}/pequel/").pql("u1") == STATUS


class TestTheList:
    def test_takes_page_after_page_as_it_is_read(self, http, reader):
        pages = [([1, 2], "next"), ([3], None)]
        for leads, cursor in pages:
            answer = {"data": [{"id": lead} for lead in leads], "next_cursor": cursor}
            http.get(f"{HOST}/v1/pqls", json=answer)
        leads = reader.pqls(state="new", page_size=2)
        assert asked(http) == []
        assert [next(leads)["id"], next(leads)["id"]] == [1, 2]
        assert asked(http) == ["/v1/pqls?state=new&limit=2"]
        assert [lead["id"] for lead in leads] == [3]
        assert asked(http)[1:] == ["/v1/pqls?state=new&limit=2&cursor=next"]

    def test_ends_when_the_pages_repeat(self, http, reader):
        http.get(f"{HOST}/v1/pqls", json={"data": [{"id": 1}], "next_cursor": "same"})
        leads = reader.pqls()
        assert [next(leads)["id"], next(leads)["id"]] == [1, 1]
        with pytest.raises(pequel.ReaderError, match="repeat"):
            next(leads)

    def test_takes_times_with_their_zone(self, http, reader):
        noon = datetime(2026, 3, 1, 12, tzinfo=timezone(timedelta(hours=2)))
        wanted = {"qualified_from": "2026-03-01T10:00:00.000Z", "account": "7", "limit": "100"}
        http.get(
            f"{HOST}/v1/pqls",
            json={"data": [], "next_cursor": None},
            match=[matchers.query_param_matcher(wanted)],
        )
        assert [*reader.pqls(qualified_from=noon, account=7)] == []

    def test_has_every_filter_of_the_collector(self):
        """The rest is the reader's business."""
        from pequel_collector.web.asked.arguments import LeadArguments

        filters = inspect.signature(Reader.pqls).parameters.keys() - {"self", "page_size", "traits"}
        assert filters == LeadArguments().fields.keys() - {"limit", "cursor", "count", "format"}

    def test_takes_traits_and_truth_values(self, http, reader):
        wanted = {"trait.seats": "5", "trait.beta": "true", "holds_now": "false", "limit": "100"}
        http.get(
            f"{HOST}/v1/pqls",
            json={"data": [], "next_cursor": None},
            match=[matchers.query_param_matcher(wanted)],
        )
        assert [*reader.pqls(traits={"seats": 5, "beta": True}, holds_now=False)] == []


class TestAnError:
    def test_is_told_apart_by_its_kind_and_keeps_what_was_said(self, http, reader):
        http.get(f"{HOST}/v1/users/u1/pql", json=NOT_FOUND, status=404)
        with pytest.raises(pequel.NotFoundError) as caught:
            reader.pql("u1")
        error = caught.value
        assert (error.code, error.status, error.details) == ("not_found", 404, {"id": "u1"})
        assert "no user u1" in str(error)

    @pytest.mark.parametrize(
        ("status", "kind"),
        [(401, pequel.UnauthorizedError), (400, pequel.ReaderError), (500, pequel.ReaderError)],
    )
    def test_that_time_does_not_mend_is_raised_at_once(self, http, reader, status, kind):
        answer = {"error": {"code": "some", "message": "thing", "details": {}}}
        http.get(f"{HOST}/v1/users/u1/pql", json=answer, status=status)
        with pytest.raises(pequel.ReaderError) as caught:
            reader.pql("u1")
        assert type(caught.value) is kind
        assert len(http.calls) == 1

    @pytest.mark.parametrize("status", [200, 302, 404])
    def test_is_what_no_collector_says(self, http, reader, status):
        """A login page, a redirect to one, somebody else's 404: nobody is said to be unknown."""
        headers = {"Location": f"{HOST}/login"}
        http.get(f"{HOST}/v1/users/u1/pql", "<html>", status=status, headers=headers)
        with pytest.raises(pequel.ReaderError) as caught:
            reader.pql("u1")
        assert (type(caught.value), caught.value.code) == (pequel.ReaderError, "unexpected_answer")
        assert len(http.calls) == 1

    @pytest.mark.parametrize("answer", [{}, {"is_pql": "yes"}, ["is_pql"]])
    def test_is_json_of_somebody_else(self, http, reader, answer):
        http.get(f"{HOST}/v1/users/u1/pql", json=answer)
        with pytest.raises(pequel.ReaderError, match="unexpected_answer"):
            reader.pql("u1")


class TestAskingAgain:
    def test_helps_over_a_while(self, http, reader, clock):
        url = f"{HOST}/v1/users/u1/pql"
        http.get(url, body=requests.ConnectionError("refused"))
        http.get(url, json=BUSY, status=503, headers={"Retry-After": "2"})
        http.get(url, json=STATUS)
        assert reader.pql("u1") == STATUS
        assert clock.seconds == 0.5 + 2.0

    @pytest.mark.parametrize("failure", [requests.ConnectionError(), requests.ReadTimeout()])
    def test_ends(self, http, reader, failure):
        http.get(f"{HOST}/v1/users/u1/pql", body=failure)
        with pytest.raises(pequel.UnavailableError) as caught:
            reader.pql("u1")
        assert (caught.value.code, len(http.calls)) == ("no_answer", 3)

    @pytest.mark.parametrize("status", [429, 503])
    def test_is_not_done_when_the_wait_would_be_long(self, http, reader, clock, status):
        http.get(f"{HOST}/v1/users/u1/pql", json=BUSY, status=status, headers={"Retry-After": "60"})
        with pytest.raises(pequel.UnavailableError) as caught:
            reader.pql("u1")
        assert (caught.value.retry_after, clock.seconds) == (60.0, 0.0)

    def test_can_be_switched_off(self, http):
        http.get(f"{HOST}/v1/users/u1/pql", json=BUSY, status=503)
        with pytest.raises(pequel.UnavailableError):
            Reader("key", HOST, max_retries=0).pql("u1")
        assert len(http.calls) == 1


class TestSettings:
    def test_come_from_the_environment(self, http, monkeypatch):
        monkeypatch.setenv("PEQUEL_READ_KEY", "from-environment")
        monkeypatch.setenv("PEQUEL_HOST", HOST)
        http.get(f"{HOST}/v1/users/u1/pql", json=STATUS)
        Reader().pql("u1")
        assert http.calls[0].request.headers["Authorization"] == "Bearer from-environment"

    @pytest.mark.parametrize(
        "wrong",
        [
            {"read_key": " "},
            {"read_key": "pk_r_…"},
            {"read_key": "key\r\nX-Other: 1"},
            {"read_key": 5},
            {"host": "127.0.0.1"},
            {"timeout": 0},
            {"timeout": float("inf")},
            {"max_retries": -1},
            {"session": "x"},
            {"session": requests.Session},
            {"jitter": 0.5},
        ],
        ids=str,
    )
    def test_that_cannot_be_are_an_error(self, monkeypatch, wrong):
        monkeypatch.delenv("PEQUEL_READ_KEY", raising=False)
        with pytest.raises(pequel.ConfigError):
            Reader(**{"read_key": "key", "host": HOST, **wrong})

    @pytest.mark.parametrize("variable", ["PEQUEL_READ_KEY", "PEQUEL_HOST"])
    def test_that_cannot_be_are_named_as_in_the_environment(self, monkeypatch, variable):
        monkeypatch.setenv("PEQUEL_READ_KEY", "key")
        monkeypatch.setenv(variable, "…")
        with pytest.raises(pequel.ConfigError, match=variable):
            Reader()

    def test_a_session_of_ones_own_asks_and_stays_open(self, http):
        closed = []
        session = requests.Session()
        session.headers["X-Team"] = "growth"
        session.close = lambda: closed.append(True)
        http.get(f"{HOST}/v1/users/u1/pql", json=STATUS)
        with Reader("key", HOST, session=session) as reader:
            reader.pql("u1")
        assert http.calls[0].request.headers["X-Team"] == "growth"
        assert closed == []

    def test_a_proxy_of_the_environment_is_used(self, collector, monkeypatch):
        """The collector here is the proxy, which answers GET with 501."""
        monkeypatch.setenv("http_proxy", collector.host)
        with pytest.raises(pequel.ReaderError, match="status 501"):
            Reader("key", "http://nowhere.test").pql("u1")


def test_threads_share_a_reader(http, reader):
    http.get(f"{HOST}/v1/users/u1/pql", json=STATUS)
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(reader.pql("u1"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [STATUS] * 8


def test_a_fork_has_connections_of_its_own(http, reader, monkeypatch):
    http.get(f"{HOST}/v1/users/u1/pql", json=STATUS)
    sessions = []
    for process in (1, 1, 2):
        monkeypatch.setattr("os.getpid", lambda process=process: process)
        reader.pql("u1")
        sessions.append(reader._api._session())
    assert sessions[0] is sessions[1]
    assert sessions[1] is not sessions[2]


def test_the_package_imports_the_reader_when_it_is_first_used():
    assert pequel.Reader is Reader
    with pytest.raises(AttributeError, match="has no attribute 'reeder'"):
        pequel.reeder  # noqa: B018 - it is the question that is tested


class TestWhatIsKnown:
    def test_a_user_and_an_account_are_answered_whole(self, http, reader):
        known = {"id": "u 1", "traits": {"plan": "free"}, "ids": [], "leads": []}
        http.get(f"{HOST}/v1/users/u%201", json={**known, "account": "acme"})
        http.get(f"{HOST}/v1/accounts/acme", json=known)
        assert reader.user("u 1")["account"] == "acme"
        assert reader.account("acme")["traits"] == {"plan": "free"}

    @pytest.mark.parametrize(
        ("call", "path"),
        [("timeline", "users/u1/timeline"), ("account_timeline", "accounts/u1/timeline")],
    )
    def test_a_timeline_spans_all_pages(self, http, reader, call, path):
        first = {"data": [{"event": "b"}], "next_cursor": "c"}
        http.get(f"{HOST}/v1/{path}", json=first)
        http.get(f"{HOST}/v1/{path}", json={"data": [{"event": "a"}], "next_cursor": None})
        events = getattr(reader, call)("u1", page_size=1)
        assert [event["event"] for event in events] == ["b", "a"]
        assert asked(http) == [f"/v1/{path}?limit=1", f"/v1/{path}?limit=1&cursor=c"]

    @pytest.mark.parametrize(
        ("ask", "url"),
        [
            (lambda r: r.users(q="Ada L"), "/v1/users?q=Ada+L&limit=100"),
            (lambda r: r.accounts(page_size=5), "/v1/accounts?limit=5"),
            (lambda r: r.people("a/b"), "/v1/accounts/a%2Fb/people?limit=100"),
            (lambda r: r.near("set_up"), "/v1/near?definition=set_up&limit=100"),
            (
                lambda r: r.adoption("export", used=False, min_age="7d"),
                "/v1/adoption?feature=export&used=false&min_age=7d&limit=100",
            ),
            (
                lambda r: r.metric_members("volume", standing="in", from_="2026-03-01"),
                "/v1/metrics/volume/members?standing=in&limit=100&from=2026-03-01",
            ),
        ],
    )
    def test_a_list_asks_for_what_is_wanted(self, http, reader, ask, url):
        http.get(HOST + url, json={"data": [{"id": "u1"}], "next_cursor": None})
        assert [*ask(reader)] == [{"id": "u1"}]
        assert asked(http) == [url]

    def test_a_path_is_a_list_of_steps(self, http, reader):
        http.get(f"{HOST}/v1/users/u1/path", json={"id": "u1", "steps": [{"name": "paid"}]})
        assert reader.path("u1") == [{"name": "paid"}]

    def test_a_metric_is_asked_for_with_its_question(self, http, reader):
        http.get(f"{HOST}/v1/metrics/signup_to_pql", json={"rate": 0.5})
        since = datetime(2026, 3, 1, tzinfo=timezone.utc)
        found = reader.metric("signup_to_pql", from_=since, horizon="14d", by="plan")
        assert found == {"rate": 0.5}
        [url] = asked(http)
        assert url.startswith("/v1/metrics/signup_to_pql?horizon=14d&by=plan&from=2026-03-01T00")

    def test_the_metrics_of_a_role_and_all_metrics_are_lists(self, http, reader):
        http.get(f"{HOST}/v1/metrics/views/sales", json={"data": [{"metric": "volume"}]})
        http.get(f"{HOST}/v1/metrics", json={"data": [{"metric": "arpa"}]})
        assert reader.metric_view("sales") == [{"metric": "volume"}]
        assert reader.metrics() == [{"metric": "arpa"}]

    @pytest.mark.parametrize("name", ["", " ", None])
    def test_a_metric_needs_a_name(self, reader, name):
        with pytest.raises(pequel.ReaderError, match="the name is blank"):
            reader.metric(name)

    def test_definitions_are_a_list(self, http, reader):
        http.get(f"{HOST}/v1/definitions", json={"data": [{"name": "set_up"}], "origin": {}})
        assert reader.definitions() == [{"name": "set_up"}]

    def test_a_backtest_asks_for_what_is_wanted(self, http, reader):
        http.post(f"{HOST}/v1/definitions/backtest", json={"set_size": 1, "strict": {}})
        end = datetime(2026, 3, 1, tzinfo=timezone.utc)
        assert reader.backtest("keen", landmark="3d", capacity=5, end=end)["set_size"] == 1
        assert json.loads(http.calls[0].request.body) == {
            "definition": "keen",
            "landmark": "3d",
            "capacity": 5,
            "end": "2026-03-01T00:00:00.000Z",
        }

    def test_a_search_asks_for_what_is_wanted(self, http, reader):
        http.post(f"{HOST}/v1/definitions/suggest", json={"suggestions": []})
        assert reader.suggest(subject="account", level=0.01)["suggestions"] == []
        assert json.loads(http.calls[0].request.body) == {"subject": "account", "level": 0.01}

    @pytest.mark.parametrize("call", ["user", "account"])
    def test_an_answer_of_another_server_is_an_error(self, http, reader, call):
        http.get(f"{HOST}/v1/{call}s/u1", json={"hello": "world"})
        with pytest.raises(pequel.ReaderError, match="without traits"):
            getattr(reader, call)("u1")


def test_a_host_that_cannot_be_reached_is_named_with_the_reason():
    with pytest.raises(pequel.UnavailableError) as caught:
        Reader("key", "http://127.0.0.1:9", max_retries=0).pql("u1")
    assert caught.value.message == "cannot reach 127.0.0.1:9: connection refused"


def test_a_write_key_cannot_read():
    with pytest.raises(pequel.ConfigError, match=r"^read_key is a write key \(pk_w_…\)"):
        Reader("pk_w_0123456789")
