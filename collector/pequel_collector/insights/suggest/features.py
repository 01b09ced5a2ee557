"""What each subject did in the first days after sign-up, as numbers by feature.

u1    signed up on March 1st; project_created on the 1st, the 2nd and the 9th
so    project_created, count, within 7 days     2
      project_created, @day, within 1 day       1
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ...rules.language.quantities import DAY, HOUR, MINUTE, SECOND, WEEK
from ..lift import Life

COUNT, DAYS = "count", "@day"
WINDOWS = (DAY, 3 * DAY, 7 * DAY, 14 * DAY, 30 * DAY)
MAX_NAMES = 500
"""Event names that are looked at: those that came up first."""

_UNITS = ((WEEK, "w"), (DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"))

DayOf = Callable[[int], int]
"""The number of the calendar day of an instant."""


class Feature(NamedTuple):
    """A number of a subject: events of a name, or days with one, within a window from sign-up."""

    event: str
    measure: str
    window: int


@dataclass(slots=True)
class Sample:
    """Subjects that can be judged, in the order of sign-up, and what they did.

    ``outcomes`` has a bit for each who converted, ``later`` for each in the held-out period.
    ``columns`` has, for each feature, the number of each subject (by place) where it is not 0.
    """

    size: int = 0
    outcomes: int = 0
    later: int = 0
    keys: list[str] = field(default_factory=list)
    columns: dict[Feature, dict[int, int]] = field(default_factory=dict)


def windows_within(landmark: int) -> list[int]:
    """The windows that end by the landmark, which is one of them."""
    return [*(window for window in WINDOWS if window < landmark), landmark]


def duration(length: int) -> str:
    """A length (ms) as definitions write it."""
    for unit, symbol in _UNITS[1:]:
        if length % unit == 0:
            return f"{length // unit}{symbol}"
    raise ValueError(f"{length} ms is no whole number of seconds")


class SampleBuilder:
    """Collects subjects with their events.

    ``held_out`` is the share of subjects, the latest by sign-up, that the search does not see.
    """

    def __init__(
        self, landmark: int, horizon: int, end: int, held_out: float, day_of: DayOf
    ) -> None:
        self._landmark, self._horizon, self._end = landmark, horizon, end
        self._held_out, self._day_of = held_out, day_of
        self._windows = windows_within(landmark)
        self._names: dict[str, None] = {}
        self._rows: list[tuple[int, str, bool, dict[Feature, int]]] = []

    def add(self, key: str, life: Life, events: Iterable[tuple[int, str]]) -> None:
        """Take in a subject, if it can be judged. Events are (time, name), in order."""
        start = life.signup + self._landmark
        if start + self._horizon > self._end:
            return
        if life.converted is not None and life.converted < start:
            return
        converted = life.converted is not None and life.converted < start + self._horizon
        known = ((time, name) for time, name in events if self._knows(time - life.signup, name))
        values = early_values(known, life.signup, self._windows, self._day_of)
        self._rows.append((life.signup, key, converted, values))

    def build(self) -> Sample:
        """The sample of all that were taken in."""
        self._rows.sort(key=lambda row: row[:2])
        sample = Sample(len(self._rows), keys=[row[1] for row in self._rows])
        outcomes = []
        for place, (_, _, converted, values) in enumerate(self._rows):
            if converted:
                outcomes.append(place)
            for feature, value in values.items():
                sample.columns.setdefault(feature, {})[place] = value
        sample.outcomes = bits(outcomes, sample.size)
        begin = self._first_held_out()
        sample.later = bits(range(begin, sample.size), sample.size)
        self._rows.clear()
        return sample

    def _first_held_out(self) -> int:
        """The place of the first subject of the held-out period, which begins at its sign-up."""
        place = round(len(self._rows) * (1 - self._held_out))
        while 0 < place < len(self._rows) and self._rows[place - 1][0] == self._rows[place][0]:
            place += 1
        return place

    def _knows(self, age: int, name: str) -> bool:
        """Whether an event at some age counts; one of a new name, while there are not too many."""
        if not 0 <= age < self._landmark:
            return False
        if name not in self._names and len(self._names) < MAX_NAMES:
            self._names[name] = None
        return name in self._names


def early_values(
    events: Iterable[tuple[int, str]], signup: int, windows: Sequence[int], day_of: DayOf
) -> dict[Feature, int]:
    """The features of a subject that are not 0. Events are (time, name)."""
    found: dict[Feature, int] = {}
    days: dict[Feature, set[int]] = {}
    for time, name in events:
        for window in windows:
            if 0 <= time - signup < window:
                feature = Feature(name, COUNT, window)
                found[feature] = found.get(feature, 0) + 1
                days.setdefault(Feature(name, DAYS, window), set()).add(day_of(time))
    return found | {feature: len(each) for feature, each in days.items()}


def bits(places: Iterable[int], size: int) -> int:
    """A number with a bit for each place."""
    found = bytearray(size // 8 + 1)
    for place in places:
        found[place >> 3] |= 1 << (place & 7)
    return int.from_bytes(found, "little")


def places(found: int) -> Iterator[int]:
    """The places of the bits of a number, lowest first."""
    while found:
        lowest = found & -found
        yield lowest.bit_length() - 1
        found ^= lowest
