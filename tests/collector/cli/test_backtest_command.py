"""``pequel backtest`` says on a terminal whether definitions find those who convert."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pequel_collector.app.bootstrap import open_collector
from pequel_collector.cli.commands import pequel
from pequel_collector.config import Settings
from support.streams import NOW, messages_of, plain_event

DAY = 86_400_000
TOML = """
[project]
signup = "signed_up"
conversion = "paid"
[[pql]]
name = "keen"
when = { event = "used", gte = 2 }
[[pql]]
name = "any"
when = { event = "used" }
"""


@pytest.fixture(autouse=True)
def _database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """u1 uses it twice and pays; u2 uses it once."""
    monkeypatch.chdir(tmp_path)
    Path("pequel.toml").write_text(TOML)
    days = {"u1": ("signed_up", "used", "used", "paid"), "u2": ("signed_up", "used")}
    collector = open_collector(Settings())
    for user, names in days.items():
        for day, name in enumerate(names):
            mid = f"{user}{day}"
            time = NOW - 90 * DAY + day * 4 * DAY
            collector.ingest.accept(messages_of([plain_event(user, name, mid, time)]))
    collector.ingest.accept(messages_of([plain_event("u3", "seen", "last", NOW)]))
    yield
    collector.close()


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(pequel, ["backtest", *arguments])


def test_shows_both_forms_of_every_definition() -> None:
    lines = _run("--capacity", "1").stdout.splitlines()
    assert [line.split()[:4] for line in lines[1:5]] == [
        ["keen", "strict", "1", "2"],
        ["keen", "landmark", "1", "2"],
        ["any", "strict", "2", "2"],
        ["any", "landmark", "2", "2"],
    ]
    assert "100.0 % (20.7–100.0)" in lines[1]
    assert lines[-1] == "any: 0.2 leads a week over 13 weeks, 2 at most; more than 1 in 1 week"


def test_speaks_json_as_the_api_does() -> None:
    one = json.loads(_run("--definition", "keen", "--format", "json").stdout)
    every = json.loads(_run("--format", "json").stdout)
    assert (one["set_size"], every["data"][0], len(every["data"])) == (1, one, 2)
    assert list(one["qualified"]) == ["u1"]


def test_speaks_csv_and_markdown() -> None:
    rows = list(csv.DictReader(_run("--format", "csv").stdout.splitlines()))
    assert [(row["definition"], row["form"], row["tp"]) for row in rows][1:3] == [
        ("keen", "landmark", "0"),
        ("any", "strict", "1"),
    ]
    table = _run("--format", "md").stdout.splitlines()
    assert table[0].startswith("| definition | form |")
    assert len({line.count("|") for line in table[:6]}) == 1


def test_takes_what_is_in_force_without_a_file() -> None:
    Path("pequel.toml").unlink()
    assert json.loads(_run("--definition", "any", "--format", "json").stdout)["set_size"] == 2


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["--definition", "nope"], 1, "found 'nope', expected one of keen, any"),
        (["--landmark", "a week"], 2, "expected a duration"),
        (["--end", "soon"], 2, "expected a time in ISO 8601"),
        (["--population", "free"], 1, 'expected "signup" or "trait:NAME=VALUE"'),
        (["--database", "sqlite:///other.db"], 1, "other.db"),
    ],
)
def test_bad_options_are_named(arguments: list[str], status: int, message: str) -> None:
    done = _run(*arguments)
    assert (done.exit_code, message in done.stderr) == (status, True), done.stderr
    assert not Path("other.db").exists()
