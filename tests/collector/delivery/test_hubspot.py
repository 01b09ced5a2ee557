"""The form ``hubspot``, against a stand-in that answers as HubSpot is documented to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pequel_collector.delivery.crm.calls import BUDGET, Calls, Failed
from pequel_collector.delivery.crm.hubspot import HubSpotSender, failure, make
from pequel_collector.delivery.http import Answer, Http
from pequel_collector.delivery.records import (
    Delivery,
    Misconfigured,
    Refused,
    Result,
    Retry,
    Sent,
)
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.openapi.examples import LEAD
from standins.hubspot import TOKEN, HubSpot
from support.receivers import Receiver, Reply, Taken

HTTP = Http(allow_private=True, deadline=5)
DELIVERY = Delivery(
    id="msg_1_abc",
    alert="crm",
    type="lead.qualified",
    at=1_772_366_400_412,
    lead=LEAD | {"traits": {"email": "ada@acme.example", "first_name": "Ada"}},
    link="https://pequel.example.com/leads/1",
)
ALERT = """
[[alert]]
name = "crm"
form = "hubspot"
on = ["qualified", "won"]
token_env = "PEQUEL_HUBSPOT_TOKEN"
url = "{url}"
stages = {{ new = "appointmentscheduled", won = "closedwon", lost = "closedlost" }}
owners = {{ ada = "77" }}
properties = {{ firstname = "traits.first_name", pql_sentence = "evidence.sentence" }}
{more}
"""


@pytest.fixture
def hubspot() -> HubSpot:
    return HubSpot().ready()


@pytest.fixture
def receiver(hubspot: HubSpot) -> Iterator[Receiver]:
    with Receiver(hubspot).running() as running:
        yield running


def sender(receiver: Receiver, more: str = "", token: str = TOKEN) -> HubSpotSender:
    [alert] = read_catalogue(ALERT.format(url=receiver.url, more=more)).alerts
    made = make(alert.options, {"PEQUEL_HUBSPOT_TOKEN": token})
    assert isinstance(made, HubSpotSender)
    return made


def changed(event: str, **lead: Any) -> Delivery:
    return replace(DELIVERY, type=f"lead.{event}", lead={**DELIVERY.lead, **lead})


class TestTheRecords:
    def test_a_lead_becomes_a_contact_a_company_and_a_deal_that_belong_together(
        self, receiver: Receiver, hubspot: HubSpot
    ) -> None:
        result = sender(receiver).send(DELIVERY, HTTP)
        assert result == Sent("deal 1003", "hubspot:deals:1003")
        [contact], [company], [deal] = (hubspot.live(k).values() for k in hubspot.records)
        sentence = DELIVERY.lead["evidence"]["sentence"]  # type: ignore[index, call-overload]
        assert contact == {
            "hs_object_id": "1001", "email": "ada@acme.example", "firstname": "Ada",
            "pql_sentence": sentence,
        }  # fmt: skip
        assert company == {
            "hs_object_id": "1002", "name": "acme", "domain": "acme.example",
            "pequel_domain": "acme.example",
        }  # fmt: skip
        assert deal == {
            "hs_object_id": "1003", "pequel_lead_id": LEAD["id"],
            "dealname": "ada@acme.example, acme: Set up", "dealstage": "appointmentscheduled",
        }  # fmt: skip
        assert hubspot.associations == {
            ("contacts", "1001", "companies", "1002"), ("contacts", "1001", "deals", "1003"),
            ("companies", "1002", "deals", "1003"),
        }  # fmt: skip

    def test_a_company_that_the_search_knows_is_used_and_not_renamed(
        self, receiver: Receiver, hubspot: HubSpot
    ) -> None:
        known = hubspot._add("companies", {"name": "ACME Corp.", "domain": "acme.example"})
        hubspot.index()
        mapped = 'company_properties = { numberofemployees = "account_traits.employees" }'
        sender(receiver, mapped).send(DELIVERY, HTTP)
        assert hubspot.records["companies"] == {
            known: {
                "hs_object_id": known, "name": "ACME Corp.", "domain": "acme.example",
                "numberofemployees": "120",
            }
        }  # fmt: skip

    def test_two_leads_of_one_domain_share_a_company_while_the_search_lags(
        self, receiver: Receiver, hubspot: HubSpot
    ) -> None:
        sender(receiver).send(DELIVERY, HTTP)
        other = changed("qualified", id="other", traits={"email": "bob@acme.example"})
        sender(receiver).send(other, HTTP)
        assert len(hubspot.records["companies"]) == 1
        assert len(hubspot.records["contacts"]) == len(hubspot.records["deals"]) == 2

    @pytest.mark.parametrize(
        ("lead", "kinds"),
        [
            ({"traits": {"email": "ada@gmail.com"}}, ["contacts", "deals"]),
            ({"traits": {}, "account_traits": {"domain": "ACME.example"}}, ["companies", "deals"]),
            ({"traits": {}, "account_traits": None}, ["deals"]),
        ],
    )
    def test_without_an_address_or_a_domain_there_is_less(
        self, receiver: Receiver, hubspot: HubSpot, lead: dict[str, Any], kinds: list[str]
    ) -> None:
        assert isinstance(sender(receiver).send(changed("qualified", **lead), HTTP), Sent)
        assert [kind for kind, records in hubspot.records.items() if records] == kinds

    def test_companies_can_be_left_out(self, receiver: Receiver, hubspot: HubSpot) -> None:
        sender(receiver, "companies = false").send(DELIVERY, HTTP)
        assert hubspot.records["companies"] == {}

    def test_a_test_says_that_it_is_one(self, receiver: Receiver, hubspot: HubSpot) -> None:
        sender(receiver).send(replace(DELIVERY, is_test=True), HTTP)
        [deal] = hubspot.records["deals"].values()
        assert deal["dealname"].startswith("Test: ")


class TestUpdates:
    def test_a_change_of_state_moves_the_deal_and_another_one_does_not(
        self, receiver: Receiver, hubspot: HubSpot
    ) -> None:
        form = sender(receiver)
        first = form.send(DELIVERY, HTTP)
        assert isinstance(first, Sent)
        [deal] = hubspot.records["deals"].values()
        deal |= {"dealstage": "contractsent", "dealname": "as people call it"}
        form.send(replace(changed("restated"), reference=first.reference), HTTP)
        assert deal["dealstage"] == "contractsent"
        won = replace(changed("won", state="won", amount="9.50"), reference=first.reference)
        assert form.send(won, HTTP) == Sent("deal 1003", first.reference)
        assert (deal["dealstage"], deal["amount"]) == ("closedwon", "9.50")
        assert deal["dealname"] == "as people call it"

    def test_a_late_change_does_not_move_a_deal_back(
        self, receiver: Receiver, hubspot: HubSpot
    ) -> None:
        form = sender(receiver)
        first = form.send(changed("won", state="won"), HTTP)
        assert isinstance(first, Sent)
        late = replace(changed("given_back", state="won"), reference=first.reference)
        form.send(late, HTTP)
        [deal] = hubspot.records["deals"].values()
        assert deal["dealstage"] == "closedwon"

    def test_the_owner_follows_the_table_of_owners(
        self, receiver: Receiver, hubspot: HubSpot
    ) -> None:
        form = sender(receiver)
        first = form.send(changed("qualified", owner="ada"), HTTP)
        assert isinstance(first, Sent)
        [deal] = hubspot.records["deals"].values()
        assert deal["hubspot_owner_id"] == "77"
        form.send(replace(changed("assigned", owner="bob"), reference=first.reference), HTTP)
        assert deal["hubspot_owner_id"] == "77"
        form.send(replace(changed("owner_removed"), reference=first.reference), HTTP)
        assert deal["hubspot_owner_id"] == ""

    def test_a_deal_that_somebody_deleted_stays_deleted(
        self, receiver: Receiver, hubspot: HubSpot
    ) -> None:
        form = sender(receiver)
        first = form.send(DELIVERY, HTTP)
        assert isinstance(first, Sent)
        hubspot.archived.add(("deals", "1003"))
        again = form.send(replace(changed("won", state="won"), reference=first.reference), HTTP)
        assert again == Sent("deal 1003 was deleted in HubSpot, and stays deleted", first.reference)
        assert len(hubspot.records["deals"]) == 1


class TestOneRecord:
    @pytest.mark.parametrize("lost", range(7))
    def test_an_attempt_that_is_cut_off_anywhere_is_made_again_without_a_second_record(
        self, receiver: Receiver, hubspot: HubSpot, lost: int
    ) -> None:
        """HubSpot takes a request, and its answer is lost: what Pequel knows is that it failed."""
        answers = iter(range(100))

        def cut(_: Taken) -> Reply | None:
            return Reply(502, body=b"bad gateway") if next(answers) == lost else None

        hubspot.after = cut
        form = sender(receiver)
        assert isinstance(form.send(DELIVERY, HTTP), Retry)
        assert isinstance(form.send(DELIVERY, HTTP), Sent)
        assert [len(hubspot.records[kind]) for kind in hubspot.records] == [1, 1, 1]
        assert len(hubspot.associations) == 3

    def test_two_collectors_at_once_make_one_record(
        self, receiver: Receiver, hubspot: HubSpot
    ) -> None:
        results: list[Result] = []
        threads = [
            Thread(target=lambda: results.append(sender(receiver).send(DELIVERY, HTTP)))
            for _ in range(4)
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert len(set(map(str, results))) == 1
        assert [len(hubspot.records[kind]) for kind in hubspot.records] == [1, 1, 1]


class TestErrors:
    @pytest.mark.parametrize(
        ("headers", "policy", "wait"),
        [
            ({"Retry-After": "7"}, "TEN_SECONDLY_ROLLING", 7.0),
            ({}, "TEN_SECONDLY_ROLLING", 10.0),
            ({}, "SECONDLY", 1.0),
            ({}, "DAILY", 3_600.0),
        ],
    )
    def test_a_limit_is_waited_for(
        self,
        receiver: Receiver,
        hubspot: HubSpot,
        headers: dict[str, str],
        policy: str,
        wait: float,
    ) -> None:
        hubspot.limited, hubspot.limit_headers, hubspot.policy = 1, headers, policy
        result = sender(receiver).send(DELIVERY, HTTP)
        assert isinstance(result, Retry)
        assert (result.after, result.is_endpoint) == (wait, True)
        assert "limit" in result.reason

    def test_a_property_that_is_not_there_is_named(self, receiver: Receiver) -> None:
        result = sender(receiver, 'deal_properties = { colour = "title" }').send(DELIVERY, HTTP)
        assert isinstance(result, Refused)
        assert 'Property "colour" does not exist'.replace('"', '\\"') in result.reason

    def test_an_account_without_the_properties_of_the_guide_says_so(self) -> None:
        with Receiver(HubSpot()).running() as receiver:
            lead = changed("qualified", traits={}, account_traits={})
            result = sender(receiver).send(lead, HTTP)
        assert result == Refused(
            "400 VALIDATION_ERROR: Property pequel_lead_id is not a unique property"
        )

    def test_an_address_that_is_none_is_refused(self, receiver: Receiver) -> None:
        result = sender(receiver).send(changed("qualified", traits={"email": "ada@@"}), HTTP)
        assert isinstance(result, Refused)
        assert "INVALID_EMAIL" in result.reason

    def test_a_wrong_token_waits_to_be_replaced_and_is_not_shown(self, receiver: Receiver) -> None:
        result = sender(receiver, token="pat-wrong").send(DELIVERY, HTTP)
        assert isinstance(result, Retry)
        assert result.is_endpoint
        assert result.reason.startswith("401 INVALID_AUTHENTICATION")
        assert "pat-wrong" not in result.reason

    @pytest.mark.parametrize("token", ["", "two words", "täken", "a\nb"])
    def test_a_token_that_is_none_is_a_misconfiguration(
        self, receiver: Receiver, token: str
    ) -> None:
        with pytest.raises(Misconfigured, match="PEQUEL_HUBSPOT_TOKEN"):
            sender(receiver, token=token)

    @pytest.mark.parametrize(
        "body", [b"", b"<html>", b"[]", b"{}", b'{"results": []}', b'{"results": [{"id": 7}]}']
    )
    def test_an_answer_that_makes_no_sense_is_tried_again(self, body: bytes) -> None:
        with Receiver(lambda _: Reply(200, body=body)).running() as receiver:
            assert isinstance(sender(receiver).send(DELIVERY, HTTP), Retry)

    def test_a_part_of_a_batch_that_failed_is_refused(self) -> None:
        body = {"status": "COMPLETE", "results": [], "errors": [{"message": "it is wrong"}]}
        answer = Reply(207, body=json.dumps(body).encode())
        with Receiver(lambda _: answer).running() as receiver:
            assert sender(receiver).send(DELIVERY, HTTP) == Refused("contacts: it is wrong")

    def test_an_attempt_ends_in_time(self) -> None:
        times = iter([0.0, 1.0, BUDGET + 1])
        with Receiver().running() as receiver:
            calls = Calls(HTTP, receiver.url, {}, lambda: next(times))
            assert calls.call("GET", "/").is_ok
            with pytest.raises(Failed):
                calls.call("GET", "/")


@settings(max_examples=50)
@given(
    status=st.integers(300, 599),
    body=st.one_of(
        st.binary(max_size=50),
        st.builds(
            lambda category, message: json.dumps(
                {"category": category, "message": message}
            ).encode(),
            st.text(max_size=20),
            st.text(max_size=900),
        ),
    ),
    headers=st.dictionaries(st.just("retry-after"), st.text(max_size=8)),
)
def test_every_error_has_a_meaning_and_a_short_reason(
    status: int, body: bytes, headers: Mapping[str, str]
) -> None:
    result = failure(Answer(status, "", headers, body))
    assert len(result.reason) < 500
    assert isinstance(result, Refused) == (
        400 <= status < 500 and status not in (401, 403, 408, 409, 423, 429, 477)
    )
