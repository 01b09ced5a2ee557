"""Reads a sample out of a store, searches it, and writes what was found as definitions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ...model import JSON, Kind
from ...ports import ReadTransaction, Scan, ScannedMessage
from ...rules.engine.calendar import unit
from ...rules.explain.description import description_of
from ...rules.explain.vocabulary import Vocabulary
from ...rules.language.definition import Catalogue, Project
from ...rules.language.quantities import DAY
from ...rules.parser.catalogue import read_catalogue
from ...rules.parser.printer import to_toml
from ..backtest import LANDMARK, Times, TimesReader, end_of_data
from ..bulk import Budget
from ..confusion import Confusion
from ..lift import HORIZON, Life
from ..sampling import arrivals
from .features import COUNT, DAYS, Sample, SampleBuilder, Use, duration
from .properties import LATEST, NO_PROPERTIES, Properties, properties_of, values_at
from .search import HELD_OUT, LEVEL, Condition, Result, Suggestion, search

OnShare = Callable[[int, int], None]
"""Gets the number of subjects that were read, and of all."""

LONGEST = 366 * DAY
"""The longest landmark of a search."""

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
    looked_at = properties_of(arrivals(tx.latest(LATEST), tx))
    sample = sample_of(tx, catalogue, wanted, end, on_progress, budget or Budget(), looked_at)
    result = search(sample, wanted.level)
    words = Vocabulary(catalogue)
    written = [_written(each, wanted.subject, words) for each in result.suggestions]
    return Suggestions(wanted, end, result, written)


def sample_of(
    tx: ReadTransaction,
    catalogue: Catalogue,
    wanted: Wanted,
    end: int,
    on_progress: OnShare | None,
    budget: Budget,
    looked_at: Properties = NO_PROPERTIES,
) -> Sample:
    """The subjects that can be judged, and what they did before their landmark.

    ``looked_at`` are the properties whose distinct values are counted.
    """
    times = TimesReader(tx, catalogue, wanted.subject, end, budget).run([])
    day_of = unit("@day", catalogue.project.timezone)
    builder = SampleBuilder(wanted.landmark, wanted.horizon, end, HELD_OUT, day_of)
    left_out = _of_the_project(catalogue.project)
    scan = Scan(wanted.subject, None, properties=bool(looked_at), in_order=False)
    for number, (key, messages) in enumerate(tx.scan(scan), 1):
        budget.spend(len(messages))
        if on_progress is not None and number % PROGRESS_EVERY == 0:
            on_progress(min(number, len(times.signups)), len(times.signups))
        if (life := _life(key, times, end)) is not None:
            builder.add(key, life, _uses(messages, life.signup, wanted, left_out, looked_at))
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


def _uses(
    messages: Sequence[ScannedMessage],
    signup: int,
    wanted: Wanted,
    left_out: frozenset[str],
    looked_at: Properties,
) -> Iterator[Use]:
    """The events between sign-up and landmark."""
    for message in messages:
        time, name = message[1], message[4]
        if name is None or name in left_out or not 0 <= time - signup < wanted.landmark:
            continue
        paths = looked_at.get(name)
        yield Use(time, name, values_at(paths, message[8]) if paths else ())


# -- as definitions --------------------------------------------------------------------------


def _written(suggestion: Suggestion, subject: Kind, words: Vocabulary) -> Written:
    name = _name(suggestion.parts)
    leaves = [_leaf(part) for part in suggestion.parts]
    when = leaves[0] if len(leaves) == 1 else {"all": leaves}
    kind = {} if subject == "user" else {"subject": subject}
    toml = to_toml({"name": name, **kind, "when": when})
    [definition] = read_catalogue(toml).definitions
    return Written(name, toml, description_of(definition, words), suggestion)


def _leaf(condition: Condition) -> dict[str, JSON]:
    feature = condition.feature
    measure: dict[str, JSON] = {}
    if feature.measure != COUNT:
        measure["distinct"] = feature.property or feature.measure
    window = {"within": duration(feature.window), "of": "signup"}
    return {"event": feature.event, **measure, "gte": condition.threshold, **window}


def _name(parts: Sequence[Condition]) -> str:
    """A name such as ``project_created_3_in_7d``."""
    return "_and_".join(map(_word, parts))[:128]


def _word(part: Condition) -> str:
    event, measure, window, path = part.feature
    different = {COUNT: "", DAYS: "_days"}.get(measure, f"_{_safe(path or '', 'value')}")
    return f"{_safe(event, 'event')}_{part.threshold}{different}_in_{duration(window)}"


def _safe(text: str, otherwise: str) -> str:
    return _UNSAFE.sub("_", text.lower()).strip("_") or otherwise
