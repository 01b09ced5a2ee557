"""Definitions change: new versions are recorded, and history is replayed under them.

From the transaction that records a change on, every batch is marked by the new definitions. What
was stored before is walked afterwards, subject by subject, in small transactions that remember how
far they came. Whoever comes next, in this process or after its end, goes on from there.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from time import monotonic, sleep

from msgspec.structs import replace

from ..ports import ReadTransaction, Store, Version, WriteTransaction
from ..rules.language.definition import Catalogue, Definition
from .active import (
    CATALOGUE,
    ActiveDefinitions,
    BackfillProgress,
    Origin,
    active_definitions,
    active_versions,
    backfill_progress,
    set_active_definitions,
    set_backfill_progress,
)
from .derive import Derivation
from .evaluators import Evaluators, evaluators_of

SUBJECTS = 50
"""How many subjects are walked in one transaction, at most."""

AT_A_TIME = 0.05
"""Seconds of work in one transaction, after which no other subject is begun."""

COUNTED = 10_000
"""How many subjects are counted at a time."""

Clock = Callable[[], int]
Progress = Callable[[BackfillProgress], None]


@dataclass(frozen=True, slots=True)
class Proposal:
    """Definitions that are to be in force, and where they come from; see ``ActiveDefinitions``."""

    catalogue: Catalogue
    origin: Origin = "file"
    file: str | None = None
    instead_of: int | None = None


@dataclass(frozen=True, slots=True)
class Adoption:
    """Definitions that are in force, and the versions that this recorded."""

    evaluators: Evaluators
    versions: list[Version]


def adopt(tx: WriteTransaction, proposal: Proposal, now: int) -> Adoption:
    """Put definitions in force: from this transaction on, marks follow them.

    A version is recorded for each definition whose content is new. Where marks may be others than
    before, the replay of history begins anew. Definitions that are in force already change nothing.
    """
    versions = _record(tx, proposal.catalogue, now)
    _remember(tx, proposal, now)
    evaluators, replay = evaluators_of(tx, proposal.catalogue), backfill_progress(tx)
    if replay is None or replay.catalogue != evaluators.version:
        evaluators = _begin(tx, proposal.catalogue, 1 if replay is None else replay.epoch + 1, now)
    tx.set_meta(CATALOGUE, evaluators.version)
    return Adoption(evaluators, versions)


def finish(
    store: Store, evaluators: Evaluators, clock: Clock, progress: Progress | None = None
) -> None:
    """Replay history to its end, or until other definitions come in force."""
    while True:
        began = monotonic()
        replay = step(store, evaluators, clock)
        if replay is None or replay.is_over:
            return
        if progress:
            progress(replay)
        sleep((monotonic() - began) / 10)  # another process that waits to write gets its turn


def step(store: Store, evaluators: Evaluators, clock: Clock) -> BackfillProgress | None:
    """Replay the history of some subjects more, in one transaction; how far that is now.

    None where these evaluators are not the ones to do it.
    """
    total = _total(store)
    with store.writing() as tx:
        replay = backfill_progress(tx)
        if replay is None or replay.catalogue != evaluators.version:
            return None
        if not replay.is_over:
            replay.total = total
            _walk(tx, evaluators, replay, clock())
            set_backfill_progress(tx, replay)
    return replay


# -- a change ------------------------------------------------------------------------------


def _record(tx: WriteTransaction, catalogue: Catalogue, now: int) -> list[Version]:
    known = tx.versions()
    latest = {version.name: version for version in known}
    hashes = {(version.name, version.hash) for version in known}
    new = [
        _version(definition, latest.get(definition.name), now)
        for definition in catalogue.definitions
        if (definition.name, definition.hash) not in hashes
    ]
    for version in new:
        tx.add_version(version)
    return new


def _version(definition: Definition, latest: Version | None, now: int) -> Version:
    number = 1 if latest is None else latest.version + 1
    return Version(
        definition.name, number, definition.hash, now, definition.source, definition.text
    )


def _remember(tx: WriteTransaction, proposal: Proposal, now: int) -> None:
    before = active_definitions(tx)
    standing = active_versions(proposal.catalogue, before, tx.versions(), now)
    text, origin = proposal.catalogue.text, proposal.origin
    found = ActiveDefinitions(text, origin, now, proposal.file, proposal.instead_of, standing)
    if before is not None and (before.text, before.origin) == (text, origin):
        found = replace(found, at=before.at, instead_of=before.instead_of)
    if found != before:
        set_active_definitions(tx, found)


# -- the replay ----------------------------------------------------------------------------


def _begin(tx: WriteTransaction, catalogue: Catalogue, epoch: int, now: int) -> Evaluators:
    """Begin a replay, which is over at once where there is nobody; the evaluators to do it."""
    replay = BackfillProgress("", now, epoch)
    set_backfill_progress(tx, replay)
    evaluators = evaluators_of(tx, catalogue)
    replay.catalogue = evaluators.version
    if not tx.subjects(limit=1):
        replay.total, replay.finished_at = 0, now
    set_backfill_progress(tx, replay)
    return evaluators


def _total(store: Store) -> int | None:
    """How many subjects there are to be walked; they are counted once, when a replay begins."""
    with store.reading() as view:
        replay = backfill_progress(view)
        if replay is None or replay.is_over or replay.total is not None:
            return None if replay is None else replay.total
        return _count(view)


def _count(view: ReadTransaction) -> int:
    counted, after = 0, ""
    while keys := view.subjects(after, COUNTED):
        counted, after = counted + len(keys), keys[-1]
    return counted


def _walk(tx: WriteTransaction, evaluators: Evaluators, replay: BackfillProgress, now: int) -> None:
    keys = tx.subjects(replay.after, SUBJECTS)
    if not keys:
        replay.total, replay.finished_at = replay.done, now
        return
    derivation = Derivation(tx, evaluators, now)
    walked = _rebuild(derivation, keys, tx.persons(keys))
    replay.leads += len(derivation.finish())
    replay.done, replay.after = replay.done + walked, keys[walked - 1]


def _rebuild(derivation: Derivation, keys: Collection[str], linked: Collection[str]) -> int:
    """Fold subjects anew as long as there is time, and pass over linked ids; how many these are."""
    derivation.read_ahead([key for key in keys if key not in linked])
    walked, until = 0, monotonic() + AT_A_TIME
    for key in keys:
        if key not in linked:
            derivation.rebuild(key)
        walked += 1
        if monotonic() > until:
            break
    return walked
