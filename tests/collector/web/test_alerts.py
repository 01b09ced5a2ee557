"""``/v1/alerts`` over HTTP: what is configured, what was sent, a test, and sending again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from flask.testing import FlaskClient

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.leads.outbox import delivery_id
from pequel_collector.ports import Attempted, DeliveryState, Queued
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.app import create_app
from support.described import client_of
from support.receivers import Receiver, Reply

NOW = 1_772_366_400_000  # 2026-03-01T12:00:00.000Z
ADMIN = {"Authorization": "Bearer admin"}
READ = {"Authorization": "Bearer read"}
WORK = {"Authorization": "Bearer write"}
ALERTS = """
[[alert]]
name = "sales"
on = ["qualified", "won"]
url = "%s"

[[alert]]
name = "slack"
form = "slack"
on = ["overdue"]
url_env = "PEQUEL_SLACK_URL"
"""


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().running() as running:
        yield running


@pytest.fixture
def collector(receiver: Receiver) -> Iterator[Collector]:
    settings = Settings(
        database="sqlite://", read_key="read", admin_key="admin", write_key="write",
        allow_private_alerts=1,
    )  # fmt: skip
    catalogue = read_catalogue(ALERTS % receiver.url)
    with closing(open_collector(settings, catalogue, clock=lambda: NOW)) as opened:
        yield opened


@pytest.fixture
def client(collector: Collector) -> FlaskClient:
    return client_of(create_app(collector))


def queue(collector: Collector, *rows: tuple[int, str, str]) -> None:
    with collector.store.writing() as tx:
        tx.queue_deliveries([Queued(n, alert, lead, "won", NOW, NOW) for n, alert, lead in rows])


def end(collector: Collector, change: int, state: DeliveryState, alert: str = "sales") -> None:
    with collector.store.writing() as tx:
        [claimed] = [
            each for each in tx.claim_deliveries(alert, NOW, NOW + 1, 100) if each.change == change
        ]
        attempted = Attempted(change, alert, claimed.lead, claimed.attempt)
        tx.end_delivery(attempted, state, NOW, "410 Gone")


def test_the_alerts_in_force_and_how_they_do(collector: Collector, client: FlaskClient) -> None:
    queue(collector, (1, "sales", "l1"), (2, "sales", "l2"), (3, "removed", "l1"))
    found = client.get("/v1/alerts", headers=READ).json
    assert found["next_cursor"] is None
    sales, slack, removed = found["data"]
    assert sales == {
        "name": "sales",
        "configured": True,
        "form": "webhook",
        "on": ["qualified", "won"],
        "waiting": 2,
        "oldest_waiting_at": "2026-03-01T12:00:00.000Z",
        "problem": None,
    }
    assert slack["problem"] == "the environment variable PEQUEL_SLACK_URL is not set"
    assert (removed["name"], removed["configured"], removed["waiting"]) == ("removed", False, 1)


class TestDeliveries:
    def test_they_come_in_pages_latest_first(
        self, collector: Collector, client: FlaskClient
    ) -> None:
        queue(collector, *((n, "sales", f"l{n}") for n in range(1, 6)))
        end(collector, 1, "dead")
        ids, cursor = [], ""
        while cursor is not None:
            page = client.get(f"/v1/alerts/deliveries?limit=2{cursor}", headers=READ).json
            ids += [each["lead_id"] for each in page["data"]]
            cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
        assert ids == ["l5", "l4", "l3", "l2", "l1"]
        assert page["data"][-1] == {
            "id": delivery_id(1, "sales", "l1", NOW),
            "alert": "sales",
            "type": "lead.won",
            "lead_id": "l1",
            "state": "dead",
            "attempts": 1,
            "at": "2026-03-01T12:00:00.000Z",
            "queued_at": "2026-03-01T12:00:00.000Z",
            "next_attempt_at": None,
            "ended_at": "2026-03-01T12:00:00.000Z",
            "result": "410 Gone",
        }

    @pytest.mark.parametrize(
        ("query", "leads"),
        [("alert=sales", ["l2", "l1"]), ("state=dead", ["l1"]), ("lead=l3", ["l3"])],
    )
    def test_they_can_be_filtered(
        self, collector: Collector, client: FlaskClient, query: str, leads: list[str]
    ) -> None:
        queue(collector, (1, "sales", "l1"), (2, "sales", "l2"), (3, "other", "l3"))
        end(collector, 1, "dead")
        found = client.get(f"/v1/alerts/deliveries?{query}", headers=READ).json
        assert [each["lead_id"] for each in found["data"]] == leads

    @pytest.mark.parametrize(
        "query", ["state=lost", "limit=0", "cursor=x", "nope=1", "alert=a&alert=b", "lead="]
    )
    def test_a_bad_parameter_is_named(self, client: FlaskClient, query: str) -> None:
        answer = client.get(f"/v1/alerts/deliveries?{query}", headers=READ)
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_parameter")

    def test_a_cursor_of_another_filter_is_refused(
        self, collector: Collector, client: FlaskClient
    ) -> None:
        queue(collector, (1, "sales", "l1"), (2, "sales", "l2"))
        page = client.get("/v1/alerts/deliveries?limit=1", headers=READ).json
        url = f"/v1/alerts/deliveries?state=dead&cursor={page['next_cursor']}"
        assert client.get(url, headers=READ).status_code == 400


class TestRedelivering:
    def test_a_dead_one_waits_again_and_that_is_in_the_audit_log(
        self, collector: Collector, client: FlaskClient
    ) -> None:
        queue(collector, (1, "sales", "l1"))
        end(collector, 1, "dead")
        url = f"/v1/alerts/deliveries/{delivery_id(1, 'sales', 'l1', NOW)}/redeliver"
        answer = client.post(url, headers=ADMIN)
        assert (answer.status_code, answer.json["state"]) == (200, "waiting")
        again = client.post(url, headers=ADMIN)
        assert (again.status_code, again.json["error"]["code"]) == (409, "delivery_waits")
        entry = client.get("/v1/audit", headers=ADMIN).json["data"][0]
        assert entry["what"] == "redelivered"

    @pytest.mark.parametrize("id_", ["x", "msg_1_x", "msg_99_0123456789abcdef", "msg_%00_1"])
    def test_one_that_does_not_exist(self, client: FlaskClient, id_: str) -> None:
        answer = client.post(f"/v1/alerts/deliveries/{id_}/redeliver", headers=ADMIN)
        assert (answer.status_code, answer.json["error"]["code"]) == (404, "not_found")

    @pytest.mark.parametrize("key", [READ, WORK])
    def test_it_needs_an_admin_key(self, client: FlaskClient, key: Any) -> None:
        for path in ("deliveries/x/redeliver", "sales/test"):
            answer = client.post(f"/v1/alerts/{path}", headers=key)
            assert (answer.status_code, answer.json["error"]["code"]) == (401, "wrong_key")


class TestTesting:
    def test_a_made_up_lead_is_sent_once(
        self, collector: Collector, client: FlaskClient, receiver: Receiver
    ) -> None:
        answer = client.post("/v1/alerts/sales/test", headers=ADMIN).json
        [taken] = receiver.taken
        assert answer == {
            "id": taken.id,
            "alert": "sales",
            "type": "lead.qualified",
            "outcome": "sent",
            "result": "200 OK",
        }
        assert taken.json["data"]["test"] is True
        assert client.get("/v1/alerts/deliveries", headers=READ).json["data"] == []

    def test_what_the_receiver_said_is_shown(self, client: FlaskClient, receiver: Receiver) -> None:
        receiver.behaviour = lambda _: Reply(503, body=b"not now")
        answer = client.post("/v1/alerts/sales/test", headers=ADMIN).json
        assert answer["outcome"] == "retry"
        assert answer["result"] == "503 Service Unavailable: not now"

    def test_an_alert_that_cannot_be_sent_as_it_is(self, client: FlaskClient) -> None:
        answer = client.post("/v1/alerts/slack/test", headers=ADMIN)
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "misconfigured")
        assert "PEQUEL_SLACK_URL" in answer.json["error"]["message"]

    def test_an_alert_that_does_not_exist(self, client: FlaskClient) -> None:
        answer = client.post("/v1/alerts/nope/test", headers=ADMIN)
        assert answer.status_code == 404
        assert "sales, slack" in answer.json["error"]["message"]


def test_prometheus_sees_what_waits_and_what_came_of_attempts(
    collector: Collector, client: FlaskClient
) -> None:
    queue(collector, (1, "sales", "l1"), (2, "sales", "l2"))
    with collector.store.writing() as tx:
        tx.count({"deliveries_sent": 3})
    text = client.get("/metrics").text
    assert 'pequel_alerts_waiting{alert="sales"} 2.0' in text
    assert 'pequel_alerts_waiting{alert="slack"} 0.0' in text
    assert 'pequel_alerts_oldest_seconds{alert="sales"} 0.0' in text
    assert 'pequel_alert_attempts_total{result="sent"} 3.0' in text
    assert 'pequel_alert_attempts_total{result="dead"} 0.0' in text
