"""``POST /v1/hooks/{crm}``: stages and owners that a CRM writes back."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timezone
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from standardwebhooks import Webhook
from werkzeug.test import TestResponse

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.app.crm import UNKNOWN
from pequel_collector.config import Settings
from pequel_collector.marking.work import LeadChange
from pequel_collector.model import LeadPatch, Message, lead_id
from pequel_collector.ports import Attempted, DeliveryFilter, Queued
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.app import create_app
from pequel_collector.web.hooks.crm import MAX_BODY
from pequel_collector.web.hooks.hubspot import event_of
from standins.hubspot import signature
from support.described import client_of

NOW = 1_772_366_400_000  # 2026-03-01T12:00:00.000Z
SECRET = "the secret of an app"
KEY = "whsec_" + base64.b64encode(b"a secret of 24 bytes ...").decode()
LEAD = lead_id("keen", "u:ada", 1)
NO_STAGE = "it is not about the stage or the owner of a deal"
READ = {"Authorization": "Bearer read"}
TEXT = """
[[pql]]
name = "keen"
when = { event = "used" }

[[alert]]
name = "hubspot"
form = "hubspot"
on = ["qualified", "contacted", "assigned", "won", "lost", "given_back"]
token_env = "PEQUEL_HUBSPOT_TOKEN"
stages = { new = "appointmentscheduled", won = "closedwon" }

[[alert]]
name = "sales"
on = ["contacted", "won"]
url = "https://hooks.example.com/"

[crm.hubspot]
secret_env = ["HUBSPOT_SECRET", "HUBSPOT_SECRET_OLD"]
owners = { 77 = "ada", 78 = "bob" }

[crm.hubspot.stages]
appointmentscheduled = "new"
qualifiedtobuy = "contacted"
closedwon = "won"
closedlost = "lost"

[crm.salesforce]
secret_env = "SALESFORCE_SECRET"
stages = { Working = "contacted", Converted = "won" }
owners = { 005A = "ada" }

[crm.broken]
secret_env = "NOT_SET"
"""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    monkeypatch.setenv("HUBSPOT_SECRET", SECRET)
    monkeypatch.setenv("HUBSPOT_SECRET_OLD", "an older one")
    monkeypatch.setenv("SALESFORCE_SECRET", KEY)
    given = Settings(
        database="sqlite://", read_key="read", public_url="https://pequel.example.com/app/"
    )
    with closing(open_collector(given, read_catalogue(TEXT), clock=lambda: NOW)) as opened:
        opened.intake.accept(
            [
                Message(
                    mid="m1", subject="u:ada", time=NOW - 1_000, received=NOW, type="track",
                    name="used",
                )
            ]
        )  # fmt: skip
        send_all(opened)
        yield opened


@pytest.fixture
def client(collector: Collector) -> FlaskClient:
    return client_of(create_app(collector))


def send_all(collector: Collector) -> None:
    """End what waits for HubSpot as if it was written to the deal 1003."""
    with collector.store.writing() as tx:
        for claimed in tx.claim_deliveries("hubspot", NOW, NOW + 1, 100):
            attempted = Attempted(claimed.change, "hubspot", claimed.lead, claimed.attempt)
            tx.end_delivery(attempted, "sent", NOW, "deal 1003", "hubspot:deals:1003")


def event(value: Any, name: str = "dealstage", **more: Any) -> dict[str, Any]:
    return {
        "eventId": 100, "subscriptionId": 138, "portalId": 33, "appId": 1160, "objectId": 1003,
        "occurredAt": NOW - 500, "subscriptionType": "deal.propertyChange", "attemptNumber": 0,
        "propertyName": name, "propertyValue": value, "changeSource": "CRM_UI",
        "sourceId": "userId:9", **more,
    }  # fmt: skip


def hubspot(
    client: FlaskClient,
    body: Any,
    url: str = "http://localhost/v1/hooks/hubspot",
    secret: str = SECRET,
    at: int = NOW,
) -> TestResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {
        "X-HubSpot-Signature-v3": signature(secret, "POST", url, raw, str(at)),
        "X-HubSpot-Request-Timestamp": str(at),
    }
    return client.post("/v1/hooks/hubspot", data=raw, headers=headers)


def signed(
    client: FlaskClient, body: Any, crm: str = "salesforce", key: str = KEY, at: int = NOW
) -> TestResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    time = at // 1_000
    stated = Webhook(key).sign("w1", datetime.fromtimestamp(time, timezone.utc), raw.decode())
    headers = {
        "webhook-id": "w1",
        "webhook-timestamp": str(time),
        "webhook-signature": f"v1,AAAA {stated}",
    }
    return client.post(f"/v1/hooks/{crm}", data=raw, headers=headers)


def only(answer: TestResponse) -> tuple[str, str | None]:
    assert answer.status_code == 200, answer.text
    assert answer.json is not None
    [found] = answer.json["events"]
    return found["outcome"], found["reason"]


def lead(client: FlaskClient) -> Any:
    return client.get(f"/v1/pqls/{LEAD}", headers=READ).json


class TestChanges:
    def test_a_stage_becomes_a_transition_with_the_crm_as_actor(self, client: FlaskClient) -> None:
        answer = hubspot(client, [event("qualifiedtobuy")])
        assert answer.json == {
            "events": [
                {"id": f"100.138.1003.{NOW - 500}.dealstage", "outcome": "changed",
                 "reason": None, "lead_id": LEAD}
            ]
        }  # fmt: skip
        found = lead(client)
        assert found["state"] == "contacted"
        assert found["history"][-1]["actor"] == "crm:hubspot"
        assert found["history"][-1]["reason"] == "changed in hubspot: qualifiedtobuy"

    def test_an_owner_is_taken_and_taken_away(self, client: FlaskClient) -> None:
        assert only(hubspot(client, [event("78", "hubspot_owner_id")])) == ("changed", None)
        assert (lead(client)["owner"], lead(client)["state"]) == ("bob", "assigned")
        gone = event("", "hubspot_owner_id", eventId=101, occurredAt=NOW - 400)
        assert only(hubspot(client, [gone])) == ("changed", None)
        assert lead(client)["owner"] is None

    def test_the_new_form_of_events_is_understood(self, client: FlaskClient) -> None:
        new = event("closedwon", subscriptionType="object.propertyChange", objectTypeId="0-3")
        assert only(hubspot(client, [new])) == ("changed", None)
        other = event("closedwon", subscriptionType="object.propertyChange", objectTypeId="0-1")
        assert only(hubspot(client, [other]))[0] == "ignored"

    def test_salesforce_names_the_lead_by_its_id(self, client: FlaskClient) -> None:
        body = {
            "id": "e1",
            "lead": LEAD,
            "at": "2026-03-01T11:59:59Z",
            "stage": "Working",
            "owner": "005A",
        }
        assert only(signed(client, body)) == ("changed", None)
        found = lead(client)
        assert (found["state"], found["owner"]) == ("contacted", "ada")
        assert found["history"][-1]["actor"] == "crm:salesforce"

    def test_a_lead_is_also_found_by_the_record_that_an_alert_has_written(
        self, client: FlaskClient, collector: Collector
    ) -> None:
        with collector.store.writing() as tx:
            tx.queue_deliveries([Queued(7, "salesforce", LEAD, "won", NOW, NOW)])
            tx.claim_deliveries("salesforce", NOW, NOW + 1, 1)
            attempted = Attempted(7, "salesforce", LEAD, 1)
            tx.end_delivery(attempted, "sent", NOW, "Lead 00Q7", "salesforce:00Q7")
        body = {"id": "e1", "record": "00Q7", "at": "2026-03-01T11:59:59Z", "stage": "Converted"}
        assert only(signed(client, body)) == ("changed", None)
        assert lead(client)["state"] == "won"


class TestOnce:
    def test_an_event_that_is_sent_again_changes_nothing(self, client: FlaskClient) -> None:
        hubspot(client, [event("qualifiedtobuy")])
        hubspot(client, [event("closedlost", eventId=101, occurredAt=NOW - 400)])
        again = hubspot(client, [event("qualifiedtobuy", attemptNumber=3)])
        assert only(again) == ("unchanged", "this event was taken before")
        assert lead(client)["state"] == "lost"

    def test_events_in_another_order_end_as_the_latest_says(self, client: FlaskClient) -> None:
        late = event("78", "hubspot_owner_id", eventId=102, occurredAt=NOW - 10)
        early = event("77", "hubspot_owner_id", eventId=101, occurredAt=NOW - 20)
        assert only(hubspot(client, [late])) == ("changed", None)
        assert only(hubspot(client, [early])) == ("ignored", "a later change of the CRM is known")
        assert lead(client)["owner"] == "bob"

    def test_within_a_request_the_earliest_comes_first(self, client: FlaskClient) -> None:
        events = [
            event("closedwon", eventId=102, occurredAt=NOW - 10),
            event("qualifiedtobuy", eventId=101, occurredAt=NOW - 20),
        ]
        answer = hubspot(client, events)
        assert [each["outcome"] for each in answer.json["events"]] == ["changed", "changed"]
        assert [e["what"] for e in lead(client)["history"]] == ["opened", "contacted", "won"]

    def test_a_time_in_the_future_does_not_shut_later_events_out(self, client: FlaskClient) -> None:
        hubspot(client, [event("77", "hubspot_owner_id", occurredAt=NOW + 10**9)])
        after = event("78", "hubspot_owner_id", eventId=101, occurredAt=NOW)
        assert only(hubspot(client, [after])) == ("changed", None)


class TestNoLoop:
    def test_what_the_crm_has_changed_is_not_sent_back_to_it(
        self, client: FlaskClient, collector: Collector
    ) -> None:
        hubspot(client, [event("qualifiedtobuy")])
        with collector.store.reading() as view:
            waiting = view.deliveries(DeliveryFilter(state="waiting"), 100)
        assert [(each.alert, each.event) for each in waiting] == [("sales", "contacted")]

    def test_another_crm_and_people_are_sent(
        self, client: FlaskClient, collector: Collector
    ) -> None:
        body = {"id": "e1", "lead": LEAD, "at": "2026-03-01T11:59:59Z", "stage": "Working"}
        signed(client, body)
        collector.intake.change(LEAD, LeadChange(LeadPatch(state="won"), actor="ada"))
        with collector.store.reading() as view:
            waiting = view.deliveries(DeliveryFilter("hubspot", "waiting"), 100)
        assert [each.event for each in waiting] == ["won", "contacted"]

    def test_the_echo_of_our_own_app_is_ignored(self, client: FlaskClient) -> None:
        echo = event("closedwon", changeSource="INTEGRATION", sourceId="1160")
        assert only(hubspot(client, [echo])) == ("ignored", "the app has made this change itself")
        other = event("closedwon", changeSource="INTEGRATION", sourceId="7")
        assert only(hubspot(client, [other])) == ("changed", None)

    def test_an_echo_without_a_source_changes_nothing(self, client: FlaskClient) -> None:
        assert only(hubspot(client, [event("appointmentscheduled", sourceId=None)])) == (
            "unchanged",
            "the lead is like this already",
        )


class TestWhatIsNoError:
    @pytest.mark.parametrize(
        ("given", "reason"),
        [
            (event("closedwon", objectId=9), UNKNOWN),
            (event("contractsent"), "[crm.hubspot] has no state for the stage"),
            (event("99", "hubspot_owner_id"), "[crm.hubspot] has no entry for the owner"),
            (event("1", "amount"), NO_STAGE),
            (event("closedwon", subscriptionType="deal.creation"), NO_STAGE),
            (event("x", objectId=None), "objectId: found something else than a number"),
            (event("x", occurredAt="now"), "occurredAt: found something else than a time"),
            (event(7), "propertyValue: found something else than a text"),
            (7, "found something else than an object"),
        ],
    )
    def test_an_event_that_changes_nothing_says_why(
        self, client: FlaskClient, given: Any, reason: str
    ) -> None:
        assert only(hubspot(client, [given])) == ("ignored", reason)
        assert lead(client)["state"] == "new"

    def test_an_illegal_transition_is_refused_with_the_reason(self, client: FlaskClient) -> None:
        hubspot(client, [event("closedwon")])
        back = event("qualifiedtobuy", eventId=101, occurredAt=NOW - 400)
        assert only(hubspot(client, [back])) == (
            "refused",
            "a lead that is won cannot become contacted",
        )

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"id": ""}, "id: expected a text of 1 to 512 characters"),
            ({"lead": "no such"}, "lead: expected the id of a lead"),
            ({"lead": None}, "expected the id of a lead, or of a record"),
            ({"at": 7}, "at: expected a time in ISO 8601"),
            ({"stage": 7}, "stage and owner: expected a text"),
            ({"stage": None}, "stage and owner: expected a text"),
            ({"lead": "abcdef"}, UNKNOWN),
            ({"lead": None, "record": "00Q1"}, UNKNOWN),
        ],
    )
    def test_the_same_for_every_other_crm(
        self, client: FlaskClient, change: dict[str, Any], reason: str
    ) -> None:
        body = {"id": "e1", "lead": LEAD, "at": "2026-03-01T11:59:59Z", "stage": "Working"}
        assert only(signed(client, body | change)) == ("ignored", reason)

    def test_what_became_of_events_is_counted(self, client: FlaskClient) -> None:
        hubspot(client, [event("closedwon"), event("closedwon", objectId=9)])
        text = client.get("/metrics", headers=READ).text
        assert 'pequel_crm_events_total{crm="hubspot",outcome="changed"} 1.0' in text
        assert 'pequel_crm_events_total{crm="hubspot",outcome="ignored"} 1.0' in text
        assert 'pequel_crm_events_total{crm="broken",outcome="refused"} 0.0' in text


class TestWhoMaySend:
    @pytest.mark.parametrize(
        "url",
        ["http://localhost/v1/hooks/hubspot", "https://pequel.example.com/app/v1/hooks/hubspot"],
    )
    @pytest.mark.parametrize("secret", [SECRET, "an older one"])
    def test_each_secret_and_each_of_our_urls_will_do(
        self, client: FlaskClient, url: str, secret: str
    ) -> None:
        assert hubspot(client, [event("closedwon")], url, secret).status_code == 200

    @pytest.mark.parametrize(
        "wrong",
        [
            {"secret": "another"},
            {"url": "https://evil.example.com/v1/hooks/hubspot"},
            {"at": NOW - 300_001},
            {"at": NOW + 300_001},
        ],
    )
    def test_another_signature_is_refused(self, client: FlaskClient, wrong: dict[str, Any]) -> None:
        assert hubspot(client, [event("closedwon")], **wrong).status_code == 401
        assert lead(client)["state"] == "new"

    def test_a_changed_body_is_refused(self, client: FlaskClient) -> None:
        raw = json.dumps([event("closedwon")]).encode()
        stated = signature(SECRET, "POST", "http://localhost/v1/hooks/hubspot", raw, str(NOW))
        headers = {"X-HubSpot-Signature-v3": stated, "X-HubSpot-Request-Timestamp": str(NOW)}
        changed = raw.replace(b"1003", b"1004")
        assert client.post("/v1/hooks/hubspot", data=changed, headers=headers).status_code == 401

    @pytest.mark.parametrize("wrong", [{"at": NOW - 301_000}, {"key": "whsec_" + 32 * "A"}])
    def test_the_same_for_every_other_crm(self, client: FlaskClient, wrong: dict[str, Any]) -> None:
        assert signed(client, {}, **wrong).status_code == 401

    @pytest.mark.parametrize("crm", ["hubspot", "salesforce"])
    def test_without_a_signature_it_is_refused(self, client: FlaskClient, crm: str) -> None:
        assert client.post(f"/v1/hooks/{crm}", json=[]).status_code == 401

    def test_a_crm_that_is_not_configured_is_not_found(self, client: FlaskClient) -> None:
        answer = signed(client, {}, "pipedrive")
        assert answer.status_code == 404
        assert answer.json["error"]["message"] == "the definitions have no [crm.pipedrive]"

    def test_a_secret_that_is_not_set_is_said_and_sent_again(self, client: FlaskClient) -> None:
        answer = signed(client, {}, "broken")
        assert answer.status_code == 503
        assert "NOT_SET is not set" in answer.text

    @pytest.mark.parametrize("body", [b"", b"{", b"[", b"nope", 2_000 * b"[", b"1e999"])
    def test_a_signed_body_that_is_no_json_is_an_error(
        self, client: FlaskClient, body: bytes
    ) -> None:
        assert hubspot(client, body).status_code == 400

    def test_large_requests_are_refused(self, client: FlaskClient) -> None:
        assert hubspot(client, [event("x")] * 101).status_code == 413
        assert hubspot(client, b" " * (MAX_BODY + 1)).status_code == 413


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3),
        max_leaves=5,
    ),
    st.sampled_from(["eventId", "objectId", "occurredAt", "propertyName", "propertyValue",
                     "subscriptionType", "sourceId", "appId", "changeSource"]),
)  # fmt: skip
@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_whatever_hubspot_sends_is_answered(client: FlaskClient, value: Any, name: str) -> None:
    assert hubspot(client, [event("closedwon") | {name: value}]).status_code == 200


def test_an_event_with_deep_lists_is_an_event_like_others() -> None:
    """As deep as the decoder allows, a list has no text: writing it would go deeper."""
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    found = event_of(event("x", eventId=deep, objectId=deep), 0)
    assert found.skipped == "objectId: found something else than a number"
    assert ".list." in found.id
    while deep:  # else freeing it goes as deep
        [deep] = deep
