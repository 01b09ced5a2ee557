"""A stream told to a collector the hard way: in pieces, over restarts and changes of definitions.

What stands at the end, and at every halt on the way, must be what deciding from scratch gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from random import Random
from typing import Any

from oracle import qualifications
from oracle.identity import placed
from oracle.toml import to_toml
from oracle.values import DAY
from pequel_collector.app.bootstrap import Collector, assemble
from pequel_collector.config import Settings
from pequel_collector.marking import backfill
from pequel_collector.marking.derive import Derivation
from pequel_collector.marking.evaluators import Evaluators
from pequel_collector.model import id_of, kind_of
from pequel_collector.ports import LeadFilter, Store
from pequel_collector.rules.language.definition import Catalogue
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.store.database import SqlStore
from pequel_collector.store.sqlite import SqliteMemory

from .streams import NOW, messages_of, refresh

Plain = dict[str, Any]
Marks = dict[tuple[str, str, str], list[int]]
Span = tuple[int, int]

LONGEST = 4 * DAY
"""The longest time for which nothing comes."""

BLOCK, SECTION = 7, 2
"""Messages of a block, and blocks of a section: few, so that there are some of each."""


@cache
def empty_database() -> bytes:
    """A database in memory, migrated, as it would lie in a file."""
    memory = SqliteMemory()
    memory.migrate()
    return memory._connection.serialize()


class Rehearsal:
    """A collector over one store, which is started again and follows one catalogue after another.

    The clock is set by hand and never goes back.
    """

    def __init__(self, store: Store | None = None) -> None:
        self.store = store or _in_memory()
        self.now = 0
        self._replaying: Evaluators | None = None
        self.collector = self.follow(Catalogue())

    def follow(self, catalogue: Catalogue, *, slowly: bool = False) -> Collector:
        """Start with a catalogue: history is replayed under it where it says something new.

        ``slowly``: a few subjects after each batch, until the replay is over.
        """
        if slowly:
            with self.store.writing() as tx:
                self._replaying = backfill.activate(
                    tx, backfill.NewDefinitions(catalogue), self.now
                ).evaluators
        else:
            self._replaying = None
            refresh(self.store, catalogue, self.clock)
        return self._start(catalogue)

    def _start(self, catalogue: Catalogue) -> Collector:
        clock, settings = self.clock, Settings()
        self.collector = assemble(settings, self.store, catalogue, clock)
        self.collector.index_messages()
        return self.collector

    @property
    def is_replaying(self) -> bool:
        """Whether there are subjects whose history is still to be replayed."""
        return self._replaying is not None

    def replay_some(self) -> None:
        """Replay a few subjects more, if a replay is under way."""
        if self._replaying is not None:
            replay = backfill.step(self.store, self._replaying, self.clock)
            if replay is None or replay.is_finished:
                self._replaying = None

    def restart(self) -> None:
        """The same catalogue over the same database, with nothing remembered."""
        if isinstance(self.store, SqlStore):
            self.store = SqlStore(self.store.url, self.store._database, BLOCK, SECTION)
        self._start(self.collector.catalogue)

    def clock(self) -> int:
        """The time that was set."""
        return self.now

    def tell(self, batch: Sequence[Plain]) -> None:
        """Take a batch in, no earlier than its latest message."""
        self.now = max(self.now, *(message["time"] for message in batch))
        self.collector.ingest.accept(messages_of(batch))
        self.replay_some()

    def wait_until(self, time: int) -> None:
        """Let the clock run."""
        self.now = max(self.now, time)
        with self.store.writing() as tx:
            derivation = Derivation(tx, self.collector.ingest.evaluators, self.now)
            derivation.run_clock()
            derivation.finish()

    def marks(self) -> Marks:
        """Who qualifies for the definitions in force, cycle by cycle."""
        versions = self.collector.ingest.evaluators.versions
        with self.store.reading() as view:
            leads = [lead for lead, _ in view.leads(LeadFilter(), limit=10_000)]
        found: Marks = {}
        for lead in sorted(leads, key=lambda lead: lead.cycle):
            if versions.get(lead.definition) == lead.version:
                key = lead.definition, str(kind_of(lead.subject)), id_of(lead.subject)
                found.setdefault(key, []).append(lead.qualified_at)
        return found


@dataclass
class Course:
    """How a stream is told: in which batches, and what happens before or after some of them.

    ``waits`` are times for which nothing comes, in ms. The stream begins with the catalogue
    ``first``, if there is one, and turns to its own before the batch ``turn``.
    """

    batches: list[list[Plain]]
    restarts: set[int] = field(default_factory=set)
    halts: set[int] = field(default_factory=set)
    waits: dict[int, int] = field(default_factory=dict)
    first: Plain | None = None
    turn: int = 0
    slowly: bool = False

    def happened(self, chance: Random) -> None:
        """Choose what happens on the way."""
        places = range(len(self.batches))
        self.restarts = {n for n in places if chance.random() < 0.1}
        self.halts = {n for n in places if chance.random() < 0.1}
        self.waits = {n: chance.randint(0, LONGEST) for n in places if chance.random() < 0.1}


def course_of(messages: list[Plain], chance: Random, other: Plain | None = None) -> Course:
    """A course of a stream. It begins with another catalogue, if one is given."""
    largest = chance.randint(1, 10)
    course = Course(list(batches(messages, chance, largest)), first=other)
    course.happened(chance)
    if other is not None:
        course.turn = chance.randint(0, len(course.batches))
        course.slowly = chance.random() < 0.5
    return course


def batches(messages: list[Plain], chance: Random, largest: int) -> Iterator[list[Plain]]:
    """A stream in pieces of up to so many messages."""
    start = 0
    while start < len(messages):
        stop = start + chance.randint(1, largest)
        yield messages[start:stop]
        start = stop


class Disagreement(AssertionError):
    """A collector and the oracle differ."""


def rehearse(
    catalogue: Plain, messages: list[Plain], course: Course, store: Store | None = None
) -> Rehearsal:
    """Tell a stream and compare at every halt and at the end. Raises Disagreement."""
    rehearsal = Rehearsal(store)
    active_definitions = catalogue if course.first is None else course.first
    rehearsal.follow(read_catalogue(to_toml(active_definitions)))
    sent: list[list[Plain]] = []
    for number, batch in enumerate(course.batches):
        if course.first is not None and number == course.turn:
            active_definitions = catalogue
            rehearsal.follow(read_catalogue(to_toml(active_definitions)), slowly=course.slowly)
        if number in course.restarts:
            rehearsal.restart()
        rehearsal.tell(batch)
        sent.append(batch)
        if number in course.waits:
            rehearsal.wait_until(rehearsal.now + course.waits[number])
        if number in course.halts and not rehearsal.is_replaying:
            compare(rehearsal, active_definitions, placed(sent), rehearsal.now)
    if active_definitions is not catalogue:
        rehearsal.follow(read_catalogue(to_toml(catalogue)), slowly=course.slowly)
    while rehearsal.is_replaying:
        rehearsal.replay_some()
    rehearsal.wait_until(NOW)
    compare(rehearsal, catalogue, placed(sent))
    return rehearsal


def compare(
    rehearsal: Rehearsal, catalogue: Plain, messages: list[Plain], now: int | None = None
) -> None:
    """Raises Disagreement, with what only one of them says."""
    wanted, found = qualifications(catalogue, messages, now), rehearsal.marks()
    if wanted != found:
        keys = wanted.keys() | found.keys()
        differing = {
            key: (wanted.get(key), found.get(key))
            for key in keys
            if wanted.get(key) != found.get(key)
        }
        raise Disagreement(f"oracle and collector: {differing}")


def _in_memory() -> Store:
    memory = SqliteMemory()
    memory._connection.deserialize(empty_database())
    return SqlStore("sqlite://", memory, BLOCK, SECTION)
