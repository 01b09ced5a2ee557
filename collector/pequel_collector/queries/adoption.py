"""Who has used a feature and who has not, among the users who were seen last."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

from ..marking.snapshot import Snapshot
from ..model import JSON
from ..ports import ReadTransaction, Seen
from ..rules.language.definition import Catalogue, EventPattern, pattern_of
from .answers import Adopter
from .directory import named, person_traits
from .events.recent import Known, first_times, recently_seen
from .values import is_written_as

AT_ONCE = 50
MAX_STEPS = 10
"""Steps of one page. So it looks at 500 users at most, and may be short."""

MAX_MESSAGES = 1_000
"""Messages of a user, from the first on, among which the sign-up is looked for."""


@dataclass(frozen=True, slots=True)
class AdoptionFilter:
    """Whose use of a feature is asked for. None means any.

    ``plan`` is the value of the trait as text. ``min_age`` and ``max_age`` are the time since
    sign-up (ms); the first is included, the second is not.
    """

    feature: str
    used: bool | None = None
    plan: str | None = None
    min_age: int | None = None
    max_age: int | None = None


class Adoption(NamedTuple):
    """Users, the numbers of those who have used the feature and have not, and the next place."""

    data: list[Adopter]
    used: int
    not_used: int
    next: Seen | None


def events_of(catalogue: Catalogue, feature: str) -> tuple[str, ...]:
    """The events of a feature; another name is that of an event."""
    return catalogue.features.get(feature, (feature,))


def adoption(
    snapshot: Snapshot, wanted: AdoptionFilter, limit: int, before: Seen | None
) -> Adoption:
    """Users by a feature, those seen last first.

    The numbers count those who were looked at for this page, up to its last user. So they add up
    over all pages.
    """
    pattern = pattern_of(events_of(snapshot.evaluators.catalogue, wanted.feature))
    data: list[Adopter] = []
    used, not_used, place = 0, 0, before
    steps = recently_seen(snapshot.tx, "user", before, AT_ONCE)
    for some, after in islice(steps, MAX_STEPS):
        for known, user in _adopters(snapshot, wanted, pattern, some):
            used, not_used = used + user.used, not_used + (not user.used)
            place = known.place
            if wanted.used in (None, user.used):
                data.append(user)
            if len(data) == limit:
                return Adoption(data, used, not_used, place)
        place = after
        if after is None:
            break
    return Adoption(data, used, not_used, place)


def _adopters(
    snapshot: Snapshot, wanted: AdoptionFilter, pattern: EventPattern, some: list[Known]
) -> list[tuple[Known, Adopter]]:
    """Those of some users who are asked for, used or not."""
    tx, names = snapshot.tx, person_traits(snapshot.evaluators.catalogue)
    traits, firsts = tx.traits({each.key: each.ids for each in some}), first_times(tx, some)
    some = [
        each for each in some if _fits(snapshot, wanted, each, traits[each.key], firsts[each.key])
    ]
    counts = tx.names_of({id_ for each in some for id_ in each.ids})
    return [
        (
            each,
            Adopter(
                each.key,
                named(traits[each.key], names),
                firsts[each.key],
                each.last,
                sum(n for id_ in each.ids for e, n in counts[id_].items() if pattern.matches(e)),
            ),
        )
        for each in some
    ]


def _fits(
    snapshot: Snapshot,
    wanted: AdoptionFilter,
    user: Known,
    traits: Mapping[str, JSON],
    first: int,
) -> bool:
    """Whether a user has the plan and the age that are asked for."""
    if wanted.plan is not None and not is_written_as(traits.get("plan"), wanted.plan):
        return False
    if wanted.min_age is None and wanted.max_age is None:
        return True
    signed_up = _signed_up(snapshot.tx, snapshot.evaluators.catalogue, user, first)
    if signed_up is None:
        return False
    age = snapshot.now - signed_up
    is_old = wanted.min_age is None or age >= wanted.min_age
    return is_old and (wanted.max_age is None or age < wanted.max_age)


def _signed_up(tx: ReadTransaction, catalogue: Catalogue, user: Known, first: int) -> int | None:
    """When a user signed up: the first event of that name; without a setting, when first seen."""
    if catalogue.project.signup is None:
        return first
    pattern = pattern_of([catalogue.project.signup])
    names = [name for name in tx.counts(user.ids) if pattern.matches(name)]
    found = tx.first_events(user.ids, names, MAX_MESSAGES) if names else []
    return found[0].time if found else None
