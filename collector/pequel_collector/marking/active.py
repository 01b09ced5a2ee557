"""The definitions in force and the progress of the back-fill, as the store remembers them.

Both are JSON texts in the store's ``meta`` table. Each is written in the same transaction as the
change it describes, so a crash cannot separate them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct

from ..leads.ledger import Effects
from ..ports import ReadTransaction, Version, WriteTransaction
from ..rules.language.definition import Catalogue
from ..rules.language.quantities import many
from .revision import Revision, revision_lines

CATALOGUE = "catalogue"
"""The meta entry with the version of the evaluators in force, and after a space the digest of the
text that they were made of. Processes read the definitions again when it changes: marks may have
changed, or only who gets the leads."""

_ACTIVE, _BACKFILL = "in_force", "replay"

BODY = "body"
"""The file name in the mistakes of definitions that came in the body of a request."""

AFTER_ALL_KEYS = "\U0010ffff"
"""A text that sorts after every subject key."""

Origin = Literal["file", "put"]


class ActiveVersion(NamedTuple):
    """A version of a definition that is in force: its content hash, and since when (ms)."""

    hash: str
    since: int


class DefinitionChange(Struct):
    """What a change of definitions did to one: ``version`` is the one in force, None for none.

    ``added`` are the leads that have a basis through the back-fill so far, ``withdrawn`` those that
    lost theirs, whether they were voided or only flagged.
    """

    version: int | None
    added: int = 0
    withdrawn: int = 0


class ActiveDefinitions(Struct, frozen=True):
    """The definitions in force as text, and where they came from.

    ``at`` is when they came in force (ms). ``file`` is the digest of the definitions file at that
    time, None if there was none. If a changed file replaced definitions that were put over HTTP,
    ``replaced_put_at`` is when those were put. ``versions`` are by definition name. ``changes``
    are the version numbers of the definitions that differ from those before, as in
    ``DefinitionChange``, and ``revision`` is what else differs. ``kept`` are the names of
    definitions that were taken out while they looked forward: their leads stay.
    """

    text: str
    origin: Origin
    at: int
    file: str | None = None
    replaced_put_at: int | None = msgspec.field(default=None, name="instead_of")
    versions: dict[str, ActiveVersion] = msgspec.field(default_factory=dict, name="standing")
    changes: dict[str, int | None] = msgspec.field(default_factory=dict)
    kept: list[str] = msgspec.field(default_factory=list)
    revision: Revision = msgspec.field(default_factory=Revision)


class BackfillProgress(Struct):
    """How far the back-fill has come. It visits all subjects in the order of their keys.

    ``catalogue`` is the version of its evaluators. ``after`` is the last key it visited, ``done``
    the number of subjects visited, ``total`` the number of all (None until they are counted), and
    ``leads`` the number of leads it opened. ``epoch`` counts back-fills. It is part of every
    history's version: if definitions come back that were in force before, the histories they made
    then have missed what came meanwhile, so those must not count as current. Times are ms.
    ``changes`` are the definitions whose change began it, or one before it that did not finish.
    """

    catalogue: str
    started_at: int
    epoch: int = 0
    after: str = ""
    done: int = 0
    total: int | None = None
    leads: int = 0
    finished_at: int | None = None
    changes: dict[str, DefinitionChange] = msgspec.field(default_factory=dict)

    @property
    def is_finished(self) -> bool:
        """Whether every subject has been visited."""
        return self.finished_at is not None

    def count(self, effects: Effects) -> None:
        """Count leads that gained and lost their basis."""
        self.leads += len(effects.gained)
        for lead in effects.gained.values():
            if change := self.changes.get(lead.definition):
                change.added += 1
        for lead in effects.lost.values():
            if change := self.changes.get(lead.definition):
                change.withdrawn += 1


_decode_active = msgspec.json.Decoder(ActiveDefinitions).decode
_decode_backfill = msgspec.json.Decoder(BackfillProgress).decode


def active_definitions(tx: ReadTransaction) -> ActiveDefinitions | None:
    """The definitions in force; None if the store never had any."""
    text = tx.meta(_ACTIVE)
    return None if text is None else _decode_active(text)


def set_active_definitions(tx: WriteTransaction, active: ActiveDefinitions) -> None:
    tx.set_meta(_ACTIVE, _json(active))


def backfill_progress(tx: ReadTransaction) -> BackfillProgress | None:
    """The progress of the latest back-fill; None if the store never had definitions."""
    text = tx.meta(_BACKFILL)
    return None if text is None else _decode_backfill(text)


def set_backfill_progress(tx: WriteTransaction, progress: BackfillProgress) -> None:
    tx.set_meta(_BACKFILL, _json(progress))


def backfilled_up_to(tx: ReadTransaction, catalogue: str) -> str:
    """The last subject key that the back-fill has visited under a catalogue.

    ``AFTER_ALL_KEYS`` if the back-fill is finished, or does not run under this catalogue.
    """
    progress = backfill_progress(tx)
    if progress is None or progress.is_finished or progress.catalogue != catalogue:
        return AFTER_ALL_KEYS
    return progress.after


def active_versions(
    catalogue: Catalogue, before: ActiveDefinitions | None, versions: Iterable[Version], now: int
) -> dict[str, ActiveVersion]:
    """Since when each definition of a catalogue is in force, by name.

    A definition that was in force before keeps its time. A new or changed one, or one that comes
    back, is in force from now on. If the store remembers no definitions, each version is in force
    since it was recorded.
    """
    if before is None:
        recorded = {(v.name, v.hash): v.created_at for v in versions}
        return {
            d.name: ActiveVersion(d.hash, recorded.get((d.name, d.hash), now))
            for d in catalogue.definitions
        }
    fresh = {d.name: ActiveVersion(d.hash, now) for d in catalogue.definitions}
    known = {name: v for name, v in before.versions.items() if name in fresh}
    return fresh | {name: v for name, v in known.items() if v.hash == fresh[name].hash}


def activations(active: ActiveDefinitions | None) -> Mapping[tuple[str, str], int]:
    """Since when each version in force is in force (ms), by name and hash."""
    versions = active.versions if active is not None else {}
    return {(name, hash_): since for name, (hash_, since) in versions.items()}


def change_lines(changes: Mapping[str, int | None], revised: Revision) -> list[str]:
    """One line for each definition that changed: ``set_up → version 2``; then what else did."""
    arrows = [_arrow(name, version) for name, version in changes.items()]
    return [*arrows, *revision_lines(revised, changes)] or ["nothing changed"]


def backfill_lines(progress: BackfillProgress) -> list[str]:
    """The same after the back-fill: ``set_up → version 2: 3 leads added, 1 withdrawn``."""
    return [
        f"{_arrow(name, change.version)}: {many(change.added, 'lead')} added, "
        f"{change.withdrawn} withdrawn"
        for name, change in progress.changes.items()
    ]


def _arrow(name: str, version: int | None) -> str:
    return f"{name} → {'no longer in force' if version is None else f'version {version}'}"


def version_in_force(tx: ReadTransaction) -> str | None:
    """The version of the evaluators in force; None if no collector has opened the store."""
    found = tx.meta(CATALOGUE)
    return None if found is None else found.partition(" ")[0]


def digest(text: str) -> str:
    """A short hash of a text."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _json(record: Struct) -> str:
    return msgspec.json.encode(record).decode()
