"""The only wiring: from settings to a collector that takes facts in and answers questions."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import backfill
from .config import SETTINGS, Settings
from .errors import BadRequest, NotFound, PequelError
from .ingest import Clock, Ingest
from .keys import Keys
from .ports import Store
from .queries import Queries
from .rules.definition import Catalogue
from .rules.reader import read_catalogue
from .store import open_store

__all__ = ["Collector", "now", "open_collector", "open_store", "read_definitions"]

DEFAULT_CONFIG = next(setting.default for setting in SETTINGS if setting.name == "config")


@dataclass(frozen=True, slots=True)
class Collector:
    """A store with what is done to it; one per process."""

    settings: Settings
    store: Store
    catalogue: Catalogue
    ingest: Ingest
    queries: Queries
    keys: Keys
    clock: Clock

    def ready(self) -> bool:
        """Whether the store answers."""
        try:
            with self.store.reading() as view:
                view.versions()
        except PequelError:
            return False
        return True

    def close(self) -> None:
        """Let go of the store."""
        self.store.close()


def open_collector(
    settings: Settings,
    catalogue: Catalogue | None = None,
    clock: Clock | None = None,
    progress: Callable[[int], None] | None = None,
) -> Collector:
    """A collector with its store open and its history brought up to its definitions.

    Without a catalogue, the definitions file is read.
    """
    clock = clock or now
    unnamed = catalogue is None and not Path(settings.config).exists()
    catalogue = catalogue or read_definitions(settings.config)
    store = open_store(settings.database)
    try:
        if unnamed:
            _require_no_definitions(store)
        backfill.refresh(store, catalogue, clock, progress)
    except BaseException:
        store.close()
        raise
    return Collector(
        settings=settings,
        store=store,
        catalogue=catalogue,
        ingest=Ingest(store, catalogue, clock),
        queries=Queries(store, catalogue, clock),
        keys=Keys(store, clock, settings),
        clock=clock,
    )


def _require_no_definitions(store: Store) -> None:
    """Where leads follow definitions, their file being out of sight is a mistake, not a wish."""
    with store.reading() as view:
        if view.versions():
            raise NotFound(
                f"there is no {DEFAULT_CONFIG} here, but the leads in this database follow "
                "definitions: name their file with --config (an empty file takes them out)"
            )


def read_definitions(config: str) -> Catalogue:
    """What a definitions file says; the default one may be missing, and then it says nothing."""
    try:
        text = Path(config).read_text("utf-8")
    except FileNotFoundError:
        if config == DEFAULT_CONFIG:
            return Catalogue()
        raise NotFound(f"there is no definitions file {config}") from None
    except OSError as error:
        raise BadRequest(f"cannot read {config}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BadRequest(f"{config} is not UTF-8: {error.reason} at byte {error.start}") from None
    return read_catalogue(text, config)


def now() -> int:
    """The wall clock, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
