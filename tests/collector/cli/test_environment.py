"""The environment: variables beside options, keys that cannot work, and what others set."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.app.bootstrap import Collector, open_collector, open_store
from pequel_collector.cli.commands import pequel
from pequel_collector.cli.options import NAMES, settings_from
from pequel_collector.config import MIN_KEY, SECRET, SETTINGS, Settings, from_environment
from pequel_collector.errors import BadRequest, Unavailable
from pequel_collector.server.startup_message import console_lines, is_loopback, startup_message

KEY = "pk_w_test"
DEFINITION = '[[pql]]\nname = "a"\nwhen = { event = "used" }\n'
PERSONA = '[[persona]]\nname = "p"\nuser = "u1"\nfacts = [{ event = "used" }]\nexpect = ["a"]\n'
LINK = "tcp://10.0.0.1:8321"


def write_key(text: str) -> str | None:
    found = from_environment(["write_key"], {"PEQUEL_WRITE_KEY": text})
    return found.get("write_key")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and an environment without our variables."""
    monkeypatch.chdir(tmp_path)
    for setting in SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)
    return tmp_path


class TestKeys:
    @pytest.mark.parametrize("name", SECRET)
    @pytest.mark.parametrize("text", [f"{KEY}\n", f"{KEY}\r\n", f" {KEY}", f"\t{KEY} "])
    def test_blanks_around_a_key_are_not_part_of_it(self, name: str, text: str) -> None:
        assert from_environment([name], {f"PEQUEL_{name.upper()}": text}) == {name: KEY}

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("   ", "blanks only"),
            ("pk_w one_key", "a blank inside the key"),
            ("pk_w\tone_key", "a character that is not printable ASCII"),
            ("pk_w_schlüssel", "a character that is not printable ASCII"),
            ('"pk_w_test"', "a quotation mark around the key"),
            ("short", "5 characters"),
        ],
    )
    def test_a_key_that_cannot_work_is_refused_by_the_name_of_its_variable(
        self, text: str, found: str
    ) -> None:
        with pytest.raises(BadRequest) as error:
            write_key(text)
        assert error.value.message.startswith(f"PEQUEL_WRITE_KEY: found {found}, expected ")
        assert text.strip() not in error.value.message or not text.strip()

    def test_one_key_in_two_variables_is_refused_without_showing_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It would act as the stronger of the two."""
        monkeypatch.setenv("PEQUEL_WRITE_KEY", KEY)
        monkeypatch.setenv("PEQUEL_ADMIN_KEY", KEY)
        done = CliRunner().invoke(pequel, ["serve", "--port", "0"])
        assert (done.exit_code, Path("pequel.db").exists()) == (1, False)
        message = "PEQUEL_ADMIN_KEY: found the key of PEQUEL_WRITE_KEY, expected another key"
        assert (message in done.output, KEY in done.output) == (True, False)

    def test_an_empty_variable_is_not_set(self) -> None:
        assert write_key("") is None

    @given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=MIN_KEY))
    def test_every_key_that_is_accepted_can_be_sent_in_a_header(self, key: str) -> None:
        if key[0] not in "\"'" and key[-1] not in "\"'":
            assert write_key(f"{key}\n") == key

    def test_serve_does_not_start_with_such_a_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PEQUEL_READ_KEY", " ")
        done = CliRunner().invoke(pequel, ["serve", "--port", "0"])
        assert (done.exit_code, Path("pequel.db").exists()) == (2, False)
        assert "PEQUEL_READ_KEY: found blanks only" in done.output


class TestVariables:
    def test_an_option_goes_first_and_its_variable_is_not_read(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PEQUEL_PORT", "many")
        monkeypatch.setenv("PEQUEL_THREADS", "3")
        settings = settings_from({"port": 2, "threads": None})
        assert (settings.port, settings.threads) == (2, 3)

    @pytest.mark.parametrize(
        ("text", "expected"), [("many", "from 0 to 65535"), ("65536", "to 65535"), ("-1", "from 0")]
    )
    def test_a_number_that_is_none_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, text: str, expected: str
    ) -> None:
        monkeypatch.setenv("PEQUEL_PORT", text)
        with pytest.raises(click.UsageError) as error:
            settings_from({"port": None})
        assert error.value.message.startswith(f"PEQUEL_PORT: found '{text}', expected a whole")
        assert expected in error.value.message

    def test_serve_reads_a_variable_for_each_setting(self) -> None:
        environment = {s.variable: str(s.default) or "a-long-key" for s in SETTINGS}
        assert set(from_environment([*NAMES, *SECRET], environment)) == {s.name for s in SETTINGS}

    def test_what_others_set_is_not_for_the_collector(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PEQUEL_PORT", LINK)
        monkeypatch.setenv("PEQUEL_HOST", "https://events.example")
        assert settings_from({"port": None, "host": None}) == Settings()

    @pytest.mark.parametrize(
        "command",
        [["keys", "list"], ["verify"], ["lint"], ["test"], ["replay-rejected"], ["import", "-"]],
    )
    def test_a_variable_that_a_command_does_not_use_does_not_stop_it(
        self, monkeypatch: pytest.MonkeyPatch, command: list[str]
    ) -> None:
        monkeypatch.setenv("PEQUEL_PORT", "many")
        monkeypatch.setenv("PEQUEL_WRITE_KEY", " ")
        monkeypatch.setenv("PEQUEL_MAX_BATCH", "none")
        open_store("sqlite:///pequel.db").close()
        Path("pequel.toml").write_text(DEFINITION + PERSONA)
        event = '{"userId": "u1", "event": "used", "timestamp": "2026-03-01"}'
        if command != ["import", "-"]:
            CliRunner().invoke(pequel, ["import", "-"], input=event)
        done = CliRunner().invoke(pequel, command, input=event)
        assert (done.exit_code, done.exception) == (0, None), done.output

    def test_every_command_reads_the_definitions_file_and_the_database(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        Path("elsewhere.toml").write_text(DEFINITION + PERSONA)
        monkeypatch.setenv("PEQUEL_CONFIG", "elsewhere.toml")
        monkeypatch.setenv("PEQUEL_DATABASE", "sqlite:///elsewhere.db")
        event = '{"userId": "u1", "event": "used", "timestamp": "2026-03-01"}'
        for command in (
            ["import", "-"],
            ["test"],
            ["lint", "--coverage"],
            ["verify"],
            ["keys", "create", "--kind", "read"],
            ["keys", "list"],
            ["replay-rejected"],
        ):
            done = CliRunner().invoke(pequel, command, input=event)
            assert (done.exit_code, done.exception) == (0, None), done.output
        assert not Path("pequel.db").exists()

    def test_a_definitions_file_that_is_missing_is_named_with_its_variable(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PEQUEL_CONFIG", "gone.toml")
        for command in ("lint", "test", "serve", "verify"):
            done = CliRunner().invoke(pequel, [command])
            assert done.exit_code == 2
            assert "PEQUEL_CONFIG: File 'gone.toml' does not exist." in done.output


class TestTheFirstKeys:
    @pytest.fixture
    def collector(self) -> Iterator[Collector]:
        with closing(open_collector(Settings(database="sqlite:///a.db"))) as collector:
            yield collector

    def test_go_to_a_terminal(self, collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
        assert any("  write      pk_w_" in line for line in startup_message(collector))
        assert not Path("a.db.keys").exists()

    def test_else_to_a_file_that_only_its_owner_reads(
        self, collector: Collector, folder: Path
    ) -> None:
        """What a journal or the log of a container keeps must hold no secret."""
        file = folder / "a.db.keys"
        file.touch(0o644)
        lines = list(startup_message(collector))
        assert lines[2:] == [f"keys         created on this first start, and written to {file}"]
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        tokens = dict(line.split() for line in file.read_text().splitlines())
        assert {kind: collector.keys.find(token).kind for kind, token in tokens.items()} == {
            kind: kind for kind in ("write", "read", "admin")
        }
        assert list(startup_message(collector)) == lines[:2]

    def test_a_database_that_others_can_read_is_named(self, collector: Collector) -> None:
        """Its mode stays as it is: somebody may have meant it."""
        assert not any("other users" in line for line in startup_message(collector))
        Path("a.db").chmod(0o644)
        lines = list(startup_message(collector))
        assert lines[1] == "database     other users can read it: chmod 600 a.db*"
        assert stat.S_IMODE(Path("a.db").stat().st_mode) == 0o644

    def test_are_not_made_if_they_cannot_be_kept(self, collector: Collector) -> None:
        Path("a.db.keys").mkdir()
        [*_, why, how] = startup_message(collector)
        assert "cannot be written to" in why
        assert "pequel keys create --kind admin" in how
        assert collector.keys.listed() == []


class TestTheLinkToTheConsole:
    @pytest.mark.parametrize(
        ("host", "expected"),
        [
            ("127.0.0.1", True),
            ("127.8.8.8", True),
            ("::1", True),
            ("localhost", True),
            ("0.0.0.0", False),  # noqa: S104 - the point of the test
            ("::", False),
            ("10.0.0.1", False),
            ("example.com", False),
        ],
    )
    def test_is_for_this_machine_only(self, host: str, expected: bool) -> None:
        assert is_loopback(host) is expected
        with closing(open_collector(Settings(database="sqlite://", host=host))) as collector:
            assert len(list(console_lines(collector, "http://x"))) == expected

    def test_is_left_out_if_nothing_can_be_stored(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with closing(open_collector(Settings(database="sqlite://"))) as collector:

            def fail() -> Any:
                raise Unavailable("away")

            monkeypatch.setattr(collector.store, "writing", fail)
            assert list(console_lines(collector, "http://x")) == []
