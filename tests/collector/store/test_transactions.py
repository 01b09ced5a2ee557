"""What is written is there for everyone, at once, whole, and stays; or it never was."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from pequel_collector.errors import TooLarge, Unavailable
from pequel_collector.model import Key, Stored
from pequel_collector.ports import Store
from pequel_collector.store import open_store
from pequel_collector.store.database import Pool
from pequel_collector.store.session import Session

MakeMessage = Callable[..., Stored]


def mids_of(store: Store, subject: str = "u:ada") -> list[str]:
    with store.reading() as view:
        return [stored.message.mid for stored in view.events([subject])]


def blocks(store: Store) -> dict[int, int]:
    """How many messages each block has."""
    with store._database.reading() as session:  # type: ignore[attr-defined]
        return dict(session.run("SELECT block, count(*) FROM event GROUP BY block"))


class TestACommit:
    def test_is_seen_by_the_next_reading(self, store: Store, message: MakeMessage) -> None:
        with store.writing() as tx:
            tx.append([message("m1")])
        assert mids_of(store) == ["m1"]

    def test_is_seen_by_another_store_on_the_same_database(
        self, open_again: Callable[[], Store], message: MakeMessage
    ) -> None:
        one, other = open_again(), open_again()
        with one.writing() as tx:
            tx.append([message("m1")])
        assert mids_of(other) == ["m1"]

    def test_is_not_seen_by_a_reading_that_had_begun(
        self, store: Store, message: MakeMessage
    ) -> None:
        with store.reading() as view:
            assert view.totals()["messages"] == 0
            with store.writing() as tx:
                tx.append([message("m1")])
            assert view.totals()["messages"] == 0
            assert list(view.events(["u:ada"])) == []

    def test_outlives_the_store(
        self, open_again: Callable[[], Store], message: MakeMessage
    ) -> None:
        first = open_again()
        with first.writing() as tx:
            tx.append([message(f"m{i}") for i in range(6)])
        first.close()
        assert mids_of(open_again()) == [f"m{i}" for i in range(6)]

    def test_is_followed_in_the_same_block_by_the_next_store(
        self, open_again: Callable[[], Store], message: MakeMessage
    ) -> None:
        for i in range(6):
            store = open_again()
            with store.writing() as tx:
                tx.append([message(f"m{i}")])
        assert blocks(store) == {1: 4, 2: 2}

    def test_is_refused_where_a_statement_failed_even_if_nobody_minded(
        self, store: Store, message: MakeMessage
    ) -> None:
        def write() -> None:
            with store.writing() as tx:
                tx.append([message("m1")])
                tx.add_key(key)
                with suppress(Exception):
                    tx.add_key(key)

        key = Key("k1", "write", "", "digest", 1)
        with pytest.raises(Unavailable):
            write()
        assert mids_of(store) == []

    def test_is_refused_where_its_last_statement_failed(
        self, store: Store, message: MakeMessage
    ) -> None:
        def write(*keys: Key) -> None:
            with store.writing() as tx:
                tx.append([message("m1")])
                for key in keys:
                    tx.add_key(key)

        key = Key("k1", "write", "", "digest", 1)
        with pytest.raises(Exception, match=r"(?i)unique"):
            write(key, key)
        assert mids_of(store) == []
        write(key)
        assert mids_of(store) == ["m1"]

    def test_that_fails_leaves_no_trace_in_memory(
        self, store_url: str, message: MakeMessage, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """How full the open block is, is what others would find in the database."""
        store = open_store(store_url, block_size=100)

        def fail(session: Session) -> None:
            raise Unavailable("the disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(Session, "commit", fail)
            with suppress(Unavailable), store.writing() as tx:
                tx.append([message(f"a{i}") for i in range(20)])
        for count in (4, 95):
            with store.writing() as tx:
                tx.append([message(f"b{count}-{i}") for i in range(count)])
        assert blocks(store) == {1: 99}
        store.close()


class TestAWriteTransaction:
    def test_sees_its_own_writes(self, store: Store, message: MakeMessage) -> None:
        with store.writing() as tx:
            tx.append([message("m1"), message("m2", to="acme")])
            assert tx.known(["m1", "m2", "m3"]) == {"m1", "m2"}
            assert [s.message.mid for s in tx.events(["g:acme"])] == ["m2"]
            assert tx.append([message("m2"), message("m3")]) == {"m3"}
            assert [s.message.mid for s in tx.events(["u:ada"])] == ["m1", "m2", "m3"]

    def test_that_fails_leaves_nothing(self, store: Store, message: MakeMessage) -> None:
        with suppress(ZeroDivisionError), store.writing() as tx:
            tx.append([message(f"m{i}") for i in range(10)])
            tx.save_histories({"u:ada": b"{}"})
            raise ZeroDivisionError
        with store.reading() as view:
            assert view.totals()["messages"] == 0
            assert list(view.events(["u:ada"])) == []
            assert view.histories(["u:ada"]) == {}

    def test_that_fails_leaves_the_open_block_as_it_was(
        self, store: Store, message: MakeMessage
    ) -> None:
        with store.writing() as tx:
            tx.append([message("a1")])
        with suppress(ZeroDivisionError), store.writing() as tx:
            tx.append([message(f"b{i}") for i in range(9)])
            raise ZeroDivisionError
        for i in range(4):
            with store.writing() as tx:
                tx.append([message(f"c{i}")])
        assert blocks(store) == {1: 4, 2: 1}
        assert mids_of(store) == ["a1", "c0", "c1", "c2", "c3"]

    def test_cannot_be_used_afterwards(self, store: Store) -> None:
        with store.writing() as tx:
            pass
        with pytest.raises(RuntimeError, match="over"):
            tx.known(["m1"])

    def test_ends_iterations_that_were_not_finished(
        self, store: Store, message: MakeMessage
    ) -> None:
        with store.writing() as tx:
            tx.append([message(f"m{i}") for i in range(600)])
            begun = tx.events(["u:ada"])
            assert next(begun) == message("m0")
        with pytest.raises(RuntimeError, match="over"):
            list(begun)
        with store.reading() as view:
            events = view.events(["u:1"])
        with pytest.raises(RuntimeError, match="over"):
            next(events)


def test_writers_in_two_threads_take_turns(store: Store, message: MakeMessage) -> None:
    """Nothing is lost, nothing counted twice, and the blocks are filled exactly."""

    def write(thread: int) -> int:
        new = 0
        for i in range(25):
            with store.writing() as tx:
                new += len(tx.append([message(f"{i:02}"), message(f"{i:02}-{thread}")]))
        return new

    with ThreadPoolExecutor(2) as threads:
        assert sum(threads.map(write, range(2))) == 75
    assert len(mids_of(store)) == 75
    assert blocks(store) == {i: min(4, 75 - 4 * (i - 1)) for i in range(1, 20)}


def test_writers_in_two_processes_fill_the_same_blocks(
    open_again: Callable[[], Store], message: MakeMessage
) -> None:
    """Each remembers how full the block is; one is not misled by what the other did."""
    stores = [open_again(), open_again()]
    for i in range(40):
        with stores[i % 2].writing() as tx:
            tx.append([message(f"m{i:02}", to="acme")])
    for store in stores:
        assert mids_of(store, "g:acme") == [f"m{i:02}" for i in range(40)]
    assert blocks(store) == dict.fromkeys(range(1, 11), 4)


def test_writers_in_two_processes_wait_for_each_other(
    open_again: Callable[[], Store], message: MakeMessage
) -> None:
    """In turn, and none of them in vain: as many as one has, the other has."""
    stores = [open_again(), open_again()]
    order: list[int] = []

    def write(number: int) -> None:
        for i in range(30):
            with stores[number].writing() as tx:
                tx.append([message(f"m{number}-{i:02}")])
                order.append(number)

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(write, range(2)))
    assert sorted(order) == [0] * 30 + [1] * 30
    assert len(mids_of(stores[0])) == 60


def test_a_file_that_nothing_can_be_laid_beside_is_written_all_the_same(
    tmp_path: Path, message: MakeMessage
) -> None:
    (tmp_path / "pequel.db-turn").mkdir()
    store = open_store(f"sqlite:///{tmp_path / 'pequel.db'}")
    with store.writing() as tx:
        tx.append([message("m1")])
    assert mids_of(store) == ["m1"]
    store.close()


def test_a_forked_process_has_connections_of_its_own(store: Store, message: MakeMessage) -> None:
    with store.writing() as tx:
        tx.append([message("before")])
    assert mids_of(store) == ["before"]
    child = os.fork()
    if not child:
        with suppress(BaseException):
            with store.writing() as tx:
                tx.append([message("child")])
            os._exit(0 if mids_of(store) == ["before", "child"] else 1)
        os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    with store.writing() as tx:
        tx.append([message("parent")])
    assert mids_of(store) == ["before", "child", "parent"]


def test_a_pool_hands_out_what_its_own_process_opened() -> None:
    opened = iter("abc")
    pool = Pool(lambda: next(opened))
    for _ in range(2):
        with pool.connection() as connection:
            assert connection == "a"
    child = os.fork()
    if not child:
        with pool.connection() as connection:
            os._exit(0 if connection == "b" else 1)
    assert os.waitpid(child, 0)[1] == 0
    with pool.connection() as connection:
        assert connection == "a"


class TestPostgres:
    KILL_OTHERS = """
    SELECT pg_terminate_backend(pid, 1000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()
    """

    def test_a_connection_that_broke_while_idle_is_replaced_unnoticed(
        self, postgres_url: str, message: MakeMessage
    ) -> None:
        store, other = open_store(postgres_url), open_store(postgres_url)
        with store.writing() as tx:
            tx.append([message("m1")])
        with other._database.writing() as session:  # type: ignore[attr-defined]
            session.run(self.KILL_OTHERS)
        with store.writing() as tx:
            tx.append([message("m2")])
        assert mids_of(store) == ["m1", "m2"]
        store.close()
        other.close()

    def test_one_that_breaks_at_work_is_unavailable_and_then_replaced(
        self, postgres_url: str, message: MakeMessage
    ) -> None:
        store, other = open_store(postgres_url), open_store(postgres_url)
        with store.writing() as tx:
            tx.append([message("m0")])

        def write() -> None:
            with store.writing() as tx:
                tx.append([message("m1")])
                with other._database.reading() as session:  # type: ignore[attr-defined]
                    session.run(self.KILL_OTHERS)
                tx.append([message("m2")])

        with pytest.raises(Unavailable):
            write()
        with store.writing() as tx:
            assert tx.append([message("m1")]) == {"m1"}
        store.close()
        other.close()

    def test_ids_too_long_for_an_index_are_no_reason_to_try_again(
        self, postgres_url: str, message: MakeMessage
    ) -> None:
        store = open_store(postgres_url)
        letters = random.Random(1).choices(range(0x4E00, 0x9FFF), k=1024)
        long = "".join(map(chr, letters))
        with pytest.raises(TooLarge), store.writing() as tx:
            tx.append([message(long, f"u:{long[::-1]}", to=long)])
        store.close()

    def test_a_turn_that_does_not_come_is_unavailable(self, postgres_url: str) -> None:
        store, other = (open_store(postgres_url, timeout=0.1) for _ in range(2))
        for writer, reason in ((store, "all connections are in use"), (other, "another writer")):
            with writer.writing(), pytest.raises(Unavailable, match=reason), store.writing():
                pass
            with store.writing():
                pass
        store.close()
        other.close()


class TestSqlite:
    def test_a_turn_that_does_not_come_is_unavailable(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/pequel.db"
        store, other = (open_store(url, timeout=0.02) for _ in range(2))
        for writer in (store, other):
            with writer.writing(), pytest.raises(Unavailable), store.writing():
                pass
            with store.writing():
                pass
        store.close()
        other.close()

    def test_readers_do_not_wait_for_a_writer(self, tmp_path: Path, message: MakeMessage) -> None:
        store = open_store(f"sqlite:///{tmp_path}/pequel.db")
        with store.writing() as tx:
            tx.append([message("m1")])
            assert mids_of(store) == []
        store.close()

    def test_in_memory_a_transaction_within_another_is_a_part_of_it(
        self, message: MakeMessage
    ) -> None:
        store = open_store("sqlite://")
        with store.writing() as tx:
            tx.append([message("m1")])
            with suppress(ZeroDivisionError), store.writing() as part:
                part.append([message("m2")])
                raise ZeroDivisionError
            assert mids_of(store) == ["m1"]
        assert mids_of(store) == ["m1"]
        store.close()
