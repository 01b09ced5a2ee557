"""A sample of the data for the linter: a bounded part of it, as plain records."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property
from heapq import nsmallest

from ..model import JSON, Kind
from ..rules.language.definition import EventPattern
from ..rules.language.quantities import many
from ..rules.language.values import lookup
from .lift import Life, Table, table
from .values import Values, values_of

ENOUGH = 20
"""Subjects, or events, below which nothing is concluded from how many there are."""


@dataclass(slots=True)
class Property:
    """A property of one event: how often it was there, who gave which value, when last (ms)."""

    count: int = 0
    given: set[tuple[str, str]] = field(default_factory=set)
    last: int = 0
    values: Values = field(default_factory=Values)


@dataclass(slots=True)
class Arrivals:
    """The latest events of one name: how many, how many without an account, who did them where.

    ``anonymous`` are those that say no user, such as page views before sign-up. They have no
    account yet, and are not ``homeless``.
    """

    count: int = 0
    homeless: int = 0
    anonymous: int = 0
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
        return sum(self.counts[name] for name in taken(pattern, self.counts))

    def first(self, pattern: EventPattern) -> int | None:
        """When the first event of a pattern was."""
        return min((self.firsts[name] for name in taken(pattern, self.firsts)), default=None)


CANDIDATES = 1_000
"""Names among which a similar one is looked for."""

MAX_SEARCHES = 200
"""Names for which a similar one is looked for. Each takes milliseconds."""


@dataclass(frozen=True, slots=True)
class Doers:
    """Who did something: how many, the most that one did, and how many had converted before."""

    count: int = 0
    most: int = 0
    converted: int = 0


Marks = Mapping[str, Mapping[str, tuple[int, ...]]]


@dataclass(frozen=True)
class Sample:
    """Some users, their accounts, the latest events, and who of the subjects qualifies.

    ``events`` are those among the ``latest`` so many messages. ``lasts`` has the time (ms) of the
    last event of every name that was seen, among these or among those of the users and accounts.
    ``marks`` has, for each definition, the times at which a subject qualified. ``until`` is the
    last instant of the data. ``is_whole`` says that there are no users besides.

    An answer that takes a pass over the subjects is kept, so that any number of conditions can ask.
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
        names = (name for pattern in patterns for name in taken(pattern, self.lasts))
        return max((self.lasts[name] for name in names), default=None)

    def arrivals(self, patterns: Collection[EventPattern]) -> Iterator[Arrivals]:
        """The latest events that one of several patterns takes, name by name."""
        names = (name for pattern in patterns for name in taken(pattern, self.events))
        return (self.events[name] for name in dict.fromkeys(names))

    def properties(self, path: str, patterns: Collection[EventPattern]) -> list[Property]:
        """A property of the latest events that one of several patterns takes, name by name."""
        found = self.arrivals(patterns)
        return [each.properties[path] for each in found if path in each.properties]

    @cached_property
    def received(self) -> int:
        """How many of the latest messages are events."""
        return sum(each.count for each in self.events.values())

    def values(self, path: str, patterns: Collection[EventPattern]) -> Values:
        """The values of a property of the latest events that one of several patterns takes."""
        asked = path, tuple(patterns)
        if asked not in self._values:
            self._values[asked] = Values()
            for found in self.properties(path, patterns):
                self._values[asked] += found.values
        return self._values[asked]

    def traits(self, kind: Kind, path: str) -> Values:
        """The values of a trait of the subjects of a kind."""
        if (kind, path) not in self._traits:
            found = (lookup(path, subject.traits) for subject in self.of(kind))
            self._traits[kind, path] = values_of(found)
        return self._traits[kind, path]

    def doers(self, kind: Kind, pattern: EventPattern) -> Doers:
        """Who of a kind of subject had an event of a pattern."""
        if (kind, pattern) not in self._doers:
            self._doers[kind, pattern] = self._who_did(kind, pattern)
        return self._doers[kind, pattern]

    def share(self, kind: Kind, pattern: EventPattern) -> float | None:
        """The share of subjects with an event of a pattern; None where there are too few."""
        everybody = len(self.of(kind))
        return self.doers(kind, pattern).count / everybody if everybody >= ENOUGH else None

    def _who_did(self, kind: Kind, pattern: EventPattern) -> Doers:
        known = self._by_event[kind]
        found = {s.key: s for name in taken(pattern, known) for s in known[name]}.values()
        most = max((subject.count(pattern) for subject in found), default=0)
        return Doers(len(found), most, sum(_had_converted(each, pattern) for each in found))

    @cached_property
    def _by_event(self) -> dict[Kind, dict[str, list[SampledSubject]]]:
        return {"user": _by_event(self.users), "account": _by_event(self.accounts)}

    # -- who qualified ---------------------------------------------------------------------

    def bits(self, definition: str) -> int:
        """Who qualified for a definition, as a number with one bit for each."""
        if definition not in self._bits:
            places = (self._places[key] for key in self.marks.get(definition, ()))
            self._bits[definition] = sum(1 << place for place in places)
        return self._bits[definition]

    def signed_up(self, kind: Kind) -> int:
        """How many subjects signed up."""
        return len(self._signups[kind])

    def lives(self, kind: Kind, definition: str) -> Iterator[Life]:
        """When each subject that qualified, and that signed up, did so and converted."""
        signups = self._signups[kind]
        for key, times in self.marks.get(definition, {}).items():
            if key in signups:
                yield signups[key]._replace(qualified=min(times))

    def table(self, kind: Kind, definition: str) -> Table:
        """The four counts of a definition: whether it predicts who converts."""
        marked, everybody = table(self.lives(kind, definition), self.until), self._tables[kind]
        return Table(
            marked.true_positives,
            marked.false_positives,
            everybody.false_negatives - marked.true_positives,
            everybody.true_negatives - marked.false_positives,
        )

    @cached_property
    def _places(self) -> dict[str, int]:
        keys = dict.fromkeys(key for marks in self.marks.values() for key in marks)
        return {key: place for place, key in enumerate(keys)}

    @cached_property
    def _signups(self) -> dict[Kind, dict[str, Life]]:
        return {"user": _lives(self.users), "account": _lives(self.accounts)}

    @cached_property
    def _tables(self) -> dict[Kind, Table]:
        """The counts of a definition for which nobody qualifies."""
        return {kind: table(lives.values(), self.until) for kind, lives in self._signups.items()}

    @cached_property
    def _values(self) -> dict[tuple[str, tuple[EventPattern, ...]], Values]:
        return {}

    @cached_property
    def _traits(self) -> dict[tuple[Kind, str], Values]:
        return {}

    @cached_property
    def _doers(self) -> dict[tuple[Kind, EventPattern], Doers]:
        return {}

    @cached_property
    def _bits(self) -> dict[str, int]:
        return {}

    def nearest(self, name: str, known: Collection[str]) -> str | None:
        """The name among some that is nearly this one; after many searches always None."""
        if len(self._searched) == MAX_SEARCHES:
            return None
        self._searched.append(name)
        near = get_close_matches(name, nsmallest(CANDIDATES, known), n=1)
        return near[0] if near else None

    @cached_property
    def _searched(self) -> list[str]:
        return []

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


def taken(pattern: EventPattern, names: Collection[str]) -> Iterable[str]:
    """The names that a pattern takes. Only a pattern with a ``*`` looks at all of them."""
    if pattern.any or pattern.prefixes:
        return (name for name in names if pattern.matches(name))
    return (name for name in pattern.names if name in names)


def _had_converted(subject: SampledSubject, pattern: EventPattern) -> bool:
    """Whether a subject was a customer before it first had an event of a pattern."""
    first = subject.first(pattern)
    return first is not None and subject.converted is not None and subject.converted <= first


def _by_event(subjects: Iterable[SampledSubject]) -> dict[str, list[SampledSubject]]:
    found: defaultdict[str, list[SampledSubject]] = defaultdict(list)
    for subject in subjects:
        for name in subject.counts.keys() | subject.firsts.keys():
            found[name].append(subject)
    return found


def _lives(subjects: Iterable[SampledSubject]) -> dict[str, Life]:
    """The life of each subject that signed up, as if it had not qualified."""
    return {s.key: Life(s.signup, None, s.converted) for s in subjects if s.signup is not None}
