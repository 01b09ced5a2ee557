"""`/v1/usage`, `/v1/rejected` and `/metrics` over a real collector: every event is in one count."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from pequel_collector.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.rules.definition import Catalogue
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
                },
            ],
            "total": {
                "received": 6,
                "stored": 2,
                "duplicates": 2,
                "rejected": {"missing_field": 1, "not_an_object": 1},
                "suppressed": 0,
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

    @pytest.mark.parametrize("query", ["code=", "cursor=x", "limit=0", "reason=x"])
    def test_takes_no_parameter_that_it_does_not_understand(
        self, client: FlaskClient, query: str
    ) -> None:
        answer = client.get(f"/v1/rejected?{query}", headers=READ)
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_parameter")


class TestLimits:
    def test_a_key_that_sends_too_much_is_told_when_to_come_back(self) -> None:
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
