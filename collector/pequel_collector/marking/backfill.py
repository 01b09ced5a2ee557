"""Put definitions in force, and fold the history of every subject again under them.

A change of definitions takes effect with the transaction that records it: each later batch is
marked by the new ones. What was stored before is folded again afterwards, subject by subject, in
small transactions. Each remembers the last key it visited:

    PUT /v1/definitions     catalogue "7c1", after "", done 0          (four subjects are stored)
    step                    g:acme, u:ada      after "u:ada", done 2
    a batch for u:bob       his history is outdated, so it is rebuilt at once, under "7c1"
    step                    u:bob, u:eve       after "u:eve", done 4
    step                    no more keys       finished

If the process ends in between, the next one continues after the last key. If several processes work
on one database, each step starts from what the others have done.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic, sleep

from ..ports import DefinitionEntry, ReadTransaction, Store, Version, WriteTransaction
from .active import (
    CATALOGUE,
    ActiveDefinitions,
    BackfillProgress,
    DefinitionChange,
    active_definitions,
    backfill_progress,
    digest,
    set_active_definitions,
    set_backfill_progress,
)
from .change import NewDefinitions, Plan, plan
from .derive import Derivation
from .evaluators import Evaluators
from .preparations import Preparations
from .revision import Revision

SUBJECTS_PER_STEP = 50
SECONDS_PER_STEP = 0.05
"""After so long no further subject is begun in a step."""

KEYS_PER_COUNT = 10_000
"""How many subjects are counted by one query."""

Clock = Callable[[], int]
OnProgress = Callable[[BackfillProgress], None]


@dataclass(frozen=True, slots=True)
class Activation:
    """The evaluators of definitions that came in force, and the versions that are new.

    ``changes`` and ``revision`` are as in ``ActiveDefinitions``; both are empty if the same text
    was in force. ``is_retroactive`` says that a back-fill began.
    """

    evaluators: Evaluators
    versions: Sequence[Version]
    changes: Mapping[str, int | None]
    revision: Revision
    is_retroactive: bool


@dataclass(frozen=True, slots=True)
class PreparedChange:
    """A change of definitions that was planned and compiled at an instant (ms).

    It fits while the definitions in force and the epoch are ``basis``. With ``epoch``, a back-fill
    of that number begins.
    """

    now: int
    basis: tuple[ActiveDefinitions | None, int]
    planned: Plan
    evaluators: Evaluators
    epoch: int | None


def prepare_change(tx: ReadTransaction, new: NewDefinitions, now: int) -> PreparedChange:
    """Do what takes long in a change of definitions, before the write lock is taken."""
    planned, progress = plan(tx, new, now), backfill_progress(tx)
    basis = active_definitions(tx), _epoch(progress)
    evaluators = planned.evaluators(new.catalogue, _epoch(progress))
    if progress is not None and progress.catalogue == evaluators.version:
        return PreparedChange(now, basis, planned, evaluators, None)
    epoch = _epoch(progress) + 1
    return PreparedChange(now, basis, planned, planned.evaluators(new.catalogue, epoch), epoch)


def activate(
    tx: WriteTransaction, new: NewDefinitions, now: int, prepared: PreparedChange | None = None
) -> Activation:
    """Put definitions in force: from this transaction on, marks follow them.

    A version is recorded for each definition whose content is new. If marks may change, a back-fill
    begins. Definitions that are in force already change nothing. What was ``prepared`` is used if
    the definitions are still the same as then.
    """
    progress = backfill_progress(tx)
    if prepared is None or prepared.basis != (active_definitions(tx), _epoch(progress)):
        prepared = prepare_change(tx, new, now)
    now, planned, evaluators = prepared.now, prepared.planned, prepared.evaluators
    _record(tx, new, planned, now)
    if prepared.epoch is not None:
        changes = _all_changes(progress, planned.changes)
        _begin_backfill(
            tx, BackfillProgress(evaluators.version, now, prepared.epoch, changes=changes)
        )
    tx.set_meta(CATALOGUE, f"{evaluators.version} {digest(new.catalogue.text)}")
    is_retroactive = prepared.epoch is not None
    return Activation(
        evaluators, planned.versions, planned.changes, planned.revision, is_retroactive
    )


def finish(
    store: Store, evaluators: Evaluators, clock: Clock, on_progress: OnProgress | None = None
) -> None:
    """Back-fill to the end, or until other definitions come in force."""
    while True:
        began = monotonic()
        progress = step(store, evaluators, clock)
        if progress is None or progress.is_finished:
            return
        if on_progress:
            on_progress(progress)
        sleep((monotonic() - began) / 10)  # so that other processes can write in between


def step(store: Store, evaluators: Evaluators, clock: Clock) -> BackfillProgress | None:
    """Back-fill a few subjects in one transaction; the progress after it.

    None if the definitions of these evaluators are not in force any more.
    """
    total = _total(store)

    def attempt(is_brief: bool) -> BackfillProgress | None:
        with store.writing() as tx:
            progress = backfill_progress(tx)
            if progress is None or progress.catalogue != evaluators.version:
                return None
            if not progress.is_finished:
                progress.total = total
                for effects in preparations.effects:
                    progress.count(effects)
                derivation = Derivation(tx, evaluators, clock(), is_brief=is_brief)
                _rebuild_some(derivation, progress)
                set_backfill_progress(tx, progress)
        return progress

    with Preparations(store, clock) as preparations:
        return preparations.run(attempt)


# -- a change of definitions ---------------------------------------------------------------


def _record(tx: WriteTransaction, new: NewDefinitions, planned: Plan, now: int) -> None:
    """Record new versions, what comes in force, and who changed what and why."""
    for version in planned.versions:
        tx.add_version(version)
    if planned.active != active_definitions(tx):
        set_active_definitions(tx, planned.active)
    said = (now, new.origin, new.actor, new.reason)
    came = [DefinitionEntry(name, version, *said) for name, version in planned.changes.items()]
    revised = [
        DefinitionEntry(name, change.version, *said, change.said)
        for name, change in planned.revision.definitions.items()
    ]
    tx.log_definitions([*came, *revised])


def _all_changes(
    before: BackfillProgress | None, changes: Mapping[str, int | None]
) -> dict[str, DefinitionChange]:
    """Changes, and those of a back-fill that did not finish, with what it has counted."""
    counted = {} if before is None or before.is_finished else before.changes
    fresh = {name: DefinitionChange(version) for name, version in changes.items()}
    for name, change in fresh.items():
        if name in counted:
            change.added, change.withdrawn = counted[name].added, counted[name].withdrawn
    return {**counted, **fresh}


# -- the back-fill -------------------------------------------------------------------------


def _epoch(progress: BackfillProgress | None) -> int:
    return 0 if progress is None else progress.epoch


def _begin_backfill(tx: WriteTransaction, progress: BackfillProgress) -> None:
    """Begin a back-fill, which is finished at once if there are no subjects."""
    if not tx.subjects(limit=1):
        progress.total, progress.finished_at = 0, progress.started_at
    set_backfill_progress(tx, progress)


def _total(store: Store) -> int | None:
    """How many subjects there are to visit. They are counted once, when a back-fill begins."""
    with store.reading() as view:
        progress = backfill_progress(view)
        if progress is None or progress.is_finished or progress.total is not None:
            return None if progress is None else progress.total
        return _count(view)


def _count(view: ReadTransaction) -> int:
    counted, after = 0, ""
    while keys := view.subjects(after, KEYS_PER_COUNT):
        counted, after = counted + len(keys), keys[-1]
    return counted


def _rebuild_some(derivation: Derivation, progress: BackfillProgress) -> None:
    tx = derivation.tx
    keys = tx.subjects(progress.after, SUBJECTS_PER_STEP)
    if not keys:
        progress.total, progress.finished_at = progress.done, derivation.now
        return
    visited = _rebuild(derivation, keys, tx.persons(keys))
    derivation.finish()
    progress.count(derivation.effects)
    progress.done, progress.after = progress.done + visited, keys[visited - 1]


def _rebuild(derivation: Derivation, keys: Collection[str], linked: Collection[str]) -> int:
    """Rebuild subjects while there is time, skipping linked ids; how many were visited."""
    derivation.prefetch([key for key in keys if key not in linked])
    visited, until = 0, monotonic() + SECONDS_PER_STEP
    for key in keys:
        if key not in linked:
            derivation.rebuild(key)
        visited += 1
        if monotonic() > until:
            break
    return visited
