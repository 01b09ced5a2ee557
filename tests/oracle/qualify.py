"""Who qualified for what, and when: the earliest moment, cycle by cycle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from .definitions import Definition, absence_window, absences, definitions_of, leaves
from .guards import guard_holds
from .history import History, Subject
from .identity import Message
from .measures import Reading, holds, read
from .moment import Moment

Key = tuple[str, str, str]  # definition, subject kind, subject id
Endings = Mapping[Key, list[int]]  # when leads were dismissed or lost
Activated = Mapping[str, int]  # from when on definitions count, by name


def qualifications(
    catalogue: Mapping[str, Any],
    messages: Sequence[Message],
    now: int | None = None,
    endings: Endings | None = None,
    activated: Activated | None = None,
) -> dict[Key, list[int]]:
    """Every `qualified_at`, one for each cycle.

    `now` is the as-of time: later facts are not there yet, and the clock has not gone further.
    Without it all facts are there and every moment of the clock has passed. `endings` are the
    times at which leads were dismissed or lost, for `cooldown`. A definition that is `activated`
    counts forward only: its first cycle begins at that instant.
    """
    world = World(catalogue, messages, now, endings or {}, activated or {})
    found: dict[Key, list[int]] = {}
    for name, definition in world.definitions.items():
        for subject in world.history.subjects(definition.subject):
            times = world.qualified_at(name, subject)
            if times:
                kind, subject_id = subject
                found[name, kind, subject_id] = times
    return found


def observed(
    catalogue: Mapping[str, Any],
    messages: Sequence[Message],
    key: Key,
    tau: int,
    now: int | None = None,
) -> list[Reading]:
    """What each leaf of the definition observes for the subject at tau, in the order written.

    Events count from the start of the cycle that is open at tau.
    """
    world = World(catalogue, messages, now, {})
    definition, subject = world.definitions[key[0]], (key[1], key[2])
    started = [start for start in world.cycle_starts(definition, subject) if start <= tau]
    moment = Moment(world, subject, tau, since=max(started, default=None))
    return [read(leaf, moment) for leaf in leaves(definition.when)]


def blocking_guards(
    catalogue: Mapping[str, Any],
    messages: Sequence[Message],
    key: Key,
    tau: int,
    now: int | None = None,
) -> list[int]:
    """The places, in `unless`, of the guards that hold for the subject at tau."""
    world = World(catalogue, messages, now, {})
    guards = world.definitions[key[0]].guards
    moment = Moment(world, (key[1], key[2]), tau, guard=True)
    return [place for place, guard in enumerate(guards) if guard_holds(guard, moment)]


class World:
    """A catalogue and the facts it is held against."""

    def __init__(
        self,
        catalogue: Mapping[str, Any],
        messages: Sequence[Message],
        now: int | None,
        endings: Endings,
        activated: Activated = MappingProxyType({}),
    ) -> None:
        self.project: Mapping[str, Any] = catalogue.get("project", {})
        self.timezone: str = self.project.get("timezone", "UTC")
        self.features: Mapping[str, list[str]] = catalogue.get("features", {})
        self.definitions = definitions_of(catalogue)
        self.history = History(messages, now)
        self.now = now
        self.endings = endings
        self.activated = activated
        self.known: dict[tuple[str, Subject], list[int]] = {}

    def qualified_at(self, name: str, subject: Subject) -> list[int]:
        """Remembered only because `pql` asks again; it is the same each time."""
        if (name, subject) not in self.known:
            cycles = self.cycles(self.definitions[name], subject)
            self.known[name, subject] = [time for _start, time in cycles if time is not None]
        return self.known[name, subject]

    def cycle_starts(self, definition: Definition, subject: Subject) -> list[int]:
        cycles = self.cycles(definition, subject)
        return [start for start, _time in cycles if start is not None]

    def cycles(
        self, definition: Definition, subject: Subject
    ) -> Iterator[tuple[int | None, int | None]]:
        """When each cycle started (None: with the first fact) and when it qualified."""
        start = self.activated.get(definition.name)
        while True:
            time = self.first_time(definition, subject, start)
            yield start, time
            start = None if time is None else self.next_start(definition, subject, time)
            if start is None:
                return

    def first_time(self, definition: Definition, subject: Subject, start: int | None) -> int | None:
        """The earliest moment at which `when` holds and no guard does."""
        for tau in self.moments(definition, subject):
            if start is not None and tau < start:
                continue
            if not self.cools(definition, subject, tau) and self.met(
                definition, subject, tau, start
            ):
                return tau
        return None

    def moments(self, definition: Definition, subject: Subject) -> list[int]:
        """The times of the subject's facts; `clock` adds those times + W.

        Reading: W is the window of each leaf of absence in `when`.
        """
        times = {fact.time for fact in self.history.of(subject)}
        if definition.clock:
            lengths = {absence_window(leaf) for leaf in absences(definition.when)}
            times |= {time + length for time in times for length in lengths}
        return sorted(time for time in times if self.now is None or time <= self.now)

    def met(self, definition: Definition, subject: Subject, tau: int, start: int | None) -> bool:
        clock_only = definition.clock and all(f.time != tau for f in self.history.of(subject))
        moment = Moment(self, subject, tau, since=start, clock_only=clock_only)
        # Reading: guards look at the whole history, whatever the cycle.
        guarded = Moment(self, subject, tau, guard=True)
        return holds(definition.when, moment) and not any(
            guard_holds(guard, guarded) for guard in definition.guards
        )

    def cools(self, definition: Definition, subject: Subject, tau: int) -> bool:
        """Reading: no moment in [end of a lead, end + cooldown) qualifies."""
        if definition.cooldown is None:
            return False
        ends = self.endings.get((definition.name, *subject), [])
        return any(end <= tau < end + definition.cooldown for end in ends)

    def next_start(self, definition: Definition, subject: Subject, time: int) -> int | None:
        """The first event after the qualification that comes D or more after the one before it.

        Reading: silence lies between two events, wherever between them the qualification fell;
        it is over at D exactly; without an earlier event there is none.
        """
        if definition.silence is None:
            return None
        events = [fact.time for fact in self.history.of(subject) if fact.event is not None]
        for before, event in pairwise(events):
            if event > time and event - before >= definition.silence:
                return event
        return None

    def event_matches(self, wanted: Any, name: str | None) -> bool:
        """A name, a list, a `prefix*`, `*`, or `{ feature = … }`."""
        if name is None:
            return False
        if isinstance(wanted, Mapping):
            return name in self.features[wanted["feature"]]
        if isinstance(wanted, list):
            return any(self.event_matches(each, name) for each in wanted)
        if wanted.endswith("*"):
            return name.startswith(wanted[:-1])
        return bool(name == wanted)

    def names_in(self, event: Any) -> int | None:
        """How many names a list or feature has: what "all" stands for."""
        if isinstance(event, Mapping):
            return len(set(self.features[event["feature"]]))
        return len(set(event)) if isinstance(event, list) else None
