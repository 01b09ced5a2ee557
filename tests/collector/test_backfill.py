"""History is replayed beside the batches that come in, and however often that is broken off."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle.streams import WHOLE, catalogues, streams
from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.marking import backfill
from pequel_collector.marking.active import BackfillProgress, backfill_progress
from pequel_collector.marking.evaluators import Evaluators
from pequel_collector.ports import LeadFilter, Store, WriteTransaction
from support.api import Api
from support.stage import Stage, replay_to_end, some_forward
from support.streams import NOW, answers, marks, messages_of, plain_event

Plain = dict[str, Any]
KEEN = '[[pql]]\nname = "keen"\nwhen = { event = "used", gte = 2 }\n'
KEENER = '[[pql]]\nname = "keen"\nwhen = { event = "used" }\n'


def collector_at(url: str = "sqlite://") -> Collector:
    return open_collector(Settings(database=url), clock=lambda: NOW, replay=False)


def used(user: str, times: int = 1) -> list[Plain]:
    return [plain_event(user, "used", f"{user}-{n}", NOW - 1000 + n) for n in range(times)]


def crowd(number: int) -> list[Plain]:
    return [event for n in range(number) for event in used(f"u{n:03}", 1 + n % 2)]


class Holder:
    """Whether somebody holds the write lock of a store."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_held, self._writing = False, store.writing
        monkeypatch.setattr(store, "writing", self._hold)

    @contextmanager
    def _hold(self) -> Iterator[WriteTransaction]:
        with self._writing() as tx:
            self.is_held = True
            try:
                yield tx
            finally:
                self.is_held = False


@pytest.fixture
def collector(store_url: str) -> Iterator[Collector]:
    collector = collector_at(store_url)
    collector.ingest.accept(messages_of(crowd(120)))
    yield collector
    collector.close()


class TestSteps:
    def test_are_of_a_few_subjects_each(self, collector: Collector) -> None:
        collector.put_definitions(KEENER)
        steps = replay_to_end(collector)
        done = [step.done for step in steps]
        assert done[-1] == 120
        assert all(
            0 < b - a <= backfill.SUBJECTS_PER_STEP for a, b in zip([0, *done], done, strict=False)
        )
        assert {step.total for step in steps} == {120}
        assert steps[-1].leads == 120

    def test_are_short(self, collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
        """A subject that takes all the time there is has a transaction of its own."""
        monkeypatch.setattr(backfill, "SECONDS_PER_STEP", 0)
        collector.put_definitions(KEENER)
        assert [step.done for step in replay_to_end(collector)] == list(range(1, 121))

    def test_go_on_where_they_were_broken_off(
        self, collector: Collector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A step that fails leaves nothing; whoever comes next has what was done before it."""
        collector.put_definitions(KEENER)
        first = collector.backfill_some()
        assert first

        def broken(*_: object) -> None:
            raise RuntimeError("the power is gone")

        with monkeypatch.context() as patched:
            patched.setattr(backfill, "set_backfill_progress", broken)
            with pytest.raises(RuntimeError):
                collector.backfill_some()
        with collector.store.reading() as view:
            assert backfill_progress(view) == first
        next_one = collector_at(collector.store.url)
        assert replay_to_end(next_one)[0].done > first.done
        assert len(marks(collector)) == 120
        next_one.close()

    def test_count_a_person_once_by_all_ids(self, collector: Collector) -> None:
        """A user who turned out to be another is walked past."""
        alias = plain_event("u000", "", "m1", NOW, type="alias", previousId="u001")
        collector.ingest.accept(messages_of([alias | {"event": None}]))
        collector.put_definitions(KEENER)
        replay_to_end(collector)
        assert len(marks(collector)) == 119

    def test_of_two_processes_share_the_work(self, collector: Collector) -> None:
        collector.put_definitions(KEENER)
        other = collector_at(collector.store.url)
        for each in (collector, other):
            each.backfill_some()
        steps = replay_to_end(other)
        assert [step.done for step in steps] == sorted({step.done for step in steps})
        assert steps[-1].done == 120
        assert Api(collector).definitions()["backfill"]["leads"] == 120
        other.close()

    def test_of_a_replay_that_is_over_do_nothing(self, collector: Collector) -> None:
        collector.put_definitions(KEENER)
        replay_to_end(collector)
        before = Api(collector).definitions()
        assert replay_to_end(collector) == []
        assert Api(collector).definitions() == before


class TestMeanwhile:
    def test_a_batch_is_marked_by_the_new_definitions(self, collector: Collector) -> None:
        """Leads for what was stored before are flagged, leads for what comes now are not."""
        collector.put_definitions(KEENER)
        opened = collector.ingest.accept(messages_of([*used("u000", 3), *used("new")])).qualified
        assert [(lead.subject, lead.version, lead.flags) for lead in opened] == [
            ("u:new", 1, []),
            ("u:u000", 1, ["backfilled"]),
        ]

    def test_an_id_that_turns_out_to_be_anothers_opens_nothing_of_its_own(
        self, collector: Collector
    ) -> None:
        """Though nobody has replayed what was stored under it."""
        collector.put_definitions(KEENER)
        alias = plain_event("u000", "", "m1", NOW, type="alias", previousId="u001")
        collector.ingest.accept(messages_of([alias | {"event": None}]))
        assert {user for _, _, user in marks(collector)} == {"u000"}

    def test_questions_are_answered_by_the_new_definitions(self, collector: Collector) -> None:
        """Of users and accounts that ask each other, too, and without writing anything."""
        joined = plain_event("u000", "used", "m1", NOW, groupId="acme")
        collector.ingest.accept(messages_of([joined]))
        collector.put_definitions(
            '[project]\nconversion = "paid"\ninternal = { email_domain = ["x.example"] }\n'
            + KEENER.replace("keen", "guarded")
            + 'unless = ["customer"]\n'
            + KEENER.replace("keen", "team")
            + 'subject = "account"\nunless = ["internal"]\n'
            + '[[pql]]\nname = "both"\nwhen.all = [{ event = "used" }, { pql = "team" }]\n'
        )
        progress = Api(collector).status("user", "u000")["progress"]
        assert [each["definition"] for each in progress] == ["guarded", "both"]
        assert Api(collector).status("account", "acme")["progress"]
        assert Api(collector).definitions()["backfill"]["done"] == 0

    def test_another_change_begins_anew(self, collector: Collector) -> None:
        collector.put_definitions(KEENER)
        assert collector.backfill_some()
        collector.put_definitions(KEEN)
        replay = Api(collector).definitions()["backfill"]
        assert (replay["state"], replay["done"]) == ("running", 0)
        replay_to_end(collector)
        versions = {lead["version"] for lead in Api(collector).pqls(LeadFilter(), 1000)["data"]}
        assert versions == {2}
        with collector.store.reading() as view:
            leads = [lead for lead, _ in view.leads(LeadFilter(), 1000)]
        assert sum(lead.version == 2 for lead in leads) == 60

    def test_another_process_follows_with_its_next_batch(self, collector: Collector) -> None:
        """And with its answers at once."""
        other = collector_at(collector.store.url)
        collector.put_definitions(KEENER)
        opened = other.ingest.accept(messages_of(used("new"))).qualified
        assert [lead.definition for lead in opened] == ["keen"]
        assert [d["name"] for d in Api(other).definitions()["data"]] == ["keen"]
        assert other.refresh_definitions()
        assert [d["name"] for d in Api(other).definitions()["data"]] == ["keen"]
        assert not other.refresh_definitions()
        other.close()

    def test_nothing_is_compiled_under_the_write_lock(
        self, collector: Collector, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Neither where they change, nor where another process follows."""
        other = collector_at(collector.store.url)
        compiled: list[bool] = []
        holders = [Holder(each.store, monkeypatch) for each in (collector, other)]
        make = Evaluators.__init__

        def making(*given: Any, **named: Any) -> None:
            compiled.append(any(holder.is_held for holder in holders))
            make(*given, **named)

        monkeypatch.setattr(Evaluators, "__init__", making)
        collector.put_definitions(KEENER)
        other.ingest.accept(messages_of(used("new")))
        collector.put_definitions(KEENER.replace("keen", "keener"))
        other.intake.accept(messages_of(used("newer")))
        assert compiled
        assert not any(compiled)
        other.close()

    def test_whoever_waits_for_it_has_it_done(self, collector: Collector) -> None:
        """What a command needs that answers once: history is replayed before it begins."""
        collector.put_definitions(KEENER)
        told: list[BackfillProgress] = []
        settings = Settings(database=collector.store.url)
        open_collector(settings, collector.catalogue, lambda: NOW, told.append).close()
        assert Api(collector).definitions()["backfill"]["state"] == "done"
        assert told[-1].done == 120


@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    first=catalogues(WHOLE),
    second=catalogues(WHOLE),
    messages=streams(identity=True, max_size=25),
    chance=st.randoms(use_true_random=False),
)
def test_however_it_is_interleaved_the_leads_are_those_of_a_replay_from_nothing(
    first: Plain,
    second: Plain,
    messages: list[Plain],
    chance: random.Random,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Batches, steps, changes there and back, restarts, questions and the clock, in any order."""
    monkeypatch.setattr(backfill, "SUBJECTS_PER_STEP", 2)
    choices = [some_forward(each, chance) for each in (first, second)]
    stage = Stage(choices[0])
    left, parts = list(messages), []
    while left:
        match chance.choice(["tell", "tell", "step", "put", "restart", "tick", "ask"]):
            case "tell":
                size = chance.randint(1, 5)
                stage.tell(left[:size])
                parts.append(left[:size])
                left = left[size:]
            case "step":
                stage.collector.backfill_some()
            case "put":
                stage.put(chance.choice(choices))
            case "restart":
                stage.restart()
            case "tick":
                stage.collector.run_clock()
            case "ask":
                answers(stage.collector)
    stage.finish()
    assert stage.marks() == stage.expected(parts)
