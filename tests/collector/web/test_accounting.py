"""`/v1/usage`, `/v1/rejected` and `/metrics` over a real collector: every event is in one count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.rules.language.definition import Catalogue
from pequel_collector.web.app import create_app

NOON = 1_772_366_400_000
READ = {"Authorization": "Bearer r"}


@pytest.fixture
def settings() -> Settings:
    return Settings(database="sqlite://", write_key="w", read_key="r", admin_key="a")


@pytest.fixture
def collector(settings: Settings) -> Iterator[Collector]:
    collector = open_collector(settings, Catalogue(), clock=lambda: NOON)
    yield collector
    collector.close()


@pytest.fixture
def client(collector: Collector) -> FlaskClient:
    return create_app(collector).test_client()


def send(client: FlaskClient, *events: Any, key: str = "w") -> Any:
    return client.post(
        "/v1/batch", data=json.dumps({"batch": events}), headers={"X-Write-Key": key}
    )


def event(mid: str, **parts: Any) -> dict[str, Any]:
    return {"type": "track", "userId": "ada", "event": "used", "messageId": mid, **parts}


def metrics(client: FlaskClient) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(client.get("/metrics").text)
    samples = (sample for family in families for sample in family.samples)
    return {(sample.name, *sample.labels.values()): sample.value for sample in samples}


class TestUsage:
    def test_shows_what_became_of_every_event_by_key(self, client: FlaskClient) -> None:
        send(client, event("m1"), event("m1"), event("m2", userId=""), 7)
        send(client, event("m1"), event("m3"), key="a")
        found = client.get("/v1/usage", headers=READ).json
        assert found == {
            "data": [
                {
                    "key": "settings-write",
                    "label": "PEQUEL_WRITE_KEY",
                    "month": "2026-03",
                    "received": 4,
                    "stored": 1,
                    "duplicates": 1,
                    "rejected": {"missing_field": 1, "not_an_object": 1},
                    "suppressed": 0,
                    "dropped_by_clients": {},
                },
                {
                    "key": "settings-admin",
                    "label": "PEQUEL_ADMIN_KEY",
                    "month": "2026-03",
                    "received": 2,
                    "stored": 1,
                    "duplicates": 1,
                    "rejected": {},
                    "suppressed": 0,
                    "dropped_by_clients": {},
                },
            ],
            "total": {
                "received": 6,
                "stored": 2,
                "duplicates": 2,
                "rejected": {"missing_field": 1, "not_an_object": 1},
                "suppressed": 0,
                "dropped_by_clients": {},
            },
            "next_cursor": None,
        }

    def test_is_for_readers(self, client: FlaskClient) -> None:
        assert client.get("/v1/usage").status_code == 401
        assert client.get("/v1/usage", headers={"Authorization": "Bearer w"}).status_code == 401

    def test_counts_nothing_of_a_request_that_was_refused_whole(self, client: FlaskClient) -> None:
        bad = [event("m1"), event("m2", userId=None)]
        answer = client.post(
            "/v1/batch",
            data=json.dumps({"batch": bad}),
            headers={"X-Write-Key": "w", "X-Strict-Mode": "1"},
        )
        assert answer.status_code == 400
        client.post("/v1/batch", data="{", headers={"X-Write-Key": "w"})
        assert client.get("/v1/usage", headers=READ).json["total"]["received"] == 0


class TestMetrics:
    def test_need_no_key_and_balance(self, client: FlaskClient) -> None:
        send(client, event("m1"), event("m1"), event("m2", userId=""), 7)
        found = metrics(client)
        key = "settings-write"
        assert found["pequel_events_received_total", key] == 4
        assert found["pequel_events_stored_total", key] == 1
        assert found["pequel_events_duplicate_total", key] == 1
        assert found["pequel_events_suppressed_total", key] == 0
        assert found["pequel_events_rejected", key, "missing_field"] == 1
        assert found["pequel_events_rejected", key, "not_an_object"] == 1
        assert found["pequel_messages",] == 1
        assert found["pequel_refused",] == 2
        assert found["pequel_waiting_events",] == 0
        assert found["pequel_ready",] == 1

    def test_say_when_nothing_can_be_stored(self, tmp_path: Any) -> None:
        database = f"sqlite:///{tmp_path / 'pequel.db'}"
        settings = Settings(database=database, write_key="w", min_free=2**60)
        collector = open_collector(settings, Catalogue())
        client = create_app(collector).test_client()
        assert metrics(client)["pequel_ready",] == 0
        ready = client.get("/readyz")
        assert ready.status_code == 503
        assert ready.json["reason"].startswith("the disk is full")
        answer = send(client, event("m1"))
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "2")
        collector.close()


class TestRejected:
    def test_is_listed_by_reason_and_key_in_pages(self, client: FlaskClient) -> None:
        send(client, *(event(f"m{n}", userId="") for n in range(3)), 7)
        send(client, event("m9", userId=""), key="a")
        found = client.get(
            "/v1/rejected?code=missing_field&key=settings-write&limit=2", headers=READ
        ).json
        assert len(found["data"]) == 2
        more = client.get(
            f"/v1/rejected?code=missing_field&key=settings-write&cursor={found['next_cursor']}",
            headers=READ,
        ).json
        assert more["next_cursor"] is None
        mids = {each["messageId"] for each in found["data"] + more["data"]}
        assert mids == {"m0", "m1", "m2"}

    @pytest.mark.parametrize("query", ["code=", "code=nope", "cursor=x", "limit=0", "reason=x"])
    def test_takes_no_parameter_that_it_does_not_understand(
        self, client: FlaskClient, query: str
    ) -> None:
        answer = client.get(f"/v1/rejected?{query}", headers=READ)
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_parameter")


class TestLimits:
    def test_a_key_over_its_rate_gets_a_time_to_retry(self) -> None:
        settings = Settings(database="sqlite://", write_key="w", read_key="r", rate_limit=2)
        collector = open_collector(settings, Catalogue(), clock=lambda: NOON)
        client = create_app(collector).test_client()
        assert send(client, event("m1"), event("m2"), event("m3")).status_code == 200
        answer = send(client, event("m4"))
        assert answer.status_code == 429
        assert answer.headers["Retry-After"] == "1"
        assert answer.json["code"] == "too_many"
        assert answer.json["success"] is False
        assert client.get("/v1/usage", headers=READ).json["total"]["received"] == 3
        collector.close()


def report(
    client: FlaskClient, number: Any, dropped: Any, *events: Any, sender: Any = "c1", key: str = "w"
) -> Any:
    body = {
        "batch": events,
        "report": {"client": sender, "number": number, "dropped": dropped},
    }
    return client.post("/v1/batch", data=json.dumps(body), headers={"X-Write-Key": key})


def totals(client: FlaskClient) -> Any:
    return client.get("/v1/usage", headers=READ).json["total"]


class TestClientReports:
    def test_drops_are_counted_beside_what_came_in(self, client: FlaskClient) -> None:
        answer = report(client, 1, {"queue_full": 3, "invalid": 1}, event("m1"))
        assert (answer.status_code, answer.json["accepted"]) == (200, 1)
        assert totals(client) == {
            "received": 1,
            "stored": 1,
            "duplicates": 0,
            "rejected": {},
            "suppressed": 0,
            "dropped_by_clients": {"invalid": 1, "queue_full": 3},
        }

    def test_a_report_may_come_alone(self, client: FlaskClient) -> None:
        assert report(client, 1, {"shutdown": 2}).status_code == 200
        assert totals(client)["dropped_by_clients"] == {"shutdown": 2}

    def test_a_report_that_comes_again_counts_once(self, client: FlaskClient) -> None:
        for number in (1, 1, 2, 1, 2):
            report(client, number, {"queue_full": 5})
        assert totals(client)["dropped_by_clients"] == {"queue_full": 10}

    def test_clients_and_keys_are_counted_separately(self, client: FlaskClient) -> None:
        report(client, 1, {"queue_full": 1})
        report(client, 1, {"queue_full": 1}, sender="c2")
        report(client, 1, {"queue_full": 1}, key="a")
        data = client.get("/v1/usage", headers=READ).json["data"]
        assert {each["key"]: each["dropped_by_clients"] for each in data} == {
            "settings-write": {"queue_full": 2},
            "settings-admin": {"queue_full": 1},
        }

    def test_reasons_that_are_not_known_are_others(self, client: FlaskClient) -> None:
        report(client, 1, {"from_the_future": 2, "": 3, "x" * 9_000: 1})
        assert totals(client)["dropped_by_clients"] == {"other": 6}

    @pytest.mark.parametrize("number", [None, 0, -1, 1.0, "1", True, 2**63, [], {}])
    def test_numbers_that_are_none_are_passed_over(self, client: FlaskClient, number: Any) -> None:
        assert report(client, number, {"invalid": 1}, event("m1")).status_code == 200
        assert report(client, 1, {"invalid": number}, event("m2")).status_code == 200
        assert totals(client) == {**totals(client), "stored": 2, "dropped_by_clients": {}}

    @pytest.mark.parametrize("sender", [None, 7, "", "a b", "x" * 65, "\x00", "ü", "\ud800", []])
    def test_names_that_are_none_are_passed_over(self, client: FlaskClient, sender: Any) -> None:
        answer = report(client, 1, {"invalid": 1}, event("m1"), sender=sender)
        assert (answer.status_code, answer.json["accepted"]) == (200, 1)
        assert totals(client)["dropped_by_clients"] == {}

    @pytest.mark.parametrize(
        "dropped", [None, 1, "x", [], {}, [["invalid", 1]], {str(n): 1 for n in range(1_000)}]
    )
    def test_counts_that_are_none_are_passed_over(self, client: FlaskClient, dropped: Any) -> None:
        assert report(client, 1, dropped, event("m1")).status_code == 200
        assert totals(client)["dropped_by_clients"] == {}

    @pytest.mark.parametrize("body", ["null", "7", '"x"', "[]", "[" * 900 + "]" * 900, "NaN"])
    def test_what_is_no_report_is_passed_over(self, client: FlaskClient, body: str) -> None:
        batch = json.dumps([event("m1")])
        data = f'{{"report": {body}, "batch": {batch}}}'
        answer = client.post("/v1/batch", data=data, headers={"X-Write-Key": "w"})
        assert (answer.status_code, answer.json["accepted"]) == (200, 1)

    def test_sums_stay_whole_numbers_that_a_database_holds(self, client: FlaskClient) -> None:
        report(client, 2**53 - 1, {"a": 2**31, "b": 2**31, "c": 2**31 + 1})
        assert report(client, 2**53, {"a": 2**31, "b": 10**400}).status_code == 200
        assert totals(client)["dropped_by_clients"] == {"other": 3 * 2**31}

    def test_they_are_among_the_metrics(self, client: FlaskClient) -> None:
        report(client, 1, {"queue_full": 3}, event("m1"))
        found = metrics(client)
        assert found["pequel_client_dropped_total", "settings-write", "queue_full"] == 3
        assert found["pequel_events_received_total", "settings-write"] == 1

    def test_they_do_not_use_up_a_quota(self, collector: Collector, client: FlaskClient) -> None:
        made = collector.keys.create("write", "small", quota=2)
        report(client, 1, {"queue_full": 50}, event("m1"), key=made[1])
        assert send(client, event("m2"), key=made[1]).status_code == 200
