"""What a store remembers of the definitions in force, and of the replay of history under them.

Both are notes: small texts that are written in the transaction of what they tell of, so that they
survive whatever happens to the process.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Literal, NamedTuple

import msgspec
from msgspec import Struct

from ..ports import ReadTransaction, Version, WriteTransaction
from ..rules.language.definition import Catalogue

CATALOGUE = "catalogue"
"""The note that names the catalogue in force: other when marks are others."""

_IN_FORCE, _REPLAY = "active_definitions", "replay"

ALL = "\U0010ffff"
"""Behind every key of a subject."""

Origin = Literal["file", "put"]


class ActiveVersion(NamedTuple):
    """A version that is in force: the hash of its content, and since when it is, in ms."""

    hash: str
    since: int


class ActiveDefinitions(Struct, frozen=True):
    """The definitions in force as they were written, and where they came from.

    ``at`` is when they were taken, in ms; ``file`` the digest of the definitions file at that time,
    None where there was none. ``instead_of`` is when those were put that a changed file replaced.
    ``standing`` tells of each definition by its name.
    """

    text: str
    origin: Origin
    at: int
    file: str | None = None
    instead_of: int | None = None
    standing: dict[str, ActiveVersion] = {}


class BackfillProgress(Struct):
    """How far history has been replayed: a walk over all subjects in the order of their keys.

    ``catalogue`` is the one it is replayed under, ``after`` the last key that was walked, ``done``
    how many were, of ``total`` (None until they are counted), ``leads`` how many that opened.
    ``epoch`` is the number of the replay: definitions that come back do not find the histories
    that they left, for these have missed what came meanwhile. Times are ms.
    """

    catalogue: str
    started_at: int
    epoch: int = 0
    after: str = ""
    done: int = 0
    total: int | None = None
    leads: int = 0
    finished_at: int | None = None

    @property
    def is_over(self) -> bool:
        """Whether every subject has been walked."""
        return self.finished_at is not None


_in_force = msgspec.json.Decoder(ActiveDefinitions)
_replay = msgspec.json.Decoder(BackfillProgress)


def active_definitions(tx: ReadTransaction) -> ActiveDefinitions | None:
    """The definitions in force; None in a store that never had any."""
    text = tx.meta(_IN_FORCE)
    return None if text is None else _in_force.decode(text)


def set_active_definitions(tx: WriteTransaction, found: ActiveDefinitions) -> None:
    """Remember the definitions in force."""
    tx.set_meta(_IN_FORCE, _text(found))


def backfill_progress(tx: ReadTransaction) -> BackfillProgress | None:
    """How far history has been replayed; None in a store that never had definitions."""
    text = tx.meta(_REPLAY)
    return None if text is None else _replay.decode(text)


def set_backfill_progress(tx: WriteTransaction, found: BackfillProgress) -> None:
    """Remember how far history has been replayed."""
    tx.set_meta(_REPLAY, _text(found))


def walked(tx: ReadTransaction, catalogue: str) -> str:
    """Up to which key history has been replayed under a catalogue; behind all when it is over."""
    replay = backfill_progress(tx)
    if replay is None or replay.is_over or replay.catalogue != catalogue:
        return ALL
    return replay.after


def active_versions(
    catalogue: Catalogue, before: ActiveDefinitions | None, versions: Iterable[Version], now: int
) -> dict[str, ActiveVersion]:
    """Since when each definition of a catalogue is in force.

    One that is in force already stays so; one that is new, changed or back begins now. Where
    nothing is remembered, a version is in force since it was recorded.
    """
    if before is None:
        recorded = {(v.name, v.hash): v.created_at for v in versions}
        return {
            d.name: ActiveVersion(d.hash, recorded.get((d.name, d.hash), now))
            for d in catalogue.definitions
        }
    fresh = {d.name: ActiveVersion(d.hash, now) for d in catalogue.definitions}
    return {name: _unless_new(before.standing.get(name), one) for name, one in fresh.items()}


def activations(tx: ReadTransaction) -> Mapping[tuple[str, str], int]:
    """Since when each version in force is so, by name and hash, in ms."""
    found = active_definitions(tx)
    standing = found.standing if found is not None else {}
    return {(name, hash_): since for name, (hash_, since) in standing.items()}


def digest(text: str) -> str:
    """A short name of a text: another text has another one."""
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _unless_new(before: ActiveVersion | None, now: ActiveVersion) -> ActiveVersion:
    return before if before is not None and before.hash == now.hash else now


def _text(record: Struct) -> str:
    return msgspec.json.encode(record).decode()
