"""A store is chosen by its URL; what cannot be opened is said clearly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pequel_collector.errors import Unavailable, Unsupported
from pequel_collector.store import open_store


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_store_in_memory_is_private_and_gone_when_closed(url: str) -> None:
    one, other = open_store(url), open_store(url)
    with one.writing() as tx:
        tx.set_meta("n", "x")
        assert tx.meta("n") == "x"
    with other.reading() as view:
        assert view.meta("n") is None
    one.close()
    other.close()


def test_a_path_is_relative_unless_it_begins_with_a_slash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for url in ("sqlite:///here.db", f"sqlite:///{tmp_path}/there.db"):
        store = open_store(url)
        assert store.url == url
        store.close()
    assert {path.name for path in tmp_path.iterdir()} >= {"here.db", "there.db"}


@pytest.mark.parametrize("url", ["mysql://localhost/x", "pequel.db", "", "sqlite://pequel.db"])
def test_another_scheme_is_unsupported(url: str) -> None:
    with pytest.raises(Unsupported, match="sqlite:///PATH"):
        open_store(url)


def test_a_folder_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="open"):
        open_store(f"sqlite:///{tmp_path}/missing/pequel.db")


def test_a_file_that_is_no_database_is_unavailable(tmp_path: Path) -> None:
    path = tmp_path / "pequel.db"
    path.write_text("This is not a database, however long it may be. " * 100)
    with pytest.raises(Unavailable):
        open_store(f"sqlite:///{path}")


def test_a_server_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        open_store(f"postgresql:///pequel?host={tmp_path}")


def test_an_address_that_makes_no_sense_is_unsupported() -> None:
    with pytest.raises(Unsupported):
        open_store("postgresql://localhost/pequel?no_such_option=1")


def test_an_sqlite_that_is_too_old_is_unsupported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sqlite3.sqlite_version_info", (3, 34, 1))
    with pytest.raises(Unsupported, match=r"3\.35"):
        open_store("sqlite://")


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "pequel_collector.store.postgres", raising=False)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(Unsupported, match=r'psycopg.*pip install "pequel\[collector,postgres\]"'):
        open_store("postgresql:///pequel")


def test_a_driver_is_imported_only_when_its_database_is_opened() -> None:
    check = (
        "import sys; from pequel_collector.store import open_store;"
        "assert not {'psycopg', 'sqlite_utils'} & sys.modules.keys();"
        "open_store('sqlite://').close(); assert 'psycopg' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
