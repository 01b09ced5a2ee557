"""The wiring: which definitions file counts, and what is open when something is wrong."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pequel_collector.app import bootstrap
from pequel_collector.app.bootstrap import (
    Collector,
    open_collector,
    read_definitions,
)
from pequel_collector.config import Settings
from pequel_collector.errors import (
    BadRequest,
    DefinitionError,
    NotFound,
    PequelError,
)
from pequel_collector.rules.language.definition import Catalogue

ONE = '[[pql]]\nname = "activated"\nwhen = { event = "project_created" }\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def collector() -> Iterator[Collector]:
    collector = open_collector(Settings(), clock=lambda: 7)
    yield collector
    collector.close()


class TestTheDefinitionsFile:
    def test_is_read(self) -> None:
        Path("pequel.toml").write_text(ONE)
        assert [d.name for d in read_definitions("pequel.toml").definitions] == ["activated"]

    def test_may_be_missing_under_its_usual_name(self) -> None:
        assert read_definitions("pequel.toml") == Catalogue()

    def test_must_be_there_under_any_other(self) -> None:
        with pytest.raises(NotFound, match=r"no definitions file other\.toml"):
            read_definitions("other.toml")

    def test_must_be_a_file(self, folder: Path) -> None:
        with pytest.raises(BadRequest, match="cannot read"):
            read_definitions(str(folder))

    def test_must_be_utf_8(self) -> None:
        Path("pequel.toml").write_bytes(b'name = "caf\xe9"')
        with pytest.raises(BadRequest, match=r"pequel\.toml is not UTF-8.* at byte 11"):
            read_definitions("pequel.toml")

    def test_with_a_mistake_leaves_no_database(self) -> None:
        Path("pequel.toml").write_text("nonsense")
        with pytest.raises(DefinitionError):
            open_collector(Settings())
        assert not Path("pequel.db").exists()


class TestACollector:
    def test_has_one_clock(self, collector: Collector) -> None:
        key, _ = collector.keys.create("read")
        assert (collector.clock(), key.created_at) == (7, 7)

    def test_records_its_definitions(self) -> None:
        Path("pequel.toml").write_text(ONE)
        collector = open_collector(Settings())
        with collector.store.reading() as view:
            assert [version.name for version in view.versions()] == ["activated"]
        collector.close()

    def test_is_ready_while_its_store_answers(self, collector: Collector) -> None:
        assert collector.trouble() is None

    def test_lets_go_of_its_store_when_it_cannot_be_made(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened = []

        def open_store(url: str, **options: Any) -> object:
            opened.append(original(url, **options))
            monkeypatch.setattr(opened[0], "close", lambda: opened.append("closed"))
            return opened[0]

        def activate(*_: object) -> None:
            raise PequelError("no")

        original = bootstrap.open_store
        monkeypatch.setattr(bootstrap, "open_store", open_store)
        monkeypatch.setattr(bootstrap.backfill, "activate", activate)
        with pytest.raises(PequelError):
            open_collector(Settings())
        assert opened[1:] == ["closed"]
