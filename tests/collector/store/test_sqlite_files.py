"""SQLite files that are removed, replaced, damaged, locked or read-only while a store is open."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pequel_collector.errors import Unavailable
from pequel_collector.model import Stored
from pequel_collector.ports import Store
from pequel_collector.store import open_store
from pequel_collector.store.sqlite import SqliteSession

MakeMessage = Callable[..., Stored]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    return folder / "pequel.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with closing(open_store(f"sqlite:///{path}", timeout=0.05)) as store:
        with store.writing() as tx:
            tx.set_meta("n", "first")
        yield store


def write(store: Store, text: str = "next") -> None:
    with store.writing() as tx:
        tx.set_meta("n", text)


def read(store: Store) -> str | None:
    with store.reading() as view:
        return view.meta("n")


def remove_database(path: Path) -> None:
    path.unlink()


def remove_all(path: Path) -> None:
    for file in path.parent.iterdir():
        file.unlink()


def remove_folder(path: Path) -> None:
    shutil.rmtree(path.parent)


def move_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def remove_log(path: Path) -> None:
    Path(f"{path}-wal").unlink()


def remove_index(path: Path) -> None:
    Path(f"{path}-shm").unlink()


def replace_by_copy(path: Path) -> None:
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    copy.replace(path)


def replace_by_empty_file(path: Path) -> None:
    path.unlink()
    path.touch()


def replace_by_other_database(path: Path) -> None:
    remove_all(path)
    open_store(f"sqlite:///{path}").close()


def replace_log(path: Path) -> None:
    log = Path(f"{path}-wal")
    shutil.copy(log, log.with_suffix(".copy"))
    log.with_suffix(".copy").replace(log)


CHANGES = [
    remove_database,
    remove_all,
    remove_folder,
    move_folder,
    remove_log,
    remove_index,
    replace_by_copy,
    replace_by_empty_file,
    replace_by_other_database,
    replace_log,
]


@pytest.mark.parametrize("change", CHANGES)
class TestAfterAFileIsRemovedOrReplaced:
    def test_nothing_is_acknowledged_or_answered(
        self, store: Store, path: Path, change: Callable[[Path], None]
    ) -> None:
        assert read(store) == "first"
        change(path)
        with pytest.raises(Unavailable, match="removed or replaced while the collector runs"):
            write(store)
        with pytest.raises(Unavailable, match="removed or replaced while the collector runs"):
            read(store)

    def test_what_is_being_committed_is_not_acknowledged(
        self, store: Store, path: Path, change: Callable[[Path], None]
    ) -> None:
        def write_meanwhile() -> None:
            with store.writing() as tx:
                tx.set_meta("n", "lost")
                change(path)

        with pytest.raises(Unavailable):
            write_meanwhile()

    def test_the_files_that_are_there_are_left_alone(
        self, store: Store, path: Path, change: Callable[[Path], None]
    ) -> None:
        change(path)
        before = {file: file.read_bytes() for file in path.parent.glob("*")}
        for _ in range(3):
            with pytest.raises(Unavailable):
                write(store)
        assert {file: file.read_bytes() for file in path.parent.glob("*")} == before


def test_a_file_that_comes_back_is_used_again(store: Store, path: Path) -> None:
    path.rename(path.with_name("away.db"))
    with pytest.raises(Unavailable):
        write(store)
    path.with_name("away.db").rename(path)
    write(store)
    assert read(store) == "next"


def test_a_store_does_not_create_its_file_again(store: Store, path: Path) -> None:
    store.close()
    remove_all(path)
    for ask in (write, read):
        with pytest.raises(Unavailable):
            ask(store)
    assert not path.exists()


def test_a_store_that_was_closed_can_be_used_again(store: Store) -> None:
    store.close()
    write(store)
    assert read(store) == "next"


def test_another_process_may_close_the_database(store: Store, path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("SELECT * FROM note").fetchall()
    with closing(open_store(f"sqlite:///{path}")) as other_store:
        write(other_store, "other")
    assert read(store) == "other"
    write(store)


def test_a_backup_that_replaces_the_file_between_two_runs_is_used(store: Store, path: Path) -> None:
    with closing(sqlite3.connect(path)) as tool:
        tool.execute("VACUUM INTO ?", [str(path.with_name("backup.db"))])
    write(store, "after the backup")
    store.close()
    remove_log_files = [Path(f"{path}{end}") for end in ("-wal", "-shm")]
    for file in remove_log_files:
        file.unlink(missing_ok=True)
    path.with_name("backup.db").replace(path)
    with closing(open_store(f"sqlite:///{path}")) as restored:
        assert read(restored) == "first"
        write(restored)


@pytest.mark.parametrize("name", ["pequel.db", "a name?with#signs%20.db"])
def test_new_files_can_be_used_by_their_owner_only(tmp_path: Path, name: str) -> None:
    with closing(open_store(f"sqlite:///{tmp_path / name}")) as store:
        write(store)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()}
    assert modes == {f"{name}{end}": 0o600 for end in ("", "-wal", "-shm", "-turn")}


def test_the_mode_of_an_existing_file_stays(tmp_path: Path) -> None:
    path = tmp_path / "pequel.db"
    path.touch(0o640)
    path.chmod(0o640)
    open_store(f"sqlite:///{path}").close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_damaged_file_is_unavailable(store: Store, path: Path) -> None:
    store.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    with pytest.raises(Unavailable, match=r"damaged|malformed"):
        write(store)
    with pytest.raises(Unavailable, match=r"damaged|malformed"):
        read(store)


def test_a_file_that_is_no_database_any_more_is_unavailable(store: Store, path: Path) -> None:
    store.close()
    path.write_bytes(b"not a database " * 1000)
    with pytest.raises(Unavailable, match="not a database"):
        write(store)


def test_a_file_that_another_program_locks_is_unavailable_in_time(store: Store, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as tool:
        tool.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="another program keeps it locked"):
            write(store)
        tool.execute("ROLLBACK")
    write(store)


def test_a_table_that_is_missing_is_unavailable(store: Store, path: Path) -> None:
    with closing(sqlite3.connect(path)) as tool:
        tool.execute("DROP TABLE note")
    with pytest.raises(Unavailable, match="no such table"):
        write(store)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("SQLITE_BUSY_SNAPSHOT", "another program keeps it locked"),
        ("SQLITE_FULL", "the disk is full"),
        ("SQLITE_READONLY_DBMOVED", "it is read-only"),
        ("SQLITE_IOERR_WRITE", "the disk reports an error"),
        ("SQLITE_CANTOPEN", "its file cannot be opened"),
        ("SQLITE_CORRUPT_INDEX", "its file is damaged"),
        ("SQLITE_ERROR", "the text of the driver"),
    ],
)
def test_each_error_of_sqlite_has_its_cause(name: str, reason: str) -> None:
    error = sqlite3.OperationalError("the text of the driver")
    error.sqlite_errorname = name
    assert SqliteSession.cause(error) == reason


@pytest.mark.parametrize(
    "error", [sqlite3.IntegrityError(), sqlite3.ProgrammingError(), ValueError()]
)
def test_errors_of_the_collector_have_no_cause(error: Exception) -> None:
    assert SqliteSession.cause(error) is None
