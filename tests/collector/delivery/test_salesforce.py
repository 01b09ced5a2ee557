"""The form ``salesforce``, against a stand-in that answers as Salesforce is documented to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from threading import Thread
from typing import Any

import pytest

from pequel_collector.delivery.crm.salesforce import SalesforceSender, make
from pequel_collector.delivery.http import Http
from pequel_collector.delivery.records import (
    Delivery,
    Misconfigured,
    Refused,
    Result,
    Retry,
    Sent,
)
from pequel_collector.errors import DefinitionError
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.openapi.examples import LEAD
from standins.salesforce import CLIENT, REFRESH, SECRET, Salesforce
from support.receivers import Receiver, Reply, Taken

HTTP = Http(allow_private=True, deadline=5)
ENVIRONMENT = {"SF_ID": CLIENT, "SF_SECRET": SECRET, "SF_REFRESH": REFRESH}
DELIVERY = Delivery(
    id="msg_1_abc",
    alert="crm",
    type="lead.qualified",
    at=1_772_366_400_412,
    lead=LEAD | {"traits": {"email": "ada@acme.example", "name": "Ada Lovelace"}},
)
ALERT = """
[[alert]]
name = "crm"
form = "salesforce"
on = ["qualified", "won"]
url = "{url}"
client_id_env = "SF_ID"
client_secret_env = "SF_SECRET"
owners = {{ ada = "005A" }}
stages = {{ new = "Open - Not Contacted", contacted = "Working - Contacted" }}
{more}
"""
PROPERTIES = 'properties = { Description = "evidence.sentence", LeadSource = { text = "Product" } }'


@pytest.fixture
def salesforce() -> Salesforce:
    return Salesforce()


@pytest.fixture
def receiver(salesforce: Salesforce) -> Iterator[Receiver]:
    with Receiver(salesforce).running() as running:
        yield running


def sender(receiver: Receiver, more: str = "", **variables: str) -> SalesforceSender:
    [alert] = read_catalogue(ALERT.format(url=receiver.url, more=more)).alerts
    made = make(alert.options, {**ENVIRONMENT, **variables})
    assert isinstance(made, SalesforceSender)
    return made


def changed(event: str, **lead: Any) -> Delivery:
    return replace(DELIVERY, type=f"lead.{event}", lead={**DELIVERY.lead, **lead})


class TestTheRecords:
    def test_a_lead_is_written_under_its_own_id(
        self, receiver: Receiver, salesforce: Salesforce
    ) -> None:
        result = sender(receiver, PROPERTIES).send(DELIVERY, HTTP)
        [(record, fields)] = salesforce.records["Lead"].items()
        assert result == Sent(f"Lead {record}", f"salesforce:{record}")
        sentence = LEAD["evidence"]["sentence"]  # type: ignore[index, call-overload]
        assert fields == {
            "Pequel_Id__c": LEAD["id"],  # type: ignore[index, call-overload]
            "LastName": "Ada Lovelace", "Email": "ada@acme.example", "Company": "acme",
            "Status": "Open - Not Contacted", "Description": sentence, "LeadSource": "Product",
        }  # fmt: skip

    def test_what_salesforce_requires_is_always_there(
        self, receiver: Receiver, salesforce: Salesforce
    ) -> None:
        lead = changed("qualified", traits={}, account=None, account_traits=None)
        assert isinstance(sender(receiver).send(lead, HTTP), Sent)
        [fields] = salesforce.records["Lead"].values()
        assert (fields["LastName"], fields["Company"]) == ("u1", "unknown")

    def test_contacts_belong_to_their_account_and_are_one_for_each_user(
        self, receiver: Receiver, salesforce: Salesforce
    ) -> None:
        more = """
            object = "Contact"
            account_properties = { NumberOfEmployees = "account_traits.employees" }
        """
        form = sender(receiver, more)
        assert isinstance(form.send(DELIVERY, HTTP), Sent)
        assert isinstance(form.send(changed("qualified", id="other"), HTTP), Sent)
        [(account, of_account)] = salesforce.records["Account"].items()
        assert of_account == {
            "Name": "acme",
            "NumberOfEmployees": 120,
            "Pequel_Account_Id__c": "acme",
        }
        [contact] = salesforce.records["Contact"].values()
        assert (contact["AccountId"], contact["Pequel_Id__c"]) == (account, "u1")
        assert salesforce.records["Lead"] == {}

    def test_the_lead_of_an_account_is_an_account(
        self, receiver: Receiver, salesforce: Salesforce
    ) -> None:
        form = sender(receiver, 'object = "Contact"')
        lead = changed("qualified", subject={"kind": "account", "id": "a/b ü"}, account=None)
        first = form.send(lead, HTTP)
        assert isinstance(first, Sent)
        [account] = salesforce.records["Account"].values()
        assert account["Pequel_Account_Id__c"] == "a/b ü"
        again = replace(lead, type="lead.won", reference=first.reference)
        assert isinstance(form.send(again, HTTP), Sent)

    def test_a_test_says_that_it_is_one(self, receiver: Receiver, salesforce: Salesforce) -> None:
        sender(receiver).send(replace(DELIVERY, is_test=True), HTTP)
        [fields] = salesforce.records["Lead"].values()
        assert fields["LastName"] == "Test: Ada Lovelace"


class TestUpdates:
    def test_a_change_of_state_sets_the_stage_and_another_one_does_not(
        self, receiver: Receiver, salesforce: Salesforce
    ) -> None:
        form = sender(receiver)
        first = form.send(DELIVERY, HTTP)
        assert isinstance(first, Sent)
        [fields] = salesforce.records["Lead"].values()
        contacted = replace(changed("contacted", state="contacted"), reference=first.reference)
        assert isinstance(form.send(contacted, HTTP), Sent)
        assert fields["Status"] == "Working - Contacted"
        fields |= {"Status": "as people set it", "LastName": "as people call it"}
        owned = replace(changed("assigned", owner="ada"), reference=first.reference)
        assert isinstance(form.send(owned, HTTP), Sent)
        assert (fields["Status"], fields["OwnerId"]) == ("as people set it", "005A")
        assert fields["LastName"] == "as people call it"

    @pytest.mark.parametrize(
        ("where", "said"), [("deleted", "stays deleted"), ("converted", "stays as it is")]
    )
    def test_a_record_that_is_deleted_or_converted_is_left_alone(
        self, receiver: Receiver, salesforce: Salesforce, where: str, said: str
    ) -> None:
        form = sender(receiver)
        first = form.send(DELIVERY, HTTP)
        assert isinstance(first, Sent)
        getattr(salesforce, where).update(salesforce.records["Lead"])
        again = form.send(replace(changed("won"), reference=first.reference), HTTP)
        assert isinstance(again, Sent)
        assert said in again.detail
        assert again.reference == first.reference
        assert len(salesforce.records["Lead"]) == 1


class TestOneRecord:
    @pytest.mark.parametrize("lost", range(3))
    def test_an_attempt_whose_answer_is_lost_is_made_again_without_a_second_record(
        self, receiver: Receiver, salesforce: Salesforce, lost: int
    ) -> None:
        answers = iter(range(100))

        def cut(_: Taken) -> Reply | None:
            return Reply(502) if next(answers) == lost else None

        salesforce.after = cut
        form = sender(receiver, 'object = "Contact"')
        assert isinstance(form.send(DELIVERY, HTTP), Retry)
        assert isinstance(form.send(DELIVERY, HTTP), Sent)
        assert [len(each) for each in salesforce.records.values()] == [0, 1, 1]

    def test_several_at_once_make_one_record(
        self, receiver: Receiver, salesforce: Salesforce
    ) -> None:
        form, results = sender(receiver), list[Result]()
        threads = [
            Thread(target=lambda: results.append(form.send(DELIVERY, HTTP))) for _ in range(4)
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        assert len(set(map(str, results))) == 1
        assert len(salesforce.records["Lead"]) == salesforce.logins == 1


class TestLogin:
    def test_a_session_that_has_ended_is_replaced_at_once(
        self, receiver: Receiver, salesforce: Salesforce
    ) -> None:
        form = sender(receiver)
        form.send(DELIVERY, HTTP)
        salesforce.tokens.clear()
        assert isinstance(form.send(changed("qualified", id="other", traits={}), HTTP), Sent)
        assert salesforce.logins == 2

    def test_a_session_that_is_never_good_is_tried_again_later(
        self, receiver: Receiver, salesforce: Salesforce
    ) -> None:
        salesforce.after = lambda taken: (
            Reply(401, body=b'[{"errorCode": "INVALID_SESSION_ID", "message": "no"}]')
            if "sobjects" in taken.path
            else None
        )
        assert sender(receiver).send(DELIVERY, HTTP) == Retry(
            "401 INVALID_SESSION_ID: no", is_endpoint=True
        )
        assert salesforce.logins == 2

    def test_a_refresh_token_is_used_if_there_is_one(
        self, receiver: Receiver, salesforce: Salesforce
    ) -> None:
        more = 'refresh_token_env = "SF_REFRESH"'
        assert isinstance(sender(receiver, more).send(DELIVERY, HTTP), Sent)
        result = sender(receiver, more, SF_REFRESH="wrong").send(DELIVERY, HTTP)
        said = "login: 400 invalid_grant: expired access/refresh token"
        assert result == Retry(said, is_endpoint=True)

    def test_wrong_credentials_wait_to_be_replaced_and_are_not_shown(
        self, receiver: Receiver
    ) -> None:
        result = sender(receiver, SF_SECRET="a wrong one").send(DELIVERY, HTTP)
        said = "login: 400 invalid_client: invalid client credentials"
        assert result == Retry(said, is_endpoint=True)

    @pytest.mark.parametrize("name", ["SF_ID", "SF_SECRET"])
    def test_a_variable_that_is_not_set_is_a_misconfiguration(
        self, receiver: Receiver, name: str
    ) -> None:
        with pytest.raises(Misconfigured, match=name):
            sender(receiver, **{name: ""})

    @pytest.mark.parametrize("body", [b"", b"[]", b'{"access_token": 7}', b"<html>token</html>"])
    def test_an_answer_without_a_token_is_tried_again(self, body: bytes) -> None:
        with Receiver(lambda _: Reply(200, body=body)).running() as receiver:
            result = sender(receiver).send(DELIVERY, HTTP)
        assert isinstance(result, Retry)
        assert "token" not in result.reason


class TestErrors:
    def test_a_duplicate_rule_names_the_record_and_can_be_passed(
        self, receiver: Receiver, salesforce: Salesforce
    ) -> None:
        sender(receiver).send(DELIVERY, HTTP)
        [known] = salesforce.records["Lead"]
        other = changed("qualified", id="other")
        assert sender(receiver).send(other, HTTP) == Refused(
            f"400 DUPLICATES_DETECTED: Use one of these records?; it is {known}"
        )
        assert isinstance(sender(receiver, "allow_duplicates = true").send(other, HTTP), Sent)

    def test_the_limit_of_a_day_is_waited_for(
        self, receiver: Receiver, salesforce: Salesforce
    ) -> None:
        salesforce.limited = 1
        said = "403 REQUEST_LIMIT_EXCEEDED: TotalRequests Limit exceeded."
        assert sender(receiver).send(DELIVERY, HTTP) == Retry(said, 3_600.0, is_endpoint=True)

    def test_a_record_that_is_locked_is_tried_again(
        self, receiver: Receiver, salesforce: Salesforce
    ) -> None:
        salesforce.locked = 1
        result = sender(receiver).send(DELIVERY, HTTP)
        assert isinstance(result, Retry)
        assert not result.is_endpoint

    @pytest.mark.parametrize(
        ("more", "lead", "said"),
        [
            ('properties = { Colour__c = "title" }', {}, "400 INVALID_FIELD: No such column"),
            ('id_field = "Other__c"', {}, "404 NOT_FOUND: Provided external ID field"),
            ("", {"traits": {"email": "a@b"}}, "INVALID_EMAIL_ADDRESS: Email: invalid email"),
            ("", {"traits": {"name": 81 * "x"}}, "STRING_TOO_LONG: LastName: data value too large"),
            ('properties = { Status = { text = "odd" } }\nstage_field = "Description"', {},
             "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"),
            ('properties = { Company = "traits.none" }', {},
             "REQUIRED_FIELD_MISSING: Required fields are missing: [Company] (Company)"),
        ],
    )  # fmt: skip
    def test_what_salesforce_does_not_take_is_refused_with_its_message(
        self, receiver: Receiver, more: str, lead: dict[str, Any], said: str
    ) -> None:
        result = sender(receiver, more).send(changed("qualified", **lead), HTTP)
        assert isinstance(result, Refused)
        assert said in result.reason

    def test_an_external_id_that_is_not_unique_is_refused(self) -> None:
        def answer(taken: Taken) -> Reply | None:
            return Reply(300, body=b'["/a", "/b"]') if "sobjects" in taken.path else stand_in(taken)

        stand_in = Salesforce()
        with Receiver(answer).running() as receiver:
            result = sender(receiver).send(DELIVERY, HTTP)
        assert result == Refused("several records have this external id: make the field unique")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('client_id_env = "SF_ID"', "", "client_id_env"),
        ('url = "https://acme.my.salesforce.com"', "", "url"),
        ("#", 'version = "v45.0"', 'a version such as "v62.0"'),
        ("#", 'object = "Deal"', "object"),
        ("#", 'id_field = "a b"', "the API name of a field"),
        ("{ new =", "{ open =", "stages.open"),
    ],
)
def test_a_mistake_in_the_alert_is_named(old: str, new: str, said: str) -> None:
    text = ALERT.format(url="https://acme.my.salesforce.com", more="#")
    assert "#" in text
    with pytest.raises(DefinitionError, match=said.replace(".", r"\.")):
        read_catalogue(text.replace(old, new))
