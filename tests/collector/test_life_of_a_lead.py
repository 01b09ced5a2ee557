"""The life of a lead over HTTP: assigned, contacted, won, lost, dismissed, snoozed, expired."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from pequel_collector.marking import work
from pequel_collector.model import Lead, iso
from pequel_collector.queries import partner_reads
from pequel_collector.store.read_transaction import SqlReadTransaction
from support.sales import DAY, HOUR, MINUTE, Sales, sales, time

SET_UP = """
[[pql]]
name = "set_up"
when = { event = "project_created", distinct = "project_id", gte = 3 }
unless = ["customer"]
requalify = { after_silence = "7d" }
cooldown = "30d"
expires = "60d"
sla = "4h"
"""


@pytest.fixture
def team(store_url: str) -> Iterator[Sales]:
    with sales(SET_UP, store_url) as team:
        yield team


def qualify(team: Sales, user: str, at: int, **parts: Any) -> dict[str, Any]:
    """Sign up, and create three projects; the lead."""
    team.at(at)
    team.tell(user, "signed_up", at, **parts)
    for project in range(3):
        team.tell(user, "project_created", at, properties={"project_id": project}, **parts)
    return team.lead(user)


def subscribe(team: Sales, user: str | None, at: int, **parts: Any) -> None:
    team.tell(user, "subscribed", at, properties={"mrr": 49, "currency": "eur"}, **parts)


class TestAStory:
    def test_a_lead_is_assigned_contacted_in_time_and_won_by_the_conversion(
        self, team: Sales
    ) -> None:
        lead = qualify(team, "ada", 0)
        assert (lead["state"], lead["due_at"], lead["overdue"]) == ("new", time(4 * HOUR), False)
        team.at(HOUR)
        assert team.work(lead, owner="ben", actor="ben")["state"] == "assigned"
        team.at(2 * HOUR)
        lead = team.work(lead, contact={"channel": "email", "note": "hello"}, actor="ben")
        assert (lead["state"], lead["contacted_at"]) == ("contacted", time(2 * HOUR))
        assert lead["time_to_contact_seconds"] == 7_200
        assert lead["contacts"] == [
            {"at": time(2 * HOUR), "channel": "email", "note": "hello", "actor": "ben"}
        ]
        team.at(DAY)
        subscribe(team, "ada", DAY - HOUR)
        lead = team.lead("ada")
        assert (lead["state"], lead["won_at"]) == ("won", time(DAY - HOUR))
        assert (lead["amount"], lead["currency"], lead["self_serve"]) == ("49", "EUR", False)
        steps = [(e["what"], e["from"], e["to"], e["actor"]) for e in lead["history"]]
        assert steps == [
            ("opened", None, "new", None),
            ("assigned", "new", "assigned", "ben"),
            ("contacted", "assigned", "contacted", "ben"),
            ("won", "contacted", "won", None),
        ]
        assert team.verified() == []

    def test_who_buys_without_a_contact_is_won_by_self_serve(self, team: Sales) -> None:
        qualify(team, "eve", 0)
        subscribe(team, "eve", HOUR)
        lead = team.lead("eve")
        assert (lead["state"], lead["self_serve"]) == ("won", True)
        assert team.verified() == []

    def test_a_dismissed_lead_is_silent_during_its_cooldown(self, team: Sales) -> None:
        lead = qualify(team, "bob", 0)
        team.at(DAY)
        team.work(lead, state="dismissed", reason="a student")
        qualify(team, "bob", 20 * DAY)
        assert [each["cycle"] for each in team.get("/users/bob/pql")["leads"]] == [1]
        assert team.verified() == []
        team.at(31 * DAY)
        team.tell("bob", "project_created", 31 * DAY, properties={"project_id": "x"})
        assert team.lead("bob", cycle=2)["qualified_at"] == time(31 * DAY)
        assert team.verified() == []


class TestTransitions:
    @pytest.mark.parametrize("state", ["dismissed", "lost"])
    def test_who_gives_up_says_why(self, team: Sales, state: str) -> None:
        lead = qualify(team, "ada", 0)
        answer = team.patch(lead, state=state)
        assert (answer.status_code, answer.json["error"]["details"]) == (400, {"field": "reason"})
        assert team.work(lead, state=state, reason="no budget")["state"] == state
        assert team.lead("ada")["history"][-1]["reason"] == "no budget"

    def test_what_is_not_legal_gets_a_409_with_what_is_and_changes_nothing(
        self, team: Sales
    ) -> None:
        lead = team.work(qualify(team, "ada", 0), contact={"channel": "phone"})
        answer = team.patch(lead, state="new")
        assert answer.status_code == 409
        assert answer.json["error"]["details"] == {
            "state": "contacted",
            "allowed": ["contacted", "won", "lost", "dismissed"],
        }
        assert team.lead("ada") == lead

    def test_a_lead_is_given_back_and_reopened(self, team: Sales) -> None:
        lead = qualify(team, "ada", 0)
        assert team.work(lead, state="assigned", actor="ben")["owner"] == "ben"
        given_back = team.work(lead, state="new")
        assert (given_back["state"], given_back["owner"]) == ("new", None)
        team.work(lead, state="dismissed", reason="spam")
        assert team.work(lead, state="new")["state"] == "new"
        assert team.verified() == []

    def test_a_change_that_is_sent_again_is_made_once(self, team: Sales) -> None:
        lead, key = qualify(team, "ada", 0), {"Idempotency-Key": "k1"}
        first = team.work(lead, contact={"note": "called"}, headers=key)
        team.at(HOUR)
        assert team.work(lead, contact={"note": "called"}, headers=key) == first
        other = team.patch(lead, contact={"note": "mailed"}, headers=key)
        assert (other.status_code, other.json["error"]["code"]) == (409, "idempotency_key_reused")
        assert len(team.lead("ada")["contacts"]) == 1

    def test_people_can_change_a_lead_only_so_often(
        self, team: Sales, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(work, "MAX_CHANGES", 3)
        lead, key = qualify(team, "ada", 0), {"Idempotency-Key": "k1"}
        for _ in range(2):
            team.work(lead, contact={"note": "called"})
        last = team.work(lead, contact={"note": "called"}, headers=key)
        refused = team.patch(lead, contact={"note": "called"})
        assert (refused.status_code, refused.json["error"]["code"]) == (409, "too_many_changes")
        assert team.work(lead, contact={"note": "called"}, headers=key) == last
        assert len(team.lead("ada")["contacts"]) == 3
        assert team.work(lead, state="lost", reason="no budget")["state"] == "lost"

    def test_a_change_can_name_the_state_that_it_expects(self, team: Sales) -> None:
        lead = qualify(team, "ada", 0)
        assert team.patch(lead, owner="ben", if_state="assigned").status_code == 409
        assert team.work(lead, owner="ben", if_state="new")["owner"] == "ben"

    def test_a_change_can_name_the_tag_of_what_it_saw(self, team: Sales) -> None:
        lead = qualify(team, "ada", 0)
        seen = team.call("GET", f"/pqls/{lead['id']}").headers["ETag"]
        answer = team.patch(lead, owner="ben", headers={"If-Match": seen, "Idempotency-Key": "k"})
        assert answer.status_code == 200
        assert answer.headers["ETag"] == team.call("GET", f"/pqls/{lead['id']}").headers["ETag"]
        stale = team.patch(lead, state="won", headers={"If-Match": seen})
        assert (stale.status_code, stale.json["error"]["code"]) == (412, "stale")
        assert team.lead("ada")["state"] == "assigned"
        again = team.patch(lead, owner="ben", headers={"If-Match": seen, "Idempotency-Key": "k"})
        assert (again.status_code, again.json["state"]) == (200, "assigned")
        any_other = f'"other", {answer.headers["ETag"]}'
        for header, status in ((any_other, 200), (any_other, 412), ("*", 200)):
            answer = team.patch(lead, contact={}, headers={"If-Match": header})
            assert answer.status_code == status
        weak = team.patch(lead, contact={}, headers={"If-Match": f"W/{answer.headers['ETag']}"})
        assert weak.status_code == 412

    def test_a_read_key_may_not_change_a_lead(self, team: Sales) -> None:
        lead = qualify(team, "ada", 0)
        answer = team.call("PATCH", f"/pqls/{lead['id']}", key="read", json={"owner": "ben"})
        assert (answer.status_code, answer.json["error"]["code"]) == (401, "wrong_key")

    @pytest.mark.parametrize(
        ("body", "field", "found", "expected"),
        [
            ({"state": "open"}, "state", "the text 'open'", "one of new, assigned"),
            ({"state": 5}, "state", "the number 5", "one of new"),
            ({"owner": ""}, "owner", "the text ''", "a text of 1 to 512 characters, or null"),
            ({"owner": True}, "owner", "the truth value true", "a text"),
            ({"contact": "email"}, "contact", "the text 'email'", "an object with channel"),
            ({"contact": {"at": "soon"}}, "contact.at", "the text 'soon'", "a time in ISO 8601"),
            ({"contact": {"who": "x"}}, "contact.who", "an unknown field", "one of channel"),
            ({"snoozed_until": []}, "snoozed_until", "a list", "a time in ISO 8601"),
            ({"amount": "-5"}, "amount", "the text '-5'", "an amount such as"),
            ({"amount": "1e9"}, "amount", "the text '1e9'", "an amount such as"),
            ({"currency": "euros"}, "currency", "the text 'euros'", "three letters"),
            ({"contact": {"at": "0001-01-01"}}, "contact.at", "the text '0001-01-01'", "a time"),
            ({"snoozed_until": "1969-12-31"}, "snoozed_until", "the text '1969-12-31'", "a time"),
            ({"owner": "a\0"}, "owner", "the text 'a\\x00'", "a text without the character NUL"),
            ({"owner": "\ud800"}, "owner", "the text '\\ud800'", "a text without the character"),
            ({"colour": "red"}, "colour", "an unknown field", "one of state, owner"),
        ],
    )
    def test_a_field_that_makes_no_sense_is_named(
        self, body: dict[str, Any], field: str, found: str, expected: str
    ) -> None:
        with sales(SET_UP) as team:
            error = team.patch(qualify(team, "ada", 0), **body).json["error"]
            assert (error["code"], error["details"]["field"]) == ("bad_field", field)
            assert error["details"]["found"] == found
            assert error["details"]["expected"].startswith(expected)

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (b"", "the body is not JSON"),
            (b"{", "the body is not JSON"),
            (b"[" * 30_000, "the body is not JSON"),
            (b'{"amount": NaN}', "NaN is not a number"),
            (b'{"amount": %s}' % (b"1" * 5_000), "the body is not JSON"),
            (b"\xff", "not UTF-8"),
            (b"[]", "body: found a list, expected an object"),
            (b"null", "body: found null, expected an object"),
            (b"5", "body: found the number 5, expected an object"),
            (b"{}", "found nothing to change"),
        ],
    )
    def test_a_body_that_is_no_object_is_refused(self, text: bytes, said: str) -> None:
        with sales(SET_UP) as team:
            lead = qualify(team, "ada", 0)
            answer = team.call("PATCH", f"/pqls/{lead['id']}", data=text)
            assert answer.status_code == 400
            assert said in answer.json["error"]["message"]

    @pytest.mark.parametrize(
        ("amount", "stored"),
        [
            ("-0.0", "0"),
            ("0e-999", "0"),
            ("1200.50", "1200.5"),
            ("12e2", "1200"),
            ("1e-6", "0.000001"),
            ("1e-7", None),
            ("1e-400", None),
            ("1e400", None),
            ("1e999999999", None),
            ("1e-999999999", None),
            ("1e99999999999999999999", None),
            ("1.0000000000000000000000000000001", None),
        ],
    )
    def test_an_amount_is_taken_as_it_is_written(self, amount: str, stored: str | None) -> None:
        with sales(SET_UP) as team:
            lead = qualify(team, "ada", 0)
            body = f'{{"amount": {amount}}}'
            answer = team.call("PATCH", f"/pqls/{lead['id']}", data=body)
            assert answer.status_code == (400 if stored is None else 200)
            if stored is None:
                assert answer.json["error"]["details"]["field"] == "amount"
            else:
                assert answer.json["amount"] == stored

    def test_of_a_long_history_the_newest_entries_are_shown(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(partner_reads, "MAX_HISTORY", 3)
        with sales(SET_UP) as team:
            lead = qualify(team, "ada", 0)
            for owner in "abcd":
                team.work(lead, owner=owner)
            lead = team.lead("ada")
            assert [each["after"]["owner"] for each in lead["history"]] == ["b", "c", "d"]
            assert lead["history_total"] == 5
            assert len(team.get("/pqls/changes")["data"]) == 5


class TestTheClock:
    def test_a_lead_is_overdue_until_the_first_contact(self, team: Sales) -> None:
        lead = qualify(team, "ada", 0)
        qualify(team, "bob", HOUR)
        team.at(4 * HOUR)
        assert team.lead("ada")["overdue"]
        assert [each["subject"]["id"] for each in team.leads(overdue="true")] == ["ada"]
        assert [each["subject"]["id"] for each in team.leads(overdue="false")] == ["bob"]
        team.work(lead, contact={"channel": "phone"})
        assert team.leads(overdue="true") == []

    def test_a_snoozed_lead_is_not_overdue_until_it_wakes(self, team: Sales) -> None:
        lead = qualify(team, "ada", 0)
        snoozed = team.work(lead, snoozed_until=time(DAY))
        assert (snoozed["state"], snoozed["snoozed_until"]) == ("new", time(DAY))
        team.at(DAY - MINUTE)
        assert (team.lead("ada")["overdue"], team.leads(overdue="true")) == (False, [])
        assert [each["subject"]["id"] for each in team.leads(snoozed="true")] == ["ada"]
        assert "ada" not in [each["subject"]["id"] for each in team.leads(snoozed="false")]
        team.at(DAY)
        assert (team.lead("ada")["overdue"], len(team.leads(overdue="true"))) == (True, 1)
        assert team.leads(snoozed="true") == []
        team.work(lead, state="dismissed", reason="gone")
        assert team.patch(lead, snoozed_until=time(2 * DAY)).status_code == 409

    def test_an_expired_lead_is_picked_up_again(self, team: Sales) -> None:
        lead = qualify(team, "ada", 0)
        team.at(60 * DAY)
        assert team.lead("ada")["state"] == "expired"
        assert team.work(lead, owner="ben")["state"] == "assigned"


class TestConversions:
    def test_a_late_one_wins_at_its_own_time_whatever_people_did_meanwhile(
        self, team: Sales
    ) -> None:
        lead = qualify(team, "ada", 0)
        team.at(2 * DAY)
        team.work(lead, state="lost", reason="no answer")
        subscribe(team, "ada", DAY)
        lead = team.lead("ada")
        assert (lead["state"], lead["won_at"], lead["self_serve"]) == ("won", time(DAY), True)
        assert team.verified() == []

    def test_one_before_the_lead_qualified_voids_it_unless_somebody_worked_it(
        self, team: Sales
    ) -> None:
        lead = qualify(team, "ada", DAY)
        worked = qualify(team, "bob", DAY)
        team.work(worked, owner="ben")
        subscribe(team, "ada", HOUR)
        subscribe(team, "bob", HOUR)
        assert team.get(f"/pqls/{lead['id']}")["state"] == "voided"
        bob = team.lead("bob")
        assert (bob["state"], bob["flags"]) == ("assigned", ["restated"])
        assert team.work(bob, state="new")["state"] == "voided"
        assert team.verified() == []

    def test_what_people_won_first_keeps_its_time_and_amount(self, team: Sales) -> None:
        lead = qualify(team, "ada", 0)
        team.at(HOUR)
        team.work(lead, state="won", amount="1200.00", currency="USD")
        subscribe(team, "ada", DAY)
        won = team.lead("ada")
        assert (won["won_at"], won["amount"], won["currency"]) == (time(HOUR), "1200.00", "USD")
        assert team.verified() == []

    def test_a_late_conversion_takes_no_owner_away(self, team: Sales) -> None:
        lead = qualify(team, "ada", 0)
        team.at(2 * HOUR)
        team.work(lead, state="assigned", owner="ben")
        team.tell("ada", "subscribed", HOUR)
        won = team.lead("ada")
        assert (won["state"], won["owner"], won["self_serve"]) == ("won", "ben", True)
        assert team.verified() == []

    def test_the_conversion_of_the_account_wins_the_leads_of_who_was_in_it(
        self, team: Sales
    ) -> None:
        for user in ("ada", "bob", "eve"):
            qualify(team, user, 0, groupId="acme")
        team.tell("bob", "seen", HOUR, groupId="globex")
        subscribe(team, None, DAY, groupId="acme", anonymousId="billing")
        states = [team.lead(user)["state"] for user in ("ada", "bob", "eve")]
        assert states == ["won", "new", "won"]
        assert team.verified() == []

    def test_each_cycle_is_won_by_a_conversion_of_its_own(self, team: Sales) -> None:
        first = qualify(team, "ada", 0)
        team.at(HOUR)
        team.work(first, state="lost", reason="later")
        qualify(team, "ada", 40 * DAY)
        subscribe(team, "ada", 41 * DAY)
        assert [team.lead("ada", cycle)["state"] for cycle in (1, 2)] == ["lost", "won"]
        assert team.verified() == []


def test_more_from_a_customer_wins_upgrades(store_url: str) -> None:
    heavy = '[[pql]]\nname = "set_up"\nsubject = "account"\nkind = "upgrade"\n'
    with sales(heavy + 'when = { event = "stored" }\n', store_url) as team:
        team.tell("ada", "stored", 0, groupId="acme")
        subscribe(team, "ada", HOUR, groupId="acme")
        assert team.lead("@acme")["state"] == "new"
        team.tell("ada", "upgraded", DAY, groupId="acme", properties={"mrr": "99.50"})
        lead = team.lead("@acme")
        assert (lead["state"], lead["amount"], lead["won_at"]) == ("won", "99.50", time(DAY))
        assert team.verified() == []


class TestMerges:
    def test_what_people_did_with_either_lead_counts_for_the_one_that_lives(
        self, team: Sales
    ) -> None:
        old, own = qualify(team, "old", 0), qualify(team, "ada", HOUR)
        team.at(2 * HOUR)
        team.work(own, owner="ben")
        team.at(3 * HOUR)
        team.work(old, contact={"channel": "phone", "note": "hello"}, actor="eve")
        team.at(DAY)
        team.tell("ada", "", DAY, type="alias", previousId="old")
        lead = team.get(f"/pqls/{own['id']}")
        assert (lead["state"], lead["owner"]) == ("contacted", "ben")
        assert (lead["contacted_at"], lead["qualified_at"]) == (time(3 * HOUR), time(0))
        assert [each["note"] for each in lead["contacts"]] == ["hello"]
        assert team.verified() == []

    def test_a_change_to_the_voided_lead_reaches_the_one_that_lives(self, team: Sales) -> None:
        old, own = qualify(team, "old", 0), qualify(team, "ada", HOUR)
        team.tell("ada", "", HOUR, type="alias", previousId="old")
        assert team.work(old, state="won")["id"] == own["id"]

    def test_the_cooldown_of_either_lead_counts(self, team: Sales) -> None:
        old = qualify(team, "old", 0)
        team.at(HOUR)
        team.work(old, state="dismissed", reason="a student")
        team.tell("ada", "", HOUR, type="alias", previousId="old")
        team.at(20 * DAY)
        for project in range(3):
            team.tell("ada", "project_created", 20 * DAY, properties={"project_id": project})
        assert [each["state"] for each in team.get("/users/ada/pql")["leads"]] == ["dismissed"]
        assert team.verified() == []


class TestTheLedger:
    def test_is_read_from_where_one_stopped(self, team: Sales) -> None:
        lead = qualify(team, "ada", 0)
        first = team.get("/pqls/changes")
        assert [(each["what"], each["lead_id"]) for each in first["data"]] == [
            ("opened", lead["id"])
        ]
        nothing = team.get("/pqls/changes", after=first["next_cursor"])
        assert nothing == {"data": [], "next_cursor": first["next_cursor"]}
        team.work(lead, owner="ben", actor="eve")
        team.work(lead, state="dismissed", reason="a student")
        page = team.get("/pqls/changes", after=first["next_cursor"], limit=1)
        [entry] = page["data"]
        assert (entry["what"], entry["from"], entry["to"]) == ("assigned", "new", "assigned")
        assert (entry["actor"], entry["lead"]["state"]) == ("eve", "dismissed")
        [entry] = team.get("/pqls/changes", after=page["next_cursor"])["data"]
        assert (entry["what"], entry["reason"]) == ("dismissed", "a student")

    def test_has_no_gap_while_several_collectors_write(self, store_url: str) -> None:
        with sales(SET_UP, store_url) as one, sales(SET_UP, store_url) as other:
            leads = [qualify(one, f"u{number}", 0) for number in range(8)]
            seen, done = [], Event()

            def work(team: Sales, name: str) -> None:
                for lead in leads:
                    team.work(lead, owner=name)

            def poll() -> None:
                after = None
                while True:
                    was_done = done.is_set()
                    page = one.get("/pqls/changes", limit=3, **({"after": after} if after else {}))
                    seen.extend(page["data"])
                    after = page["next_cursor"]
                    if was_done and not page["data"]:
                        return

            with ThreadPoolExecutor(5) as threads:
                polling = threads.submit(poll)
                teams = [(one, "a"), (one, "b"), (other, "c"), (other, "d")]
                for working in [threads.submit(work, *each) for each in teams]:
                    working.result()
                done.set()
                polling.result()
            polled = [(each["lead_id"], each["at"], each["what"], each["after"]) for each in seen]
            with one.collector.store.reading() as view:
                ledger = view.changes_after(0, 100)
            assert [each.number for each in ledger] == list(range(1, 8 + 4 * 8 + 1))
            assert polled == [(e.lead, iso(e.at), e.what, e.after) for e in ledger]
            assert {each["lead_id"] for each in seen} == {lead["id"] for lead in leads}

    def test_is_read_at_once_however_many_leads_changed(self, team: Sales) -> None:
        for number in range(5):
            qualify(team, f"u{number}", 0)
        asked: list[list[str]] = []
        real = SqlReadTransaction.leads_by_id

        def leads_by_id(tx: SqlReadTransaction, ids: Collection[str]) -> dict[str, Lead]:
            asked.append(sorted(ids))
            return real(tx, ids)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(SqlReadTransaction, "leads_by_id", leads_by_id)
            found = team.get("/pqls/changes")["data"]
        assert asked == [sorted(each["lead_id"] for each in found)]
