"""``pequel keys``: a secret is shown once, a revoked key stays in the list."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pequel_collector.access.keys import Keys
from pequel_collector.app.bootstrap import now, open_store
from pequel_collector.cli.commands import pequel
from pequel_collector.config import Settings
from pequel_collector.model import Key


class Shell:
    """Runs `pequel keys` on one database."""

    def __init__(self, url: str) -> None:
        self.url = url

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(pequel, ["keys", *arguments, "--database", self.url])

    def find(self, token: str) -> Key | None:
        store = open_store(self.url)
        try:
            return Keys(store, now, Settings()).find(token)
        finally:
            store.close()


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(f"sqlite:///{tmp_path / 'pequel.db'}")


class TestCreate:
    def test_prints_a_token_that_lets_in(self, shell: Shell) -> None:
        done = shell.run("create", "--kind", "read", "--label", "the CRM")
        key = shell.find(done.stdout.strip())
        assert key is not None
        assert (key.kind, key.label) == ("read", "the CRM")

    def test_prints_nothing_else_where_a_script_reads(self, shell: Shell) -> None:
        assert len(shell.run("create", "--kind", "write").stdout.split()) == 1

    def test_says_which_database_it_makes(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """In a wrong folder it makes a key that the collector does not know."""
        monkeypatch.chdir(tmp_path)
        here = Shell("sqlite:///pequel.db")
        first, second = (here.run("create", "--kind", "read") for _ in range(2))
        assert first.stderr.splitlines()[0] == f"created the database {tmp_path / 'pequel.db'}"
        assert "database" not in second.stderr

    def test_the_kind_is_required(self, shell: Shell) -> None:
        assert shell.run("create").exit_code == 2
        assert shell.run("create", "--kind", "root").exit_code == 2


class TestList:
    def test_shows_everything_but_the_secret(self, shell: Shell) -> None:
        token = shell.run("create", "--kind", "write", "--label", "web shop").stdout.strip()
        text = shell.run("list").stdout
        key = shell.find(token)
        assert key is not None
        assert "web shop" in text
        assert key.id in text
        assert token not in text
        assert key.digest not in text

    def test_of_no_keys_is_empty(self, shell: Shell) -> None:
        open_store(shell.url).close()
        assert len(shell.run("list").stdout.splitlines()) == 1


@pytest.mark.parametrize(
    "arguments", [["keys", "list"], ["keys", "revoke", "nobody"], ["replay-rejected"]]
)
def test_a_database_that_is_missing_is_not_made(
    shell: Shell, tmp_path: Path, arguments: list[str]
) -> None:
    done = CliRunner().invoke(pequel, [*arguments, "--database", shell.url])
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"pequel: there is no database {tmp_path / 'pequel.db'}\n"
    assert list(tmp_path.iterdir()) == []


class TestRevoke:
    def test_ends_a_key(self, shell: Shell) -> None:
        token = shell.run("create", "--kind", "write").stdout.strip()
        key = shell.find(token)
        assert key is not None
        assert shell.run("revoke", key.id).exit_code == 0
        assert shell.find(token) is None
        assert key.id in shell.run("list").stdout

    def test_an_unknown_id_is_an_error(self, shell: Shell) -> None:
        open_store(shell.url).close()
        done = shell.run("revoke", "nobody")
        assert done.exit_code == 1
        assert done.stderr == "pequel: there is no active key nobody: see `pequel keys list`\n"


class TestRotate:
    def test_prints_the_new_key_alone(self, shell: Shell) -> None:
        old = shell.run("create", "--kind", "read", "--label", "the CRM").stdout.strip()
        key = shell.find(old)
        assert key is not None
        done = shell.run("rotate", key.id, "--overlap", "2h", "--reason", "each year")
        new = shell.find(done.stdout.strip())
        assert new is not None
        assert (new.kind, new.label) == ("read", "the CRM")
        assert shell.find(old) is not None
        assert f"in place of {key.id}, which works for 2h more" in done.stderr

    @pytest.mark.parametrize("overlap", ["soon", "5", "-1h", ""])
    def test_an_overlap_that_is_no_duration_changes_nothing(
        self, shell: Shell, overlap: str
    ) -> None:
        key = shell.find(shell.run("create", "--kind", "read").stdout.strip())
        assert key is not None
        done = shell.run("rotate", key.id, "--overlap", overlap)
        assert (done.exit_code, "--overlap" in done.stderr) == (2, True)
        assert len(shell.run("list").stdout.splitlines()) == 2

    def test_an_unknown_key_is_named(self, shell: Shell) -> None:
        shell.run("create", "--kind", "read")
        assert "there is no active key nobody" in shell.run("rotate", "nobody").stderr


def test_the_list_shows_how_a_key_begins_and_when_it_was_used(shell: Shell) -> None:
    token = shell.run("create", "--kind", "read").stdout.strip()
    header, row = shell.run("list").stdout.splitlines()
    assert header.split("  ")[0] == "ID"
    assert [name for name in ("PREFIX", "LAST USED", "ENDS") if name not in header] == []
    assert token[:9] in row
    assert token not in row


def test_the_audit_log_is_printed(shell: Shell) -> None:
    shell.run("create", "--kind", "read", "--reason", "the\nCRM")
    printed = CliRunner().invoke(pequel, ["audit", "--database", shell.url])
    _header, row = printed.stdout.splitlines()
    assert "cli" in row
    assert "key_created" in row
    assert "the\\nCRM" in row
