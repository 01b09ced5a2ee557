"""The wiring: from settings to a collector that accepts events and answers queries."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event

from ..access.keys import Keys
from ..audit.preview import Budget, Preview, preview
from ..config import SETTINGS, Settings
from ..errors import BadRequest, NotFound, PequelError, Unavailable
from ..ingest.accept import Ingest
from ..ingest.group_commit import GroupCommit
from ..ingest.health import Health
from ..ingest.limits import Limits
from ..leads.account_lists import ListChange, entries_in, replace_list
from ..marking import backfill
from ..marking.active import (
    BODY,
    ActiveDefinitions,
    BackfillProgress,
    active_definitions,
    digest,
)
from ..marking.backfill import Activation, OnProgress
from ..marking.change import NewDefinitions
from ..marking.deadlines import LEADS_PER_STEP, any_passed, pass_deadlines
from ..marking.derive import Derivation, save_cache
from ..marking.evaluators import Evaluators
from ..marking.preparations import Preparations
from ..marking.work import LeadDesk
from ..model import JSON, Clock, Lead, iso
from ..ports import CLI, Act, AuditEntry, By, Store, WriteTransaction
from ..queries.lists import Lists
from ..queries.metrics import Metrics
from ..queries.overlap import Overlaps
from ..queries.partners import Partners
from ..queries.queries import Queries
from ..rules.language.definition import Catalogue
from ..rules.parser.catalogue import read_catalogue
from ..store import open_store
from .alerts import AlertDesk
from .arrival_watch import ArrivalWatch
from .crm import CrmDesk

__all__ = ["Collector", "now", "open_collector", "open_store", "read_definitions"]

INDEX_STEPS = 4
"""Transactions that index messages, each a few thousand, in one round of the background jobs."""

DUE_PER_STEP = 50
"""Subjects whose clock runs in one transaction."""

FILE = By("file")

BRIEFLY = 0.5
"""Seconds that a change of definitions waits for the back-fill, to say what it did."""

DEFAULT_CONFIG = next(setting.default for setting in SETTINGS if setting.name == "config")


@dataclass(slots=True)
class Collector:
    """A store and everything that works on it. There is one per process.

    ``changed`` is set when other definitions come in force. The background jobs wait for it.
    """

    settings: Settings
    store: Store
    catalogue: Catalogue
    ingest: Ingest
    intake: GroupCommit
    limits: Limits
    health: Health
    queries: Queries
    lists: Lists
    partners: Partners
    overlaps: Overlaps
    metrics: Metrics
    desk: LeadDesk
    alerts: AlertDesk
    crm: CrmDesk
    keys: Keys
    clock: Clock
    arrivals: ArrivalWatch
    changed: Event = field(default_factory=Event)

    def waiting(self) -> int:
        """How many events wait to be stored."""
        return self.intake.waiting_events

    def trouble(self) -> str | None:
        """Why events cannot be stored or queries not answered now; None if they can."""
        return self.health.probe(self.intake.oldest_wait())

    def run_clock(self) -> list[Lead]:
        """Run the clock up to now for every subject that is due; the leads that this opened.

        It works in short transactions, so that others can write in between.
        """
        opened: list[Lead] = []
        while self._is_any_due():
            with Preparations(self.store, self.clock) as preparations:
                opened += preparations.run(self._run_clock_of_some) + preparations.leads
        return opened

    def _run_clock_of_some(self, is_brief: bool) -> list[Lead]:
        with self.store.writing() as tx:
            evaluators = self.ingest.current_evaluators(tx, is_brief=is_brief)
            derivation = Derivation(tx, evaluators, self.clock(), is_brief=is_brief)
            derivation.run_clock(DUE_PER_STEP)
            return derivation.finish()

    def _is_any_due(self) -> bool:
        if not self.ingest.evaluators.has_clock:
            return False
        with self.store.reading() as view:
            return bool(view.due(self.clock(), 1))

    def pass_deadlines(self) -> bool:
        """Log deadlines of leads that have passed, and escalate; whether there is more to do."""
        if not any_passed(self.store, self.clock()):
            return False
        with self.store.writing() as tx:
            evaluators = self.ingest.current_evaluators(tx)
            return pass_deadlines(tx, evaluators, self.clock()) == LEADS_PER_STEP

    def index_messages(self) -> bool:
        """Index some messages of full blocks by subject; whether there is more to do.

        It works in short transactions, so that others can write in between.
        """
        with self.store.reading() as view:
            if not view.has_messages_to_index():
                return False
        for _ in range(INDEX_STEPS):
            with self.store.writing() as tx:
                if not tx.index_messages():
                    return False
        return True

    def replace_account_list(self, partner: str, accounts: Iterable[str], by: By) -> ListChange:
        """Replace the account list of a partner. Raises BadRequest."""
        entries = entries_in(accounts)
        with self.store.writing() as tx:
            return replace_list(tx, partner, entries, self.clock(), by)

    # -- definitions that change -----------------------------------------------------------

    def put_definitions(self, text: str, by: By = CLI, actor: str | None = None) -> Activation:
        """Put definitions in force until their file changes; what changed.

        ``actor`` is who does it, as they say; else it is the actor of ``by``. Raises
        DefinitionError, and then changes nothing.
        """
        catalogue = read_catalogue(text, BODY, self.settings.is_for_alerts)
        file = self._file_digest()
        said = actor or by.actor
        return self._activate(NewDefinitions(catalogue, "put", file, None, said, by.reason), by)

    def preview(self, catalogue: Catalogue, budget: Budget) -> Preview:
        """What putting definitions would do, with bounded work; nothing is changed."""
        new = NewDefinitions(catalogue, "put", self._file_digest())
        return preview(self.store, new, self.clock, budget=budget)

    def reload_definitions(self) -> Activation:
        """Put the definitions file in force as it is now; what changed.

        Raises PequelError if it cannot be read or understood, and then changes nothing.
        """
        text = _read_text(self.settings.config)
        if text is None:
            raise NotFound(f"there is no definitions file {self.settings.config}")
        return self._activate(_from_file(text, self.settings))

    def refresh_definitions(self) -> bool:
        """Use the definitions in force if another process has changed them; whether it has."""
        with self.store.reading() as view:
            evaluators = self.ingest.current_evaluators(view)
        return self._follow(evaluators)

    def backfill_some(self) -> BackfillProgress | None:
        """Run one step of the back-fill under definitions that have changed; the progress."""
        return backfill.step(self.store, self.ingest.evaluators, self.clock)

    def backfill_briefly(self) -> BackfillProgress | None:
        """Run steps of the back-fill for a moment; the progress, None if it is not known."""
        until = time.monotonic() + BRIEFLY
        progress = None
        with suppress(Unavailable):  # the background jobs go on
            while time.monotonic() < until and not (progress and progress.is_finished):
                progress = self.backfill_some()
        return progress

    def active_definitions(self) -> ActiveDefinitions | None:
        """The definitions in force as text, and where they came from."""
        with self.store.reading() as view:
            return active_definitions(view)

    def _file_digest(self) -> str | None:
        """The digest of the definitions file; the last known one if it cannot be read now."""
        try:
            text = _read_text(self.settings.config)
        except PequelError:
            active = self.active_definitions()
            return active.file if active else None
        return None if text is None else digest(text)

    def _activate(self, new: NewDefinitions, by: By = FILE) -> Activation:
        with self.store.reading() as view:
            prepared = backfill.prepare_change(view, new, self.clock())
        with self.store.writing() as tx:
            activation = backfill.activate(tx, new, self.clock(), prepared)
            _audit(tx, new, activation, by, self.clock())
            # Before another batch gets the lock.
            self.ingest.use_evaluators(tx, activation.evaluators)
        self._follow(activation.evaluators)
        return activation

    def _follow(self, evaluators: Evaluators) -> bool:
        """Note which definitions are in force; whether they are others than before."""
        if evaluators.catalogue is self.catalogue:
            return False
        self.catalogue = evaluators.catalogue
        self.changed.set()
        return True

    def close(self) -> None:
        """Write the histories that are newer in memory, if possible, and close the store."""
        self.arrivals.close()
        evaluators = self.ingest.evaluators
        if evaluators.cache.has_stale:
            # If it fails, the next process catches up from the messages.
            with suppress(PequelError), self.store.writing() as tx:
                save_cache(tx, evaluators)
        self.store.close()


def open_collector(
    settings: Settings,
    catalogue: Catalogue | None = None,
    clock: Clock | None = None,
    on_progress: OnProgress | None = None,
    *,
    replay: bool = True,
    make: bool = True,
) -> Collector:
    """A collector with its store open and its definitions in force.

    Without a catalogue, it uses the definitions that were put over HTTP or, if the definitions file
    has changed since, the file. If the definitions have changed, it back-fills history to the end.
    With ``replay=False`` the caller does that, with ``backfill_some``. A missing database is
    created, or NotFound is raised with ``make=False``.
    """
    clock = clock or now
    text = _read_text(settings.config) if catalogue is None else None
    filed = (
        NewDefinitions(catalogue or Catalogue())
        if text is None
        else _from_file(text, settings, settings.reason)
    )
    store = open_store(
        settings.database,
        make=make,
        timeout=settings.store_timeout,
        connections=settings.database_connections,
    )
    try:
        with store.writing() as tx:
            new = _file_or_put(tx, filed) if catalogue is None else filed
            activation = backfill.activate(tx, new, clock())
            _audit(tx, new, activation, FILE, clock())
        if replay:
            backfill.finish(store, activation.evaluators, clock, on_progress)
        return assemble(settings, store, activation.evaluators.catalogue, clock)
    except BaseException:
        store.close()
        raise


def assemble(settings: Settings, store: Store, catalogue: Catalogue, clock: Clock) -> Collector:
    """A collector over an open store in which these definitions are in force."""
    ingest = Ingest(store, catalogue, clock, settings.history_cache)
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
        queries=Queries(store, ingest.current_evaluators, clock),
        lists=Lists(store, ingest.current_evaluators, clock),
        partners=Partners(store, clock),
        overlaps=Overlaps(store, ingest.current_evaluators),
        metrics=Metrics(store, ingest.current_evaluators, clock),
        desk=LeadDesk(store, ingest.current_evaluators, clock),
        alerts=AlertDesk(
            store, lambda: ingest.evaluators.catalogue.alerts, clock, settings, os.environ
        ),
        crm=CrmDesk(
            store, intake.change, lambda: ingest.evaluators.catalogue.crms, clock, os.environ
        ),
        keys=Keys(store, clock, settings),
        clock=clock,
        arrivals=ArrivalWatch(store),
    )


def _from_file(text: str, settings: Settings, reason: str = "") -> NewDefinitions:
    catalogue = read_catalogue(text, settings.config, settings.is_for_alerts)
    return NewDefinitions(
        catalogue, "file", digest(text), actor="file", reason=reason or _saved(settings.config)
    )


def _saved(config: str) -> str | None:
    """The name of a file, without its folder, and when it was saved; None if it is gone."""
    with suppress(OSError):  # it is gone since it was read
        saved = int(Path(config).stat().st_mtime * 1000)
        return f"{Path(config).name}, saved at {iso(saved)}"
    return None


def _audit(
    tx: WriteTransaction, new: NewDefinitions, activation: Activation, by: By, now: int
) -> None:
    """Note that another text of definitions came in force, and what it changed."""
    revised = activation.revision
    if not activation.changes and not revised.is_rewritten:
        return
    details: dict[str, JSON] = {"versions": dict(activation.changes)}
    if revised.definitions:
        details["fields"] = {name: each.fields for name, each in revised.definitions.items()}
    if revised.tables:
        details["tables"] = revised.tables
    what: Act = "definitions_put" if new.origin == "put" else "definitions_loaded"
    tx.add_audit(AuditEntry(now, what, by, details))


def _file_or_put(tx: WriteTransaction, filed: NewDefinitions) -> NewDefinitions:
    """The definitions that were put over HTTP, until the file changes; else the file's."""
    found = active_definitions(tx)
    if found is None or found.origin == "file":
        _require_file(tx, filed)
        return filed
    if filed.file is None or filed.file == found.file:
        return NewDefinitions(read_catalogue(found.text, BODY), "put", found.file)
    return replace(filed, replaced_put_at=found.at)


def _require_file(tx: WriteTransaction, filed: NewDefinitions) -> None:
    """Raise NotFound if the file is missing but leads follow definitions: it was not meant."""
    if filed.file is None and tx.versions():
        raise NotFound(
            f"there is no {DEFAULT_CONFIG} here, but the leads in this database follow "
            "definitions: name their file with --config (an empty file takes them out)"
        )


def read_definitions(
    config: str, may_send: Callable[[str], bool] = lambda _variable: True
) -> Catalogue:
    """The definitions in a file; none if it is the default one and missing.

    ``may_send`` says which environment variables an alert may send, as for ``read_catalogue``.
    """
    text = _read_text(config)
    return Catalogue() if text is None else read_catalogue(text, config, may_send)


def _read_text(config: str) -> str | None:
    """The text of a definitions file; None if it is the default one and missing."""
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
    """The current time, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000
