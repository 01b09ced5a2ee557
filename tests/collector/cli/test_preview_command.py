"""``pequel preview`` says on a terminal whom other definitions would mark."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pequel_collector.app.bootstrap import open_collector
from pequel_collector.cli.commands import pequel
from pequel_collector.config import Settings
from pequel_collector.model import iso
from support.streams import NOW, marks, messages_of, plain_event

TWICE = '[[pql]]\nname = "keen"\nwhen = { event = "used", gte = 2 }\n'


@pytest.fixture(autouse=True)
def _database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """u1 did it once, u2 twice, u3 three times; the definitions in force ask for twice."""
    monkeypatch.chdir(tmp_path)
    Path("pequel.toml").write_text(TWICE)
    collector = open_collector(Settings())
    for number in (1, 2, 3):
        used = [plain_event(f"u{number}", "used", f"{number}{n}", NOW + n) for n in range(number)]
        collector.ingest.accept(messages_of(used))
    before = marks(collector)
    yield
    assert marks(collector) == before
    collector.close()


def _run(text: str, *arguments: str) -> Result:
    Path("new.toml").write_text(text)
    return CliRunner().invoke(pequel, ["preview", "new.toml", *arguments])


def test_counts_and_names_whom_it_would_gain_and_move() -> None:
    done = _run(TWICE.replace("2", "1"))
    assert (done.exit_code, done.stdout.splitlines()) == (
        0,
        [
            "keen → version 2: 1 more, 0 fewer, 2 earlier",
            f"  +  u1    {iso(NOW)}",
            f"  <  u2    {iso(NOW)}  was {iso(NOW + 1)}",
            f"  <  u3    {iso(NOW)}  was {iso(NOW + 1)}",
            "users and accounts replayed: 3",
        ],
    )


def test_refuses_a_variable_that_alerts_may_not_send_unless_it_is_listed() -> None:
    toml = TWICE + '[[alert]]\nname = "a"\non = ["won"]\nurl_env = "HOOK_URL"\n'
    refused = _run(toml)
    assert refused.exit_code == 1
    assert "--alert-env lists it" in refused.output
    assert _run(toml, "--alert-env", "HOOK_URL").exit_code == 0


def test_names_as_many_as_it_is_told_to() -> None:
    assert _run("", "--limit", "1").stdout.splitlines() == [
        "keen → no longer in force: 0 more, 2 fewer",
        f"  -  u2    {iso(NOW + 1)}",
        "  … and 1 more",
        "users and accounts replayed: 3",
    ]


def test_the_same_definitions_change_nothing() -> None:
    assert _run(TWICE).stdout.splitlines()[0] == "new.toml changes nothing"


def test_speaks_json() -> None:
    found = json.loads(_run(TWICE.replace("2", "3"), "--format", "json").stdout)
    [keen] = found["data"]
    assert (keen["lost"]["count"], keen["later"]["count"], found["whole"]) == (1, 1, True)


def test_a_missing_database_is_not_made() -> None:
    done = _run(TWICE, "--database", "sqlite:///other.db")
    assert (done.exit_code, Path("other.db").exists()) == (1, False)
