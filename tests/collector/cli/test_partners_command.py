"""``pequel partners``, and the keys of partners, on the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from pequel_collector.cli.commands import pequel
from support.sales import DAY, Sales, sales

DEFINITIONS = """
[[pql]]
name = "keen"
when = { event = "used" }
[[route]]
name = "german"
when = { trait = "country", eq = "DE" }
assign = "partner:north"
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'pequel.db'}"


@pytest.fixture
def team(url: str) -> Iterator[Sales]:
    """A collector whose leads were marked lately, as the command has the clock of the machine."""
    with sales(DEFINITIONS, url) as made:
        for n in range(6):
            made.tell(f"u{n}", "", 0, type="identify", traits={"country": "DE"})
            made.tell(f"u{n}", "used", 0)
        yield made


def run(*arguments: str, expected: int = 0) -> str:
    result = CliRunner().invoke(pequel, [*arguments])
    assert result.exit_code == expected, result.output
    return result.output


def test_the_ledger_lists_what_was_won(team: Sales, url: str) -> None:
    lead = team.lead("u1", definition="keen")
    team.call("POST", f"/pqls/{lead['id']}/claim")
    team.work(lead, state="won", amount="12.50", currency="EUR")
    printed = run("partners", "ledger", "north", "--database", url)
    assert printed.splitlines()[1:] == [
        "2026-03-01T00:00:00.001Z  keen        u1       12.50 EUR",
        "1 won, worth 12.50 EUR",
        "6 leads: 5 open, 1 claimed, 0 contacted, 0 lost",
    ]
    found = json.loads(run("partners", "ledger", "north", "--format", "json", "--database", url))
    assert found == team.get("/partners/north/ledger")
    assert run("partners", "ledger", "nobody", "--database", url).startswith("0 won\n0 leads")


def test_a_name_that_no_partner_can_have_is_refused(team: Sales, url: str) -> None:
    printed = run("partners", "ledger", "a\nb", "--database", url, expected=1)
    assert printed.startswith("pequel: NAME: found ")
    assert printed.endswith("expected a name of 1 to 128 printable characters without a /\n")


def test_the_potential_counts_groups(
    team: Sales, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pequel_collector.cli.partners.now", lambda: team.now + DAY)
    printed = run("partners", "potential", "--database", url)
    assert printed == "COUNTRY  PQLS\nDE       5\ngroups under 5, not shown: 0\n"
    found = json.loads(
        run("partners", "potential", "--by", "plan", "--format", "json", "--database", url)
    )
    assert (found["by"], found["data"]) == ("plan", [])


def test_a_partners_key_is_made_and_listed(team: Sales, url: str) -> None:
    where = "--database", url
    made = run("keys", "create", "--kind", "partner", "--partner", "north", *where)
    assert "pk_p_" in made
    assert "partner north" in run("keys", "list", *where)
    refused = run("keys", "create", "--kind", "partner", *where, expected=1)
    assert "partner: found nothing, expected a name" in refused


def test_a_preview_shows_the_routes(team: Sales, url: str, tmp_path: Path) -> None:
    file = tmp_path / "pequel.toml"
    file.write_text(team.collector.catalogue.text.replace("north", "south"))
    printed = run("preview", str(file), "--database", url)
    assert "routes of the open leads:\n  keen  6  german → partner:south\n" in printed


def test_leads_can_be_listed_by_partner(team: Sales, url: str) -> None:
    assert run("leads", "list", "--partner", "north", "--database", url).count("u") >= 6
    assert "u1" not in run("leads", "list", "--partner", "south", "--database", url)
