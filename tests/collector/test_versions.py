"""Definitions change while leads stand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pequel_collector.backfill import refresh
from pequel_collector.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.errors import NotFound
from pequel_collector.ports import LeadFilter
from pequel_collector.rules.reader import read_catalogue
from support.streams import NOW, collector_of, messages_of, plain_event

TWICE = '[[pql]]\nname = "keen"\nwhen = { event = "used", gte = 2 }\n'
ONCE = '[[pql]]\nname = "keen"\nwhen = { event = "used", gte = 1 }\n'
THRICE = '[[pql]]\nname = "keen"\nwhen = { event = "used", gte = 3 }\n'


def _used(user: str, times: int) -> list[dict[str, Any]]:
    return [plain_event(user, "used", f"{user}-{n}", NOW - 1000 + n) for n in range(times)]


def _under(collector: Collector, toml: str) -> Collector:
    """The same store under other definitions, as after a restart."""
    settings = Settings(database=collector.store.url)
    collector.close()
    return open_collector(settings, read_catalogue(toml), collector.clock)


def _leads(collector: Collector) -> list[tuple[str, int, str, list[str]]]:
    data = collector.queries.pqls(LeadFilter(), 100)["data"]
    shown = [(d["subject"]["id"], d["version"], d["state"], d["flags"]) for d in data]
    return sorted(shown)


def test_a_looser_definition_finds_the_leads_that_were_missing(store_url: str) -> None:
    """They are of the new version and flagged; the old lead keeps the version that opened it."""
    collector = collector_of(TWICE, store_url)
    collector.ingest.accept(messages_of([*_used("u1", 2), *_used("u2", 1)]))
    assert _leads(collector) == [("u1", 1, "new", [])]
    collector = _under(collector, ONCE)
    assert _leads(collector) == [("u1", 1, "new", []), ("u2", 2, "new", ["backfilled"])]
    collector.close()


def test_a_stricter_definition_leaves_old_leads_as_they_are(store_url: str) -> None:
    """What only the old version would open stays, also when more facts come."""
    collector = collector_of(TWICE, store_url)
    collector.ingest.accept(messages_of(_used("u1", 2)))
    collector = _under(collector, THRICE)
    collector.ingest.accept(messages_of(_used("u1", 3)))
    assert _leads(collector) == [("u1", 1, "new", [])]
    collector.close()


def test_a_definition_that_is_taken_out_leaves_its_leads(store_url: str) -> None:
    """Nothing new is opened; nothing is withdrawn."""
    collector = collector_of(TWICE, store_url)
    collector.ingest.accept(messages_of(_used("u1", 2)))
    collector = _under(collector, '[[pql]]\nname = "other"\nwhen = { event = "used" }\n')
    collector.ingest.accept(messages_of([*_used("u1", 3), *_used("u2", 3)]))
    assert [lead[0] for lead in _leads(collector)] == ["u1", "u1", "u2"]
    assert all(state == "new" for _, _, state, _ in _leads(collector))
    collector.close()


def test_a_definition_that_comes_back_finds_what_happened_meanwhile(store_url: str) -> None:
    """Facts that came while it was out count, and its version is the one that it had."""
    collector = collector_of(TWICE, store_url)
    collector = _under(collector, "")
    collector.ingest.accept(messages_of(_used("u1", 2)))
    collector = _under(collector, TWICE)
    assert _leads(collector) == [("u1", 1, "new", ["backfilled"])]
    collector.close()


def test_the_same_definitions_again_change_nothing(store_url: str) -> None:
    """A restart neither records a version nor replays history."""
    collector = collector_of(TWICE, store_url)
    collector.ingest.accept(messages_of(_used("u1", 2)))
    again = refresh(collector.store, collector.catalogue, collector.clock)
    assert (again.versions, again.subjects) == ([], 0)
    collector.close()


def test_a_definition_that_is_changed_back_is_the_version_that_it_was(store_url: str) -> None:
    """Its leads are current again: a late fact restates them."""
    collector = collector_of(TWICE, store_url)
    collector.ingest.accept(messages_of(_used("u1", 3)[1:]))
    for toml in (ONCE, THRICE, TWICE):
        collector = _under(collector, toml)
    collector.ingest.accept(messages_of(_used("u1", 1)))
    [lead] = collector.queries.pqls(LeadFilter(), 100)["data"]
    assert lead["version"] == 1
    assert lead["evidence"]["leaves"][0]["events"] == ["u1-0", "u1-1"]
    collector.close()


def test_a_definitions_file_out_of_sight_is_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Started in the wrong folder, a collector says so instead of no longer marking."""
    monkeypatch.chdir(tmp_path)
    settings = Settings(database=f"sqlite:///{tmp_path / 'pequel.db'}")
    open_collector(settings).close()
    open_collector(settings, read_catalogue(TWICE)).close()
    with pytest.raises(NotFound, match="name their file with --config"):
        open_collector(settings)
    (tmp_path / "pequel.toml").write_text("")
    open_collector(settings).close()
