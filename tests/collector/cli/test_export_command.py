"""``pequel export``: a file that ``pequel import`` reads back."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pequel_collector.cli.commands import pequel

EVENTS = [
    {"type": "identify", "messageId": "m1", "userId": "u1", "traits": {"plan": "free"}},
    {"type": "track", "messageId": "m2", "userId": "u1", "event": "used", "properties": {"n": 1}},
    {"type": "track", "messageId": "m3", "userId": "=u2", "event": 'a,\n"b"'},
]  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a database of three messages."""
    monkeypatch.chdir(tmp_path)
    lines = (
        json.dumps(each | {"timestamp": f"2026-03-0{day}T10:00:00.000Z"})
        for day, each in enumerate(EVENTS, 1)
    )
    Path("log").write_text("\n".join(lines))
    assert run("import", "log").exit_code == 0
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(pequel, list(arguments))


def test_json_in_lines_is_what_was_received() -> None:
    done = run("export", "out.ndjson")
    assert (done.exit_code, done.stderr) == (0, "3 messages\n")
    assert [json.loads(line) for line in Path("out.ndjson").read_text().splitlines()] == [
        json.loads(line) for line in Path("log").read_text().splitlines()
    ]


@pytest.mark.parametrize("name", ["out.ndjson", "out.ndjson.gz", "out.csv", "out.csv.gz"])
def test_every_form_is_read_back(name: str) -> None:
    assert run("export", name).exit_code == 0
    packed = Path(name).read_bytes()[:2] == b"\x1f\x8b"
    assert packed == name.endswith(".gz")
    assert "duplicates                 3" in run("import", name).output
    other = ("--database", "sqlite:///other.db")
    assert "stored                     3" in run("import", name, *other).output
    assert run("export", "again" + name, *other).exit_code == 0
    again = Path("again" + name).read_bytes()
    unpack = gzip.decompress if packed else bytes
    assert unpack(again) == unpack(Path(name).read_bytes())


def test_standard_output_has_nothing_but_the_messages() -> None:
    done = run("export", "-", "--event", "used")
    assert [json.loads(line)["messageId"] for line in done.stdout.splitlines()] == ["m2"]


def test_a_time_a_user_and_a_form_can_be_chosen() -> None:
    done = run("export", "-", "--from", "2026-03-02", "--to", "2026-03-04", "--user", "u1",
               "--format", "csv")  # fmt: skip
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == ["messageId", "m2"]


def test_the_file_is_its_owners_and_nothing_is_left_of_a_failure() -> None:
    assert run("export", "out.csv").exit_code == 0
    assert Path("out.csv").stat().st_mode & 0o777 == 0o600
    done = run("export", "x.csv", "--user", "nobody")
    assert (done.exit_code, done.stderr) == (1, "pequel: there is no user nobody\n")
    assert not list(Path().glob("x.csv*"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["x", "--from", "soon"], "--from': found 'soon', expected a time"),
        (["x", "--from", "2026-03-02", "--to", "2026-03-02"], "--to: expected a time after --from"),
        (["x", "--format", "xml"], "'xml' is not one of"),
        (["no/such/folder/x"], "cannot write no/such/folder/x: No such file"),
        (["x", "--database", "sqlite:///none.db"], "there is no database none.db"),
    ],
)
def test_a_mistake_is_named(arguments: list[str], said: str) -> None:
    done = run("export", *arguments)
    assert done.exit_code in {1, 2}
    assert said in done.stderr
