"""What each subject did in the first days after sign-up, as numbers by feature.

u1    signed up on March 1st; project_created (kind = a, b, b) on the 1st, the 2nd and the 9th
so    project_created, count, within 7 days              2
      project_created, @day, within 1 day                1
      project_created, distinct kind, within 30 days     2
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from ...rules.language.quantities import DAY, HOUR, MINUTE, SECOND, WEEK
from ..lift import Life

COUNT, DAYS, DISTINCT = MEASURES = "count", "@day", "distinct"
"""What is counted, the simplest first."""

WINDOWS = (DAY, 3 * DAY, 7 * DAY, 14 * DAY, 30 * DAY)
MAX_NAMES = 500
"""Event names that are looked at: those that came up first."""

_UNITS = ((WEEK, "w"), (DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"))

DayOf = Callable[[int], int]
"""The number of the calendar day of an instant."""


class Feature(NamedTuple):
    """A number of a subject: how often it did something within a window (ms) from sign-up.

    The ``measure`` counts events of a name, days with one, or distinct values of their property.
    """

    event: str
    measure: str
    window: int
    property: str | None = None


class Use(NamedTuple):
    """An event of a subject: when (ms), its name, and the values of properties that are looked at.

    Each value is a text that equal values share.
    """

    time: int
    name: str
    values: Sequence[tuple[str, str]] = ()


class Column:
    """A feature of all subjects: the number of each, by its place, where it is not 0.

    It takes eight bytes a subject.
    """

    __slots__ = ("_numbers", "_places")

    def __init__(self) -> None:
        self._places, self._numbers = array("I"), array("I")

    def __len__(self) -> int:
        return len(self._places)

    def append(self, place: int, number: int) -> None:
        """Set the number of a subject that has none yet."""
        self._places.append(place)
        self._numbers.append(number)

    def move(self, to: Sequence[int]) -> None:
        """Give each subject another place."""
        self._places = array("I", [to[place] for place in self._places])

    def reaching(self, threshold: int) -> Iterator[int]:
        """The places of the subjects whose number is a threshold or more."""
        return (place for place, number in self.items() if number >= threshold)

    def items(self) -> Iterator[tuple[int, int]]:
        """The place of each subject, and its number."""
        return zip(self._places, self._numbers, strict=True)


@dataclass(slots=True)
class Sample:
    """Subjects that can be judged, in the order of sign-up, and what they did.

    ``outcomes`` has a bit for each who converted, ``later`` for each in the held-out period.
    """

    size: int = 0
    outcomes: int = 0
    later: int = 0
    keys: list[str] = field(default_factory=list)
    columns: dict[Feature, Column] = field(default_factory=dict)


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
        self._rows: list[tuple[int, str, bool]] = []
        self._columns: dict[Feature, Column] = {}

    def add(self, key: str, life: Life, events: Iterable[Use]) -> None:
        """Take in a subject, if it can be judged. Its events are in order."""
        start = life.signup + self._landmark
        if start + self._horizon > self._end:
            return
        if life.converted is not None and life.converted < start:
            return
        converted = life.converted is not None and life.converted < start + self._horizon
        known = (use for use in events if self._knows(use.time - life.signup, use.name))
        values = early_values(known, life.signup, self._windows, self._day_of)
        for feature, value in values.items():
            if feature not in self._columns:
                self._columns[feature] = Column()
            self._columns[feature].append(len(self._rows), value)
        self._rows.append((life.signup, key, converted))

    def build(self) -> Sample:
        """The sample of all that were taken in. The builder is empty afterwards."""
        rows, self._rows = self._rows, []
        order = sorted(range(len(rows)), key=lambda taken: rows[taken][:2])
        sample = Sample(len(rows), keys=[rows[taken][1] for taken in order])
        places = [0] * len(rows)
        for place, taken in enumerate(order):
            places[taken] = place
        sample.columns, self._columns = self._columns, {}
        for column in sample.columns.values():
            column.move(places)
        converted = (place for place, taken in enumerate(order) if rows[taken][2])
        sample.outcomes = bits(converted, sample.size)
        begin = self._first_held_out([rows[taken][0] for taken in order])
        sample.later = bits(range(begin, sample.size), sample.size)
        return sample

    def _first_held_out(self, signups: Sequence[int]) -> int:
        """The place of the first subject of the held-out period, which begins at its sign-up."""
        place = round(len(signups) * (1 - self._held_out))
        while 0 < place < len(signups) and signups[place - 1] == signups[place]:
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
    events: Iterable[Use], signup: int, windows: Sequence[int], day_of: DayOf
) -> dict[Feature, int]:
    """The features of a subject that are not 0. Its events are in order."""
    ages: dict[tuple[str, str, str | None], dict[object, int]] = {}
    for number, (time, name, values) in enumerate(events):
        age = time - signup
        if age < 0:
            continue
        ages.setdefault((name, COUNT, None), {})[number] = age
        ages.setdefault((name, DAYS, None), {}).setdefault(day_of(time), age)
        for path, value in values:
            ages.setdefault((name, DISTINCT, path), {}).setdefault(value, age)
    return {
        Feature(name, measure, window, path): number
        for (name, measure, path), firsts in ages.items()
        for window in windows
        if (number := sum(age < window for age in firsts.values()))
    }


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
