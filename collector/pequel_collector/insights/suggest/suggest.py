"""Reads a sample out of a store, searches it, and writes what was found as definitions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ...model import JSON, Kind
from ...ports import ReadTransaction, Scan, ScannedMessage
from ...rules.engine.calendar import unit
from ...rules.language.definition import Catalogue, Project
from ...rules.language.sentence import describe
from ...rules.parser.catalogue import read_catalogue
from ...rules.parser.printer import to_toml
from ..backtest import LANDMARK, Times, TimesReader, end_of_data
from ..bulk import Budget
from ..confusion import Confusion
from ..lift import HORIZON, Life
from .features import COUNT, Sample, SampleBuilder, duration
from .search import HELD_OUT, LEVEL, Condition, Result, Suggestion, search

OnShare = Callable[[int, int], None]
"""Gets the number of subjects that were read, and of all."""

PROGRESS_EVERY = 1_000

_UNSAFE = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to search: lengths in ms, the kind of subject, the rate of false suggestions.

    ``end`` is the end of the data, None to find it.
    """

    landmark: int = LANDMARK
    horizon: int = HORIZON
    subject: Kind = "user"
    level: float = LEVEL
    end: int | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A suggestion as a definition: its name, its table as TOML and its sentence."""

    name: str
    toml: str
    description: str
    suggestion: Suggestion

    @property
    def training(self) -> Confusion:
        """The figures of the period that was searched."""
        return self.suggestion.training

    @property
    def held_out(self) -> Confusion:
        """The figures of the period after it."""
        return self.suggestion.held_out


@dataclass(frozen=True, slots=True)
class Suggestions:
    """What a search came to. ``end`` is the end of the data (ms)."""

    wanted: Wanted
    end: int
    result: Result
    suggestions: Sequence[Written]


def suggest(
    tx: ReadTransaction,
    catalogue: Catalogue,
    wanted: Wanted,
    on_progress: OnShare | None = None,
    budget: Budget | None = None,
) -> Suggestions:
    """Definitions that precede conversion. Raises TooLarge if the budget is too small."""
    end = end_of_data(tx) if wanted.end is None else wanted.end
    sample = sample_of(tx, catalogue, wanted, end, on_progress, budget or Budget())
    result = search(sample, wanted.level)
    written = [_written(each, wanted.subject) for each in result.suggestions]
    return Suggestions(wanted, end, result, written)


def sample_of(
    tx: ReadTransaction,
    catalogue: Catalogue,
    wanted: Wanted,
    end: int,
    on_progress: OnShare | None,
    budget: Budget,
) -> Sample:
    """The subjects that can be judged, and what they did before their landmark."""
    times = TimesReader(tx, catalogue, wanted.subject, end, budget).run([])
    day_of = unit("@day", catalogue.project.timezone)
    builder = SampleBuilder(wanted.landmark, wanted.horizon, end, HELD_OUT, day_of)
    left_out = _of_the_project(catalogue.project)
    for number, (key, messages) in enumerate(tx.scan(Scan(wanted.subject, None)), 1):
        budget.spend(len(messages))
        if on_progress is not None and number % PROGRESS_EVERY == 0:
            on_progress(min(number, len(times.signups)), len(times.signups))
        if (life := _life(key, times, end)) is not None:
            builder.add(key, life, _events(messages, left_out))
    return builder.build()


def _of_the_project(project: Project) -> frozenset[str]:
    """The events that say how far somebody is, and nothing of what they do."""
    named = (project.signup, project.trial, project.conversion, project.expansion)
    return frozenset(filter(None, named))


def _life(key: str, times: Times, end: int) -> Life | None:
    signup = times.signups.get(key)
    converted = times.conversions.get(key)
    if signup is None:
        return None
    return Life(signup, None, converted if converted is None or converted <= end else None)


def _events(
    messages: Sequence[ScannedMessage], left_out: frozenset[str]
) -> Iterator[tuple[int, str]]:
    for message in messages:
        name = message[4]
        if name is not None and name not in left_out:
            yield message[1], name


# -- as definitions --------------------------------------------------------------------------


def _written(suggestion: Suggestion, subject: Kind) -> Written:
    name = _name(suggestion.parts)
    leaves = [_leaf(part) for part in suggestion.parts]
    when = leaves[0] if len(leaves) == 1 else {"all": leaves}
    kind = {} if subject == "user" else {"subject": subject}
    toml = to_toml({"name": name, **kind, "when": when})
    [definition] = read_catalogue(toml).definitions
    return Written(name, toml, describe(definition), suggestion)


def _leaf(condition: Condition) -> dict[str, JSON]:
    feature = condition.feature
    measure = {} if feature.measure == COUNT else {"distinct": feature.measure}
    window = {"within": duration(feature.window), "of": "signup"}
    return {"event": feature.event, **measure, "gte": condition.threshold, **window}


def _name(parts: Sequence[Condition]) -> str:
    """A name such as ``project_created_3_in_7d``."""
    words = (
        f"{_UNSAFE.sub('_', part.feature.event.lower()).strip('_') or 'event'}_{part.threshold}"
        f"{'' if part.feature.measure == COUNT else '_days'}_in_{duration(part.feature.window)}"
        for part in parts
    )
    return "_and_".join(words)[:128]
