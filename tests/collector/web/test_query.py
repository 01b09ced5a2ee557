"""Questions over HTTP: who may ask, how, and how the answers look."""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pequel_collector.errors import BadRequest
from pequel_collector.ports import LeadFilter, RejectedFilter

READ = {"Authorization": "Bearer read"}
LEAD = {
    "id": "l1",
    "definition": "set_up",
    "version": 3,
    "subject": {"kind": "user", "id": "u1"},
    "cycle": 1,
    "qualified_at": "2026-03-01T10:00:00.000Z",
    "marked_at": "2026-03-01T10:00:00.412Z",
    "state": "new",
    "holds_now": True,
    "kind": "new",
    "priority": "normal",
    "owner": None,
    "due_at": None,
    "flags": [],
    "account": "acme",
    "traits": {"email": "é", "country": "DE"},
    "evidence": {"sentence": "created 3 projects", "leaves": [{"observed": 3, "events": ["m1"]}]},
}


def _sent(path: bytes, view: str) -> dict[str, str]:
    """What a server says of a request for a path of any bytes, which arrive escaped."""
    path += view.encode()
    return {"PATH_INFO": path.decode("latin-1"), "RAW_URI": quote(path)}


class TestWhoMayAsk:
    @pytest.mark.parametrize(
        "headers",
        [
            READ,
            {"Authorization": "Bearer admin"},
            {"Authorization": "Basic " + base64.b64encode(b"read:").decode()},
        ],
    )
    def test_a_key_that_reads(self, client: FlaskClient, headers: dict[str, str]) -> None:
        assert client.get("/v1/pqls", headers=headers).status_code == 200

    @pytest.mark.parametrize(
        ("headers", "code"),
        [
            ({}, "missing_key"),
            ({"X-Write-Key": "read"}, "missing_key"),
            ({"Authorization": "Bearer unknown"}, "unknown_key"),
            ({"Authorization": "Bearer write"}, "wrong_key"),
        ],
    )
    @pytest.mark.parametrize("path", ["pqls", "pqls/l1", "users/u1", "users/u1/pql", "events"])
    def test_nobody_else(
        self, client: FlaskClient, collector: Any, path: str, headers: dict[str, str], code: str
    ) -> None:
        answer = client.get(f"/v1/{path}", headers=headers)
        assert (answer.status_code, answer.json["error"]["code"]) == (401, code)
        assert collector.queries.asked == ()

    def test_what_is_expected_is_said_in_english(self, client: FlaskClient) -> None:
        unknown = {"Authorization": "Bearer unknown"}
        read = client.get("/v1/pqls", headers=unknown).json["error"]["message"]
        assert read == "the key is unknown or revoked, expected a read or admin key"
        put = client.put("/v1/definitions", headers=READ).json["error"]["message"]
        assert put == "this is a read key, expected an admin key"


class TestLeads:
    def test_are_a_page(self, client: FlaskClient, collector: Any) -> None:
        collector.queries.answer = {"data": [LEAD], "next_cursor": "c2"}
        answer = client.get("/v1/pqls", headers=READ)
        assert answer.json == {"data": [LEAD], "next_cursor": "c2"}
        assert list(answer.json["data"][0]) == list(LEAD)
        assert collector.queries.asked == ("pqls", LeadFilter(), 100, None)

    def test_are_filtered_by_every_parameter(self, client: FlaskClient, collector: Any) -> None:
        given = {
            "definition": "set_up",
            "subject_kind": "account",
            "state": "contacted",
            "owner": "ada",
            "kind": "upgrade",
            "country": "DE",
            "plan": "free",
            "account": "acme",
            "qualified_from": "2026-03-01T00:00:00Z",
            "qualified_to": "2026-03-02",
            "marked_after": "2026-03-01T10:00:00.000+01:00",
            "limit": "7",
            "cursor": "c1",
            "format": "json",
        }
        answer = client.get("/v1/pqls", query_string=given, headers=READ)
        assert answer.status_code == 200, answer.text
        wanted = LeadFilter(
            definition="set_up",
            subject_kind="account",
            state="contacted",
            owner="ada",
            kind="upgrade",
            country="DE",
            plan="free",
            account="acme",
            qualified_from=1_772_323_200_000,
            qualified_to=1_772_409_600_000,
            marked_after=1_772_355_600_000,
        )
        assert collector.queries.asked == ("pqls", wanted, 7, "c1")

    def test_a_plus_sign_that_became_a_space_is_understood(
        self, client: FlaskClient, collector: Any
    ) -> None:
        client.get("/v1/pqls?marked_after=2026-03-01T10:00:00+01:00", headers=READ)
        assert collector.queries.asked[1].marked_after == 1_772_355_600_000

    @pytest.mark.parametrize(
        ("query", "field", "found", "expected"),
        [
            ("limit=0", "limit", "'0'", "a whole number from 1 to 1000"),
            ("limit=1001", "limit", "'1001'", "a whole number from 1 to 1000"),
            ("limit=-1", "limit", "'-1'", "a whole number from 1 to 1000"),
            ("limit=ten", "limit", "'ten'", "a whole number from 1 to 1000"),
            ("limit=²", "limit", r"'\xb2'", "a whole number from 1 to 1000"),
            ("limit=" + "9" * 5000, "limit", "'999", "a whole number from 1 to 1000"),
            ("state=open", "state", "'open'", "one of new, assigned, contacted, won, lost"),
            ("kind=old", "kind", "'old'", "one of new, upgrade"),
            ("subject_kind=team", "subject_kind", "'team'", "one of user, account"),
            ("qualified_from=soon", "qualified_from", "'soon'", "a time in ISO 8601"),
            ("marked_after=5", "marked_after", "'5'", "a time in ISO 8601"),
            ("owner=", "owner", "''", "text"),
            ("owner=%00", "owner", r"'\x00'", "text"),
            ("format=xml", "format", "'xml'", "json"),
            ("colour=red", "colour", "an unknown parameter", "one of limit, cursor, format"),
            ("plan=a&plan=b", "plan", "2 values", "one"),
        ],
    )
    def test_a_parameter_that_makes_no_sense_is_named(
        self, client: FlaskClient, query: str, field: str, found: str, expected: str
    ) -> None:
        answer = client.get(f"/v1/pqls?{query}", headers=READ)
        error = answer.json["error"]
        assert (answer.status_code, error["code"]) == (400, "bad_parameter")
        assert error["details"]["field"] == field
        assert error["details"]["found"].startswith(found)
        assert error["details"]["expected"].startswith(expected)
        assert error["message"].startswith(f"{field}: found {found}")

    def test_a_bad_cursor_is_the_callers_mistake(self, client: FlaskClient, collector: Any) -> None:
        collector.queries.error = BadRequest("cursor: expected one from an answer", field="cursor")
        answer = client.get("/v1/pqls?cursor=x", headers=READ)
        assert answer.status_code == 400
        assert answer.json["error"]["details"] == {"field": "cursor"}

    def test_one_is_found_by_its_id(self, client: FlaskClient, collector: Any) -> None:
        collector.queries.answer = LEAD
        assert client.get("/v1/pqls/l1", headers=READ).json == LEAD
        assert collector.queries.asked == ("pql", "l1")

    @pytest.mark.parametrize("view", ["", "/proof"])
    def test_one_is_not_looked_up_by_bytes_that_are_no_text(
        self, client: FlaskClient, collector: Any, view: str
    ) -> None:
        answer = client.get("/", headers=READ, environ_overrides=_sent(b"/v1/pqls/\xff", view))
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_path")
        assert collector.queries.asked == ()

    def test_milliseconds_are_shown_as_times(self, client: FlaskClient, collector: Any) -> None:
        collector.queries.answer = LEAD | {"due_at": 1_772_323_200_007}
        answer = client.get("/v1/pqls/l1", headers=READ)
        assert answer.json["due_at"] == "2026-03-01T00:00:00.007Z"


@pytest.mark.parametrize(("path", "kind"), [("users", "user"), ("accounts", "account")])
class TestASubject:
    def test_is_shown_with_what_is_known(
        self, client: FlaskClient, collector: Any, path: str, kind: str
    ) -> None:
        known = {
            "id": "x1",
            "traits": {"a": None},
            "first_seen": "2026-03-01T10:00:00.000Z",
            "last_seen": "2026-03-01T10:00:00.000Z",
            "event_counts": {"e": 3},
            "leads": [LEAD],
        }
        collector.queries.answer = known
        assert client.get(f"/v1/{path}/x1", headers=READ).json == known
        assert collector.queries.asked == (kind, "x1")

    def test_has_a_status(self, client: FlaskClient, collector: Any, path: str, kind: str) -> None:
        status = {
            "subject": {"kind": kind, "id": "x1"},
            "is_pql": True,
            "account": None,
            "leads": [LEAD, LEAD | {"via": "account"}],
            "progress": [{"definition": "d", "progress": 0.5, "leaves": [], "blocked_by": []}],
        }
        collector.queries.answer = status
        assert client.get(f"/v1/{path}/x1/pql", headers=READ).json == status
        assert collector.queries.asked == ("status", kind, "x1")

    def test_has_a_timeline_in_pages(
        self, client: FlaskClient, collector: Any, path: str, kind: str
    ) -> None:
        event = {
            "messageId": "m1",
            "type": "track",
            "event": "e",
            "userId": "u1",
            "anonymousId": None,
            "account": None,
            "timestamp": "2026-03-01T10:00:00.000Z",
            "received_at": "2026-03-01T10:00:00.000Z",
            "properties": {"a": 2**70},
            "context": {},
        }
        collector.queries.answer = {"data": [event], "next_cursor": None}
        answer = client.get(f"/v1/{path}/x1/timeline?limit=5&cursor=c", headers=READ)
        assert answer.json == {"data": [event], "next_cursor": None}
        assert collector.queries.asked == ("timeline", kind, "x1", 5, "c")

    @pytest.mark.parametrize(
        ("escaped", "id_"),
        [
            ("a%2Fb", "a/b"),
            ("a/b", "a/b"),
            ("https:%2F%2Fx.example%2F", "https://x.example/"),
            ("%2F", "/"),
            ("/x", "/x"),
            ("a%2Fpql", "a/pql"),
            ("pql", "pql"),
            ("timeline", "timeline"),
            ("a%20b%2Bc+d", "a b+c+d"),
            ("%C3%A9%F0%9F%98%80", "é😀"),
            ("100%2525", "100%25"),
            ("a%3Fb%23c", "a?b#c"),
            ("a@b.example", "a@b.example"),
            ("..%2F..", "../.."),
        ],
    )
    def test_may_have_any_id(
        self,
        client: FlaskClient,
        collector: Any,
        path: str,
        kind: str,
        escaped: str,
        id_: str,
    ) -> None:
        for view, asked in [
            ("", (kind, id_)),
            ("/pql", ("status", kind, id_)),
            ("/timeline", ("timeline", kind, id_, 100, None)),
        ]:
            line = f"/v1/{path}/{escaped}{view}"
            answer = client.get(line, headers=READ, environ_overrides={"RAW_URI": line})
            assert answer.status_code == 200
            assert collector.queries.asked == asked

    @given(identifier=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_is_found_by_its_escaped_id_whatever_that_is(
        self, client: FlaskClient, collector: Any, path: str, kind: str, identifier: str
    ) -> None:
        line = f"/v1/{path}/{quote(identifier, safe='')}/pql"
        answer = client.get(line, headers=READ, environ_overrides={"RAW_URI": line})
        if identifier.strip() and "\0" not in identifier:
            assert collector.queries.asked == ("status", kind, identifier)
        else:
            assert answer.status_code == 404

    def test_is_found_without_the_line_that_was_sent(
        self, client: FlaskClient, collector: Any, path: str, kind: str
    ) -> None:
        """Not every server passes it on; then slashes cannot be told apart, and the rest works."""
        nothing = {"RAW_URI": "", "REQUEST_URI": ""}
        client.get(f"/v1/{path}/a%2Fé%25/pql", headers=READ, environ_overrides=nothing)
        assert collector.queries.asked == ("status", kind, "a/é%")

    @pytest.mark.parametrize("escaped", ["nobody", "%00", "%20", "x" * 513])
    @pytest.mark.parametrize("view", ["", "/pql", "/timeline"])
    def test_never_seen_is_not_found(
        self, client: FlaskClient, path: str, kind: str, escaped: str, view: str
    ) -> None:
        answer = client.get(f"/v1/{path}/{escaped}{view}", headers=READ)
        assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")
        assert answer.json["error"]["details"]["kind"] in ("user", kind)

    @pytest.mark.parametrize("view", ["", "/pql", "/timeline"])
    @pytest.mark.parametrize("sent", [b"\xff", b"a\xc3", b"\xed\xa0\x80"])
    def test_bytes_that_are_no_text_are_nobody(
        self, client: FlaskClient, collector: Any, path: str, kind: str, sent: bytes, view: str
    ) -> None:
        answer = client.get(
            "/", headers=READ, environ_overrides=_sent(f"/v1/{path}/".encode() + sent, view)
        )
        error = answer.json["error"]
        assert (answer.status_code, error["code"]) == (400, "bad_path")
        assert error["message"].startswith("the path is no UTF-8: byte ")
        assert collector.queries.asked == ()

    def test_takes_no_unknown_parameter(self, client: FlaskClient, path: str, kind: str) -> None:
        answer = client.get(f"/v1/{path}/x1/pql?verbose=1", headers=READ)
        error = answer.json["error"]
        assert (answer.status_code, error["details"]["field"]) == (400, "verbose")
        assert error["message"] == "verbose: found an unknown parameter, expected no parameters"


class TestLists:
    def test_events(self, client: FlaskClient, collector: Any) -> None:
        assert client.get("/v1/events?limit=3", headers=READ).json["data"] == []
        assert collector.queries.asked == ("events", 3)

    def test_rejected(self, client: FlaskClient, collector: Any) -> None:
        refused = {
            "id": "r1",
            "received_at": "2026-03-01T10:00:00.000Z",
            "key": "k1",
            "index": 4,
            "messageId": None,
            "code": "bad_value",
            "message": "m",
            "field": "userId",
            "payload": "{}",
        }
        collector.queries.answer = {"data": [refused], "next_cursor": None}
        assert client.get("/v1/rejected", headers=READ).json == collector.queries.answer
        assert collector.queries.asked == ("rejected", RejectedFilter(), 100, None)


class TestAnswers:
    def test_are_kept_out_of_caches(self, client: FlaskClient) -> None:
        assert client.get("/v1/pqls", headers=READ).headers["Cache-Control"] == "no-store"

    @pytest.mark.parametrize(
        ("stored", "shown"),
        [
            ("é😀\0", "é😀\0"),
            ("\ud800", "\ud800"),
            (float("nan"), None),
            (float("inf"), None),
            (2**70, 2**70),
        ],
    )
    def test_are_json_whatever_was_stored(
        self, client: FlaskClient, collector: Any, stored: Any, shown: Any
    ) -> None:
        collector.queries.answer = LEAD | {"traits": {"a": stored}}
        assert client.get("/v1/pqls/l1", headers=READ).json["traits"] == {"a": shown}

    def test_show_nothing_internal_when_something_breaks(
        self, client: FlaskClient, collector: Any
    ) -> None:
        collector.queries.error = RuntimeError("secret")
        answer = client.get("/v1/pqls", headers=READ)
        assert (answer.status_code, answer.json["error"]["code"]) == (500, "internal")
        assert "secret" not in answer.text
