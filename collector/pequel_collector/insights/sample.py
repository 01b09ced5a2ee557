"""A sample of the data for the linter: a bounded part of it, as plain records."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from ..model import JSON, Kind
from ..rules.language.definition import EventPattern
from ..rules.language.quantities import many
from .lift import Life

ENOUGH = 20
"""Subjects, or events, below which nothing is concluded from how many there are."""


@dataclass(slots=True)
class Property:
    """A property of one event: how often it was there, who gave which value, when last (ms)."""

    count: int = 0
    given: set[tuple[str, str]] = field(default_factory=set)
    last: int = 0


@dataclass(slots=True)
class Arrivals:
    """The latest events of one name: how many, how many without an account, who did them where."""

    count: int = 0
    homeless: int = 0
    teams: dict[str, set[str]] = field(default_factory=dict)
    properties: dict[str, Property] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SampledSubject:
    """A user or an account: when it signed up and converted (ms), what it did and how it is.

    ``firsts`` has the time of its first event of each name, ``counts`` how many there were.
    """

    key: str
    signup: int | None = None
    converted: int | None = None
    firsts: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    traits: Mapping[str, JSON] = field(default_factory=dict)

    def count(self, pattern: EventPattern) -> int:
        """How many events of a pattern there were."""
        return sum(count for name, count in self.counts.items() if pattern.matches(name))

    def first(self, pattern: EventPattern) -> int | None:
        """When the first event of a pattern was."""
        times = (time for name, time in self.firsts.items() if pattern.matches(name))
        return min(times, default=None)


Marks = Mapping[str, Mapping[str, tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Sample:
    """Some users, their accounts, the latest events, and who of the subjects qualifies.

    ``events`` are those among the ``latest`` so many messages. ``lasts`` has the time (ms) of the
    last event of every name that was seen, among these or among those of the users and accounts.
    ``marks`` has, for each definition, the times at which a subject qualified. ``until`` is the
    last instant of the data. ``is_whole`` says that there are no users besides.
    """

    until: int = 0
    events: Mapping[str, Arrivals] = field(default_factory=dict)
    lasts: Mapping[str, int] = field(default_factory=dict)
    users: tuple[SampledSubject, ...] = ()
    accounts: tuple[SampledSubject, ...] = ()
    marks: Marks = field(default_factory=dict)
    latest: int = 0
    is_whole: bool = True

    def of(self, kind: Kind) -> tuple[SampledSubject, ...]:
        """The subjects of a kind."""
        return self.users if kind == "user" else self.accounts

    def last(self, patterns: Collection[EventPattern]) -> int | None:
        """When the last event that one of several patterns takes was; None where none was seen."""
        times = (
            time
            for name, time in self.lasts.items()
            if any(pattern.matches(name) for pattern in patterns)
        )
        return max(times, default=None)

    def arrivals(self, patterns: Collection[EventPattern]) -> Iterator[Arrivals]:
        """The latest events that one of several patterns takes, name by name."""
        for name, found in self.events.items():
            if any(pattern.matches(name) for pattern in patterns):
                yield found

    def properties(self, path: str, patterns: Collection[EventPattern]) -> list[Property]:
        """A property of the latest events that one of several patterns takes, name by name."""
        found = self.arrivals(patterns)
        return [each.properties[path] for each in found if path in each.properties]

    def share(self, kind: Kind, pattern: EventPattern) -> float | None:
        """The share of subjects with an event of a pattern; None where there are too few."""
        subjects = self.of(kind)
        if len(subjects) < ENOUGH:
            return None
        return sum(subject.count(pattern) > 0 for subject in subjects) / len(subjects)

    def marked(self, definition: str) -> frozenset[str]:
        """Who qualified for a definition."""
        return frozenset(self.marks.get(definition, {}))

    def lives(self, kind: Kind, definition: str) -> Iterator[Life]:
        """When each subject that signed up did, qualified and converted."""
        marks = self.marks.get(definition, {})
        for subject in self.of(kind):
            if subject.signup is not None:
                qualified = min(marks.get(subject.key, ()), default=None)
                yield Life(subject.signup, qualified, subject.converted)

    def __str__(self) -> str:
        first = "" if self.is_whole else "the first "
        users, accounts = many(len(self.users), "user"), many(len(self.accounts), "account")
        return f"{first}{users}, {accounts} of theirs and the latest {many(self.latest, 'message')}"


def tally(names: Iterable[tuple[str, int]]) -> tuple[dict[str, int], dict[str, int]]:
    """The first time and the number of each name."""
    firsts: dict[str, int] = {}
    counts: Counter[str] = Counter()
    for name, time in names:
        firsts[name] = min(time, firsts.get(name, time))
        counts[name] += 1
    return firsts, dict(counts)
