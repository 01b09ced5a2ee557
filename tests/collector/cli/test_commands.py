"""The command and its subcommands: help, version, settings and errors."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pequel_collector.cli.commands import pequel
from pequel_collector.config import SECRET, SETTINGS

LINE = '{"user_id": "u1", "event": "used"}'
EXTRA = ("click", "flask", "granian", "marshmallow", "msgspec")


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    """The path of every command, groups included."""
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    for setting in SETTINGS:
        monkeypatch.delenv(setting.variable, raising=False)
    return CliRunner()


class TestHelp:
    @pytest.mark.parametrize("path", list(commands(pequel)), ids=" ".join)
    def test_every_command_has_an_example(self, runner: CliRunner, path: tuple[str, ...]) -> None:
        done = runner.invoke(pequel, [*path, "--help"])
        assert done.exit_code == 0
        assert f"Example:\n  pequel {' '.join(path)}" in done.output.replace(
            "  Example:\n    ", "Example:\n  "
        )

    def test_every_setting_of_serve_is_an_option_and_a_variable(self, runner: CliRunner) -> None:
        text = runner.invoke(pequel, ["serve", "--help"]).output
        for setting in SETTINGS:
            assert setting.variable in text
            assert (f"--{setting.name.replace('_', '-')}" in text) == (setting.name not in SECRET)

    def test_the_version_is_printed(self, runner: CliRunner) -> None:
        assert runner.invoke(pequel, ["--version"]).output == "pequel, version 0.1.0\n"


class TestMistakes:
    def test_a_definitions_file_that_is_not_there(self, runner: CliRunner) -> None:
        done = runner.invoke(pequel, ["import", "--config", "pequel.toml", "-"], input="")
        assert done.exit_code == 2
        assert "File 'pequel.toml' does not exist" in done.output

    def test_one_that_the_environment_names(
        self, runner: CliRunner, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PEQUEL_CONFIG", "gone.toml")
        done = runner.invoke(pequel, ["import", "-"], input="")
        assert done.exit_code == 2
        assert "File 'gone.toml' does not exist" in done.output

    def test_a_definition_is_wrong(self, runner: CliRunner) -> None:
        """The line begins with file:line:column, of which editors and terminals make a link."""
        Path("pequel.toml").write_text('[[pql]]\nname = "a"\nwhen = { evnt = "x" }\n')
        done = runner.invoke(pequel, ["import", "-"], input=LINE)
        assert done.exit_code == 1
        assert done.output.startswith("pequel.toml:3:")
        assert "Traceback" not in done.output

    def test_a_wrong_definition_leaves_no_database(self, runner: CliRunner) -> None:
        Path("pequel.toml").write_text("nonsense")
        runner.invoke(pequel, ["import", "-"], input=LINE)
        assert not Path("pequel.db").exists()

    @pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "sqlite:////no/such/folder/x.db"])
    def test_a_database_that_cannot_be_opened(self, runner: CliRunner, url: str) -> None:
        done = runner.invoke(pequel, ["keys", "list", "--database", url])
        assert done.exit_code == 1
        assert done.output.startswith("pequel: ")
        assert len(done.output.splitlines()) == 1


class TestWithoutTheExtra:
    @pytest.mark.parametrize("missing", EXTRA)
    def test_the_missing_extra_is_named_in_one_line(self, missing: str, tmp_path: Path) -> None:
        script = (
            f"import sys; sys.modules[{missing!r}] = None; "
            "sys.argv = ['pequel', 'serve', '--port=0']; "
            "from pequel_collector.cli import main; main()"
        )
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr == f'pequel: {missing} is not installed: install "pequel[collector]"\n'

    def test_importing_the_command_needs_the_standard_library_only(self) -> None:
        script = "import sys, pequel_collector.cli; print(*sys.modules)"
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
        loaded = {name.partition(".")[0] for name in done.stdout.split()}
        assert not loaded & {*EXTRA, "requests", "sqlite_utils", "psycopg"}


def test_the_module_is_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pequel_collector.cli", "--help"],
        cwd=tmp_path,
        env=dict(os.environ),
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("Usage: pequel ")
