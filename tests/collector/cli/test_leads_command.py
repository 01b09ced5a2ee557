"""``pequel leads``: a team that works its leads on the command line, and a CRM that polls."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import pytest
import requests
from click.testing import CliRunner
from requests.adapters import BaseAdapter

import pequel
from pequel_collector.cli.commands import pequel as command
from pequel_collector.cli.leads import changing, database
from pequel_collector.cli.leads.text import age
from pequel_collector.cli.output import printable
from support.sales import DAY, HOUR, MINUTE, Sales, sales, time

SET_UP = """
[[pql]]
name = "set_up"
when = { event = "project_created", distinct = "project_id", gte = 3 }
unless = ["customer"]
requalify = { after_silence = "7d" }
cooldown = "30d"
sla = "4h"
priority = "high"
"""

Run = Callable[..., str]


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sales]:
    """A team over a database on disk; the commands see its clock."""
    with sales(SET_UP, f"sqlite:///{tmp_path / 'pequel.db'}") as team:
        monkeypatch.setenv("PEQUEL_DATABASE", team.collector.settings.database)
        monkeypatch.setenv("COLUMNS", "72")
        for module in (changing, database):
            monkeypatch.setattr(module, "now", lambda: team.now)
        monkeypatch.setattr(changing.getpass, "getuser", lambda: "eve")
        yield team


@pytest.fixture
def run(team: Sales) -> Run:
    """Runs ``pequel leads …``; what it prints. ``fails`` is the exit status that is expected."""

    def run(*arguments: str, fails: int = 0) -> str:
        result = CliRunner().invoke(command, ["leads", *arguments], catch_exceptions=False)
        assert result.exit_code == fails, result.output
        return result.output

    return run


def set_up(team: Sales, user: str, at: int, **traits: Any) -> None:
    """Sign up, say who one is, and create three projects."""
    team.at(at)
    team.tell(user, "signed_up", at)
    team.tell(user, "", at, type="identify", traits={"email": f"{user}@acme.io", **traits})
    for project in range(3):
        team.tell(user, "project_created", at, properties={"project_id": project})


def first_id(run: Run, *filters: str) -> str:
    return str(json.loads(run("list", "--format", "json", *filters))[0]["id"])


class WithoutNetwork(BaseAdapter):
    """Sends requests to the application of a team."""

    def __init__(self, team: Sales) -> None:
        super().__init__()
        self._team = team

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:
        url = urlsplit(str(request.url))
        answer = self._team.client.open(
            f"{url.path}?{url.query}",
            method=request.method,
            headers=dict(request.headers),
            data=request.body,
        )
        found = requests.Response()
        found.status_code, found._content = answer.status_code, answer.data
        found.headers.update(answer.headers)
        return found

    def close(self) -> None:
        """Nothing is open."""


def crm(team: Sales) -> pequel.Leads:
    session = requests.Session()
    session.mount("http://", WithoutNetwork(team))
    return pequel.Leads(team.work_key, "http://pequel", session=session)


class TestAStory:
    def test_three_leads_go_their_ways_and_a_crm_that_only_polls_ends_with_the_same_picture(
        self, team: Sales, run: Run
    ) -> None:
        leads = crm(team)
        picture: dict[str, str] = {}

        def poll(after: str | None) -> str | None:
            changes = leads.changes(after, page_size=2)
            for change in changes:
                if change["lead"] is not None:
                    picture[change["lead_id"]] = change["lead"]["state"]
            return changes.cursor

        set_up(team, "ada", 0)
        cursor = poll(None)
        listed = run("list")
        assert "ada <ada@acme.io>" in listed
        ada = first_id(run)
        sentence = json.loads(run("show", ada, "--format", "json"))["evidence"]["sentence"]
        assert sentence in " ".join(listed.split())
        team.at(HOUR)
        assert "is assigned, owner ben" in run("assign", ada[:6], "ben")
        # The CRM is away from here on.
        team.at(2 * HOUR)
        assert "is contacted" in run("contact", ada[:6], "--channel", "email", "--note", "hello")
        set_up(team, "eli", 2 * HOUR)
        team.tell("eli", "subscribed", 2 * HOUR + MINUTE, properties={"mrr": 49})
        set_up(team, "kim", 2 * HOUR + 2 * MINUTE)
        kim = first_id(run, "--state", "new")
        run("dismiss", kim, "--reason", "a student")
        team.at(3 * HOUR)
        cursor = poll(cursor)
        assert sorted(picture.values()) == ["contacted", "dismissed", "won"]
        team.at(DAY)
        team.tell("ada", "subscribed", DAY, properties={"mrr": 1200, "currency": "eur"})
        set_up(team, "kim", 20 * DAY)
        poll(cursor)
        shown = run("show", ada)
        for part in ("won", "1200 EUR", "ben", "hello", "assigned"):
            assert part in shown
        assert "overdue" not in shown
        assert json.loads(run("show", ada, "--format", "json"))["time_to_contact_seconds"] == 7_200
        every = json.loads(run("list", "--state", "any", "--format", "json"))
        found = {lead["subject"]["id"]: (lead["state"], lead["self_serve"]) for lead in every}
        assert found == {"ada": ("won", False), "eli": ("won", True), "kim": ("dismissed", False)}
        assert picture == {lead["id"]: lead["state"] for lead in every}
        assert team.verified() == []


class TestTheList:
    def test_shows_age_priority_state_and_who_with_the_sentence_below(
        self, team: Sales, run: Run
    ) -> None:
        set_up(team, "ada", 0)
        team.at(5 * HOUR)
        head, row, *sentence = run("list").splitlines()
        assert head.split() == ["ID", "AGE", "PRIORITY", "STATE", "OWNER", "SUBJECT"]
        assert row.split()[1:] == ["5h", "high", "new,", "overdue", "-", "ada", "<ada@acme.io>"]
        assert " ".join(" ".join(sentence).split()).startswith("set_up: ")
        assert all(len(line) <= 72 and line.startswith(" " * 10) for line in sentence)

    def test_takes_the_filters_of_the_api(self, team: Sales, run: Run) -> None:
        set_up(team, "ada", 0, plan="free", industry="retail", seats=3)
        set_up(team, "eli", 5 * HOUR, plan="pro", industry="retail")
        for filters, expected in (
            (["--plan", "pro"], ["eli"]),
            (["--overdue"], ["ada"]),
            (["--not-overdue"], ["eli"]),
            (["--marked-after", time(HOUR)], ["eli"]),
            (["--limit", "1"], ["eli"]),
            (["--trait", "seats=3"], ["ada"]),
            (["--trait", "industry=retail"], ["eli", "ada"]),
            (["--trait", "industry=retail", "--trait", "plan=pro"], ["eli"]),
            (["--trait", "industry=retail", "--limit", "1"], ["eli"]),
            (["--state", "won"], []),
        ):
            found = json.loads(run("list", "--format", "json", *filters))
            assert [lead["subject"]["id"] for lead in found] == expected
        assert run("list", "--state", "won") == "no leads\n"
        assert "only the first 1" in run("list", "--limit", "1")

    @pytest.mark.parametrize(
        ("filters", "named"),
        [
            (["--state", "opened"], "--state"),
            (["--marked-after", "soon"], "--marked-after"),
            (["--plan", " "], "--plan"),
            (["--trait", "seats"], "--trait"),
            (["--trait", "=3"], "--trait"),
        ],
    )
    def test_names_a_filter_that_makes_no_sense(
        self, run: Run, filters: list[str], named: str
    ) -> None:
        assert named in run("list", *filters, fails=2)

    def test_as_csv_has_a_row_for_each_lead_and_no_formula(self, team: Sales, run: Run) -> None:
        set_up(team, "ada", 0, email='=HYPERLINK("x")')
        [row] = csv.DictReader(io.StringIO(run("list", "--format", "csv")))
        assert (row["subject_id"], row["state"], row["marked_at"]) == ("ada", "new", time(0))
        assert row["email"] == '\'=HYPERLINK("x")'
        assert (row["overdue"], row["owner"]) == ("false", "")

    def test_prints_nothing_that_a_terminal_obeys(self, team: Sales, run: Run) -> None:
        set_up(team, "ada", 0, email="\x1b[2J\n")
        for output in (run("list"), run("show", first_id(run))):
            assert "\x1b" not in output
        assert printable("a\nb\x1bc") == "a\ufffdb\ufffdc"

    @pytest.mark.parametrize(
        ("length", "shown"), [(0, "now"), (MINUTE, "1m"), (5 * HOUR, "5h"), (40 * DAY, "40d")]
    )
    def test_shows_an_age_in_its_largest_unit(self, length: int, shown: str) -> None:
        assert age(length) == shown


class TestAChange:
    def test_names_who_made_it_and_why(self, team: Sales, run: Run) -> None:
        set_up(team, "ada", 0)
        lead = first_id(run)
        run("assign", lead)
        run("give-back", lead, "--actor", "ben", "--reason", "on holiday")
        run("dismiss", lead, "--reason", "a student")
        run("reopen", lead)
        run("lose", lead, "--reason", "no budget")
        run("win", lead, "--amount", "1200.00", "--currency", "eur")
        found = json.loads(run("show", lead, "--format", "json"))
        assert (found["state"], found["amount"], found["currency"]) == ("won", "1200.00", "EUR")
        steps = [(each["what"], each["actor"], each["reason"]) for each in found["history"][1:]]
        assert steps == [
            ("assigned", "eve", None),
            ("given_back", "ben", "on holiday"),
            ("dismissed", "eve", "a student"),
            ("reopened", "eve", None),
            ("lost", "eve", "no budget"),
            ("won", "eve", None),
        ]

    def test_snoozes_for_a_duration_or_until_a_date_and_wakes(self, team: Sales, run: Run) -> None:
        set_up(team, "ada", 0)
        lead = first_id(run)
        assert time(3 * DAY) in run("snooze", lead, "--until", "3d")
        assert time(DAY) in run("snooze", lead, "--until", "2026-03-02")
        assert "snoozed" not in run("wake", lead)
        assert "found 'soon'" in run("snooze", lead, "--until", "soon", fails=2)

    def test_that_is_not_allowed_says_what_is(self, team: Sales, run: Run) -> None:
        set_up(team, "ada", 0)
        lead = first_id(run)
        run("lose", lead, "--reason", "no budget")
        failed = run("assign", lead, "ben", fails=1)
        assert failed == "pequel: a lead that is lost cannot become assigned; it can become won\n"
        assert "expected new" in run("win", lead, "--if-state", "new", fails=1)
        assert first_id(run, "--state", "lost") == lead

    def test_with_a_value_that_makes_no_sense_names_it(self, team: Sales, run: Run) -> None:
        set_up(team, "ada", 0)
        lead = first_id(run)
        assert "amount: found" in run("win", lead, "--amount", "much", fails=1)
        assert "contact.at: found" in run("contact", lead, "--at", "2030-01-01", fails=1)

    def test_needs_an_id_that_is_known_and_of_one_lead(self, team: Sales, run: Run) -> None:
        for number in range(20):
            set_up(team, f"u{number}", 0)
        assert "there is no lead 'zz'" in run("win", "zz", fails=1)
        ids = sorted(x["id"] for x in json.loads(run("list", "--format", "json")))
        start = next(a[0] for a, b in pairwise(ids) if a[0] == b[0])
        assert "is the start of several ids" in run("show", start, fails=1)
        assert run("show", ids[0])


def test_every_command_has_an_example_in_its_help() -> None:
    group = command.commands["leads"]
    assert isinstance(group, click.Group)
    assert {"list", "show", "assign", "contact", "snooze", "dismiss", "win", "lose"} <= set(
        group.commands
    )
    for each in (group, *group.commands.values()):
        assert "pequel leads" in str(each.epilog)
