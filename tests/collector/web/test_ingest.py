"""Events in over HTTP: paths, keys, bodies, answers, and what a browser is told."""

from __future__ import annotations

import base64
import gzip
import io
import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pequel_collector.errors import PequelError, TooMany, Unavailable
from pequel_collector.model import lead_id

from .conftest import raising, rejected, stored

TRACK = {"type": "track", "event": "e", "userId": "u1", "messageId": "m1"}
WRITE = {"Authorization": "Bearer write"}


def basic(user: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(user.encode()).decode()}


def batch(*events: Any, **shared: Any) -> dict[str, Any]:
    return {"batch": list(events), **shared}


class TestPaths:
    @pytest.mark.parametrize("path", ["batch", "import", "b"])
    def test_a_batch_is_accepted(self, client: FlaskClient, collector: Any, path: str) -> None:
        assert client.post(f"/v1/{path}", json=batch(TRACK), headers=WRITE).status_code == 200
        assert [message.mid for message in stored(collector)] == ["m1"]

    @pytest.mark.parametrize(
        ("path", "type_"),
        [
            *[(t, t) for t in ("track", "identify", "group", "page", "screen", "alias")],
            *[("t", "track"), ("i", "identify"), ("g", "group"), ("p", "page")],
            *[("s", "screen"), ("a", "alias")],
        ],
    )
    def test_a_single_call_is_of_the_type_of_its_path(
        self, client: FlaskClient, collector: Any, path: str, type_: str
    ) -> None:
        event = {"userId": "u1", "event": "e", "groupId": "g1", "previousId": "p1"}
        answer = client.post(f"/v1/{path}", json=event, headers=WRITE)
        assert (answer.status_code, answer.json["accepted"]) == (200, 1)
        (message,) = stored(collector)
        assert message.type == type_

    @pytest.mark.parametrize("path", ["/v1/batch/", "/v1/track/", "/v1/b/"])
    def test_a_slash_at_the_end_is_no_redirect(self, client: FlaskClient, path: str) -> None:
        """A client takes a redirect for success, and its events are lost."""
        assert client.post(path, json=batch(TRACK), headers=WRITE).status_code == 200

    @pytest.mark.parametrize("path", ["//v1/batch", "/v1//batch", "/v1/nothing", "/batch"])
    def test_a_path_that_is_none_is_no_redirect(self, client: FlaskClient, path: str) -> None:
        answer = client.post(path, json=batch(TRACK), headers=WRITE)
        assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")

    def test_events_for_a_page_of_the_console_are_no_redirect(self, client: FlaskClient) -> None:
        answer = client.post(
            "/", json=batch(TRACK), headers=WRITE | {"Origin": "https://a.example"}
        )
        assert (answer.status_code, answer.json["error"]["code"]) == (405, "method_not_allowed")
        assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"

    def test_a_get_is_answered_with_the_allowed_method(self, client: FlaskClient) -> None:
        answer = client.get("/v1/batch")
        assert answer.status_code == 405
        assert answer.headers["Allow"] == "OPTIONS, POST"


class TestKeys:
    @pytest.mark.parametrize(
        "headers",
        [
            basic("write:"),
            basic("write:secret"),
            basic("write"),
            {"Authorization": basic("write")["Authorization"].rstrip("=")},
            {"Authorization": "bearer   write "},
            {"X-Write-Key": "write"},
            basic("admin:"),
            {"Authorization": "Bearer admin"},
        ],
    )
    def test_may_stand_in_a_header(self, client: FlaskClient, headers: dict[str, str]) -> None:
        assert client.post("/v1/batch", json=batch(TRACK), headers=headers).status_code == 200

    def test_may_stand_in_the_query(self, client: FlaskClient) -> None:
        assert client.post("/v1/batch?writeKey=write", json=batch(TRACK)).status_code == 200

    def test_may_stand_in_the_body(self, client: FlaskClient) -> None:
        assert client.post("/v1/batch", json=batch(TRACK, writeKey="write")).status_code == 200

    def test_may_stand_in_the_first_event(self, client: FlaskClient) -> None:
        body = batch(TRACK | {"writeKey": "write"}, TRACK)
        assert client.post("/v1/batch", json=body).status_code == 200
        assert client.post("/v1/t", json=TRACK | {"writeKey": "write"}).status_code == 200

    def test_that_is_masked_is_none(self, client: FlaskClient) -> None:
        """As Jitsu's library leaves it; the next place counts."""
        body = batch(TRACK | {"writeKey": "write"}, writeKey="id:***")
        assert client.post("/v1/batch", json=body).status_code == 200
        masked = client.post("/v1/t", json=TRACK | {"writeKey": "id:***"})
        assert masked.json == masked.json | {"code": "missing_key"}

    @pytest.mark.parametrize(
        ("first", "then"),
        [
            ({"headers": basic("{}:")}, {"headers": {"X-Write-Key": "{}"}}),
            ({"headers": {"X-Write-Key": "{}"}}, {"query_string": {"writeKey": "{}"}}),
            ({"query_string": {"writeKey": "{}"}}, {"json": {"writeKey": "{}"}}),
            ({"headers": {"X-Write-Key": "{}"}}, {"json": {"writeKey": "{}"}}),
        ],
    )
    def test_the_first_found_wins(
        self, client: FlaskClient, first: dict[str, Any], then: dict[str, Any]
    ) -> None:
        def status(one: str, other: str) -> int:
            request: dict[str, Any] = {"json": {}, "headers": {}}
            for place, token in ((first, one), (then, other)):
                for name, value in place.items():
                    request[name] = request.get(name, {}) | filled(value, token)
            request["json"] = batch(TRACK) | request["json"]
            return client.post("/v1/batch", **request).status_code

        assert status("write", "unknown") == 200
        assert status("unknown", "write") == 401

    @pytest.mark.parametrize("bearer", ["Bearer eyJh.e30.c2ln", "Basic no-base64"])
    @pytest.mark.parametrize(
        ("url", "headers", "shared"),
        [
            ("/v1/batch", {"X-Write-Key": "write"}, {}),
            ("/v1/batch?writeKey=write", {}, {}),
            ("/v1/batch", {}, {"writeKey": "write"}),
        ],
    )
    def test_a_token_of_another_kind_is_passed_over(
        self,
        client: FlaskClient,
        bearer: str,
        url: str,
        headers: dict[str, str],
        shared: dict[str, str],
    ) -> None:
        """Of OAuth, or of a gateway on the way."""
        headers = headers | {"Authorization": bearer}
        assert client.post(url, json=batch(TRACK, **shared), headers=headers).status_code == 200

    @pytest.mark.parametrize("shared", [{}, {"writeKey": "nobody"}])
    def test_a_token_of_another_kind_is_no_key(
        self, client: FlaskClient, shared: dict[str, str]
    ) -> None:
        headers = {"Authorization": "Bearer eyJh.e30.c2ln"}
        answer = client.post("/v1/batch", json=batch(TRACK, **shared), headers=headers)
        assert (answer.status_code, answer.json["code"]) == (401, "unknown_key")

    def test_a_bearer_that_reads_is_not_passed_over(self, client: FlaskClient) -> None:
        headers = {"Authorization": "Bearer read", "X-Write-Key": "write"}
        answer = client.post("/v1/batch", json=batch(TRACK), headers=headers)
        assert (answer.status_code, answer.json["code"]) == (401, "wrong_key")

    @pytest.mark.parametrize("token", ["write:secret", "id:write", "write:", ":write"])
    def test_may_be_one_of_two_parts(self, client: FlaskClient, token: str) -> None:
        """Jitsu's library takes no key without a colon."""
        headers = {"X-Write-Key": token}
        assert client.post("/api/s/track", json=TRACK, headers=headers).status_code == 200

    def test_the_body_goes_before_the_first_event(self, client: FlaskClient) -> None:
        event = TRACK | {"writeKey": "write"}
        assert client.post("/v1/batch", json=batch(event, writeKey="unknown")).status_code == 401

    @pytest.mark.parametrize(
        "headers", [basic(":"), {"Authorization": "Basic ?"}, {"X-Write-Key": " "}]
    )
    def test_a_place_without_a_key_is_passed_over(
        self, client: FlaskClient, headers: dict[str, str]
    ) -> None:
        body = batch(TRACK, writeKey="write")
        assert client.post("/v1/batch", json=body, headers=headers).status_code == 200

    @pytest.mark.parametrize(
        ("headers", "code"),
        [
            ({}, "missing_key"),
            ({"Authorization": "Digest x"}, "missing_key"),
            (basic("unknown:"), "unknown_key"),
            ({"X-Write-Key": "unknown"}, "unknown_key"),
            ({"X-Write-Key": "wr\xefte"}, "unknown_key"),
            (basic("read:"), "wrong_key"),
        ],
    )
    def test_without_a_key_that_writes_nothing_is_stored(
        self, client: FlaskClient, collector: Any, headers: dict[str, str], code: str
    ) -> None:
        answer = client.post("/v1/batch", json=batch(TRACK), headers=headers)
        assert (answer.status_code, answer.json["code"]) == (401, code)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert not stored(collector)

    def test_with_half_a_character_is_unknown(self, client: FlaskClient) -> None:
        answer = client.post("/v1/batch", data=b'{"batch": [], "writeKey": "\\ud800"}')
        assert (answer.status_code, answer.json["code"]) == (401, "unknown_key")

    def test_are_looked_at_before_the_body(self, client: FlaskClient) -> None:
        answer = client.post("/v1/batch", data=b"{", headers=basic("unknown"))
        assert answer.status_code == 401

    def test_the_id_of_the_key_is_stored_with_what_it_sent(
        self, client: FlaskClient, collector: Any
    ) -> None:
        client.post("/v1/batch", json=batch(7), headers=WRITE)
        with collector.store.reading() as view:
            assert [each.key for each in view.rejected(9)] == ["settings-write"]


class TestBodies:
    @pytest.mark.parametrize(
        "type_",
        [
            "application/json",
            "application/json;charset=UTF-8",
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "",
        ],
    )
    @pytest.mark.parametrize("compress", [False, True])
    def test_are_json_whatever_content_type_says(
        self, client: FlaskClient, type_: str, compress: bool
    ) -> None:
        text = json.dumps(batch(TRACK)).encode()
        data = gzip.compress(text) if compress else text
        answer = client.post("/v1/batch", data=data, headers=WRITE, content_type=type_)
        assert (answer.status_code, answer.json["accepted"]) == (200, 1)

    def test_may_be_gzip_by_their_header(self, client: FlaskClient) -> None:
        data = gzip.compress(json.dumps(batch(TRACK)).encode())
        headers = WRITE | {"Content-Encoding": "gzip"}
        assert client.post("/v1/batch", data=data, headers=headers).json["accepted"] == 1

    def test_may_be_chunked(self, client: FlaskClient) -> None:
        """Without a length, as far as the server has put the chunks together."""
        data = json.dumps(batch(TRACK)).encode()
        answer = client.post(
            "/v1/batch",
            input_stream=io.BytesIO(data),
            headers=WRITE | {"Transfer-Encoding": "chunked"},
            environ_overrides={"wsgi.input_terminated": True},
        )
        assert (answer.status_code, answer.json["accepted"]) == (200, 1)

    @pytest.mark.parametrize(
        ("data", "headers", "status", "code"),
        [
            (b"", {}, 400, "bad_json"),
            (b"{", {}, 400, "bad_json"),
            (b"\xff", {}, 400, "bad_json"),
            (b"[]", {}, 400, "bad_body"),
            (b"{}", {}, 400, "bad_body"),
            (b'{"batch": ' + b"[" * 9_000, {}, 400, "bad_json"),
            (b"\x1f\x8b\x00", {}, 400, "bad_gzip"),
            (b"{}", {"Content-Encoding": "br"}, 415, "unsupported_encoding"),
            (b" " * 10_001, {}, 413, "too_large"),
            (gzip.compress(b" " * 30_000_000), {}, 413, "too_large"),
            (b'{"batch": [' + b"1," * 100 + b"1]}", {}, 413, "too_large"),
        ],
    )
    def test_that_cannot_be_read_are_refused_with_a_reason(
        self, client: FlaskClient, data: bytes, headers: dict[str, str], status: int, code: str
    ) -> None:
        answer = client.post("/v1/batch", data=data[:40_000], headers=WRITE | headers)
        assert (answer.status_code, answer.json["code"]) == (status, code)
        assert answer.json["success"] is False
        assert answer.json["message"] == answer.json["error"] != ""

    def test_over_the_limit_without_a_length_are_too_large(self, client: FlaskClient) -> None:
        answer = client.post(
            "/v1/batch",
            input_stream=io.BytesIO(b" " * 10_001),
            headers=WRITE,
            environ_overrides={"wsgi.input_terminated": True},
        )
        assert (answer.status_code, answer.json["code"]) == (413, "too_large")

    @given(
        st.binary(max_size=50) | st.text(max_size=50).map(str.encode),
        st.sampled_from([b"", b"{", b'{"batch":[', b"\x1f\x8b", b'{"batch":[{"type":"track",']),
        st.sampled_from(["batch", "t", "i", "g", "p", "s", "a"]),
    )
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_of_any_bytes_are_accepted_or_refused(
        self, client: FlaskClient, rest: bytes, start: bytes, path: str
    ) -> None:
        answer = client.post(f"/v1/{path}", data=start + rest, headers=WRITE)
        assert answer.status_code in (200, 400)
        assert answer.json["success"] is (answer.status_code == 200)


class TestAnswers:
    def test_count_what_was_sent(self, client: FlaskClient, collector: Any) -> None:
        body = batch(TRACK, TRACK | {"messageId": "m2"}, TRACK | {"messageId": "m3", "event": 5})
        client.post("/v1/batch", json=batch(TRACK), headers=WRITE)
        answer = client.post("/v1/batch", json=body, headers=WRITE)
        assert answer.status_code == 200
        assert answer.json == {
            "success": True,
            "accepted": 1,
            "duplicates": 1,
            "rejected": [
                {
                    "index": 2,
                    "messageId": "m3",
                    "code": "bad_value",
                    "message": "event: found the number 5, expected text",
                    "field": "event",
                }
            ],
        }
        assert [event.mid for event in rejected(collector)] == ["m3"]

    def test_are_for_an_empty_batch_too(self, client: FlaskClient) -> None:
        answer = client.post("/v1/batch", json=batch(), headers=WRITE)
        assert answer.json == {"success": True, "accepted": 0, "duplicates": 0, "rejected": []}

    def test_show_the_marks_to_a_key_that_may_read(self, client: FlaskClient) -> None:
        body = batch(TRACK | {"event": "activated", "timestamp": "2026-03-01T10:00:00Z"})
        answer = client.post("/v1/batch", json=body, headers={"Authorization": "Bearer admin"})
        assert answer.json["qualified"] == [
            {
                "lead_id": lead_id("activated", "u:u1", 1),
                "definition": "activated",
                "subject": {"kind": "user", "id": "u1"},
                "qualified_at": "2026-03-01T10:00:00.000Z",
            }
        ]

    def test_show_no_marks_to_others(self, client: FlaskClient) -> None:
        body = batch(TRACK | {"event": "activated"})
        assert "qualified" not in client.post("/v1/batch", json=body, headers=WRITE).json

    def test_hold_any_text_that_an_event_may_hold(self, client: FlaskClient) -> None:
        data = b'{"batch": [{"type": "\\ud800\\u0000\xc3\xa9", "messageId": "\xc3\xa9"}]}'
        answer = client.post("/v1/batch", data=data, headers=WRITE)
        assert answer.json["rejected"][0]["messageId"] == "é"
        assert answer.mimetype == "application/json"

    def test_a_batch_that_must_be_whole_stores_nothing_of_a_broken_one(
        self, client: FlaskClient, collector: Any
    ) -> None:
        headers = WRITE | {"X-Strict-Mode": "1"}
        answer = client.post("/v1/batch", json=batch(TRACK, {}), headers=headers)
        assert (answer.status_code, answer.json["code"]) == (400, "rejected")
        assert [one["index"] for one in answer.json["rejected"]] == [1]
        assert (stored(collector), rejected(collector)) == ([], [])

    def test_a_batch_that_must_be_whole_and_is_gets_stored(self, client: FlaskClient) -> None:
        headers = WRITE | {"X-Strict-Mode": "1"}
        answer = client.post("/v1/batch", json=batch(TRACK), headers=headers)
        assert (answer.status_code, answer.json["accepted"]) == (200, 1)

    def test_say_when_to_come_back_if_it_cannot_be_stored(
        self, client: FlaskClient, collector: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(collector.intake, "accept", raising(Unavailable("the disk is full")))
        answer = client.post("/v1/batch", json=batch(TRACK), headers=WRITE)
        assert (answer.status_code, answer.json["code"]) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0

    def test_say_when_to_come_back_if_a_key_has_sent_too_much(
        self, client: FlaskClient, collector: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        too_many = TooMany("more than 5 events a second", retry_after=7)
        monkeypatch.setattr(collector.limits, "admit", raising(too_many))
        answer = client.post("/v1/batch", json=batch(TRACK), headers=WRITE)
        assert (answer.status_code, answer.json["code"]) == (429, "too_many")
        assert answer.headers["Retry-After"] == "7"
        assert not stored(collector)

    def test_come_when_the_body_is_read_to_its_end(self, client: FlaskClient) -> None:
        """Servers drop the connection of a body that is left, and the answer with it."""
        body = io.BytesIO(b"x" * 9_000)
        answer = client.post("/v1/nothing", input_stream=body, content_length=9_000)
        assert (answer.status_code, body.tell()) == (404, 9_000)

    def test_come_before_a_body_without_end_is_read(self, client: FlaskClient) -> None:
        body = io.BytesIO(b"x" * 90_000)
        answer = client.post("/v1/m", input_stream=body, content_length=90_000)
        assert (answer.status_code, body.tell()) == (200, 20_000)

    @pytest.mark.parametrize("error", [RuntimeError("secret"), PequelError("secret")])
    def test_show_nothing_internal_when_something_breaks(
        self,
        client: FlaskClient,
        collector: Any,
        monkeypatch: pytest.MonkeyPatch,
        error: Exception,
    ) -> None:
        monkeypatch.setattr(collector.intake, "accept", raising(error))
        answer = client.post("/v1/batch", json=batch(TRACK), headers=WRITE)
        assert (answer.status_code, answer.json["code"]) == (500, "internal")
        assert "secret" not in answer.text


class TestBrowsers:
    ORIGIN = "https://app.example"

    @pytest.mark.parametrize("path", ["/v1/batch", "/v1/t", "/v1/identify/"])
    def test_are_allowed_what_they_ask_for(self, client: FlaskClient, path: str) -> None:
        asked = {
            "Origin": self.ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,x-retry-count",
        }
        answer = client.options(path, headers=asked)
        assert answer.status_code in (200, 204)
        assert answer.headers["Access-Control-Allow-Origin"] == self.ORIGIN
        assert answer.headers["Access-Control-Allow-Headers"] == "authorization,x-retry-count"
        assert "POST" in answer.headers["Access-Control-Allow-Methods"]
        assert int(answer.headers["Access-Control-Max-Age"]) > 0

    @pytest.mark.parametrize("headers", [WRITE, {}])
    def test_may_read_every_answer_and_when_to_come_back(
        self, client: FlaskClient, headers: dict[str, str]
    ) -> None:
        headers = headers | {"Origin": self.ORIGIN}
        answer = client.post("/v1/batch", json=batch(TRACK), headers=headers)
        assert answer.headers["Access-Control-Allow-Origin"] == self.ORIGIN
        assert answer.headers["Access-Control-Expose-Headers"] == "Retry-After"
        assert answer.headers["Vary"] == "Origin"

    def test_may_not_ask_questions(self, client: FlaskClient) -> None:
        """A key that reads belongs on a server."""
        headers = {"Authorization": "Bearer read", "Origin": self.ORIGIN}
        assert "Access-Control-Allow-Origin" not in client.get("/v1/pqls", headers=headers).headers


def filled(places: dict[str, str], token: str) -> dict[str, str]:
    """Places with a token in them; a Basic one is made anew."""
    if places.get("Authorization", "").startswith("Basic"):
        return basic(f"{token}:")
    return {name: value.replace("{}", token) for name, value in places.items()}
