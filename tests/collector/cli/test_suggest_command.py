"""``pequel suggest`` prints definitions that are ready to use, or that there are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pequel_collector.app.bootstrap import open_collector
from pequel_collector.cli.commands import pequel
from pequel_collector.config import Settings
from pequel_collector.rules.parser.catalogue import read_catalogue
from support.conversions import told, users
from support.streams import messages_of

PROJECT = '[project]\nsignup = "signed_up"\nconversion = "paid"\n'


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(pequel, ["suggest", *arguments])


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pequel.toml").write_text(PROJECT)


def _store(number: int) -> None:
    collector = open_collector(Settings())
    for key, life, events in users(3, number, planted=0.6):
        collector.ingest.accept(messages_of(told((key, life, events[:40]))))
    collector.close()


def test_prints_definitions_that_can_be_read() -> None:
    _store(600)
    text = _run("--format", "toml").stdout
    found = read_catalogue(PROJECT + text).definitions
    assert found
    assert text.startswith("# A user who ")
    assert "In the held-out period" in text
    whole = _run().stdout
    assert text.strip() in whole
    assert whole.startswith("searched: ")
    answer = json.loads(_run("--format", "json").stdout)
    assert [each["name"] for each in answer["suggestions"]] == [each.name for each in found]


def test_says_that_there_is_too_little_data() -> None:
    _store(10)
    assert "too little data: each period needs 10 conversions" in _run().stdout
    assert _run("--format", "toml").stdout.startswith("# too little data")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--level", "0"], "not in the range"),
        (["--landmark", "400d"], "at most 366d"),
        (["--subject", "team"], "'user', 'account'"),
    ],
)
def test_bad_options_are_named(arguments: list[str], message: str) -> None:
    done = _run(*arguments)
    assert (done.exit_code, message in done.stderr) == (2, True), done.stderr
