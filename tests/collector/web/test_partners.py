"""A partner's key sees the leads of its partner and the definitions in words, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from pequel_collector.errors import BadRequest
from pequel_collector.ports import Change, WonAmount
from pequel_collector.queries.answers import LedgerAnswer
from pequel_collector.queries.masking import masked
from pequel_collector.queries.partner_view import change_for_partner, changes_for_partner, is_of
from pequel_collector.queries.partners import amounts_of
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.openapi.document import document
from support.sales import HOUR, Sales, sales

DEFINITIONS = """
[[pql]]
name = "keen"
title = "Uses it a lot"
when = { event = "used", gte = 2 }
[[route]]
when = { trait = "country", eq = "DE" }
assign = "partner:north"
[[route]]
assign = "partner:south"
"""
SECRETS = ["Ada", "ada@corp", "zoe", "Zoe", "secret-thing"]
"""What the partner north must not see of its own lead before the claim, and of another at all."""

OWN = {
    ("get", "/v1/pqls"), ("get", "/v1/pqls/{lead_id}"), ("patch", "/v1/pqls/{lead_id}"),
    ("post", "/v1/pqls/{lead_id}/claim"), ("get", "/v1/pqls/changes"), ("get", "/v1/definitions"),
    ("get", "/v1/partners/{partner_id}/ledger"), ("get", "/v1/partners/potential"),
    ("get", "/v1/partners/{partner_id}/overlap"),
}  # fmt: skip
"""The calls that a partner may make."""


@pytest.fixture(scope="module")
def team() -> Iterator[Sales]:
    with sales(DEFINITIONS) as team:
        for user, country in (("u1", "DE"), ("zoe", "FR")):
            name = {"u1": "Ada", "zoe": "Zoe"}[user]
            traits = {"country": country, "name": name, "email": f"{name.lower()}@corp.example"}
            team.tell(user, "", 0, type="identify", traits=traits)
            for _ in range(2):
                team.tell(user, "used", 0, properties={"what": "secret-thing"})
        yield team


@pytest.fixture(scope="module")
def north(team: Sales) -> str:
    return team.collector.keys.create("partner", "North", partner="north").token


def ids(team: Sales) -> dict[str, str]:
    return {lead["partner"]: lead["id"] for lead in team.leads()}


def operations(team: Sales) -> list[tuple[str, str, Any]]:
    described = document(team.client.application)
    return [
        (method, path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]


def variable(path: str) -> str:
    return re.sub(r"{\w+}", "{}", path)


class TestIsolation:
    def test_every_other_call_with_a_key_is_refused(self, team: Sales, north: str) -> None:
        own = {(method, variable(path)) for method, path in OWN}
        lead, tried = ids(team)["south"], 0
        for method, path, operation in operations(team):
            if "security" not in operation or (method, variable(path)) in own:
                continue
            for identifier in ("zoe", lead):
                filled = re.sub(r"{\w+}", identifier, path)
                headers = {"Authorization": f"Bearer {north}"}
                answer = team.client.open(filled, method=method.upper(), headers=headers)
                assert answer.status_code in (401, 403), (method, filled)
                assert not any(secret in answer.text for secret in SECRETS), filled
                tried += 1
        assert tried > 40

    def test_another_partners_lead_is_as_if_it_was_not_there(self, team: Sales, north: str) -> None:
        other, nothing = ids(team)["south"], "0" * 24
        for method, path, body in (
            ("GET", "/pqls/{}", None),
            ("PATCH", "/pqls/{}", {"contact": {}}),
            ("POST", "/pqls/{}/claim", {}),
        ):
            answers = [
                team.call(method, path.format(each), north, json=body) for each in (other, nothing)
            ]
            texts = [answer.text.replace(other, nothing) for answer in answers]
            assert [answer.status_code for answer in answers] == [404, 404]
            assert texts[0] == texts[1]

    @pytest.mark.parametrize(
        "query",
        [
            {}, {"partner": "south"}, {"q": "zoe"}, {"q": "ada@"}, {"trait.name": "Ada"},
            {"state": "any"}, {"sort": "due_at"}, {"country": "FR"}, {"definition": "keen"},
            {"format": "csv"}, {"format": "ndjson"}, {"owner": "x"}, {"limit": "1"},
        ],
    )  # fmt: skip
    def test_no_filter_count_or_form_shows_more(
        self, team: Sales, north: str, query: dict[str, str]
    ) -> None:
        counted = {} if "format" in query else {"count": "true"}
        answer = team.call("GET", "/pqls", north, query_string=query | counted)
        assert answer.status_code == 200
        assert not any(secret in answer.text for secret in SECRETS)
        assert ids(team)["south"] not in answer.text
        if counted:
            assert answer.json["total"] == len(answer.json["data"])
            assert answer.json["next_cursor"] is None

    def test_a_cursor_of_others_is_refused(self, team: Sales, north: str) -> None:
        cursor = team.get("/pqls", limit=1)["next_cursor"]
        answer = team.call("GET", "/pqls", north, query_string={"limit": 1, "cursor": cursor})
        assert answer.status_code == 400
        cursor = team.get("/pqls/changes")["next_cursor"]
        answer = team.call("GET", "/pqls/changes", north, query_string={"after": cursor})
        assert answer.status_code == 400

    def test_the_changes_are_those_of_its_leads(self, team: Sales, north: str) -> None:
        text = team.call("GET", "/pqls/changes", north).text
        assert not any(secret in text for secret in SECRETS)
        assert {each["lead_id"] for each in json.loads(text)["data"]} == {ids(team)["north"]}

    def test_the_definitions_are_words(self, team: Sales, north: str) -> None:
        answer = team.call("GET", "/definitions", north).json
        [shown] = answer["data"]
        assert (shown["title"], shown["description"]) == (
            "Uses it a lot", "A user who used at least 2 times",
        )  # fmt: skip
        assert (shown["source"], shown["text"], shown["versions"]) == ({}, "", [])
        refused = team.call("GET", "/definitions", north, query_string={"format": "toml"})
        assert refused.status_code == 403


class TestFilters:
    @pytest.mark.parametrize(
        "filtered", [{"country": "DE"}, {"plan": "free"}, {"account": "b@x.y"}, {"owner": "maria"}]
    )
    def test_what_a_partner_does_not_see_selects_no_lead(self, filtered: dict[str, str]) -> None:
        query = filtered | {"count": "true"}
        owned = DEFINITIONS.replace("[[route]]", 'owner = "maria"\n[[route]]', 1)
        with sales('partner_traits = ["stage"]\n' + owned) as team:
            team.tell("u1", "", 0, type="identify", traits={"country": "DE", "plan": "free"})
            for _ in range(2):
                team.tell("u1", "used", 0, context={"groupId": "b@x.y"})
            key = team.collector.keys.create("partner", "North", partner="north").token
            before = team.call("GET", "/pqls", key, query_string=query).json
            for form in ("csv", "ndjson"):
                whole = team.call("GET", "/pqls", key, query_string=filtered | {"format": form})
                assert whole.status_code == 200
                assert len(whole.text.splitlines()) == (form == "csv")  # the names of the columns
            assert "maria" not in team.call("GET", "/pqls", key).text
            team.call("POST", f"/pqls/{ids(team)['north']}/claim", key, json={})
            after = team.call("GET", "/pqls", key, query_string=query).json
            [line] = team.call(
                "GET", "/pqls", key, query_string=filtered | {"format": "ndjson"}
            ).text.splitlines()
        assert (before["data"], before["total"]) == ([], 0)
        assert (len(after["data"]), after["total"]) == (1, 1)
        assert after["data"][0]["owner"] == json.loads(line)["owner"] == "maria"

    def test_what_a_partner_sees_selects_leads(self, team: Sales, north: str) -> None:
        found = team.call("GET", "/pqls", north, query_string={"country": "DE", "count": "true"})
        assert (len(found.json["data"]), found.json["total"]) == (1, 1)


class TestWhatOthersNoted:
    def test_stays_with_them_after_the_claim_too(self) -> None:
        with sales(DEFINITIONS) as team:
            key = team.collector.keys.create("partner", partner="north").token
            team.tell("u1", "", 0, type="identify", traits={"country": "DE"})
            for _ in range(2):
                team.tell("u1", "used", 0)
            lead = team.leads()[0]
            team.at(HOUR)
            team.work(lead, snoozed_until="2027-01-01", reason="rude on the phone", actor="Ben")
            path = f"/pqls/{lead['id']}"
            assert team.call("POST", f"{path}/claim", key).status_code == 200
            team.call("PATCH", path, key, json={"contact": {"note": "nice"}, "actor": "Nora"})
            seen = team.call("GET", path, key)
            assert "rude" not in seen.text
            assert "Ben" not in seen.text
            assert [contact["actor"] for contact in seen.json["contacts"]] == ["partner:north/Nora"]


class TestKeys:
    @pytest.mark.parametrize(
        ("kind", "partner"),
        [("partner", None), ("partner", " "), ("read", "x"), ("partner", "\n"), ("partner", "a/b")],
    )
    def test_a_partner_belongs_to_the_kind_partner(
        self, team: Sales, kind: Any, partner: str | None
    ) -> None:
        with pytest.raises(BadRequest, match="partner: found"):
            team.collector.keys.create(kind, partner=partner)

    def test_a_rotated_key_sees_the_same_leads(self, team: Sales) -> None:
        key = team.collector.keys.create("partner", partner="north").key
        new = team.collector.keys.rotate(key.id, 0)
        assert (new.key.partner, new.token[:5]) == ("north", "pk_p_")


def test_addresses_are_masked_wherever_they_are() -> None:
    found = masked({"a": ["x ada.b+c@corp.example y", {"b": "<eve@x.org>"}], "n": 3})
    assert found == {"a": ["x •••@corp.example y", {"b": "<•••@x.org>"}], "n": 3}


def test_amounts_are_summed_exactly() -> None:
    won = [
        WonAmount("EUR", "0.10", 3), WonAmount("EUR", "1e2", 1), WonAmount("USD", "5", 2),
        WonAmount(None, "7", 1), WonAmount("EUR", None, 9),
    ]  # fmt: skip
    assert amounts_of(won) == {"": "7", "EUR": "100.30", "USD": "10"}


def test_another_partner_whose_name_begins_alike_signs_as_another() -> None:
    assert [
        is_of(actor, "north")
        for actor in ("partner:north", "partner:north/Eve", "partner:north2", "partner:north2/Eve")
    ] == [True, True, False, False]
    assert not is_of(None, "north")
    change = Change(*[None] * len(Change._fields))._replace(
        before={}, after={}, actor="partner:north2/Eve", reason="ours"
    )
    seen = change_for_partner(change, "north")
    assert (seen.actor, seen.reason) == (None, None)


def test_a_partner_sees_no_reason_of_a_route_and_nothing_of_the_time_of_another() -> None:
    change = Change("l", 0, "claimed", {}, {}, None, None)._replace(
        before={"partner": "south", "state": "new", "claimed_at": "2026-01-01"},
        after={"state": "assigned", "account": "eva@acme.example", "route": "dach", "owner": "Kim"},
        actor="route:dach",
        reason="every lead; no capacity left this week: of_south",
    )
    entry = LedgerAnswer(*change[:7], None)
    seen = changes_for_partner(entry, "north", read_catalogue(DEFINITIONS))
    assert (seen.before, seen.after) == (
        {}, {"state": "assigned", "account": "•••@acme.example"},
    )  # fmt: skip
    assert (seen.actor, seen.reason) == ("route:dach", None)
