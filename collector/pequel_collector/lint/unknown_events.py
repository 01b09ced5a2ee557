"""Events of nearly one name, one in a definition and one that arrives: L26, and some of L04."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping

from ..insights.sample import ENOUGH, Sample
from ..rules.language.definition import Catalogue, pattern_of
from .case import Case, Found, names_in, patterns
from .needs import beginnings
from .vocabulary import words

SHORTEST = 5
"""Letters that a name needs so that one of them can be a slip."""


def misspelt_events(catalogue: Catalogue, sample: Sample) -> Iterator[tuple[str, Found]]:
    """L26: an event that nothing uses has nearly the name of one that a definition uses."""
    named = list(uses(catalogue))
    places = {name: (definition, path) for definition, path, name in reversed(named)}
    known = pattern_of([*places, *_declared(catalogue)])
    near = _by_slip(name for name in places if not name.endswith("*"))
    for name, found in sample.events.items():
        if found.count < ENOUGH or (not known.any and known.matches(name)) or name in places:
            continue
        if meant := _meant(name, near):
            definition, path = places[meant]
            yield (
                definition,
                Found(
                    f"{name} was received {found.count:,} times and no definition uses it, but "
                    f"{definition} uses {meant}: correct the name in your app, or list both",
                    path,
                ),
            )


LONGEST = 64
"""Letters of a name that is looked at, where names are only known by what arrives."""

RARER = 10
"""An event that arrives so many times less often than one of nearly its name is a stray."""


def likely_slips(catalogue: Catalogue, arriving: Mapping[str, int]) -> Iterator[tuple[str, Found]]:
    """L04 by what arrives, and how often: a name in a definition that is a slip of one of them."""
    near = _by_slip(name for name in arriving if len(name) <= LONGEST)
    named = {*_declared(catalogue), *(name for _, _, name in uses(catalogue))}
    for definition, path, name in dict.fromkeys(uses(catalogue)):
        if name in arriving or name.endswith("*") or len(name) > LONGEST:
            continue
        if meant := _likeliest(name, _slips_of(name, near), arriving, named):
            yield definition, Found(f"{name} does not arrive: did you mean {meant}?", path)


def strays(catalogue: Catalogue, arriving: Mapping[str, int]) -> Iterator[tuple[str, Found]]:
    """L04: a name in a definition that arrives, and nearly that name arrives much more often.

    A leaf that lists both names means both, and so does a file that names the event elsewhere.
    """
    declared = set(_declared(catalogue))
    near = _by_slip(name for name in arriving if len(name) <= LONGEST)
    found = list(dict.fromkeys(uses(catalogue)))
    listed = set(found)
    for definition, path, name in found:
        if len(name) > LONGEST or not arriving.get(name) or name in declared:
            continue
        twins = {each for each in _slips_of(name, near) if not _is_series(name, each)}
        meant = max(twins, key=lambda other: (arriving[other], other), default=name)
        if _is_stray(name, meant, arriving) and (definition, path, meant) not in listed:
            yield (
                definition,
                Found(
                    f"{name} was received {_times(arriving[name])}, and {meant} "
                    f"{_times(arriving[meant])}: did you mean {meant}?",
                    path,
                ),
            )


def _likeliest(
    name: str, found: Collection[str], arriving: Mapping[str, int], named: Collection[str]
) -> str | None:
    """Which of the names that a name is a slip of was meant; None if there is none.

    That is one of the same words, then one that the file names, then one that arrives more often.
    A stray was not meant.
    """
    often = max(found, key=lambda other: arriving[other], default=name)
    return min(
        (each for each in found if not _is_stray(each, often, arriving)),
        key=lambda each: (words(each) != words(name), each not in named, -arriving[each], each),
        default=None,
    )


def _is_stray(name: str, other: str, arriving: Mapping[str, int]) -> bool:
    """Whether a name arrives so much less often than another that it looks like a slip of it."""
    return name != other and arriving[name] * RARER <= arriving[other]


def _is_series(name: str, other: str) -> bool:
    """Whether two names differ in words of one letter only: ``variant_a_shown``."""
    both = [words(each).split() for each in (name, other)]
    long = [[word for word in each if len(word) > 1] for each in both]
    return both[0] != both[1] and long[0] == long[1]


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"


def received_strays(catalogue: Catalogue, sample: Sample) -> Iterator[tuple[str, Found]]:
    """The strays among the latest events of a sample."""
    return strays(catalogue, {name: each.count for name, each in sample.events.items()})


def uses(catalogue: Catalogue) -> Iterator[tuple[str, str, str]]:
    """Each event that definitions name: the definition, the path of the leaf, and the name."""
    for definition in catalogue.definitions:
        case = Case(catalogue, definition)
        for leaf in case.all_leaves:
            for name in names_in(patterns(leaf)):
                yield definition.name, leaf.path, name
        for name in beginnings(case):
            yield definition.name, "", name


def _declared(catalogue: Catalogue) -> list[str]:
    """The events that the rest of the file names."""
    project = catalogue.project
    return [
        *(name for name in (project.signup, project.trial, project.conversion) if name),
        *project.key_events,
        *(name for events in catalogue.features.values() for name in events),
        *names_in(metric.events for metric in catalogue.metrics),
    ]


def _by_slip(names: Iterable[str]) -> dict[str, list[str]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        for slip in slips(name):
            found[slip].append(name)
    return dict(found)


def _meant(name: str, near: dict[str, list[str]]) -> str | None:
    """The known name that a name is a slip of. ``step_1`` and ``step_2`` are no slips."""
    return min(_slips_of(name, near), default=None)


def _slips_of(name: str, near: dict[str, list[str]]) -> set[str]:
    """The known names that a name may be a slip of, in any order."""
    found = {other for slip in slips(name) for other in near.get(slip, ())}
    return {other for other in found if _letters(other) != _letters(name)}


def _letters(name: str) -> str:
    return "".join(letter for letter in name if not letter.isdigit())


def slips(name: str) -> set[str]:
    """What two names have in common where one is a slip of the other.

    That is the same words in another case or with other separators, or one letter that is missing,
    added, another one or in another place. To find these, take out each letter in turn.
    """
    plain = words(name)
    if len(plain) < SHORTEST:
        return {plain}
    return {plain, *(plain[:place] + plain[place + 1 :] for place in range(len(plain)))}


def slips_in(names: Collection[str | None], catalogue: Catalogue) -> dict[str | None, str]:
    """The names that no definition uses and that are nearly one that a definition uses."""
    known = {used for _, _, used in uses(catalogue) if "*" not in used}
    near = {slip: used for used in sorted(known, reverse=True) for slip in slips(used)}
    found: dict[str | None, str] = {}
    for name in names:
        meant = sorted(near[slip] for slip in slips(name) if slip in near) if name else []
        if meant and name not in known:
            found[name] = meant[0]
    return found
