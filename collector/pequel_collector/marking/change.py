"""What a change of definitions would put in force, without doing it.

``activate`` of the back-fill does it. A preview only looks at it:

    in force            keen, version 1
    the new file        keen with another condition, and set_up
    the plan            versions: keen 2 and set_up 1, both new; changes: keen → 2, set_up → 1
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from ..ports import ReadTransaction, Version
from ..rules.language.definition import Catalogue, Definition
from ..rules.parser.catalogue import read_catalogue
from .active import (
    ActiveDefinitions,
    ActiveVersion,
    Origin,
    activations,
    active_definitions,
    active_versions,
)
from .evaluators import Evaluators
from .revision import Revision, revision


@dataclass(frozen=True, slots=True)
class NewDefinitions:
    """Definitions to put in force, and where they come from; see ``ActiveDefinitions``.

    ``actor`` and ``reason`` say who puts them in force and why.
    """

    catalogue: Catalogue
    origin: Origin = "file"
    file: str | None = None
    replaced_put_at: int | None = None
    actor: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What comes in force: ``versions`` are those that are new, ``recorded`` those that are not.

    ``changes`` are the definitions that differ from those in force, as in ``ActiveDefinitions``,
    and ``revision`` is what else differs.
    """

    active: ActiveDefinitions
    versions: Sequence[Version]
    recorded: Sequence[Version]
    changes: Mapping[str, int | None]
    revision: Revision

    def evaluators(self, catalogue: Catalogue, epoch: int = 0) -> Evaluators:
        """The evaluators of the definitions, as if they were in force."""
        known = [*self.recorded, *self.versions]
        return Evaluators(catalogue, known, activations(self.active), epoch, self.active.kept)


def plan(tx: ReadTransaction, new: NewDefinitions, now: int) -> Plan:
    """What putting definitions in force at an instant comes to."""
    before, recorded = active_definitions(tx), tx.versions()
    versions = _new_versions(new.catalogue, recorded, now)
    known = [*recorded, *versions]
    since = active_versions(new.catalogue, before, known, now)
    changes = _changes(before.versions if before else {}, since, known)
    revised = _revision(before, new.catalogue, changes, known)
    active = ActiveDefinitions(
        text=new.catalogue.text,
        origin=new.origin,
        at=now,
        file=new.file,
        replaced_put_at=new.replaced_put_at,
        versions=since,
        changes=changes,
        revision=revised,
        kept=_kept(before, new.catalogue),
    )
    if before is not None and (before.text, before.origin) == (active.text, active.origin):
        active = replace(active, at=before.at, replaced_put_at=before.replaced_put_at)
        active = replace(active, changes=before.changes, revision=before.revision)
    return Plan(active, versions, recorded, changes, revised)


def _new_versions(catalogue: Catalogue, known: Sequence[Version], now: int) -> list[Version]:
    """A version for each definition whose content is new."""
    latest = {version.name: version for version in known}
    hashes = {(version.name, version.hash) for version in known}
    return [
        _version(definition, latest.get(definition.name), now)
        for definition in catalogue.definitions
        if (definition.name, definition.hash) not in hashes
    ]


def _version(definition: Definition, latest: Version | None, now: int) -> Version:
    number = 1 if latest is None else latest.version + 1
    return Version(
        definition.name, number, definition.hash, now, definition.source, definition.text
    )


def _changes(
    before: Mapping[str, ActiveVersion],
    after: Mapping[str, ActiveVersion],
    known: Collection[Version],
) -> dict[str, int | None]:
    numbers = {(version.name, version.hash): version.version for version in known}
    came = {
        name: numbers[name, version.hash]
        for name, version in after.items()
        if name not in before or before[name].hash != version.hash
    }
    return {**came, **dict.fromkeys(name for name in before if name not in after)}


def _revision(
    before: ActiveDefinitions | None,
    catalogue: Catalogue,
    changes: Collection[str],
    known: Collection[Version],
) -> Revision:
    """What differs from the definitions in force besides versions; nothing if there were none."""
    if before is None:
        return Revision()
    numbers = {(version.name, version.hash): version.version for version in known}
    same = [each for each in catalogue.definitions if each.name not in changes]
    return revision(before.text, catalogue, {d.name: numbers[d.name, d.hash] for d in same})


def _kept(before: ActiveDefinitions | None, catalogue: Catalogue) -> list[str]:
    """The definitions that are not in a catalogue any more, and looked forward when they were."""
    if before is None:
        return []
    if before.text == catalogue.text:
        return before.kept
    names = {definition.name for definition in catalogue.definitions}
    earlier = read_catalogue(before.text).definitions
    forward = {each.name for each in earlier if each.on_change == "forward"}
    return sorted({*before.kept, *forward} - names)
