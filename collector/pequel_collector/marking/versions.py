"""Versions of definitions that are not in force any more: what they meant, and what they say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from ..errors import DefinitionError, NotFound, PequelError
from ..model import JSON
from ..ports import Version
from ..rules.explain.description import description_of
from ..rules.explain.vocabulary import Vocabulary, title_of
from ..rules.language.definition import Catalogue
from ..rules.parser.catalogue import read_catalogue
from ..rules.parser.printer import to_file
from ..rules.parser.toml import parse

SHARED = ("project", "features", "metric", "labels")
"""The tables of a definitions file that all definitions share."""

ATTEMPTS = 4
"""Combinations of versions that are tried for the words of one that names others."""


class Words(NamedTuple):
    """The texts that the leads of a version show.

    ``title`` and ``play``, which is what to do, make no version: they are those of today, as long
    as the definition is in force. ``description`` is the version as a sentence, None for one that
    cannot be read any more as it was meant.
    """

    title: str
    play: str | None
    description: str | None


class VersionWords:
    """The words of every version of the definitions; those out of force are read when asked for."""

    def __init__(
        self,
        catalogue: Catalogue,
        versions: Sequence[Version],
        in_force: Mapping[str, int],
        descriptions: Mapping[str, str],
    ) -> None:
        self._catalogue, self._versions = catalogue, versions
        self._known = {
            (each.name, in_force[each.name]): Words(
                each.title or title_of(each.name), each.play, descriptions[each.name]
            )
            for each in catalogue.definitions
        }

    def of(self, name: str, version: int) -> Words:
        """What a version says. It is kept, because a version never changes."""
        key = (name, version)
        if key not in self._known:
            self._known[key] = self._read(name, version)
        return self._known[key]

    def _read(self, name: str, number: int) -> Words:
        own = (each for each in self._versions if (each.name, each.version) == (name, number))
        version = next(own, None)
        if version is None:
            return Words(*self._title_and_play(name, {}), None)
        return Words(*self._title_and_play(name, version.source), self._description(version))

    def _title_and_play(self, name: str, source: JSON) -> tuple[str, str | None]:
        today = self._catalogue.named(name)
        if today is not None:
            return today.title or title_of(name), today.play
        return source.get("title") or title_of(name), source.get("play")

    def _description(self, version: Version) -> str | None:
        try:
            catalogue = as_it_was(version, self._versions, self._catalogue, ATTEMPTS)
        except (DefinitionError, NotFound):  # the proof of the lead says why
            return None
        found = catalogue.named(version.name)
        return None if found is None else description_of(found, Vocabulary(catalogue))


def as_it_was(
    version: Version, versions: Sequence[Version], today: Catalogue, attempts: int | None = None
) -> Catalogue:
    """A version of a definition with the definitions it names, each as it was meant then.

    Features, metrics and the project are as they are today. ``attempts`` is how many combinations
    of versions are tried at most. Raises DefinitionError if the result cannot be read, and NotFound
    if it means something else.
    """
    shared = {key: part for key, part in parse(today.text).data.items() if key in SHARED}
    file = f"version {version.version} of {version.name}"
    problems: list[PequelError] = []
    for named in islice(_with_named(version, versions), attempts):
        try:
            found = read_catalogue(to_file(shared, (each.source for each in named)), file)
        except DefinitionError as error:
            problems.append(error)
            continue
        meant = found.named(version.name)
        if meant is not None and meant.hash == version.hash:
            return found
        problems.append(_changed(file))
    raise problems[0]


def _changed(file: str) -> NotFound:
    return NotFound(
        f"what {file} names has changed since: a definition, a feature, a metric or the project"
    )


def _with_named(version: Version, versions: Sequence[Version]) -> Iterator[list[Version]]:
    """A version with those that it names, as they were after each change, the latest first.

    Each combination of versions comes once.
    """
    found: dict[frozenset[tuple[str, int]], list[Version]] = {}
    then = {each.name: each for each in reversed(versions)}
    for each in versions:
        then[each.name] = each
        named = _reached(version, then)
        found.setdefault(frozenset((one.name, one.version) for one in named), named)
    return reversed(found.values())


def _reached(version: Version, then: Mapping[str, Version]) -> list[Version]:
    """A version, those it names, those that these name, and so on."""
    found = {version.name: version}
    left = [version]
    while left:
        for name in _names_in(left.pop().source):
            if name in then and name not in found:
                found[name] = then[name]
                left.append(then[name])
    return list(found.values())


def _names_in(source: JSON) -> Iterator[str]:
    """The definitions that a part of a definition names."""
    match source:
        case {"pql": str(name)}:
            yield name
        case dict():
            for part in source.values():
                yield from _names_in(part)
        case list():
            for part in source:
                yield from _names_in(part)
