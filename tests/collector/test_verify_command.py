"""The command ``pequel verify``: what it prints, and how it ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.cli.commands import pequel
from pequel_collector.config import Settings
from pequel_collector.model import Lead, lead_id
from support.streams import messages_of, plain_event

DEFINITIONS = '[[pql]]\nname = "keen"\nwhen = { event = "used", gte = 2 }\n'


@pytest.fixture
def collector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A collector beside the command, in the folder in which that runs."""
    monkeypatch.chdir(tmp_path)
    Path("pequel.toml").write_text(DEFINITIONS)
    opened = open_collector(Settings())
    used = [plain_event("u1", "used", f"m{n}", 1_774_483_200_000 + n) for n in range(2)]
    opened.ingest.accept(messages_of(used))
    yield opened
    opened.close()


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(pequel, ["verify", *arguments])


def _invent(collector: Collector, number: int) -> None:
    leads = [f"u:x{n}" for n in range(number)]
    with collector.store.writing() as tx:
        tx.save_leads([Lead(lead_id("keen", s, 1), "keen", 1, s, 1, 0, 0) for s in leads])


def test_all_equal_is_status_0(collector: Collector) -> None:
    done = _run()
    assert done.exit_code == 0
    assert [line.split() for line in done.stdout.splitlines()] == [
        ["all", "equal"],
        ["visitors,", "accounts,", "users", "1"],
        ["messages", "2"],
        ["leads", "1"],
    ]


def test_a_difference_is_a_line_and_status_1(collector: Collector) -> None:
    _invent(collector, 1)
    done = _run()
    assert done.exit_code == 1
    assert done.stdout.splitlines()[:2] == [
        "user x0, lead for keen: stored qualified at 1970-01-01T00:00:00.000Z, replayed nothing",
        "1 difference",
    ]


def test_the_limit_is_of_lines_and_not_of_the_count(collector: Collector) -> None:
    _invent(collector, 5)
    lines = _run("--limit", "2").stdout.splitlines()
    assert [line.startswith("user x") for line in lines[:3]] == [True, True, False]
    assert lines[2] == "5 differences, the first 2 are above"


def test_leads_that_a_change_keeps_are_counted(collector: Collector) -> None:
    changed = DEFINITIONS.replace("2", "9") + 'on_change = "forward"\n'
    Path("pequel.toml").write_text(changed)
    open_collector(Settings()).close()
    done = _run()
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-1].split() == ["kept", "as", "they", "were", "1"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--database", "sqlite:///new.db"], "no collector has opened this database yet"),
        (["--database", "sqlite:///missing.db"], "pequel: there is no database missing.db\n"),
        (["--database", "nosql://x"], "expected sqlite:///PATH"),
        (["--database", "sqlite:///no/such/folder.db"], "there is no database no/such/folder.db"),
        (["--database", "sqlite:///."], "cannot open the database"),
        (["--config", "other.toml"], "other definitions are in force"),
        (["--config", "wrong.toml"], "wrong.toml:1:1: "),
        (["--config", "missing.toml"], "does not exist"),
        (["--limit", "-1"], "--limit"),
    ],
)
def test_what_cannot_be_found_out_is_status_2(
    collector: Collector, arguments: list[str], message: str
) -> None:
    Path("other.toml").write_text(DEFINITIONS.replace("2", "3"))
    Path("wrong.toml").write_text("pqls = 1\n")
    Path("new.db").touch()
    done = _run(*arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert message in done.stderr


def test_a_database_that_is_missing_is_not_made(collector: Collector) -> None:
    before = set(Path().iterdir())
    assert _run("--database", "sqlite:///missing.db").exit_code == 2
    assert set(Path().iterdir()) == before


def test_the_file_may_be_named_when_it_is_in_force(collector: Collector) -> None:
    assert _run("--config", "pequel.toml").exit_code == 0


def test_help_has_an_example() -> None:
    assert "pequel verify --database sqlite:///pequel.db" in _run("--help").stdout
