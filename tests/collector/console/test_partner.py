"""What a partner sees in the console: its own leads, reduced until it has claimed them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from flask import Flask

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.rules.parser.catalogue import read_catalogue

from .conftest import DEFINITIONS, Browser, Clock, text_of

ROUTES = """
[[partner]]
name = "north"
claim = "14d"

[[team]]
name = "dach"
members = ["ben", "eva"]
capacity = 5

[[route]]
name = "germans"
when = { trait = "country", eq = "DE" }
assign = "partner:north"

[[route]]
name = "rest"
assign = "round_robin:dach"
"""
ELSEWHERE = (
    "/activity", "/live", "/users", "/accounts", "/catalogue", "/settings", "/alerts", "/routes",
    "/editor",
    "/figures", "/figure?name=volume", "/user?id=ada", "/account?id=acme", "/near?name=set_up",
    "/definition?name=set_up", "/feature?name=basics", "/event?name=project_created",
)  # fmt: skip


@pytest.fixture
def collector(clock: Clock) -> Iterator[Collector]:
    settings = Settings(
        database="sqlite://", write_key="write-key", read_key="read-key", admin_key="admin-key"
    )
    catalogue = read_catalogue(DEFINITIONS + ROUTES)
    with closing(open_collector(settings, catalogue, clock)) as collector:
        yield collector


@pytest.fixture
def leads(send: Any) -> list[str]:
    """Ada's lead, which is the partner's, and Bob's, which is not."""
    for user, country in (("ada", "DE"), ("bob", "US")):
        traits = {"name": user.title(), "email": f"{user}@acme.example", "country": country}
        send({"type": "identify", "userId": user, "traits": traits})
        for project in "xyz":
            properties = {"project_id": project}
            found = send({"userId": user, "event": "project_created", "properties": properties})
            assert found.status_code == 200
    return []


@pytest.fixture
def eva(app: Flask, collector: Collector, leads: list[str]) -> Browser:
    """Eva, with a key of the partner north."""
    browser = Browser(app.test_client())
    token = collector.keys.create("partner", partner="north").token
    assert browser.log_in(token, "Eva").status_code == 303
    return browser


def lead_of(browser: Browser) -> str:
    """The one lead of the list."""
    browser.get("/")
    [found] = set(re.findall(r'href="/leads/(\w+)"', browser.page))
    return str(found)


def claim(browser: Browser, lead: str) -> Any:
    token = re.search(r'data-csrf="(\w*)"', browser.page)
    assert token
    data = {"form_token": token[1]}
    answer = browser.client.post(f"/leads/{lead}/claim", data=data, follow_redirects=True)
    browser.page = answer.get_data(as_text=True)
    return answer


class TestAPartner:
    def test_sees_its_own_leads_without_who_it_is(self, eva: Browser) -> None:
        lead = lead_of(eva)
        assert "Eva partner north Log out" in text_of(eva.page)
        assert "mailto:" not in eva.page
        assert "Open 1 New 1 Overdue 0 Snoozed 0 Dismissed 0 All 1" in text_of(eva.page)
        eva.get(f"/leads/{lead}")
        assert "•••@acme.example" in eva.page
        assert "ada@acme" not in eva.page
        assert "What happened" not in eva.page

    def test_claims_a_lead_and_then_works_it(self, eva: Browser, collector: Collector) -> None:
        lead = lead_of(eva)
        assert claim(eva, lead).status_code == 200
        assert "The lead is yours." in eva.page
        assert "ada@acme.example" in eva.page
        token = re.search(r'data-csrf="(\w*)"', eva.page)
        assert token
        fields = {"lead": lead, "action": "contact", "channel": "call", "form_token": token[1]}
        assert eva.client.post("/leads", data=fields).status_code == 303
        answer = collector.queries.pql(lead)
        assert answer.state == "contacted"
        assert (answer.history or [])[-1].actor == "partner:north/Eva"

    def test_changes_nothing_that_it_has_not_claimed(self, eva: Browser) -> None:
        lead = lead_of(eva)
        token = re.search(r'data-csrf="(\w*)"', eva.page)
        assert token
        fields = {"lead": lead, "action": "win", "form_token": token[1]}
        assert eva.client.post("/leads", data=fields).status_code in (403, 409)

    def test_does_not_see_the_lead_of_others(
        self, eva: Browser, admin: Browser, collector: Collector
    ) -> None:
        own = lead_of(eva)
        admin.get("/")
        [other] = set(re.findall(r'href="/leads/(\w+)"', admin.page)) - {own}
        assert eva.get(f"/leads/{other}").status_code == 404
        assert "There is nothing here" in eva.page
        eva.get("/")
        assert claim(eva, other).status_code == 404
        assert eva.get("/leads.csv").get_data(as_text=True).count("\n") == 2

    @pytest.mark.parametrize("path", ELSEWHERE)
    def test_sees_nothing_else(self, eva: Browser, path: str) -> None:
        assert eva.get(path).status_code == 403
        assert "You may not do this" in eva.page

    def test_does_not_see_a_proof(self, eva: Browser) -> None:
        assert eva.get(f"/leads/{lead_of(eva)}/proof").status_code == 403

    def test_has_a_ledger_and_the_definitions_in_words(self, eva: Browser) -> None:
        eva.get("/ledger")
        assert "Nothing won yet" in eva.page
        eva.get("/definitions")
        assert "A user who" in eva.page
        assert "[[pql]]" not in eva.page
        places = text_of(re.findall(r'<nav aria-label="Pages">.*?</nav>', eva.page, re.DOTALL)[0])
        assert places == "Leads Ledger Definitions"


class TestOthers:
    def test_have_no_ledger_of_a_partner(self, admin: Browser, leads: list[str]) -> None:
        assert admin.get("/ledger").status_code == 404

    def test_see_routes_and_who_gets_what(self, admin: Browser, leads: list[str]) -> None:
        admin.get("/routes")
        words = text_of(admin.page)
        assert "1. germans" in words
        assert "north 1 1 0 0 0" in words
        assert "ben 1 0" in words

    def test_see_on_a_lead_who_has_it_and_why(self, admin: Browser, leads: list[str]) -> None:
        admin.get("/?q=ada")
        [lead] = set(re.findall(r'href="/leads/(\w+)"', admin.page))
        admin.get(f"/leads/{lead}")
        words = text_of(admin.page)
        assert "Given to north by the route germans" in words
        assert "Partner north, not claimed" in words
        assert "by route:" not in words

    def test_see_who_has_a_lead_now_and_who_had_it_first(
        self, admin: Browser, leads: list[str], clock: Clock
    ) -> None:
        admin.get("/?q=bob")
        [lead] = set(re.findall(r'href="/leads/(\w+)"', admin.page))
        admin.get(f"/leads/{lead}")
        words = text_of(admin.page)
        assert "With ben; given by the route rest now every lead; ben is next" in words
        clock.now += 3_600_000
        fields = {"lead": lead, "action": "assign", "next": f"/leads/{lead}"}
        admin.post("/leads", owner="Mia", **fields)
        words = text_of(admin.page)
        assert "With Mia; taken now First given to ben by the route rest" in words
        assert "Given to ben by the route rest 1 h ago every lead; ben is next" in words
        clock.now += 3_600_000
        admin.post("/leads", owner="eva", **fields)
        assert "With eva; given by Mia now First given to ben" in text_of(admin.page)
