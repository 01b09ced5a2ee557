"""Plays personas to a collector in memory, and compares its leads with the expected ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from msgspec.json import Encoder

from ..app.bootstrap import Collector, open_collector
from ..config import Settings
from ..errors import BadRequest, NotFound
from ..model import JSON, Kind, id_of, iso, kind_of
from ..ports import LeadFilter
from ..rules.language.definition import Catalogue
from ..rules.language.quantities import DAY, HOUR, MINUTE, SECOND
from ..wire import decode
from ..wire.ids import Ids
from ..wire.normalise import normalise
from .script import Act, Expected, Persona, read_personas

_MOST_LEADS = 10_000
_UNITS = {"d": DAY, "h": HOUR, "m": MINUTE, "s": SECOND, "ms": 1}
_encode = Encoder(decimal_format="number").encode


class Mark(NamedTuple):
    """Who qualified for what, so many ms after the start, and why."""

    definition: str
    kind: Kind
    subject: str
    at: int
    sentence: str = ""

    def __str__(self) -> str:
        return f"{self.definition} ({self.kind} {self.subject}) at {elapsed(self.at)}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a persona: every mark, earliest first, and each difference in words."""

    name: str
    marked: tuple[Mark, ...]
    failures: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every mark is as expected."""
        return not self.failures


def rehearse(catalogue: Catalogue, file: str) -> Iterator[Outcome]:
    """Each persona of a definitions file, played to a collector of its own.

    Raises DefinitionError for one that cannot be read, BadRequest for one with a fact that no
    collector would take.
    """
    for persona in read_personas(catalogue, file):
        with closing(_Stage(persona, catalogue)) as stage:
            stage.play()
            yield stage.outcome()


class _Stage:
    """A collector whose clock shows when each fact of a persona arrives."""

    def __init__(self, persona: Persona, catalogue: Catalogue) -> None:
        self.persona = persona
        self.now = persona.start
        self.new_id = Ids(lambda: persona.start, bits=lambda _: 0)
        self.collector: Collector = open_collector(
            Settings(database="sqlite://"), catalogue, clock=lambda: self.now
        )

    def close(self) -> None:
        self.collector.close()

    def play(self) -> None:
        """Send every fact at the time of its arrival, then let the clock run on."""
        arrival = attrgetter("arrives")
        for arrives, acts in groupby(sorted(self.persona.acts, key=arrival), arrival):
            self.now = self.persona.start + arrives
            self.collector.run_clock()
            self._send(acts)
        self.now = self.persona.start + self.persona.as_of
        self.collector.run_clock()

    def _send(self, acts: Iterable[Act]) -> None:
        """Send what arrives at one time as one request, in the order of the file."""
        dated = [{**a.message, "timestamp": iso(self.persona.start + a.at)} for a in acts]
        envelope = decode.batch(_encode({"batch": dated}))
        messages, rejected = normalise(envelope, self.collector.settings, self.now, self.new_id)
        if rejected:
            raise BadRequest(f'persona "{self.persona.name}": {rejected[0].message}')
        self.collector.ingest.accept(messages)

    def outcome(self) -> Outcome:
        """The leads, compared with the expected ones."""
        marked = sorted(self._marks(), key=lambda mark: (mark.at, mark.definition, mark.subject))
        left = list(marked)
        missing = [one for one in _strictest(self.persona.expected) if not _take(one, left)]
        failures = [self._missing(one, left) for one in missing]
        failures += [f"{mark} was not expected: {mark.sentence}" for mark in left]
        return Outcome(self.persona.name, tuple(marked), tuple(failures))

    def _marks(self) -> Iterator[Mark]:
        with self.collector.store.reading() as view:
            leads = [lead for lead, _ in view.leads(LeadFilter(), _MOST_LEADS)]
        for lead in leads:
            yield Mark(
                lead.definition,
                kind_of(lead.subject) or "user",
                id_of(lead.subject),
                lead.qualified_at - self.persona.start,
                str(lead.evidence.get("sentence", "")),
            )

    def _missing(self, one: Expected, left: list[Mark]) -> str:
        """Why a mark is not there: it came at another time, or there is this left to do."""
        wanted = f"{one.definition} ({one.kind} {one.subject}) was expected"
        wanted += "" if one.at is None else f" at {elapsed(one.at)}"
        other = next((mark for mark in left if _is_for(mark, one)), None)
        if other is not None:
            left.remove(other)
            return f"{wanted}, and was marked at {elapsed(other.at)}: {other.sentence}"
        return f"{wanted}; why not yet: {self._progress(one)}"

    def _progress(self, one: Expected) -> str:
        try:
            progress = self.collector.queries.status(one.kind, one.subject).progress
        except NotFound as error:
            return error.message
        found = next((each for each in progress if each["definition"] == one.definition), None)
        return "it is marked already" if found is None else _in_words(found)


def _strictest(expected: Iterable[Expected]) -> list[Expected]:
    """Those with a time first, so that no other takes the mark that only they accept."""
    return sorted(expected, key=lambda one: one.at is None)


def _take(one: Expected, left: list[Mark]) -> bool:
    """Whether there is a mark as expected; it is taken out of those that are left."""
    for mark in left:
        if _is_for(mark, one) and one.at in {None, mark.at}:
            left.remove(mark)
            return True
    return False


def _is_for(mark: Mark, one: Expected) -> bool:
    return mark[:3] == (one.definition, one.kind, one.subject)


def _in_words(progress: dict[str, JSON]) -> str:
    """Progress in words: leaf by leaf, and what blocks."""
    parts = [_leaf(leaf) for leaf in progress["leaves"]]
    parts += [f"blocked by {guard}" for guard in progress["blocked_by"]]
    return f"{progress['progress']:.0%} done; " + "; ".join(parts)


def _leaf(leaf: dict[str, JSON]) -> str:
    sign = "✓" if leaf["holds"] else "✗"
    found = "missing" if leaf["observed"] is None else _encode(leaf["observed"]).decode()
    return f"{sign} {leaf['measure']}: {found}{_needed(leaf)}"


def _needed(leaf: dict[str, JSON]) -> str:
    """What is enough. A comparison of one value is in the measure already."""
    needed = leaf["needed"]
    if needed is None:  # a share of a trait
        return ", and its trait is missing"
    is_comparison = isinstance(needed, dict) and not isinstance(leaf["observed"], dict)
    return "" if is_comparison else f" of {_encode(needed).decode()}"


def elapsed(length: int) -> str:
    """A length of time as it is written in a persona: ``1d 3h``."""
    parts = []
    for unit, size in _UNITS.items():
        count, length = divmod(length, size)
        parts += [f"{count}{unit}"] if count else []
    return " ".join(parts) or "0d"
