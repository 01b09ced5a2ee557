"""Questions over HTTP: who may ask, how, and how the answers look."""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pequel_collector.app.bootstrap import Collector
from pequel_collector.model import lead_id
from pequel_collector.ports import LeadFilter, RejectedFilter
from pequel_collector.queries import cursors
from pequel_collector.web.json import encode
from support.streams import messages_of, plain_event

from .conftest import NOW, raising

READ = {"Authorization": "Bearer read"}
LEAD = {
    "id": lead_id("activated", "u:x1", 1),
    "definition": "activated",
    "version": 1,
    "subject": {"kind": "user", "id": "x1"},
    "cycle": 1,
    "qualified_at": "2026-03-01T11:59:59.993Z",
    "marked_at": "2026-03-01T12:00:00.000Z",
    "state": "new",
    "holds_now": True,
    "kind": "new",
    "priority": "normal",
    "owner": None,
    "partner": None,
    "route": None,
    "claim": None,
    "stage": None,
    "due_at": "2026-03-01T16:00:00.000Z",
    "overdue": False,
    "snoozed_until": None,
    "contacted_at": None,
    "time_to_contact_seconds": None,
    "won_at": None,
    "self_serve": False,
    "amount": None,
    "currency": None,
    "expires_at": None,
    "merged_into": None,
    "flags": [],
    "account": "x1",
    "traits": {"email": "é"},
    "title": "Activated",
    "play": None,
    "description": "A user who activated",
    "account_traits": {},
    "trial": {"started_at": None, "ends_at": None, "days_left": None},
    "evidence": {
        "sentence": "activated",
        "leaves": [
            {
                "measure": "activated at least once",
                "holds": True,
                "observed": 1,
                "needed": 1,
                "window": {"from": None, "to": "2026-03-01T11:59:59.993Z"},
                "events": [
                    {
                        "message_id": "m2",
                        "time": "2026-03-01T11:59:59.993Z",
                        "user": "x1",
                        "properties": {},
                    }
                ],
                "more_events": 0,
            }
        ],
        "guards": [],
    },
}
HISTORY = [
    {
        "at": "2026-03-01T12:00:00.000Z",
        "what": "opened",
        "from": None,
        "to": "new",
        "before": {},
        "after": {
            "state": "new",
            "qualified_at": "2026-03-01T11:59:59.993Z",
            "version": 1,
            "account": "x1",
        },
        "reason": None,
        "actor": None,
    }
]
EVENT = {
    "messageId": "m2",
    "type": "track",
    "event": "activated",
    "userId": "x1",
    "anonymousId": None,
    "account": "x1",
    "timestamp": "2026-03-01T11:59:59.993Z",
    "received_at": "2026-03-01T11:59:59.993Z",
    "properties": {"a": 2**70},
    "context": {},
}


@pytest.fixture
def used(collector: Collector) -> Collector:
    """A collector with a user x1 of an account x1, who is a lead."""
    known = plain_event("x1", "", "m1", NOW - 8, type="identify", traits={"email": "é"})
    activated = plain_event("x1", "activated", "m2", NOW - 7, groupId="x1")
    activated["properties"] = {"a": 2**70}
    collector.ingest.accept(messages_of([known | {"event": None}, activated]))
    return collector


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
        assert collector.queries.asked == []

    def test_the_message_names_the_expected_keys(self, client: FlaskClient) -> None:
        unknown = {"Authorization": "Bearer unknown"}
        read = client.get("/v1/pqls", headers=unknown).json["error"]["message"]
        assert read == "the key is unknown or revoked, expected a read, work, admin or partner key"
        put = client.put("/v1/definitions", headers=READ).json["error"]["message"]
        assert put == "this is a read key, expected an admin key"
        send = client.post("/v1/track", json={}, headers=READ).json["message"]
        assert send == "this is a read key, expected a write, write+marks or admin key"


class TestLeads:
    def test_are_a_page(self, client: FlaskClient, used: Any) -> None:
        answer = client.get("/v1/pqls", headers=READ)
        assert answer.json == {"data": [LEAD], "next_cursor": None}
        assert list(answer.json["data"][0]) == list(LEAD)
        assert used.queries.asked == [("pqls", LeadFilter(state="open"), 100, None)]

    def test_are_continued_by_a_cursor(self, client: FlaskClient, used: Any) -> None:
        used.ingest.accept(messages_of([plain_event("x2", "activated", "m3", NOW)]))
        first = client.get("/v1/pqls?limit=1", headers=READ).json
        rest = client.get(f"/v1/pqls?cursor={first['next_cursor']}", headers=READ).json
        assert rest["next_cursor"] is None
        leads = first["data"] + rest["data"]
        assert {lead["subject"]["id"] for lead in leads} == {"x1", "x2"}

    @pytest.mark.parametrize(
        ("path", "name"),
        [
            ("/v1/pqls", "cursor"),
            ("/v1/pqls/changes", "after"),
            ("/v1/users", "cursor"),
        ],
    )
    def test_an_empty_cursor_asks_for_the_first_page(
        self, client: FlaskClient, used: Any, path: str, name: str
    ) -> None:
        first = client.get(path, headers=READ)
        assert first.json["data"]
        assert client.get(f"{path}?{name}=", headers=READ).json == first.json

    def test_are_filtered_by_every_parameter(self, client: FlaskClient, collector: Any) -> None:
        given = {
            "definition": "activated",
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
            "format": "json",
        }
        wanted = LeadFilter(
            definition="activated",
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
        cursor = cursors.encode(cursors.list_id("pqls", wanted), 0, 5, "l1")
        answer = client.get("/v1/pqls", query_string=given | {"cursor": cursor}, headers=READ)
        assert answer.status_code == 200, answer.text
        assert collector.queries.asked == [("pqls", wanted, 7, cursor)]

    def test_a_plus_sign_that_became_a_space_is_understood(
        self, client: FlaskClient, collector: Any
    ) -> None:
        client.get("/v1/pqls?marked_after=2026-03-01T10:00:00+01:00", headers=READ)
        assert collector.queries.asked[0][1].marked_after == 1_772_355_600_000

    @pytest.mark.parametrize(
        ("query", "field", "found", "expected"),
        [
            ("limit=0", "limit", "'0'", "a whole number from 1 to 1000"),
            ("limit=1001", "limit", "'1001'", "a whole number from 1 to 1000"),
            ("limit=-1", "limit", "'-1'", "a whole number from 1 to 1000"),
            ("limit=ten", "limit", "'ten'", "a whole number from 1 to 1000"),
            ("limit=²", "limit", r"'\xb2'", "a whole number from 1 to 1000"),
            ("limit=" + "9" * 5000, "limit", "'999", "a whole number from 1 to 1000"),
            ("state=opened", "state", "'opened'", "one of open, any, new, assigned, contacted"),
            ("kind=old", "kind", "'old'", "one of new, upgrade"),
            ("subject_kind=team", "subject_kind", "'team'", "one of user, account"),
            ("qualified_from=soon", "qualified_from", "'soon'", "a time in ISO 8601"),
            ("marked_after=5", "marked_after", "'5'", "a time in ISO 8601"),
            ("owner=", "owner", "''", "text"),
            ("owner=%00", "owner", r"'\x00'", "text"),
            ("format=xml", "format", "'xml'", "one of json, csv, ndjson"),
            ("colour=red", "colour", "an unknown parameter", "one of limit, cursor"),
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

    def test_a_cursor_of_other_filters_or_another_list_is_refused(
        self, client: FlaskClient, used: Any
    ) -> None:
        used.ingest.accept(messages_of([plain_event("x2", "activated", "m3", NOW)]))
        cursor = client.get("/v1/pqls?limit=1", headers=READ).json["next_cursor"]
        for path in ("/v1/pqls?plan=free&", "/v1/users/x1/timeline?", "/v1/rejected?"):
            answer = client.get(f"{path}cursor={cursor}", headers=READ)
            assert (answer.status_code, answer.json["error"]["details"]["field"]) == (400, "cursor")
        assert client.get(f"/v1/pqls?limit=9&cursor={cursor}", headers=READ).status_code == 200

    @pytest.mark.parametrize(
        ("name", "expected"), [("activate", "'activated'"), ("zzz", "'activated'")]
    )
    def test_an_unknown_definition_is_named_with_the_nearest(
        self, client: FlaskClient, name: str, expected: str
    ) -> None:
        answer = client.get(f"/v1/pqls?definition={name}", headers=READ)
        error = answer.json["error"]
        assert (answer.status_code, error["code"]) == (400, "bad_parameter")
        assert error["details"] == {
            "field": "definition",
            "found": f"'{name}'",
            "expected": expected,
        }

    def test_a_definition_that_was_in_force_is_known(self, client: FlaskClient, used: Any) -> None:
        used.put_definitions("")
        answer = client.get("/v1/pqls?definition=activated", headers=READ)
        assert [lead["definition"] for lead in answer.json["data"]] == ["activated"]

    @pytest.mark.parametrize("cursor", ["x", "W10", "é", cursors.encode("", 2**62, 1, "l1")])
    def test_a_bad_cursor_is_the_callers_mistake(self, client: FlaskClient, cursor: str) -> None:
        answer = client.get("/v1/pqls", query_string={"cursor": cursor}, headers=READ)
        assert answer.status_code == 400
        assert answer.json["error"]["details"] == {"field": "cursor"}

    def test_one_is_found_by_its_id(self, client: FlaskClient, used: Any) -> None:
        found = client.get(f"/v1/pqls/{LEAD['id']}", headers=READ).json
        more = {"history": HISTORY, "history_total": 1, "contacts": [], "features": []}
        assert found == LEAD | more

    @pytest.mark.parametrize("view", ["", "/proof"])
    def test_one_is_not_looked_up_by_bytes_that_are_no_text(
        self, client: FlaskClient, collector: Any, view: str
    ) -> None:
        answer = client.get("/", headers=READ, environ_overrides=_sent(b"/v1/pqls/\xff", view))
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_path")
        assert collector.queries.asked == []


@pytest.mark.parametrize(("path", "kind"), [("users", "user"), ("accounts", "account")])
class TestASubject:
    def test_is_shown_with_what_is_known(
        self, client: FlaskClient, used: Any, path: str, kind: str
    ) -> None:
        user = {
            "id": "x1",
            "traits": {"email": "é"},
            "first_seen": "2026-03-01T11:59:59.992Z",
            "last_seen": "2026-03-01T11:59:59.993Z",
            "event_counts": {"activated": 1},
            "features": [],
            "account": "x1",
            "ids": [{"kind": "user", "id": "x1"}],
            "leads": [LEAD],
        }
        account = {
            "id": "x1",
            "traits": {},
            "first_seen": "2026-03-01T11:59:59.993Z",
            "last_seen": "2026-03-01T11:59:59.993Z",
            "event_counts": {"activated": 1},
            "features": [],
            "leads": [],
        }
        answer = client.get(f"/v1/{path}/x1", headers=READ).json
        known = user if kind == "user" else account
        assert (answer, list(answer)) == (known, list(known))

    def test_has_a_status(self, client: FlaskClient, used: Any, path: str, kind: str) -> None:
        own = [LEAD] if kind == "user" else []
        answer = client.get(f"/v1/{path}/x1/pql", headers=READ).json
        assert answer == {
            "subject": {"kind": kind, "id": "x1"},
            "is_pql": bool(own),
            "account": "x1" if kind == "user" else None,
            "leads": own,
            "progress": [],
        }

    def test_has_a_timeline_in_pages(
        self, client: FlaskClient, used: Any, path: str, kind: str
    ) -> None:
        newer = plain_event("x1", "later", "m3", NOW, groupId="x1")
        used.ingest.accept(messages_of([newer]))
        first = client.get(f"/v1/{path}/x1/timeline?limit=1", headers=READ).json
        assert [event["messageId"] for event in first["data"]] == ["m3"]
        next_page = f"/v1/{path}/x1/timeline?limit=1&cursor={first['next_cursor']}"
        second = client.get(next_page, headers=READ).json
        assert second["data"] == [EVENT]
        assert (second["next_cursor"] is None) == (kind == "account")

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
        seen = plain_event(id_, "used", "m1", NOW, groupId=id_)
        collector.ingest.accept(messages_of([seen]))
        for view, asked in [
            ("", ("profile", kind, id_)),
            ("/pql", ("status", kind, id_)),
            ("/timeline", ("timeline", kind, id_, 100, None)),
        ]:
            line = f"/v1/{path}/{escaped}{view}"
            answer = client.get(line, headers=READ, environ_overrides={"RAW_URI": line})
            assert answer.status_code == 200
            assert collector.queries.asked[-1] == asked

    @given(identifier=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20))
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_is_found_by_its_escaped_id_whatever_that_is(
        self, client: FlaskClient, collector: Any, path: str, kind: str, identifier: str
    ) -> None:
        line = f"/v1/{path}/{quote(identifier, safe='')}/pql"
        answer = client.get(line, headers=READ, environ_overrides={"RAW_URI": line})
        if identifier.strip() and "\0" not in identifier:
            assert collector.queries.asked[-1] == ("status", kind, identifier)
        else:
            assert answer.status_code == 404

    def test_is_found_without_the_line_that_was_sent(
        self, client: FlaskClient, collector: Any, path: str, kind: str
    ) -> None:
        """Not every server passes it on; then slashes cannot be told apart, and the rest works."""
        nothing = {"RAW_URI": "", "REQUEST_URI": ""}
        client.get(f"/v1/{path}/a%2Fé%25/pql", headers=READ, environ_overrides=nothing)
        assert collector.queries.asked == [("status", kind, "a/é%")]

    @pytest.mark.parametrize("escaped", ["nobody", "%00", "%20", "x" * 513])
    @pytest.mark.parametrize("view", ["", "/pql", "/timeline"])
    def test_never_seen_is_not_found(
        self, client: FlaskClient, path: str, kind: str, escaped: str, view: str
    ) -> None:
        answer = client.get(f"/v1/{path}/{escaped}{view}", headers=READ)
        assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")
        assert answer.json["error"]["details"]["kind"] == kind

    @pytest.mark.parametrize("view", ["", "/pql", "/timeline"])
    @pytest.mark.parametrize("sent", [b"\xff", b"a\xc3", b"\xed\xa0\x80"])
    def test_a_path_that_is_not_utf8_is_an_error(
        self, client: FlaskClient, collector: Any, path: str, kind: str, sent: bytes, view: str
    ) -> None:
        answer = client.get(
            "/", headers=READ, environ_overrides=_sent(f"/v1/{path}/".encode() + sent, view)
        )
        error = answer.json["error"]
        assert (answer.status_code, error["code"]) == (400, "bad_path")
        assert error["message"].startswith("the path is not UTF-8: byte ")
        assert collector.queries.asked == []

    def test_takes_no_unknown_parameter(self, client: FlaskClient, path: str, kind: str) -> None:
        answer = client.get(f"/v1/{path}/x1/pql?verbose=1", headers=READ)
        error = answer.json["error"]
        assert (answer.status_code, error["details"]["field"]) == (400, "verbose")
        assert error["message"] == "verbose: found an unknown parameter, expected no parameters"


class TestLists:
    def test_events_are_the_latest(self, client: FlaskClient, used: Any) -> None:
        answer = client.get("/v1/events?limit=1", headers=READ).json
        assert answer == {"data": [EVENT], "next_cursor": None}
        assert list(answer["data"][0]) == list(EVENT)

    def test_facts_are_shown_with_traits_and_without_properties(
        self, client: FlaskClient, used: Any
    ) -> None:
        identify = client.get("/v1/events", headers=READ).json["data"][1]
        assert identify["traits"] == {"email": "é"}
        assert "properties" not in identify

    def test_one_event_is_found_by_its_id(self, client: FlaskClient, collector: Any) -> None:
        odd = plain_event("x1", "activated", "a/b ü", NOW) | {"properties": {"a": 1}}
        collector.ingest.accept(messages_of([odd]))
        answer = client.get(
            "/", headers=READ, environ_overrides=_sent("/v1/events/a/b ü".encode(), "")
        )
        assert answer.status_code == 200, answer.json
        assert (answer.json["messageId"], answer.json["properties"]) == ("a/b ü", {"a": 1})

    @pytest.mark.parametrize("mid", ["nope", "%00", "x" * 600, "m2/timeline"])
    def test_an_event_that_is_not_stored_is_not_found(
        self, client: FlaskClient, used: Any, mid: str
    ) -> None:
        answer = client.get(f"/v1/events/{mid}", headers=READ)
        assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")

    def test_one_event_needs_a_key_that_reads(self, client: FlaskClient) -> None:
        assert client.get("/v1/events/m2").status_code == 401

    def test_rejected_events_are_shown_as_they_came(self, client: FlaskClient) -> None:
        client.post(
            "/v1/batch", data='{"batch": [{"userId": 5}]}', headers={"X-Write-Key": "write"}
        )
        answer = client.get("/v1/rejected", headers=READ).json
        [event] = answer["data"]
        assert event == {
            "id": event["id"],
            "received_at": "2026-03-01T12:00:00.000Z",
            "key": "settings-write",
            "index": 0,
            "messageId": None,
            "code": "missing_field",
            "message": event["message"],
            "field": "type",
            "payload": '{"userId":5}',
        }
        assert answer["next_cursor"] is None

    def test_rejected_events_are_filtered(self, client: FlaskClient, collector: Any) -> None:
        client.get("/v1/rejected?code=junk_id&key=k1", headers=READ)
        wanted = RejectedFilter("junk_id", "k1")
        assert collector.queries.asked == [("rejected", wanted, 100, None)]


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
    def test_are_json_for_any_stored_data(self, stored: Any, shown: Any) -> None:
        assert json.loads(encode({"a": stored})) == {"a": shown}

    def test_show_nothing_internal_when_something_breaks(
        self, client: FlaskClient, collector: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(collector.queries, "pqls", raising(RuntimeError("secret")))
        answer = client.get("/v1/pqls", headers=READ)
        assert (answer.status_code, answer.json["error"]["code"]) == (500, "internal")
        assert "secret" not in answer.text
