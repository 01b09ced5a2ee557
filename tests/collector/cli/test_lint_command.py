"""``pequel lint``: what it says, and when it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pequel_collector.app.bootstrap import now, open_store
from pequel_collector.cli.commands import pequel
from pequel_collector.ingest.accept import Ingest
from pequel_collector.rules.language.definition import Catalogue
from support.streams import messages_of, plain_event

FINE = """\
[project]
conversion = "paid"
key_events = ["exported"]

[[pql]]
name = "exports"
owner = "sales"
when = { event = "exported", gte = 3, within = "7d" }
unless = ["customer"]
"""
WARNED = FINE.replace('owner = "sales"\n', "")
WRONG = FINE.replace('event = "exported", ', 'event = "login", ')
ACCEPTED = WRONG + 'accept = { L01 = "we sell it", L03 = "so it is key" }\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lint(toml: str, *arguments: str) -> Result:
    """Run the command where this is the definitions file."""
    Path("pequel.toml").write_text(toml)
    return CliRunner().invoke(pequel, ["lint", *arguments])


@pytest.mark.usefixtures("folder")
class TestExitStatus:
    @pytest.mark.parametrize(
        ("toml", "arguments", "status"),
        [
            (FINE, ["--strict"], 0),
            (WARNED, [], 0),
            (WARNED, ["--strict"], 1),
            (WRONG, [], 1),
            (ACCEPTED, ["--strict"], 0),
        ],
    )
    def test_errors_fail_and_warnings_if_they_should(
        self, toml: str, arguments: list[str], status: int
    ) -> None:
        assert lint(toml, *arguments).exit_code == status

    def test_a_variable_that_alerts_may_not_send_fails_unless_it_is_listed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        toml = FINE + '[[alert]]\nname = "a"\non = ["won"]\nurl_env = "HOOK_URL"\n'
        refused = lint(toml)
        assert refused.exit_code == 1
        assert "--alert-env lists it" in refused.output
        assert lint(toml, "--alert-env", "OTHER,HOOK_URL").exit_code == 0
        monkeypatch.setenv("PEQUEL_ALERT_ENV", "HOOK_URL")
        assert lint(toml).exit_code == 0

    def test_a_file_that_the_grammar_refuses_fails_with_its_places(self) -> None:
        done = lint('[[pql]]\nname = "a"\n')
        assert done.exit_code == 1
        assert done.output.startswith("pequel.toml:1:")

    def test_a_file_that_is_not_there(self) -> None:
        done = CliRunner().invoke(pequel, ["lint", "gone.toml"])
        assert done.exit_code == 2
        assert "'gone.toml' does not exist" in done.output

    def test_no_file_where_the_default_is_not_there(self) -> None:
        assert CliRunner().invoke(pequel, ["lint"]).exit_code == 2


@pytest.mark.usefixtures("folder")
class TestOutput:
    def test_is_one_finding_a_line_and_a_summary(self) -> None:
        finding, note, summary = lint(WARNED).output.splitlines()
        assert finding.startswith("pequel.toml:5:1: warning L17 [exports] its leads have no owner")
        assert note.startswith("pequel.toml:5:1: note L27 [exports] this file has no value metric")
        assert summary == "1 definition: 0 errors, 1 warning, 1 note"

    def test_shows_what_is_accepted_and_why(self) -> None:
        output = lint(ACCEPTED).output
        assert "accepted L01 [exports]" in output
        assert "(why: we sell it)" in output

    def test_may_be_json(self) -> None:
        found = json.loads(lint(WRONG, "--format", "json").output)
        assert (found["errors"], found["warnings"]) == (1, 1)
        assert found["findings"][0]["file"] == "pequel.toml"

    def test_names_the_file_as_it_was_named(self) -> None:
        Path("other.toml").write_text(WARNED)
        done = CliRunner().invoke(pequel, ["lint", "other.toml"])
        assert done.output.startswith("other.toml:5:1: ")


class TestWithADatabase:
    @pytest.fixture
    def database(self, folder: Path) -> str:
        url = f"sqlite:///{folder / 'pequel.db'}"
        store = open_store(url)
        events = [plain_event(f"u{n}", "export", f"m{n}", n) for n in range(30)]
        Ingest(store, Catalogue(), now).accept(messages_of(events))
        store.close()
        return url

    def test_the_data_is_looked_at(self, database: str) -> None:
        output = lint(FINE, "--database", database).output
        assert "L04 [exports] exported was never received: did you mean export?" in output
        assert "looked at 30 users, 0 accounts of theirs and the latest 30 messages" in output

    def test_the_last_line_says_that_few_messages_say_nothing_of_what_never_arrives(
        self, folder: Path
    ) -> None:
        url = f"sqlite:///{folder / 'fresh.db'}"
        open_store(url).close()
        last = lint(FINE, "--database", url).output.splitlines()[-1]
        assert last.endswith("messages, too few to say what never arrives; --coverage lists it")

    def test_enough_messages_are_not_called_too_few(self, database: str) -> None:
        assert "too few" not in lint(FINE, "--database", database).output

    def test_a_capacity_makes_leads_too_many_or_too_few(self, database: str) -> None:
        output = lint(FINE, "--database", database, "--capacity", "3").output
        assert "L16 [exports] no lead in the last 4 weeks of the data" in output

    def test_the_coverage_is_a_table_between_findings_and_summary(self, database: str) -> None:
        output = lint(FINE, "--database", database, "--coverage").output
        table = output.split("\n\n")[1].splitlines()
        assert table == [
            "DEFINITION  KIND   NAME      OF  SEEN  LAST SEEN",
            "exports     event  exported      0     never",
            "exports     event  paid          0     never",
        ]
        assert output.splitlines()[-1].startswith("1 definition: ")

    def test_the_coverage_says_when_and_how_often_something_was_seen(self, database: str) -> None:
        toml = FINE.replace('"exported", ', '"export", where = { plan = "pro" }, ')
        rows = lint(toml, "--database", database, "--coverage").output.split("\n\n")[1]
        assert rows.splitlines()[1:3] == [
            "exports     event     export          30    1970-01-01T00:00:00.029Z",
            "exports     property  plan    export  0     never",
        ]

    def test_the_coverage_may_be_json(self, database: str) -> None:
        told = lint(FINE, "--database", database, "--coverage", "--format", "json").output
        assert [row["name"] for row in json.loads(told)["coverage"]] == ["exported", "paid"]

    def test_without_being_asked_for_there_is_no_coverage(self, database: str) -> None:
        assert "LAST SEEN" not in lint(FINE, "--database", database).output
        told = lint(FINE, "--database", database, "--format", "json").output
        assert json.loads(told)["coverage"] is None

    @pytest.mark.usefixtures("folder")
    def test_coverage_without_a_database_is_a_mistake(self) -> None:
        done = lint(FINE, "--coverage")
        assert done.exit_code == 2
        assert "--coverage needs data: add --database" in done.output

    def test_nothing_is_stored(self, database: str) -> None:
        lint(FINE, "--database", database)
        store = open_store(database)
        with store.reading() as view:
            assert view.versions() == []
        store.close()

    @pytest.mark.usefixtures("folder")
    def test_a_database_that_cannot_be_opened(self) -> None:
        done = lint(FINE, "--database", "nonsense")
        assert done.exit_code == 1
        assert done.output.startswith("pequel: ")
