"""The only wiring: from settings to a collector that takes facts in and answers questions."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from ..access.keys import Keys
from ..config import SETTINGS, Settings
from ..errors import BadRequest, NotFound, PequelError
from ..ingest.accept import Ingest
from ..ingest.group_commit import GroupCommit
from ..ingest.health import Health
from ..ingest.limits import Limits
from ..marking import backfill
from ..marking.active import ActiveDefinitions, BackfillProgress, active_definitions, digest
from ..marking.backfill import Progress, Proposal
from ..marking.derive import Derivation, settle
from ..model import Clock, Lead
from ..ports import Store, Version, WriteTransaction
from ..queries.queries import Queries
from ..rules.language.definition import Catalogue
from ..rules.parser.catalogue import read_catalogue
from ..store import open_store

__all__ = ["Collector", "now", "open_collector", "open_store", "read_definitions"]

DEFAULT_CONFIG = next(setting.default for setting in SETTINGS if setting.name == "config")
BODY = "body"
"""What the text of a request is called in the places of its mistakes."""


@dataclass(slots=True)
class Collector:
    """A store with what is done to it; one per process.

    ``changed`` is set when other definitions have come in force, for whoever replays history.
    """

    settings: Settings
    store: Store
    catalogue: Catalogue
    ingest: Ingest
    intake: GroupCommit
    limits: Limits
    health: Health
    queries: Queries
    keys: Keys
    clock: Clock
    changed: Event = field(default_factory=Event)

    def waiting(self) -> int:
        """How many events wait to be stored."""
        return self.intake.waiting_events

    def trouble(self) -> str | None:
        """Why events cannot be stored now, or questions not answered; None where all is well."""
        return self.health.probe(self.intake.oldest_wait())

    def tick(self) -> list[Lead]:
        """Let the clock run to now for whom it is due; the leads that this opened."""
        if not self.ingest.evaluators.has_clock:
            return []
        with self.store.reading() as view:
            if not view.due(self.clock(), 1):
                return []
        with self.store.writing() as tx:
            derivation = Derivation(tx, self.ingest.current_evaluators(tx), self.clock())
            derivation.tick()
            return derivation.finish()

    # -- definitions that change -----------------------------------------------------------

    def put_definitions(self, text: str) -> list[Version]:
        """Put definitions in force until their file changes; the versions that are new.

        Raises DefinitionError, and then changes nothing.
        """
        catalogue = read_catalogue(text, BODY)
        file = _written(self.settings.config)
        return self._adopt(Proposal(catalogue, "put", None if file is None else digest(file)))

    def reload_definitions(self) -> list[Version]:
        """Put the definitions file in force as it is now; the versions that are new.

        Raises PequelError where it cannot be read or understood, and then changes nothing.
        """
        text = _written(self.settings.config)
        if text is None:
            raise NotFound(f"there is no definitions file {self.settings.config}")
        return self._adopt(_filed(text, self.settings.config))

    def keep_up(self) -> bool:
        """Follow the definitions that another process has put in force; whether there were any."""
        with self.store.reading() as view:
            evaluators = self.ingest.current_evaluators(view)
        if evaluators is self.queries.evaluators:
            return False
        self._follow()
        return True

    def replay_some(self) -> BackfillProgress | None:
        """Replay a little more of history under definitions that have changed; how far that is."""
        return backfill.step(self.store, self.ingest.evaluators, self.clock)

    def active_definitions(self) -> ActiveDefinitions | None:
        """The definitions in force as they were written, and where they came from."""
        with self.store.reading() as view:
            return active_definitions(view)

    def _adopt(self, proposal: Proposal) -> list[Version]:
        with self.store.writing() as tx:
            adoption = backfill.adopt(tx, proposal, self.clock())
            self.ingest.use_evaluators(
                tx, adoption.evaluators
            )  # the next batch waits for this transaction
        self._follow()
        return adoption.versions

    def _follow(self) -> None:
        self.queries.follow(self.ingest.evaluators)
        self.catalogue = self.queries.catalogue
        self.changed.set()

    def close(self) -> None:
        """Write what is in memory only, where that can be, and let go of the store."""
        evaluators = self.ingest.evaluators
        if evaluators.cache.is_behind:
            with suppress(PequelError), self.store.writing() as tx:  # else it is caught up with
                settle(tx, evaluators)
        self.store.close()


def open_collector(
    settings: Settings,
    catalogue: Catalogue | None = None,
    clock: Clock | None = None,
    progress: Progress | None = None,
    *,
    replay: bool = True,
    make: bool = True,
) -> Collector:
    """A collector with its store open, and its definitions in force.

    Without a catalogue the definitions file is read; what was put goes before it until it changes.
    History is replayed to its end under definitions that changed, unless ``replay`` is false: then
    whoever has the collector does it with ``replay_some``. A database that is missing is made, but
    not without ``make``: then NotFound is raised.
    """
    clock = clock or now
    text = _written(settings.config) if catalogue is None else None
    proposal = Proposal(catalogue or Catalogue()) if text is None else _filed(text, settings.config)
    store = open_store(settings.database, make=make)
    try:
        with store.writing() as tx:
            if catalogue is None:
                proposal = _chosen(tx, proposal)
            adoption = backfill.adopt(tx, proposal, clock())
        if replay:
            backfill.finish(store, adoption.evaluators, clock, progress)
        return assemble(settings, store, adoption.evaluators.catalogue, clock)
    except BaseException:
        store.close()
        raise


def assemble(settings: Settings, store: Store, catalogue: Catalogue, clock: Clock) -> Collector:
    """A collector over a store that is open, in which these definitions are in force."""
    ingest = Ingest(store, catalogue, clock)
    health = Health(store, settings)
    intake = GroupCommit(ingest, settings, health)
    return Collector(
        settings=settings,
        store=store,
        catalogue=catalogue,
        ingest=ingest,
        intake=intake,
        limits=Limits(store, settings, clock),
        health=health,
        queries=Queries(store, catalogue, clock),
        keys=Keys(store, clock, settings),
        clock=clock,
    )


def _filed(text: str, config: str) -> Proposal:
    return Proposal(read_catalogue(text, config), "file", digest(text))


def _chosen(tx: WriteTransaction, filed: Proposal) -> Proposal:
    """The file, or what was put since: that stands until the file changes."""
    found = active_definitions(tx)
    if found is None or found.origin == "file":
        _require_file(tx, filed)
        return filed
    if filed.file is None or filed.file == found.file:
        return Proposal(read_catalogue(found.text, BODY), "put", found.file)
    return Proposal(filed.catalogue, "file", filed.file, instead_of=found.at)


def _require_file(tx: WriteTransaction, filed: Proposal) -> None:
    """Where leads follow definitions, their file being out of sight is a mistake, not a wish."""
    if filed.file is None and tx.versions():
        raise NotFound(
            f"there is no {DEFAULT_CONFIG} here, but the leads in this database follow "
            "definitions: name their file with --config (an empty file takes them out)"
        )


def read_definitions(config: str) -> Catalogue:
    """What a definitions file says; the default one may be missing, and then it says nothing."""
    text = _written(config)
    return Catalogue() if text is None else read_catalogue(text, config)


def _written(config: str) -> str | None:
    """The text of a definitions file; None where there is none, which only the default may be."""
    try:
        return Path(config).read_text("utf-8")
    except FileNotFoundError:
        if config == DEFAULT_CONFIG:
            return None
        raise NotFound(f"there is no definitions file {config}") from None
    except OSError as error:
        raise BadRequest(f"cannot read {config}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise BadRequest(f"{config} is not UTF-8: {error.reason} at byte {error.start}") from None


def now() -> int:
    """The wall clock, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
