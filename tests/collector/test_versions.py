"""Definitions change while leads stand: which leads there are then, and of which version."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oracle import qualifications
from oracle.identity import placed
from oracle.streams import GRID, START, STEPS, WHOLE, catalogues, streams
from oracle.toml import to_toml
from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.errors import DefinitionError, NotFound
from pequel_collector.marking.work import LeadChange
from pequel_collector.model import LeadPatch
from pequel_collector.ports import LeadFilter
from pequel_collector.rules.parser.catalogue import read_catalogue
from support.api import Api
from support.streams import NOW, collector_of, marks, messages_of, plain_event, refresh

TWICE = '[[pql]]\nname = "keen"\nwhen = { event = "used", gte = 2 }\n'
ONCE = '[[pql]]\nname = "keen"\nwhen = { event = "used", gte = 1 }\n'
THRICE = '[[pql]]\nname = "keen"\nwhen = { event = "used", gte = 3 }\n'
FORWARD = 'on_change = "forward"\n'


def _used(user: str, times: int) -> list[dict[str, Any]]:
    return [plain_event(user, "used", f"{user}-{n}", NOW - 1000 + n) for n in range(times)]


def _under(collector: Collector, toml: str) -> Collector:
    """The same store under other definitions, as after a restart."""
    settings = Settings(database=collector.store.url)
    collector.close()
    return open_collector(settings, read_catalogue(toml), collector.clock)


def _leads(collector: Collector) -> list[tuple[str, int, str, list[str]]]:
    data = Api(collector).pqls(LeadFilter(), 100)["data"]
    shown = [(d["subject"]["id"], d["version"], d["state"], d["flags"]) for d in data]
    return sorted(shown)


def _deciding(lead: dict[str, Any]) -> list[str]:
    """The ids of the events of the first leaf, the latest first."""
    return [event["message_id"] for event in lead["evidence"]["leaves"][0]["events"]]


def _lead(collector: Collector) -> dict[str, Any]:
    [lead] = Api(collector).pqls(LeadFilter(), 100)["data"]
    return dict(lead)


class TestLooser:
    def test_leads_that_were_missing_are_found(self, store_url: str) -> None:
        """They are of the new version, and flagged."""
        collector = collector_of(TWICE, store_url)
        collector.ingest.accept(messages_of(_used("u2", 1)))
        collector = _under(collector, ONCE)
        assert _leads(collector) == [("u2", 2, "new", ["backfilled"])]
        collector.close()

    def test_a_lead_that_both_give_rests_on_the_one_in_force(self, store_url: str) -> None:
        """When and why it qualified follows; what was done with it, and when it came, stays."""
        collector = collector_of(TWICE, store_url)
        collector.ingest.accept(messages_of(_used("u1", 2)))
        before = _lead(collector)
        patch = LeadPatch(state="contacted", owner="ada")
        collector.desk.change(before["id"], LeadChange(patch))
        collector = _under(collector, ONCE)
        after = _lead(collector)
        assert (after["version"], after["flags"]) == (2, ["restated"])
        assert (after["state"], after["owner"]) == ("contacted", "ada")
        assert after["marked_at"] == before["marked_at"]
        assert after["qualified_at"] < before["qualified_at"]
        assert _deciding(after) == ["u1-0"]
        collector.close()


class TestStricter:
    def test_it_is_of_the_new_version_once_that_gives_it_too(self, store_url: str) -> None:
        collector = collector_of(TWICE, store_url)
        collector.ingest.accept(messages_of(_used("u1", 2)))
        collector = _under(collector, THRICE)
        collector.ingest.accept(messages_of(_used("u1", 3)))
        assert _leads(collector) == [("u1", 2, "new", ["restated"])]
        assert _lead(collector)["holds_now"]
        collector.close()


class TestTakenOut:
    def test_back_again_it_finds_what_happened_meanwhile(self, store_url: str) -> None:
        """Facts that came while it was out count, and its version is the one that it had."""
        collector = collector_of(TWICE, store_url)
        collector = _under(collector, "")
        collector.ingest.accept(messages_of(_used("u1", 2)))
        collector = _under(collector, TWICE)
        assert _leads(collector) == [("u1", 1, "new", ["backfilled"])]
        collector.close()


class TestTheSame:
    def test_nothing_is_recorded_or_replayed(self, store_url: str) -> None:
        collector = collector_of(TWICE, store_url)
        collector.ingest.accept(messages_of(_used("u1", 2)))
        before = Api(collector).definitions()
        assert refresh(collector.store, collector.catalogue, lambda: NOW + 1) == []
        assert Api(collector).definitions() == before
        collector.close()

    def test_another_title_is_no_other_version(self) -> None:
        collector = collector_of(TWICE)
        assert (
            collector.put_definitions(TWICE + 'title = "Keen users"\nowner = "ada"\n').versions
            == []
        )
        [definition] = Api(collector).definitions()["data"]
        assert (definition["title"], definition["version"]) == ("Keen users", 1)
        assert Api(collector).definitions()["backfill"]["state"] == "done"
        [lead] = collector.ingest.accept(messages_of(_used("u1", 2))).qualified
        assert lead.owner == "ada"

    def test_changed_back_it_is_the_version_that_it_was(self, store_url: str) -> None:
        """Its leads are current again: a late fact restates them."""
        collector = collector_of(TWICE, store_url)
        collector.ingest.accept(messages_of(_used("u1", 3)[1:]))
        for toml in (ONCE, THRICE, TWICE):
            collector = _under(collector, toml)
        collector.ingest.accept(messages_of(_used("u1", 1)))
        lead = _lead(collector)
        assert lead["version"] == 1
        assert _deciding(lead) == ["u1-1", "u1-0"]
        collector.close()


class Forward:
    """A collector whose clock is set by hand, with what users do at its times."""

    def __init__(self, toml: str) -> None:
        self.now = NOW
        settings = Settings(database="sqlite://")
        self.collector = open_collector(settings, read_catalogue(toml), clock=lambda: self.now)

    def at(self, second: int) -> None:
        """Set the clock to some seconds after the start."""
        self.now = NOW + second * 1000

    def put(self, toml: str) -> None:
        """Other definitions, and history replayed under them."""
        self.collector.put_definitions(toml)
        while (replay := self.collector.backfill_some()) and not replay.is_finished:
            pass

    def used(self, user: str, *seconds: int) -> None:
        """What a user did, some seconds after the start."""
        plain = [plain_event(user, "used", f"{user}-{s}", NOW + s * 1000) for s in seconds]
        self.collector.ingest.accept(messages_of(plain))

    def leads(self) -> dict[str, tuple[int, int]]:
        """Version and time, in seconds after the start, of each user's lead."""
        with self.collector.store.reading() as view:
            found = [lead for lead, _ in view.leads(LeadFilter(), 100)]
        return {n.subject[2:]: (n.version, (n.qualified_at - NOW) // 1000) for n in found}


class TestForward:
    def test_a_new_one_marks_nobody_for_what_came_before(self) -> None:
        story = Forward("")
        story.used("u1", 1, 2)
        story.at(10)
        story.put(TWICE + FORWARD)
        assert story.leads() == {}
        story.used("u1", 11)
        assert story.leads() == {}
        story.used("u1", 12)
        assert story.leads() == {"u1": (1, 12)}

    def test_a_changed_one_leaves_the_leads_that_there_are(self) -> None:
        """As they are, also once the new version gives them too."""
        story = Forward(TWICE + FORWARD)
        story.used("u1", 1, 2)
        story.at(10)
        story.put(ONCE + FORWARD)
        story.used("u2", 5)
        assert story.leads() == {"u1": (1, 2)}
        story.used("u1", 11)
        story.used("u2", 12)
        assert story.leads() == {"u1": (1, 2), "u2": (2, 12)}

    def test_one_that_comes_back_counts_from_then_on(self) -> None:
        """It is the version that it was. Its leads of the first time stay, also while it is out."""
        story = Forward(TWICE + FORWARD)
        story.used("u1", 1, 2)
        story.used("u2", 3)
        story.at(10)
        story.put("")
        story.used("u2", 11)
        story.used("u3", 12, 13)
        story.at(20)
        story.put(TWICE + FORWARD)
        assert story.leads() == {"u1": (1, 2)}
        assert story.collector.ingest.evaluators.versions == {"keen": 1}
        story.used("u3", 21, 22)
        assert story.leads() == {"u1": (1, 2), "u3": (1, 22)}
        [shown] = Api(story.collector).definitions()["data"]
        assert shown["in_force_since"] > shown["versions"][0]["created_at"]

    def test_another_title_does_not_begin_it_anew(self) -> None:
        story = Forward(TWICE + FORWARD)
        story.used("u1", 1)
        story.at(10)
        story.put(TWICE + FORWARD + 'title = "Keen users"\n')
        story.used("u1", 11)
        assert story.leads() == {"u1": (1, 11)}

    def test_a_restart_does_not_begin_it_anew(self, tmp_path: Path) -> None:
        settings = Settings(database=f"sqlite:///{tmp_path / 'pequel.db'}")
        for number, now in enumerate((NOW, NOW + 10_000)):
            collector = open_collector(settings, read_catalogue(TWICE + FORWARD), lambda n=now: n)
            collector.ingest.accept(messages_of([plain_event("u1", "used", f"m{number}", now)]))
            collector.close()
        collector = open_collector(settings, read_catalogue(TWICE + FORWARD), lambda: NOW)
        assert marks(collector) == {("keen", "user", "u1"): [NOW + 10_000]}
        collector.close()

    def test_traits_and_anchors_from_before_count(self) -> None:
        story = Forward("")
        called = plain_event("u1", "", "i1", NOW + 1000, type="identify", traits={"plan": "pro"})
        told = [
            called | {"event": None},
            plain_event("u1", "signed_up", "s1", NOW + 2000),
        ]
        story.collector.ingest.accept(messages_of(told))
        story.at(10)
        story.put(
            '[project]\nsignup = "signed_up"\n[[pql]]\nname = "keen"\n'
            'when.all = [{ trait = "plan", eq = "pro" }, '
            '{ event = "used", within = "1m", of = "signup" }]\n' + FORWARD
        )
        assert story.leads() == {}
        story.used("u1", 12)
        assert story.leads() == {"u1": (1, 12)}

    def test_what_arrives_late_counts_by_its_own_time(self) -> None:
        story = Forward("")
        story.at(10)
        story.put(TWICE + FORWARD)
        story.at(100)
        story.used("u1", 12)
        story.used("u1", 9, 8)
        assert story.leads() == {}
        story.used("u1", 11)
        assert story.leads() == {"u1": (1, 12)}

    def test_from_forward_to_looking_back_the_past_is_found(self) -> None:
        story = Forward("")
        story.used("u1", 1, 2)
        story.at(10)
        story.put(TWICE + FORWARD)
        story.put(TWICE)
        assert story.leads() == {"u1": (2, 2)}

    @settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
    @given(
        catalogue=catalogues(WHOLE),
        messages=streams(identity=True, max_size=25),
        step=st.integers(0, STEPS),
        sizes=st.randoms(use_true_random=False),
    )
    def test_marks_are_those_of_the_oracle(
        self, catalogue: dict[str, Any], messages: list[dict[str, Any]], step: int, sizes: Any
    ) -> None:
        """Whatever the definitions, and whatever came before or after they were put."""
        now = [START + step * GRID]
        collector = open_collector(Settings(database="sqlite://"), clock=lambda: now[0])
        chosen = [{**table, "on_change": "forward"} for table in catalogue["pql"]]
        turn = sizes.randint(0, len(messages))
        copies = messages_of(messages)
        collector.ingest.accept(copies[:turn])
        collector.put_definitions(to_toml({**catalogue, "pql": chosen}))
        now[0] = NOW
        collector.ingest.accept(copies[turn:])
        while (replay := collector.backfill_some()) and not replay.is_finished:
            pass
        collector.run_clock()
        activated = dict.fromkeys((table["name"] for table in chosen), START + step * GRID)
        told = placed([messages[:turn], messages[turn:]])
        assert marks(collector) == qualifications(catalogue, told, activated=activated)


class TestWhichAreInForce:
    """A file, and what was put over HTTP: the later of the two."""

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)

    @staticmethod
    def opened() -> Collector:
        return open_collector(Settings(database="sqlite:///pequel.db"), clock=lambda: NOW)

    def active_definitions(self) -> tuple[str, str]:
        collector = self.opened()
        found = collector.active_definitions()
        collector.close()
        assert found
        assert collector.catalogue.text == found.text
        return found.text, found.origin

    def put(self, text: str) -> None:
        collector = self.opened()
        collector.put_definitions(text)
        collector.close()

    def test_the_file_where_nothing_was_put(self) -> None:
        Path("pequel.toml").write_text(ONCE)
        assert self.active_definitions() == (ONCE, "file")

    def test_what_was_put_as_long_as_the_file_stays_as_it_was(self) -> None:
        Path("pequel.toml").write_text(ONCE)
        self.put(TWICE)
        assert self.active_definitions() == (TWICE, "put")
        assert self.active_definitions() == (TWICE, "put")

    def test_the_file_once_it_has_changed(self) -> None:
        Path("pequel.toml").write_text(ONCE)
        self.put(TWICE)
        Path("pequel.toml").write_text(THRICE)
        assert self.active_definitions() == (THRICE, "file")
        Path("pequel.toml").write_text(ONCE)
        assert self.active_definitions() == (ONCE, "file")

    def test_the_file_when_it_is_read_again(self) -> None:
        Path("pequel.toml").write_text(ONCE)
        collector = self.opened()
        collector.put_definitions(TWICE)
        collector.reload_definitions()
        assert collector.catalogue.text == ONCE
        collector.close()
        assert self.active_definitions() == (ONCE, "file")

    def test_what_was_put_where_there_is_no_file(self) -> None:
        self.put(TWICE)
        assert self.active_definitions() == (TWICE, "put")
        Path("pequel.toml").write_text(ONCE)
        assert self.active_definitions() == (ONCE, "file")

    def test_a_mistake_in_what_is_put_changes_nothing(self) -> None:
        collector = self.opened()
        collector.put_definitions(TWICE)
        before = Api(collector).definitions()
        with pytest.raises(DefinitionError):
            collector.put_definitions("nonsense")
        assert Api(collector).definitions() == before
        collector.close()

    def test_a_file_out_of_sight_is_a_mistake(self) -> None:
        """Started in the wrong folder, a collector says so instead of no longer marking."""
        Path("pequel.toml").write_text(TWICE)
        self.opened().close()
        Path("pequel.toml").unlink()
        with pytest.raises(NotFound, match="name their file with --config"):
            self.opened()
        Path("pequel.toml").write_text("")
        assert self.active_definitions() == ("", "file")
