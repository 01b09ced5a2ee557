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
        assert done.exit_code == 1
        assert numbers(done) == {
            "import": 1,
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

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            (b"", "pequel: the log is empty\n"),
            (b"nonsense\n", "pequel: the log has no event: line 1: not JSON: 'nonsense'"),
            (b"[1]", "pequel: the log has no event: record 1: found '1', expected an object"),
        ],
    )
    def test_must_have_an_event(self, text: bytes, said: str) -> None:
        done = run("-", text=text)
        assert done.exit_code == 1
        assert done.stderr.startswith(said)
        assert not Path("pequel.db").exists()

    def test_that_breaks_off_is_stored_so_far_and_an_error(self) -> None:
        whole = gzip.compress(b"".join(map(event, range(3000))), compresslevel=0)
        Path("log.gz").write_bytes(whole[: len(whole) // 2])
        done = run("log.gz")
        assert done.exit_code == 1
        assert done.stderr.startswith("pequel: cannot read the log to its end: ")
        assert numbers(done)["stored"] > 1000


MIXPANEL = {"event": "project_created", "properties": {"time": 1767261600, "distinct_id": "u1"}}


def mixpanel(number: int) -> bytes:
    properties = MIXPANEL["properties"] | {"$insert_id": f"i{number}"}  # type: ignore[operator]
    return json.dumps(MIXPANEL | {"properties": properties}).encode() + b"\n"


class TestTheFormat:
    def test_that_is_not_known_stores_nothing_and_names_the_keys(self) -> None:
        done = run("-", text=mixpanel(1))
        assert done.exit_code == 1
        assert "Keys found: event, properties.time, properties.distinct_id" in done.stderr
        assert "It looks like --format mixpanel" in done.stderr
        assert not Path("pequel.db").exists()

    def test_may_be_said(self) -> None:
        done = run("-", "--format", "mixpanel", text=mixpanel(1) + mixpanel(2))
        assert (done.exit_code, done.stderr) == (0, "")
        assert numbers(done)["leads marked"] == 1

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("event = " + "[" * 3_000 + "]" * 3_000, "nested too deeply"),
            ("event = " + "1" * 5_000, "not TOML"),
            ("#" * 100_001, "map.toml is over 100000 characters"),
        ],
        ids=["brackets", "digits", "long"],
    )
    def test_with_a_map_that_cannot_be_read_is_refused(self, text: str, said: str) -> None:
        Path("map.toml").write_text(text)
        result = run("-", "--map", "map.toml", text="{}")
        assert result.exit_code != 0
        assert said in result.output
        assert "Traceback" not in result.output

    def test_may_be_described_by_a_map(self) -> None:
        Path("map.toml").write_text('event = "e"\nuser_id = "who.id"\n')
        text = b'{"e": "project_created", "who": {"id": "u1"}}'
        assert numbers(run("-", "--map", "map.toml", text=text))["stored"] == 1

    def test_may_be_an_array_or_csv(self) -> None:
        array = b"[" + event(1).strip() + b"," + event(2).strip() + b"]"
        assert numbers(run("-", text=array))["stored"] == 2
        csv = b"user_id,event,timestamp,event_id\nu1,project_created,2026-03-01T10:00:00Z,e3\n"
        assert numbers(run("-", text=csv))["stored"] == 1

    @pytest.mark.parametrize(
        "arguments",
        [[], ["-", "--list"], ["--list", "--undo", "1"], ["-", "--format", "ga4", "--map", "m"]],
    )
    def test_arguments_that_contradict_each_other_are_refused(self, arguments: list[str]) -> None:
        Path("m").write_text("")
        assert run(*arguments).exit_code == 2


class TestRefusedLines:
    def test_are_shown_up_to_three_with_their_numbers_and_the_others_are_stored(self) -> None:
        done = run("-", text=event(1) + b"{\n" * 5)
        assert done.exit_code == 1
        *shown, last = done.stderr.splitlines()
        assert [line.partition(":")[0] for line in shown] == ["line 2", "line 3", "line 4"]
        assert last == "pequel: 5 refused, see GET /v1/rejected or --rejects"
        assert numbers(done)["stored"] == 1

    def test_can_all_be_written_to_a_file(self) -> None:
        late = b'{"user_id": "u1", "event": "x", "timestamp": "01/03/2026"}\n'
        done = run("-", "--rejects", "bad.ndjson", text=event(1) + b"{\n" * 4 + late)
        assert done.exit_code == 1
        found = [json.loads(line) for line in Path("bad.ndjson").read_text().splitlines()]
        assert [each["line"] for each in found] == [2, 3, 4, 5, 6]
        assert found[0] == {"line": 2, "code": "bad_json", "reason": "not JSON: '{'", "text": "{"}
        assert found[4]["code"] == "bad_timestamp"
        assert found[4]["reason"].startswith("timestamp: found the text '01/03/2026'")
        assert found[4]["text"] == late.decode().strip()
        assert Path("bad.ndjson").stat().st_mode & 0o777 == 0o600

    def test_of_an_array_have_the_number_of_the_record(self) -> None:
        done = run("-", "--dry-run", "--rejects", "bad", text=b"[" + event(1).strip() + b", 7]")
        assert "record 2: found '7', expected an object" in done.stderr
        assert json.loads(Path("bad").read_text())["record"] == 2
        assert "GET /v1/rejected" not in done.stderr

    def test_are_not_written_over_the_log(self) -> None:
        Path("log").write_bytes(event(1))
        done = run("log", "--rejects", "./log")
        assert done.exit_code == 2
        assert Path("log").read_bytes() == event(1)


class TestWhatMayBeWrong:
    def test_is_a_group_that_no_record_has(self) -> None:
        done = run("-", "--format", "mixpanel", "--group", "compny", text=mixpanel(1))
        assert done.exit_code == 0
        assert done.stderr.startswith("--group compny is in no record; properties found: ")

    def test_is_a_path_that_no_record_has(self) -> None:
        Path("map.toml").write_text('event = "e"\nuser_id = "u"\naccount_id = "org[0].id"\n')
        done = run("-", "--map", "map.toml", text=b'{"e": "project_created", "u": "u1"}')
        assert done.exit_code == 0
        assert "map.toml: in no record: account_id = org[0].id" in done.stderr

    def test_is_a_name_that_no_record_has_and_nothing_is_stored(self) -> None:
        Path("map.toml").write_text('event = "eventname"\nuser_id = "u"\n')
        done = run("-", "--map", "map.toml", text=b'{"e": "project_created", "u": "u1"}')
        assert done.exit_code == 1
        assert "map.toml: event: no record has eventname. Keys found: e, u" in done.stderr
        assert not Path("pequel.db").exists()

    @pytest.mark.parametrize("option", ["--group", "--table", "--time-zone"])
    def test_is_an_option_that_the_format_does_not_read(self, option: str) -> None:
        value = {"--table": "page", "--time-zone": "Europe/Berlin"}.get(option, "company")
        done = run("-", option, value, text=event(1))
        assert done.exit_code == 1
        assert f"{option}: not read with --format pequel, expected --format " in done.stderr

    def test_is_that_an_api_has_more_pages(self) -> None:
        record = {"event": "used", "distinct_id": "u1", "timestamp": "2026-03-01T10:00:00Z"}
        page = json.dumps({"next": "https://eu.example/2", "results": [record | {"id": "e-1"}]})
        done = run("-", "--format", "posthog", text=page.encode())
        assert numbers(done)["stored"] == 1
        assert "the log is not complete: it names a next page in `next`" in done.stderr


class TestADryRun:
    def test_counts_events_people_and_what_definitions_miss(self) -> None:
        other = b'{"user_id": "u2", "account_id": "acme", "event": "x", "timestamp": 1772359200}\n'
        lines = run("-", "--dry-run", text=event(1) + event(2)).stdout.splitlines()
        assert "users                      1" in lines
        time = "2026-03-01T10:00:00.000Z"
        assert f"project_created            2  {time}  {time}" in lines
        assert not [line for line in lines if line.startswith("not in the log")]
        lines = run("-", "--dry-run", text=other).stdout.splitlines()
        assert "accounts                   1" in lines
        assert "not in the log, but in definitions: project_created (activated)" in lines

    def test_shows_events_and_counts_and_stores_nothing(self) -> None:
        done = run("-", "--dry-run", text=event(1) + event(2) + event(2))
        assert done.exit_code == 0
        assert not Path("pequel.db").exists()
        lines = done.stdout.splitlines()
        assert lines[:4] == [
            "track project_created",
            "  user         u1",
            "  time         2026-03-01T10:00:00.000Z",
            "  message id   e1",
        ]
        assert "would be stored            2" in lines
        assert "duplicates                 1" in lines
        assert lines[-1] == "nothing is stored: this was a dry run"

    def test_knows_what_is_stored_already(self) -> None:
        run("-", text=event(1))
        assert "duplicates                 1" in run("-", "--dry-run", text=event(1)).stdout
        assert "   1  " in run("--list").stdout
        assert "   2  " not in run("--list").stdout


class TestImports:
    def test_are_listed(self) -> None:
        Path("log").write_bytes(event(1) + event(2))
        run("log")
        _, line = run("--list").stdout.splitlines()
        number, _, format_, messages, state, file = line.split()
        assert (number, format_, messages, state, file) == ("1", "pequel", "2", "stored", "log")

    def test_can_be_undone_and_imported_again(self) -> None:
        text = event(1) + event(2)
        run("-", text=text)
        done = run("--undo", "1")
        assert done.stdout.splitlines() == [
            "import 1 is undone: 2 messages removed",
            "leads voided               1",
            "leads restored             0",
        ]
        assert run("--list").stdout.splitlines()[1].split()[3:5] == ["0", "undone"]
        assert numbers(run("-", text=text))["stored"] == 2
        assert CliRunner().invoke(pequel, ["verify"]).exit_code == 0

    def test_are_not_there_before_the_first(self) -> None:
        run("-", text=event(1))
        assert run("--undo", "9").stderr == (
            "pequel: there is no import 9: pequel import --list shows all\n"
        )


class TestMarkedLeads:
    DEFINITIONS = """
[[pql]]
name = "quiet"
when = { event = "project_created", gte = 1 }
unless = [{ event = "left" }]
"""

    def test_are_those_that_stand_at_the_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """One is voided by a later line of an earlier time, and one is opened twice."""
        monkeypatch.setattr("pequel_collector.ingest.event_log.BATCH", 1)
        Path("pequel.toml").write_text(self.DEFINITIONS)
        left = {"event_id": "l", "event": "left", "timestamp": "2026-02-01T10:00:00Z"}
        text = event(1) + event(2, "u2") + json.dumps(left | {"user_id": "u1"}).encode()
        assert numbers(run("-", text=text))["leads marked"] == 1
