"""Facts of an account alone, and people who leave accounts, from the wire to leads and answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.audit.compare import Difference
from pequel_collector.audit.verify import verify
from pequel_collector.config import Settings
from pequel_collector.importing.line import Line
from pequel_collector.importing.pequel import Pequel
from pequel_collector.ingest.event_log import events_of
from pequel_collector.ingest.replay_rejected import ReplayRejected
from pequel_collector.model import Message, Stored
from pequel_collector.ports import RejectedFilter
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.store import open_store
from pequel_collector.web.app import create_app
from pequel_collector.wire.junk_ids import JunkIds
from support.described import client_of

NOON = 1_772_366_400_000
READ = {"Authorization": "Bearer r"}
DEFINITIONS = """
[project]
conversion = "subscription_started"

[[pql]]
name = "billed"
subject = "account"
when = { event = "invoice_paid", gte = 2 }

[[pql]]
name = "grown"
subject = "account"
when = { trait = "seats", gte = 10 }

[[pql]]
name = "keen"
when = { event = "clicked" }
unless = ["customer"]

[[pql]]
name = "keen_team"
subject = "account"
when = { event = "clicked" }
unless = ["customer"]
"""


@pytest.fixture
def collector(store_url: str) -> Iterator[Collector]:
    settings = Settings(database=store_url, write_key="w", read_key="r", admin_key="a")
    collector = open_collector(settings, read_catalogue(DEFINITIONS), clock=lambda: NOON)
    yield collector
    found: list[Difference] = []
    verify(collector.store, lambda: NOON, found.append)
    assert found == []
    collector.close()


@pytest.fixture
def client(collector: Collector) -> FlaskClient:
    return client_of(create_app(collector))


def send(client: FlaskClient, *events: Any) -> Any:
    numbered = [{"messageId": f"m{number}", **each} for number, each in enumerate(events)]
    answer = client.post(
        "/v1/batch", data=json.dumps({"batch": numbered}), headers={"X-Write-Key": "a"}
    )
    assert answer.status_code == 200
    return answer.json


def get(client: FlaskClient, path: str) -> Any:
    return client.get(f"/v1/{path}", headers=READ).json


def track(event: str, at: int = 0, **parts: Any) -> dict[str, Any]:
    time = f"2026-03-01T11:{at:02}:00.000Z"
    return {"type": "track", "event": event, "timestamp": time, **parts}


def group(at: int = 0, **parts: Any) -> dict[str, Any]:
    return {"type": "group", "groupId": "acme", "timestamp": f"2026-03-01T11:{at:02}:00Z", **parts}


class TestAnAccountWithoutPeople:
    def test_has_leads_and_traits(self, client: FlaskClient) -> None:
        paid = [track("invoice_paid", at, groupId="acme") for at in (1, 2)]
        answer = send(client, *paid, group(3, traits={"seats": 12, "left": False}))
        opened = [(q["definition"], q["subject"], q["qualified_at"]) for q in answer["qualified"]]
        acme = {"kind": "account", "id": "acme"}
        assert sorted(opened, key=str) == [
            ("billed", acme, "2026-03-01T11:02:00.000Z"),
            ("grown", acme, "2026-03-01T11:03:00.000Z"),
        ]
        found = get(client, "accounts/acme")
        assert found["traits"] == {"seats": 12}
        assert found["event_counts"] == {"invoice_paid": 2}
        assert get(client, "accounts/acme/pql")["is_pql"] is True
        for lead in found["leads"]:
            assert get(client, f"pqls/{lead['id']}/proof")["result"] == "equal"

    def test_shows_events_without_a_person(self, client: FlaskClient) -> None:
        send(client, track("invoice_paid", groupId="acme"))
        [latest] = get(client, "events")["data"]
        assert latest == get(client, "accounts/acme/timeline")["data"][0]
        shown = [latest[name] for name in ("userId", "anonymousId", "account")]
        assert shown == [None, None, "acme"]
        assert client.get("/v1/users/acme", headers=READ).status_code == 404


class TestAConversionOfTheAccount:
    PAID = track("subscription_started", 5, groupId="acme")

    def test_makes_it_and_its_users_customers(self, client: FlaskClient) -> None:
        send(client, self.PAID, track("clicked", 6, userId="ada", groupId="acme"))
        assert get(client, "pqls")["data"] == []

    def test_that_comes_late_takes_leads_back(self, client: FlaskClient) -> None:
        clicked = track("clicked", 6, userId="ada", groupId="acme") | {"messageId": "c"}
        send(client, clicked)
        assert len(get(client, "pqls")["data"]) == 2
        send(client, self.PAID)
        assert get(client, "pqls")["data"] == []


class TestWhoLeaves:
    def test_takes_no_more_events_to_the_account(self, client: FlaskClient) -> None:
        send(client, group(1, userId="ada"), group(2, userId="ada", traits={"left": True}))
        send(client, track("clicked", 3, userId="ada") | {"messageId": "c"})
        [lead] = get(client, "pqls")["data"]
        assert (lead["definition"], lead["account"]) == ("keen", "acme")
        assert get(client, "users/ada")["account"] == "acme"
        assert get(client, "accounts/acme")["event_counts"] == {}
        assert get(client, "accounts/acme")["traits"] == {}

    def test_late_takes_a_lead_from_the_account(self, client: FlaskClient) -> None:
        send(client, group(1, userId="ada"), track("clicked", 3, userId="ada"))
        assert {lead["definition"] for lead in get(client, "pqls")["data"]} == {"keen", "keen_team"}
        send(client, group(2, userId="ada", traits={"left": True}) | {"messageId": "l"})
        assert {lead["definition"] for lead in get(client, "pqls")["data"]} == {"keen"}


class TestARejectedEvent:
    def test_of_an_account_alone_is_replayed(self, collector: Collector) -> None:
        client = client_of(create_app(collector))
        long = {"note": "x" * collector.settings.max_event}
        paid = [track("invoice_paid", at, groupId="acme", properties=long) for at in (1, 2)]
        assert len(send(client, *paid)["rejected"]) == 2
        settings = replace(collector.settings, max_event=10**6)
        replay = ReplayRejected(collector.store, collector.ingest, settings)
        assert replay.run(RejectedFilter()).stored == 2
        assert [lead["definition"] for lead in get(client, "pqls")["data"]] == ["billed"]


class TestASettingOfJunkIds:
    def test_adds_to_the_ids_that_name_nobody(self) -> None:
        settings = Settings(database="sqlite://", admin_key="a", junk_ids="test, Unit Test,")
        collector = open_collector(settings, read_catalogue(DEFINITIONS))
        ids = ["TEST", " unit test ", "null", "tester", "unit"]
        events = [track("clicked", userId=id_) for id_ in ids]
        answer = send(client_of(create_app(collector)), *events)
        assert [each["index"] for each in answer["rejected"]] == [0, 1, 2]
        assert {each["code"] for each in answer["rejected"]} == {"junk_id"}
        collector.close()

    def test_counts_in_imports(self) -> None:
        junk = JunkIds("nobody")
        line = Line(1, b'{"type":"track","userId":"Nobody","messageId":"e1","event":"x"}')
        assert json.loads(events_of(line, Pequel(), junk)[0])["anonymousId"] == "e1"
        assert events_of(line, Pequel()) == [line.text]


class TestAUserWithConflicts:
    def test_shows_the_links_that_did_not_count(self, client: FlaskClient) -> None:
        both = {"userId": "ada", "anonymousId": "phone"}
        send(client, track("seen", 1, **both), track("seen", 2, userId="bob", anonymousId="phone"))
        conflict = {
            "id": {"kind": "anonymous", "id": "phone"},
            "user_id": "bob",
            "message_id": "m1",
            "time": "2026-03-01T11:02:00.000Z",
        }
        assert get(client, "users/ada")["conflicts"] == [conflict]
        assert get(client, "users/bob")["conflicts"] == [conflict]

    def test_shows_those_of_users_who_claim_one_id(self, client: FlaskClient) -> None:
        for mid, user in (("a1", "ada"), ("a2", "bob")):
            alias = {"type": "alias", "previousId": "old", "userId": user, "messageId": mid}
            send(client, alias | {"timestamp": f"2026-03-01T11:0{mid[1]}:00Z"})
        found = get(client, "users/ada")["conflicts"]
        assert [(each["id"]["kind"], each["user_id"]) for each in found] == [
            ("anonymous", "bob"),
            ("user", "bob"),
        ]
        assert get(client, "users/old")["conflicts"] == found

    def test_is_like_others_without_any(self, client: FlaskClient) -> None:
        send(client, track("seen", 1, userId="ada", anonymousId="phone"))
        assert "conflicts" not in get(client, "users/ada")

    def test_counts_in_the_metrics(self, client: FlaskClient) -> None:
        send(client, track("a", 1, userId="ada", anonymousId="v"), track("b", userId="cy"))
        send(client, track("a", 2, userId="bob", anonymousId="v") | {"messageId": "c"})
        text = client.get("/metrics").text
        assert "\npequel_link_conflicts 1.0\n" in text
        assert "\npequel_unattributed 3.0\n" in text


def test_phones_without_an_id_are_not_one_person(client: FlaskClient) -> None:
    """Three phones whose anonymous id is the nil UUID, and a login on each."""
    nil = {"anonymousId": "00000000-0000-0000-0000-000000000000"}
    logins = [{"type": "identify", "userId": f"ios{number}", **nil} for number in range(3)]
    answer = send(client, *logins, track("clicked", **nil))
    assert [(each["index"], each["code"]) for each in answer["rejected"]] == [(3, "junk_id")]
    assert get(client, "users/ios0")["ids"] == [{"kind": "user", "id": "ios0"}]
    assert get(client, "pqls")["data"] == []


class TestManyInASealedBlock:
    def test_are_counted_once(self, store_url: str) -> None:
        """Such a fact has its account as subject and as account."""
        messages = [
            Message(f"m{at}", "track", "g:acme", at, at, name="clicked", account="acme")
            for at in range(45)
        ]
        with closing(open_store(store_url, block_size=20)) as store:
            with store.writing() as tx:
                tx.append([Stored(message, message.account) for message in messages])
            with store.reading() as view:
                assert view.counts(["g:acme"]) == {"clicked": 45}
