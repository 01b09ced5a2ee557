"""The background jobs, one round at a time, under a clock that is set by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event, get_ident
from typing import Any

import pytest

from pequel_collector.app import jobs
from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.app.jobs import Housekeeper
from pequel_collector.config import Settings
from pequel_collector.errors import PequelError, Unavailable
from pequel_collector.marking.active import BackfillProgress
from support.api import Api
from support.streams import NOW, marks, messages_of, plain_event

DAY = 86_400_000
SILENT = """[[pql]]
name = "silent"
clock = true
when = { event = "used", eq = 0, within = "7d" }
"""
ONCE = '[[pql]]\nname = "once"\nwhen = { event = "used" }\n'


class Reports:
    """What a housekeeper tells of its rounds."""

    def __init__(self) -> None:
        self.names: list[list[str]] = []
        self.errors: list[str] = []
        self.replays: list[BackfillProgress] = []
        self.changes: list[str] = []

    def on_definitions(self, collector: Collector) -> None:
        self.names.append([d.name for d in collector.catalogue.definitions])

    def on_error(self, error: PequelError) -> None:
        self.errors.append(error.message)


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def collector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Collector]:
    """A collector in an empty folder, where `pequel.toml` is its definitions file."""
    monkeypatch.chdir(tmp_path)
    url = f"sqlite:///{tmp_path / 'pequel.db'}"
    collector = open_collector(Settings(database=url), clock=clock, replay=False)
    yield collector
    collector.close()


@pytest.fixture
def reports() -> Reports:
    return Reports()


@pytest.fixture
def housekeeper(collector: Collector, reports: Reports) -> Housekeeper:
    return Housekeeper(
        collector,
        reports.on_definitions,
        reports.on_error,
        reports.replays.append,
        reports.changes.extend,
    )


def tell(collector: Collector, *names: str) -> None:
    events = [plain_event("u1", name, f"{name}-{NOW}", NOW) for name in names]
    collector.ingest.accept(messages_of(events))


class TestTheClock:
    def test_marks_who_is_due_and_nobody_before(self, collector: Collector, clock: Clock) -> None:
        collector.put_definitions(SILENT)
        tell(collector, "signed_up")
        clock.now = NOW + 7 * DAY - 1
        assert collector.run_clock() == []
        clock.now = NOW + 7 * DAY
        [lead] = collector.run_clock()
        assert (lead.subject, lead.qualified_at, lead.marked_at) == ("u:u1", clock.now, clock.now)
        assert collector.run_clock() == []

    def test_marks_for_a_definition_that_looks_forward(
        self, collector: Collector, clock: Clock
    ) -> None:
        """Also who did nothing since it came in force: what was before it opens the window."""
        tell(collector, "signed_up")
        clock.now = NOW + DAY
        collector.put_definitions(SILENT + 'on_change = "forward"\n')
        while (replay := collector.backfill_some()) and not replay.is_finished:
            pass
        clock.now = NOW + 9 * DAY
        [lead] = collector.run_clock()
        assert lead.qualified_at == NOW + 7 * DAY

    def test_runs_in_every_round(
        self, collector: Collector, clock: Clock, housekeeper: Housekeeper
    ) -> None:
        collector.put_definitions(SILENT)
        tell(collector, "signed_up")
        housekeeper.run_once()
        assert marks(collector) == {}
        clock.now = NOW + 8 * DAY
        housekeeper.run_once()
        assert marks(collector) == {("silent", "user", "u1"): [NOW + 7 * DAY]}

    def test_runs_on_after_a_restart(self, collector: Collector, clock: Clock) -> None:
        """What fell due while nobody ran is marked with the time at which it did."""
        collector.put_definitions(SILENT)
        tell(collector, "signed_up")
        clock.now = NOW + 30 * DAY
        again = open_collector(collector.settings, clock=clock)
        [lead] = again.run_clock()
        assert (lead.qualified_at, lead.marked_at) == (NOW + 7 * DAY, NOW + 30 * DAY)
        again.close()

    def test_costs_no_transaction_where_no_definition_has_one(
        self, collector: Collector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        collector.put_definitions(ONCE)
        with monkeypatch.context() as patched:
            patched.setattr(collector, "store", None)
            assert collector.run_clock() == []


class TestARound:
    def test_replays_some_of_history_and_says_how_much(
        self, collector: Collector, housekeeper: Housekeeper, reports: Reports
    ) -> None:
        tell(collector, "used")
        collector.put_definitions(ONCE)
        assert [housekeeper.run_once(), housekeeper.run_once(), housekeeper.run_once()] == [
            True,
            False,
            False,
        ]
        assert [(r.done, r.is_finished) for r in reports.replays[:2]] == [(1, False), (1, True)]
        assert marks(collector) == {("once", "user", "u1"): [NOW]}

    def test_tells_of_definitions_that_were_put(
        self, collector: Collector, housekeeper: Housekeeper, reports: Reports
    ) -> None:
        for _ in range(2):
            housekeeper.run_once()
        assert reports.names == []
        collector.put_definitions(ONCE)
        for _ in range(2):
            housekeeper.run_once()
        assert reports.names == [["once"]]

    def test_follows_what_another_process_put(
        self, collector: Collector, housekeeper: Housekeeper, reports: Reports
    ) -> None:
        other = open_collector(collector.settings, clock=collector.clock)
        other.put_definitions(ONCE)
        other.close()
        housekeeper.run_once()
        assert reports.names == [["once"]]
        assert [d["name"] for d in Api(collector).definitions()["data"]] == ["once"]

    def test_reads_the_file_again_when_told_to(
        self, collector: Collector, housekeeper: Housekeeper, reports: Reports
    ) -> None:
        Path("pequel.toml").write_text(ONCE)
        housekeeper.run_once()
        assert reports.names == []
        housekeeper.reload()
        housekeeper.run_once()
        housekeeper.reload()
        housekeeper.run_once()
        assert reports.names == [["once"], ["once"]]

    def test_says_what_changed_at_once_and_what_it_did_after_the_replay(
        self, collector: Collector, housekeeper: Housekeeper, reports: Reports
    ) -> None:
        tell(collector, "used")
        Path("pequel.toml").write_text(ONCE)
        housekeeper.reload()
        while housekeeper.run_once():
            pass
        housekeeper.reload()
        housekeeper.run_once()
        assert reports.changes == [
            "once → version 1",
            "once → version 1: 1 lead added, 0 withdrawn",
            "nothing changed",
        ]

    def test_says_nothing_of_a_replay_that_finished_before(
        self, collector: Collector, reports: Reports
    ) -> None:
        collector.put_definitions(ONCE)
        fresh = Housekeeper(
            collector, reports.on_definitions, reports.on_error, on_changes=reports.changes.extend
        )
        fresh.run_once()
        assert reports.changes == []

    @pytest.mark.parametrize(("text", "said"), [("nonsense", "pequel.toml:1:"), (None, "there is")])
    def test_says_what_is_wrong_with_the_file(
        self,
        collector: Collector,
        housekeeper: Housekeeper,
        reports: Reports,
        text: str | None,
        said: str,
    ) -> None:
        """And changes nothing; the file is not read again until it is told to."""
        collector.put_definitions(ONCE)
        if text is not None:
            Path("pequel.toml").write_text(text)
        housekeeper.reload()
        for _ in range(2):
            housekeeper.run_once()
        [error] = reports.errors
        assert error.startswith(said)
        assert [d.name for d in collector.catalogue.definitions] == ["once"]

    def test_is_tried_again_when_the_store_cannot_be_written(
        self,
        collector: Collector,
        housekeeper: Housekeeper,
        reports: Reports,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        Path("pequel.toml").write_text(ONCE)
        housekeeper.reload()
        with monkeypatch.context() as patched:
            patched.setattr(Collector, "reload_definitions", _busy)
            with pytest.raises(Unavailable):
                housekeeper.run_once()
        housekeeper.run_once()
        assert (reports.names, reports.errors) == ([["once"]], [])


def _busy(_: Any) -> None:
    raise Unavailable("another writer takes too long")


class TestTheThread:
    def test_goes_round_until_it_is_stopped(
        self, housekeeper: Housekeeper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What a round comes upon does not end it."""
        monkeypatch.setattr(jobs, "PAUSE", 0.001)
        rounds: list[int] = []
        enough = Event()

        def one() -> bool:
            rounds.append(get_ident())
            if len(rounds) == 4:
                enough.set()
            if len(rounds) < 4:
                raise (Unavailable("not now"), ValueError("a fault"), KeyError(1))[len(rounds) - 1]
            return False

        monkeypatch.setattr(housekeeper, "run_once", one)
        housekeeper.start()
        assert enough.wait(10)
        housekeeper.stop()
        ended = len(rounds)
        assert get_ident() not in rounds
        housekeeper.stop()
        assert len(rounds) == ended

    def test_begins_a_round_at_once_when_definitions_change(
        self, collector: Collector, housekeeper: Housekeeper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(jobs, "PAUSE", 60)
        waiting, again = Event(), Event()

        def one() -> bool:
            (again if waiting.is_set() else waiting).set()
            return False

        monkeypatch.setattr(housekeeper, "run_once", one)
        housekeeper.start()
        assert waiting.wait(10)
        collector.put_definitions(ONCE)
        assert again.wait(10)
        housekeeper.stop()


def test_a_round_stores_when_keys_were_used(collector: Collector, clock: Clock) -> None:
    created = collector.keys.create("read")
    collector.keys.find(created.token)
    Housekeeper(collector, lambda _: None, lambda _: None).run_once()
    assert [key.last_used_at for key in collector.keys.listed()] == [clock.now]
