"""``pequel import``: a log from a file or a pipe, told in a few lines of numbers."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pequel_collector.cli.commands import pequel

DEFINITIONS = """
[[pql]]
name = "activated"
when = { event = "project_created", gte = 2 }
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with definitions, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    Path("pequel.toml").write_text(DEFINITIONS)
    return tmp_path


def event(number: int, user: str | None = "u1") -> bytes:
    fields = {"event_id": f"e{number}", "user_id": user, "event": "project_created"}
    return json.dumps(fields | {"timestamp": "2026-03-01T10:00:00.000Z"}).encode() + b"\n"


def run(*arguments: str, text: bytes | None = None) -> Result:
    return CliRunner().invoke(pequel, ["import", *arguments], input=text)


def numbers(done: Result) -> dict[str, int]:
    """What the summary says, name by name."""
    rows = (line.rsplit(None, 1) for line in done.stdout.splitlines()[:-1])
    return {name.strip(): int(number.replace(",", "")) for name, number in rows}


class TestTheSummary:
    def test_says_what_became_of_every_line(self) -> None:
        Path("log").write_bytes(event(1) + event(2) + event(2) + b"{\n" + event(3, None))
        done = run("log")
        assert done.exit_code == 0
        assert numbers(done) == {
            "read": 5,
            "stored": 3,
            "duplicates": 1,
            "rejected": 1,
            "bad_json": 1,
            "without a user": 1,
            "leads marked": 1,
            "activated": 1,
        }
        assert done.stdout.splitlines()[-1].endswith(" events/s")

    def test_says_how_many_events_have_no_time_of_their_own(self) -> None:
        done = run("-", text=event(1) + b'{"userId": "w1", "event": "project_created"}\n')
        assert numbers(done)["without a time"] == 1

    def test_of_events_with_a_user_and_a_time_has_no_doubts(self) -> None:
        assert {"without a user", "without a time"}.isdisjoint(numbers(run("-", text=event(1))))

    def test_of_a_second_run_says_duplicates_only(self) -> None:
        Path("log").write_bytes(event(1) + event(2))
        run("log")
        again = numbers(run("log"))
        assert (again["stored"], again["duplicates"], again["leads marked"]) == (0, 2, 0)

    def test_has_no_progress_bar_off_a_terminal(self) -> None:
        Path("log").write_bytes(event(1))
        assert run("log").stderr == ""


class TestTheFile:
    def test_may_be_gzip_whatever_its_name(self) -> None:
        Path("log.txt").write_bytes(gzip.compress(event(1)))
        assert numbers(run("log.txt"))["stored"] == 1

    @pytest.mark.parametrize("text", [event(1), gzip.compress(event(1))], ids=["plain", "gzip"])
    def test_may_be_standard_input(self, text: bytes) -> None:
        assert numbers(run("-", text=text))["stored"] == 1

    def test_must_be_there(self) -> None:
        done = run("nowhere.ndjson")
        assert done.exit_code == 2
        assert "nowhere.ndjson" in done.stderr

    @pytest.mark.parametrize("text", [b"", b"nonsense\n"])
    def test_must_have_an_event(self, text: bytes) -> None:
        done = run("-", text=text)
        assert done.exit_code == 1
        assert done.stderr == "pequel: the log has no valid event\n"

    def test_that_breaks_off_is_stored_so_far_and_an_error(self) -> None:
        whole = gzip.compress(b"".join(map(event, range(3000))), compresslevel=0)
        Path("log.gz").write_bytes(whole[: len(whole) // 2])
        done = run("log.gz")
        assert done.exit_code == 1
        assert done.stderr.startswith("pequel: cannot read the log to its end: ")
        assert numbers(done)["stored"] > 1000
