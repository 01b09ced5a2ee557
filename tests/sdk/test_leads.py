"""`Leads` makes each change once, says what a lead allows, and follows the ledger."""

import json
import subprocess
import sys
from datetime import datetime, timedelta, timezone
from decimal import Decimal

import pytest
import requests
import responses

import pequel

HOST = "http://collector.test"
LEAD = {"id": "l1", "state": "new", "history": [], "contacts": []}
PATH = f"{HOST}/v1/pqls/l1"
CONFLICT = {
    "error": {
        "code": "conflict",
        "message": "a lead that is contacted cannot become new",
        "details": {"state": "contacted", "allowed": ["won", "lost"]},
    }
}


@pytest.fixture
def http():
    with responses.RequestsMock() as mocked:
        yield mocked


@pytest.fixture
def leads(clock):
    return pequel.Leads("key", HOST, clock=clock, jitter=lambda: 1.0)


def sent(http):
    return [json.loads(call.request.body) for call in http.calls]


def keys(http):
    return [call.request.headers["Idempotency-Key"] for call in http.calls]


class TestAChange:
    @pytest.mark.parametrize(
        ("change", "body"),
        [
            (lambda of: of.assign("l1", "ben"), {"state": "assigned", "owner": "ben"}),
            (lambda of: of.assign("l1"), {"state": "assigned"}),
            (lambda of: of.contact("l1"), {"contact": {}}),
            (
                lambda of: of.contact(
                    "l1", "email", "hello", datetime(2026, 3, 1, tzinfo=timezone.utc)
                ),
                {
                    "contact": {
                        "channel": "email",
                        "note": "hello",
                        "at": "2026-03-01T00:00:00.000Z",
                    }
                },
            ),
            (lambda of: of.snooze("l1", "2026-03-01"), {"snoozed_until": "2026-03-01"}),
            (lambda of: of.wake("l1"), {"snoozed_until": None}),
            (lambda of: of.dismiss("l1", "no"), {"state": "dismissed", "reason": "no"}),
            (
                lambda of: of.win("l1", Decimal("1.2E+3"), "EUR"),
                {"state": "won", "amount": "1200", "currency": "EUR"},
            ),
            (lambda of: of.win("l1", "1200.00"), {"state": "won", "amount": "1200.00"}),
            (lambda of: of.lose("l1", "no"), {"state": "lost", "reason": "no"}),
            (
                lambda of: of.reopen("l1", actor="eve", if_state="dismissed"),
                {"state": "new", "actor": "eve", "if_state": "dismissed"},
            ),
        ],
    )
    def test_sends_what_the_api_takes(self, http, leads, change, body):
        http.patch(PATH, json=LEAD)
        assert change(leads) == LEAD
        assert sent(http) == [body]
        assert http.calls[0].request.headers["Authorization"] == "Bearer key"

    def test_snoozes_for_a_time_from_now(self, http, leads, clock):
        http.patch(PATH, json=LEAD)
        leads.snooze("l1", timedelta(days=3))
        [body] = sent(http)
        until = datetime.fromisoformat(body["snoozed_until"].replace("Z", "+00:00"))
        assert until.timestamp() * 1000 == pytest.approx(clock.now_ms() + 3 * 86_400_000, abs=1)

    @pytest.mark.parametrize("failure", [500, 502, 503, 429, requests.ConnectionError("gone")])
    def test_that_fails_is_sent_again_under_one_key(self, http, leads, failure):
        if isinstance(failure, int):
            http.patch(PATH, status=failure, json={})
        else:
            http.patch(PATH, body=failure)
        http.patch(PATH, json=LEAD)
        assert leads.assign("l1", "ben") == LEAD
        assert len(keys(http)) == 2
        assert len(set(keys(http))) == 1

    def test_has_a_key_of_its_own(self, http, leads):
        http.patch(PATH, json=LEAD)
        leads.contact("l1")
        leads.contact("l1")
        assert len(set(keys(http))) == 2

    def test_that_is_not_allowed_says_what_is(self, http, leads):
        http.patch(PATH, json=CONFLICT, status=409)
        with pytest.raises(pequel.ConflictError, match="cannot become new") as caught:
            leads.reopen("l1")
        assert caught.value.state == "contacted"
        assert caught.value.allowed == ["won", "lost"]
        assert len(http.calls) == 1

    @pytest.mark.parametrize("lead_id", ["", " ", None, 7])
    def test_needs_an_id(self, leads, lead_id):
        with pytest.raises(pequel.ReaderError, match="bad_id"):
            leads.dismiss(lead_id, "no")

    def test_of_an_odd_id_stays_below_the_leads(self, http, leads):
        http.patch(f"{HOST}/v1/pqls/%2E%2E%2Fusers", json=LEAD)
        leads.contact("../users")


class TestAClaim:
    def test_is_posted_and_sent_again_with_its_key(self, http, leads):
        for status in (500, 200):
            http.post(f"{PATH}/claim", json=LEAD if status == 200 else {}, status=status)
        assert leads.claim("l1", "north", actor="eva") == LEAD
        assert [json.loads(call.request.body) for call in http.calls] == 2 * [
            {"partner": "north", "actor": "eva"}
        ]
        assert len(set(keys(http))) == 1


class TestLists:
    def test_takes_the_filters_of_the_reader(self, http, leads):
        http.get(f"{HOST}/v1/pqls", json={"data": [LEAD], "next_cursor": None})
        assert list(leads.list(overdue=True, owner="ben")) == [LEAD]
        assert list(leads) == [LEAD]
        assert http.calls[0].request.params == {"overdue": "true", "owner": "ben", "limit": "100"}

    def test_gets_one_lead(self, http, leads):
        http.get(PATH, json=LEAD)
        assert leads.get("l1") == LEAD


class TestTheLedger:
    def test_is_read_to_its_end_and_its_cursor_goes_on_from_there(self, http, leads):
        for number, size in ((1, 2), (3, 1)):
            data = [{"lead_id": f"l{number + i}"} for i in range(size)]
            page = {"data": data, "next_cursor": f"c{number}"}
            http.get(f"{HOST}/v1/pqls/changes", json=page)
        changes = leads.changes("c0", page_size=2)
        assert [each["lead_id"] for each in changes] == ["l1", "l2", "l3"]
        assert [call.request.params["after"] for call in http.calls] == ["c0", "c1"]
        assert changes.cursor == "c3"

    def test_of_a_page_that_was_not_handled_comes_again(self, http, leads):
        page = {"data": [{"lead_id": "l1"}, {"lead_id": "l2"}], "next_cursor": "c1"}
        http.get(f"{HOST}/v1/pqls/changes", json=page)
        changes = leads.changes(page_size=2)
        assert next(iter(changes))["lead_id"] == "l1"
        assert changes.cursor is None


class TestTheKey:
    def test_comes_from_the_environment(self, http, monkeypatch):
        monkeypatch.setenv("PEQUEL_WORK_KEY", "from-env")
        http.get(PATH, json=LEAD)
        pequel.Leads(host=HOST).get("l1")
        assert http.calls[0].request.headers["Authorization"] == "Bearer from-env"

    def test_is_needed(self, monkeypatch):
        monkeypatch.delenv("PEQUEL_WORK_KEY", raising=False)
        with pytest.raises(pequel.ConfigError, match="pass work_key, or set PEQUEL_WORK_KEY"):
            pequel.Leads(host=HOST)


def test_to_name_leads_does_not_import_requests():
    code = "import pequel, sys; pequel.Leads; sys.exit('requests' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
