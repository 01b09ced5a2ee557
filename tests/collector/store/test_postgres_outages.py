"""A PostgreSQL server that stops answering, restarts, is full, or ends connections."""

from __future__ import annotations

import os
import select
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from threading import Barrier
from time import monotonic

import psycopg
import pytest
from psycopg import errors as failures

from pequel_collector.app.bootstrap import open_collector
from pequel_collector.config import Settings
from pequel_collector.errors import Unavailable
from pequel_collector.ports import Store
from pequel_collector.rules.language.definition import Catalogue
from pequel_collector.store import open_store, postgres
from pequel_collector.store.postgres import ANSWER_TIME, PostgresSession
from support.postgres import PostgresServer, new_cluster
from support.postgres import postgres as start_postgres

TIMEOUT = 1.0
SLACK = 2.0  # for a machine that does other work

COUNT = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pequel'"
END_ALL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pequel'"


@pytest.fixture(scope="module")
def own_server(postgres_server: PostgresServer) -> Iterator[PostgresServer]:
    """A server that other tests do not use, so that this one may disturb it."""
    if os.environ.get("PEQUEL_TEST_POSTGRES"):
        pytest.skip("the server at PEQUEL_TEST_POSTGRES is not disturbed")
    with start_postgres("max_connections=16", "fsync=off") as server:
        yield server


@pytest.fixture
def url(own_server: PostgresServer) -> Iterator[str]:
    with own_server.database() as url:
        yield url


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    with closing(open_store(url, timeout=TIMEOUT, connections=4)) as store:
        write(store)
        read(store)
        yield store


def ask(url: str, statement: str) -> int:
    with psycopg.connect(url, autocommit=True) as connection:
        [(number, *_), *_] = connection.execute(statement.encode()).fetchall() or [(0,)]
        return int(number)


def write(store: Store) -> None:
    with store.writing() as tx:
        tx.set_meta("n", "x")


def read(store: Store) -> None:
    with store.reading() as view:
        view.meta("n")


def seconds_until_unavailable(work: Callable[[], None]) -> float:
    began = monotonic()
    with pytest.raises(Unavailable):
        work()
    return monotonic() - began


class TestAServerThatStopsAnswering:
    def test_is_unavailable_in_time_to_all_and_usable_when_it_answers_again(
        self, store: Store, own_server: PostgresServer
    ) -> None:
        works = [lambda: read(store)] * 20 + [lambda: write(store)] * 4
        with own_server.paused(), ThreadPoolExecutor(len(works)) as threads:
            waits = list(threads.map(seconds_until_unavailable, works))
            assert max(waits) < TIMEOUT + ANSWER_TIME + SLACK
        write(store)
        read(store)

    def test_is_noticed_in_the_middle_of_a_transaction(
        self, store: Store, own_server: PostgresServer
    ) -> None:
        def write_meanwhile() -> None:
            with store.writing() as tx:
                tx.set_meta("n", "lost")
                with own_server.paused():
                    tx.set_meta("m", "lost")

        assert seconds_until_unavailable(write_meanwhile) < TIMEOUT + ANSWER_TIME + SLACK
        write(store)
        with store.reading() as view:
            assert view.meta("m") is None

    def test_is_not_ready_in_time_and_then_ready_again(
        self, url: str, own_server: PostgresServer
    ) -> None:
        settings = Settings(database=url, store_timeout=1)
        collector = open_collector(settings, Catalogue())
        with closing(collector):
            assert collector.trouble() is None
            with own_server.paused():
                assert "does not answer" in str(collector.trouble())
            assert collector.trouble() is None

    def test_does_not_keep_a_store_from_closing(self, url: str, own_server: PostgresServer) -> None:
        store = open_store(url, timeout=TIMEOUT)
        read(store)
        with own_server.paused():
            began = monotonic()
            store.close()
            assert monotonic() - began < SLACK


class TestConnections:
    def test_are_at_most_as_many_as_allowed(self, store: Store, own_server: PostgresServer) -> None:
        def slow_read(number: int) -> None:
            with store.reading() as view:
                view.meta(str(number))

        with ThreadPoolExecutor(32) as threads:
            list(threads.map(slow_read, range(200)))
        assert ask(own_server.url, COUNT) <= 4

    def test_of_two_stores_share_a_server_with_a_command(
        self, url: str, own_server: PostgresServer
    ) -> None:
        stores = [open_store(url, timeout=30.0, connections=4) for _ in range(2)]
        full = Barrier(6)

        def hold(number: int) -> None:
            with stores[number % 2].reading() as view:
                view.meta("n")
                full.wait(30)

        with ThreadPoolExecutor(6) as threads:
            list(threads.map(hold, range(6)))
        with closing(open_store(url)) as command:
            read(command)
        for store in stores:
            store.close()

    def test_that_are_not_used_are_closed(
        self, url: str, own_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(postgres, "MAX_IDLE", 0.05)
        with closing(open_store(url)) as store:
            read(store)
            until = monotonic() + 20
            while ask(own_server.url, COUNT) and monotonic() < until:
                pass
            assert ask(own_server.url, COUNT) == 0
            read(store)

    def test_that_are_all_in_use_make_others_wait_and_then_unavailable(self, url: str) -> None:
        store = open_store(url, timeout=0.1, connections=2)
        with store.reading(), pytest.raises(Unavailable, match="all connections are in use"):
            read(store)
        store.close()


class TestATransactionThatTheServerEnds:
    def break_by(self, store: Store, *statements: str) -> None:
        with store.writing() as tx:
            for statement in statements:
                tx._session.run(statement)  # type: ignore[attr-defined]

    @pytest.mark.parametrize(
        ("statements", "reason"),
        [
            (["SELECT pg_terminate_backend(pg_backend_pid())"], "stopping or starting"),
            (["SELECT pg_cancel_backend(pg_backend_pid())"], "took too long"),
            (["SET LOCAL statement_timeout = 1", "SELECT pg_sleep(5)"], "took too long"),
            (["SET LOCAL transaction_read_only = on", "DELETE FROM note"], "read-only"),
            (["DROP TABLE note CASCADE", "SELECT * FROM note"], "a table is missing"),
        ],
    )
    def test_is_unavailable(self, store: Store, statements: list[str], reason: str) -> None:
        with pytest.raises(Unavailable, match=reason):
            self.break_by(store, *statements)
        write(store)

    def test_because_it_was_idle_is_unavailable(self, store: Store) -> None:
        def be_idle() -> None:
            with store.writing() as tx:
                session = tx._session  # type: ignore[attr-defined]
                session.run("SET LOCAL idle_in_transaction_session_timeout = 1")
                select.select([session._connection.fileno()], [], [], 20)
                tx.set_meta("n", "lost")

        with pytest.raises(Unavailable):
            be_idle()
        write(store)

    def test_while_idle_is_replaced_unnoticed(self, store: Store, url: str) -> None:
        ask(url, END_ALL)
        write(store)
        read(store)


def test_a_server_that_is_restarted_is_used_again_without_a_new_store() -> None:
    if os.environ.get("PEQUEL_TEST_POSTGRES"):
        pytest.skip("the server at PEQUEL_TEST_POSTGRES is not disturbed")
    with new_cluster() as cluster:
        with cluster.running() as (url, _):
            store = open_store(url, timeout=2.0)
            write(store)
            read(store)
        for work in (write, read):
            with pytest.raises(Unavailable):
                work(store)
        with cluster.running():
            write(store)
            read(store)
            store.close()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (failures.DiskFull(), "the disk is full"),
        (failures.IdleInTransactionSessionTimeout(), "the server ended a transaction"),
        (failures.AdminShutdown(), "the server is stopping or starting"),
        (failures.CannotConnectNow(), "the server is stopping or starting"),
        (failures.TooManyConnections(), "too many connections"),
        (failures.DataCorrupted(), "it is damaged"),
        (failures.IoError(), "reports an error"),
        (psycopg.OperationalError("connection reset by peer"), "the connection failed"),
        (psycopg.InterfaceError("the connection is closed"), "the connection failed"),
    ],
)
def test_each_error_of_the_server_has_its_cause(error: Exception, reason: str) -> None:
    assert reason in str(PostgresSession.cause(error))


@pytest.mark.parametrize(
    "error", [failures.SyntaxError(), failures.UniqueViolation(), ValueError()]
)
def test_errors_of_the_collector_have_no_cause(error: Exception) -> None:
    assert PostgresSession.cause(error) is None
