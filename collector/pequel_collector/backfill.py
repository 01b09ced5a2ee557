"""Definitions change: new versions are recorded, and history is replayed under them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from .derive import Derivation, Machines
from .model import Lead
from .ports import Store, Version, Writing
from .rules.definition import Catalogue, Definition

CHUNK = 200
Clock = Callable[[], int]
Progress = Callable[[int], None]


@dataclass(slots=True)
class Backfill:
    """What a change of definitions did: the versions it recorded and the leads it added."""

    versions: list[Version] = field(default_factory=list)
    subjects: int = 0
    leads: list[Lead] = field(default_factory=list)


def refresh(
    store: Store, catalogue: Catalogue, clock: Clock, progress: Progress | None = None
) -> Backfill:
    """Bring a store in line with a catalogue; does nothing where it already follows it.

    A version is recorded for each definition whose content is new. Then every subject's history
    is folded anew, and leads that were missing are added with the flag ``backfilled``.
    ``progress`` is called with the number of subjects done.
    """
    done = Backfill()
    with store.writing() as tx:
        done.versions = _record(tx, catalogue, clock())
        machines = Machines(catalogue, tx.versions())
        if tx.note("catalogue") == machines.version:
            return done
    for keys in _chunks(store):
        with store.writing() as tx:
            derivation = Derivation(tx, machines, clock(), backfill=True)
            for key in keys:
                derivation.rebuild(key)
            done.leads += derivation.finish()
        done.subjects += len(keys)
        if progress:
            progress(done.subjects)
    with store.writing() as tx:
        tx.set_note("catalogue", machines.version)
    return done


def _record(tx: Writing, catalogue: Catalogue, now: int) -> list[Version]:
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
    return Version(definition.name, number, definition.hash, now, definition.source)


def _chunks(store: Store) -> Iterator[list[str]]:
    with store.reading() as tx:
        keys = list(tx.subjects())
    for start in range(0, len(keys), CHUNK):
        yield keys[start : start + CHUNK]
