"""Account mapping: the list of a partner, its overlap with our accounts, and routes by it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pequel_collector.cli.commands import pequel
from pequel_collector.errors import BadRequest
from pequel_collector.leads.account_lists import entries_in
from pequel_collector.rules.language.account_lists import MAX_ENTRIES, domain_in
from support.sales import Sales, sales

DEFINITIONS = """
[[pql]]
name = "keen"
when = { event = "used", gte = 2 }
[[route]]
name = "mapped"
when = { mapped_to = "north" }
assign = "partner:north"
[[route]]
name = "rest"
assign = "partner:south"
"""


@pytest.fixture
def team(store_url: str) -> Iterator[Sales]:
    with sales(DEFINITIONS, store_url) as made:
        yield made


def put(team: Sales, *accounts: str, partner: str = "north", key: str | None = None) -> Any:
    return team.call("PUT", f"/partners/{partner}/accounts", key, json={"accounts": accounts})


def qualify(team: Sales, user: str, account: str, domain: str | None = None) -> dict[str, Any]:
    traits = {} if domain is None else {"domain": domain}
    team.tell(user, "", 0, type="group", groupId=account, traits=traits)
    for _ in range(2):
        team.tell(user, "used", 0, context={"groupId": account})
    return team.lead(user, definition="keen")


class TestRoutes:
    def test_a_lead_goes_to_the_partner_that_has_its_account_on_its_list(self, team: Sales) -> None:
        assert put(team, "acme", "globex.example").status_code == 200
        leads = [
            qualify(team, "u1", "acme"),
            qualify(team, "u2", "other"),
            qualify(team, "u3", "g1", "https://www.Globex.example/about"),
        ]
        assert [lead["partner"] for lead in leads] == ["north", "south", "north"]
        assert leads[0]["route"]["why"] == "its account is on the list of north"

    def test_another_list_moves_no_lead(self, team: Sales) -> None:
        put(team, "acme")
        lead = qualify(team, "u1", "acme")
        assert put(team).json == {"partner": "north", "listed": 0, "added": 0, "removed": 1}
        assert team.get(f"/pqls/{lead['id']}")["partner"] == "north"
        assert qualify(team, "u2", "acme")["partner"] == "south"
        assert team.verified() == []

    def test_a_list_can_be_put_back_at_the_same_instant(self, team: Sales) -> None:
        for accounts in (("acme",), (), ("acme", "b"), ("acme",)):
            put(team, *accounts)
        assert qualify(team, "u1", "acme")["partner"] == "north"
        assert team.get("/partners/north/overlap")["listed"] == 1


class TestOverlap:
    def test_staff_see_each_account_and_what_it_is_to_us(self, team: Sales) -> None:
        put(team, "acme", "globex.example", "nobody.example", "quiet")
        lead = qualify(team, "u1", "acme")
        qualify(team, "u2", "other")
        team.tell("u4", "", 0, type="group", groupId="quiet", traits={})
        team.tell("u3", "", 0, type="group", groupId="g1", traits={"domain": "globex.example"})
        team.tell("u3", "subscribed", 0, context={"groupId": "g1"})
        found = team.get("/partners/north/overlap")
        assert (found["listed"], found["known"]) == (4, 3)
        assert found["by_state"] == {"customer": 1, "lead": 1, "trial": 0, "none": 1}
        assert found["data"] == [
            {"entry": "acme", "account": "acme", "state": "lead", "leads": [lead["id"]]},
            {"entry": "globex.example", "account": "g1", "state": "customer", "leads": []},
            {"entry": "quiet", "account": "quiet", "state": "none", "leads": []},
        ]

    def test_it_comes_in_pages(self, team: Sales) -> None:
        names = [f"a{n}" for n in range(5)]
        put(team, *names)
        for name in names:
            qualify(team, f"u-{name}", name)
        cursor, seen = None, []
        for _ in range(3):
            more = {} if cursor is None else {"cursor": cursor}
            page = team.get("/partners/north/overlap", limit=2, **more)
            seen += [each["account"] for each in page["data"]]
            cursor = page["next_cursor"]
        assert (seen, cursor) == (names, None)

    def test_a_partner_sees_counts_in_fives_and_the_names_of_its_own_leads(
        self, team: Sales
    ) -> None:
        key = team.collector.keys.create("partner", partner="south").token
        accounts = [f"a{n}" for n in range(7)]
        put(team, *accounts, "a@b.example", partner="south")
        put(team, *accounts[1:])
        own = [qualify(team, "u", "a0"), qualify(team, "v", "a@b.example")]
        for name in accounts[1:]:
            qualify(team, f"u-{name}", name)
        found = team.call("GET", "/partners/south/overlap", key).json
        assert (found["listed"], found["known"]) == (8, 5)
        assert found["by_state"] == {"customer": 0, "lead": 5, "trial": 0, "none": 0}
        assert sorted(each["account"] for each in found["data"]) == ["a0", "•••@b.example"]
        assert {*(each["leads"][0] for each in found["data"])} == {x["id"] for x in own}
        assert team.call("GET", "/partners/north/overlap", key).status_code == 404
        assert put(team, "x", partner="south", key=key).status_code == 403


class TestLists:
    @pytest.mark.parametrize(
        "body", [{}, {"accounts": "acme"}, {"accounts": [1]}, {"accounts": [" "]},
                 {"accounts": ["x" * 513]}, {"accounts": ["a\nb"]}, {"accounts": [], "more": 1}]
    )  # fmt: skip
    def test_a_wrong_body_changes_nothing(self, team: Sales, body: Any) -> None:
        put(team, "acme")
        answer = team.call("PUT", "/partners/north/accounts", json=body)
        assert (answer.status_code, answer.json["error"]["code"]) == (400, "bad_field")
        assert team.get("/partners/north/overlap")["listed"] == 1

    def test_a_list_is_bounded_and_names_each_entry_once(self) -> None:
        assert entries_in([" acme", "acme ", "b"]) == ["acme", "b"]
        with pytest.raises(BadRequest, match="at most 10,000 accounts"):
            entries_in(map(str, range(MAX_ENTRIES + 1)))

    def test_a_read_key_cannot_replace_a_list_and_the_audit_log_says_who_did(
        self, team: Sales
    ) -> None:
        assert put(team, "acme", key="read").status_code == 401
        put(team, "acme", key="admin")
        [latest, *_] = team.call("GET", "/audit", "admin").json["data"]
        assert (latest["what"], latest["actor"]) == ("accounts_mapped", "settings-admin")

    def test_a_file_is_read_by_the_command(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'pequel.db'}"
        file = tmp_path / "accounts.csv"
        file.write_text("\ufeffDomain,Name\nacme.example,Acme\n\nglobex,G\n", encoding="utf-8")
        with sales(DEFINITIONS, url) as made:
            made.tell("u1", "", 0, type="group", groupId="globex", traits={})
            asked = ["partners", "accounts", "north", str(file), "--database", url]
            result = CliRunner().invoke(pequel, asked)
            assert (result.exit_code, result.output) == (0, "2 accounts: 2 added, 0 removed\n")
            result = CliRunner().invoke(pequel, ["partners", "overlap", "north", "--database", url])
        assert result.output.splitlines()[1].split() == ["globex", "none", "globex"]
        assert "1 of 2 are accounts of ours" in result.output


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Acme.Example", "acme.example"), ("https://www.acme.example/x?y", "acme.example"),
        ("www.acme.example.", "acme.example"), ("acme", None), ("a b.c", None), ("", None),
        ("a@b.example", None), (7, None), ("x." * 300, None),
        ("münchen.example", "münchen.example"),
    ],
)  # fmt: skip
def test_a_domain_has_one_form(text: Any, expected: str | None) -> None:
    assert domain_in(text) == expected
