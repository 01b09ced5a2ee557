"""What goes on beside the requests, one round at a time, under a clock that is set by hand."""

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


class Heard:
    """What a housekeeper tells of its rounds."""

    def __init__(self) -> None:
        self.names: list[list[str]] = []
        self.errors: list[str] = []
        self.replays: list[BackfillProgress] = []

    def told(self, collector: Collector) -> None:
        self.names.append([d.name for d in collector.catalogue.definitions])

    def refused(self, error: PequelError) -> None:
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
def heard() -> Heard:
    return Heard()


@pytest.fixture
def keeper(collector: Collector, heard: Heard) -> Housekeeper:
    return Housekeeper(collector, heard.told, heard.refused, heard.replays.append)


def tell(collector: Collector, *names: str) -> None:
    events = [plain_event("u1", name, f"{name}-{NOW}", NOW) for name in names]
    collector.ingest.accept(messages_of(events))


class TestTheClock:
    def test_marks_who_is_due_and_nobody_before(self, collector: Collector, clock: Clock) -> None:
        collector.put_definitions(SILENT)
        tell(collector, "signed_up")
        clock.now = NOW + 7 * DAY - 1
        assert collector.tick() == []
        clock.now = NOW + 7 * DAY
        [lead] = collector.tick()
        assert (lead.subject, lead.qualified_at, lead.marked_at) == ("u:u1", clock.now, clock.now)
        assert collector.tick() == []

    def test_marks_for_a_definition_that_looks_forward(
        self, collector: Collector, clock: Clock
    ) -> None:
        """Also who did nothing since it came in force: what was before it opens the window."""
        tell(collector, "signed_up")
        clock.now = NOW + DAY
        collector.put_definitions(SILENT + 'on_change = "forward"\n')
        while (replay := collector.replay_some()) and not replay.is_over:
            pass
        clock.now = NOW + 9 * DAY
        [lead] = collector.tick()
        assert lead.qualified_at == NOW + 7 * DAY

    def test_runs_in_every_round(
        self, collector: Collector, clock: Clock, keeper: Housekeeper
    ) -> None:
        collector.put_definitions(SILENT)
        tell(collector, "signed_up")
        keeper.round()
        assert marks(collector) == {}
        clock.now = NOW + 8 * DAY
        keeper.round()
        assert marks(collector) == {("silent", "user", "u1"): [NOW + 7 * DAY]}

    def test_runs_on_after_a_restart(self, collector: Collector, clock: Clock) -> None:
        """What fell due while nobody ran is marked with the time at which it did."""
        collector.put_definitions(SILENT)
        tell(collector, "signed_up")
        clock.now = NOW + 30 * DAY
        again = open_collector(collector.settings, clock=clock)
        [lead] = again.tick()
        assert (lead.qualified_at, lead.marked_at) == (NOW + 7 * DAY, NOW + 30 * DAY)
        again.close()

    def test_costs_no_transaction_where_no_definition_has_one(
        self, collector: Collector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        collector.put_definitions(ONCE)
        with monkeypatch.context() as patched:
            patched.setattr(collector, "store", None)
            assert collector.tick() == []


class TestARound:
    def test_replays_some_of_history_and_says_how_much(
        self, collector: Collector, keeper: Housekeeper, heard: Heard
    ) -> None:
        tell(collector, "used")
        collector.put_definitions(ONCE)
        assert [keeper.round(), keeper.round(), keeper.round()] == [True, False, False]
        assert [(r.done, r.is_over) for r in heard.replays[:2]] == [(1, False), (1, True)]
        assert marks(collector) == {("once", "user", "u1"): [NOW]}

    def test_tells_of_definitions_that_were_put(
        self, collector: Collector, keeper: Housekeeper, heard: Heard
    ) -> None:
        for _ in range(2):
            keeper.round()
        assert heard.names == []
        collector.put_definitions(ONCE)
        for _ in range(2):
            keeper.round()
        assert heard.names == [["once"]]

    def test_follows_what_another_process_put(
        self, collector: Collector, keeper: Housekeeper, heard: Heard
    ) -> None:
        other = open_collector(collector.settings, clock=collector.clock)
        other.put_definitions(ONCE)
        other.close()
        keeper.round()
        assert heard.names == [["once"]]
        assert [d["name"] for d in Api(collector).definitions()["data"]] == ["once"]

    def test_reads_the_file_again_when_told_to(
        self, collector: Collector, keeper: Housekeeper, heard: Heard
    ) -> None:
        Path("pequel.toml").write_text(ONCE)
        keeper.round()
        assert heard.names == []
        keeper.reload()
        keeper.round()
        keeper.reload()
        keeper.round()
        assert heard.names == [["once"], ["once"]]

    @pytest.mark.parametrize(("text", "said"), [("nonsense", "pequel.toml:1:"), (None, "there is")])
    def test_says_what_is_wrong_with_the_file(
        self,
        collector: Collector,
        keeper: Housekeeper,
        heard: Heard,
        text: str | None,
        said: str,
    ) -> None:
        """And changes nothing; the file is not read again until it is told to."""
        collector.put_definitions(ONCE)
        if text is not None:
            Path("pequel.toml").write_text(text)
        keeper.reload()
        for _ in range(2):
            keeper.round()
        [error] = heard.errors
        assert error.startswith(said)
        assert [d.name for d in collector.catalogue.definitions] == ["once"]

    def test_is_tried_again_when_the_store_cannot_be_written(
        self,
        collector: Collector,
        keeper: Housekeeper,
        heard: Heard,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        Path("pequel.toml").write_text(ONCE)
        keeper.reload()
        with monkeypatch.context() as patched:
            patched.setattr(Collector, "reload_definitions", _busy)
            with pytest.raises(Unavailable):
                keeper.round()
        keeper.round()
        assert (heard.names, heard.errors) == ([["once"]], [])


def _busy(_: Any) -> None:
    raise Unavailable("another writer takes too long")


class TestTheThread:
    def test_goes_round_until_it_is_stopped(
        self, keeper: Housekeeper, monkeypatch: pytest.MonkeyPatch
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

        monkeypatch.setattr(keeper, "round", one)
        keeper.start()
        assert enough.wait(10)
        keeper.stop()
        ended = len(rounds)
        assert get_ident() not in rounds
        keeper.stop()
        assert len(rounds) == ended

    def test_begins_a_round_at_once_when_definitions_change(
        self, collector: Collector, keeper: Housekeeper, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(jobs, "PAUSE", 60)
        waiting, again = Event(), Event()

        def one() -> bool:
            (again if waiting.is_set() else waiting).set()
            return False

        monkeypatch.setattr(keeper, "round", one)
        keeper.start()
        assert waiting.wait(10)
        collector.put_definitions(ONCE)
        assert again.wait(10)
        keeper.stop()
