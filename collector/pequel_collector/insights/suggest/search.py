"""The search: conditions that precede conversion in one period, and still do in the next.

1. Every single condition is tested on the subjects who signed up first, and pairs of the best ones.
2. Those that survive the correction for how many tests there were are ranked, and the best few that
   find different subjects are kept.
3. Each of these few is tested once on the subjects who signed up later, which the search never saw.
   Only those that survive there, corrected for how many they are, are suggested.

If nothing that subjects do says anything about conversion, step 3 alone keeps the chance of any
suggestion below ``level``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from ..confusion import Confusion
from ..lift import Table
from .features import MEASURES, Feature, Sample, bits
from .statistics import exact_p, holm

LEVEL = 0.05
HELD_OUT = 0.4
"""The share of subjects, the latest by sign-up, that confirm what was found."""

THRESHOLDS = (1, 2, 3, 4, 5, 7, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000)
FEWEST = 20
"""Subjects who must meet a condition, and who must not, for it to be tested."""

FEWEST_OUTCOMES = 10
"""Conversions in each period below which nothing is searched."""

BEST_SINGLES = 24
"""Conditions that are paired with each other."""

MOST = 5
"""Suggestions."""

SAME = 0.7
"""The share of subjects that two conditions have in common from which on they are the same."""

BETTER = 1.1
"""How much better a pair must be than each of its conditions."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A feature that must reach a threshold."""

    feature: Feature
    threshold: int


@dataclass(frozen=True, slots=True)
class Candidate:
    """One condition, or two that must both hold; ``found`` has a bit for each subject."""

    parts: tuple[Condition, ...]
    found: int = field(repr=False)
    training: Confusion
    p: float

    @property
    def merit(self) -> float:
        """What candidates are ranked by."""
        return self.training.mcc or 0.0


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A candidate that the held-out period confirms. The p-values are corrected."""

    parts: tuple[Condition, ...]
    training: Confusion
    held_out: Confusion
    training_p: float
    held_out_p: float


@dataclass(frozen=True, slots=True)
class Behaviour:
    """The condition on one event that goes best with conversion, over all subjects.

    ``p`` is corrected for all tests of single conditions.
    """

    condition: Condition
    figures: Confusion
    p: float


@dataclass(frozen=True, slots=True)
class Result:
    """What a search found. ``tries`` is how many conditions and pairs were tested."""

    size: int
    converters: int
    tries: int
    suggestions: Sequence[Suggestion]
    behaviours: Sequence[Behaviour]
    notes: Sequence[str] = ()


def search(sample: Sample, level: float = LEVEL) -> Result:
    """The suggestions and the behaviours in a sample."""
    everybody = (1 << sample.size) - 1
    earlier = everybody & ~sample.later
    converters = sample.outcomes.bit_count()
    fewest = min(
        (sample.outcomes & earlier).bit_count(), (sample.outcomes & sample.later).bit_count()
    )
    if fewest < FEWEST_OUTCOMES:
        note = f"too little data: each period needs {FEWEST_OUTCOMES} conversions, one has {fewest}"
        return Result(sample.size, converters, 0, (), (), (note,))
    tried = list(singles(sample, earlier))
    pairs = list(_pairs(sample, earlier, tried))
    tested = [*tried, *pairs]
    corrected = holm([candidate.p for candidate in tested])
    passed = [(c, p) for c, p in zip(tested, corrected, strict=True) if p <= level]
    suggestions = _confirmed(sample, _distinct(passed), level)
    behaviours = _behaviours(sample, everybody, tried)
    notes = () if suggestions else ("nothing found: no condition precedes conversion reliably",)
    return Result(sample.size, converters, len(tested), suggestions, behaviours, notes)


def table_of(found: int, outcomes: int, within: int) -> Table:
    """The four counts of a set of subjects among those of a period."""
    predicted, converted = found & within, outcomes & within
    tp = (predicted & converted).bit_count()
    fp, fn = predicted.bit_count() - tp, converted.bit_count() - tp
    return Table(tp, fp, fn, within.bit_count() - tp - fp - fn)


def singles(sample: Sample, earlier: int) -> Iterator[Candidate]:
    """A candidate for each condition; of those that hold for the same subjects, the first."""
    seen: set[int] = set()
    for feature in sorted(sample.columns, key=_simplicity):
        column = sample.columns[feature]
        for threshold in THRESHOLDS:
            who = list(column.reaching(threshold))
            if len(who) < FEWEST:
                break
            found = bits(who, sample.size)
            if found not in seen:
                seen.add(found)
                yield from _tested((Condition(feature, threshold),), found, sample, earlier)


def _simplicity(feature: Feature) -> tuple[int, int, str, str]:
    """Counts come before days, these before values, and longer windows before shorter ones."""
    rank = MEASURES.index(feature.measure)
    return rank, -feature.window, feature.event, feature.property or ""


def _pairs(sample: Sample, earlier: int, tried: Sequence[Candidate]) -> Iterator[Candidate]:
    best = sorted(tried, key=lambda each: each.p)[:BEST_SINGLES]
    for one, other in combinations(best, 2):
        if one.parts[0].feature.event == other.parts[0].feature.event:
            continue
        merit = BETTER * max(one.merit, other.merit)
        parts = one.parts + other.parts
        for pair in _tested(parts, one.found & other.found, sample, earlier):
            if pair.merit > merit:
                yield pair


def _tested(
    parts: tuple[Condition, ...], found: int, sample: Sample, earlier: int
) -> Iterator[Candidate]:
    counts = table_of(found, sample.outcomes, earlier)
    if FEWEST <= counts.predicted <= counts.population - FEWEST:
        yield Candidate(parts, found, Confusion(counts), exact_p(counts))


def _distinct(passed: Sequence[tuple[Candidate, float]]) -> list[tuple[Candidate, float]]:
    """The best candidates, of those that find nearly the same subjects only the best."""
    kept: list[tuple[Candidate, float]] = []
    for candidate, p in sorted(passed, key=lambda each: (-each[0].merit, len(each[0].parts))):
        if all(shared(candidate.found, other.found) < SAME for other, _ in kept):
            kept.append((candidate, p))
            if len(kept) == MOST:
                break
    return kept


def shared(one: int, other: int) -> float:
    """The share of the subjects of either set who are in both."""
    return (one & other).bit_count() / max(1, (one | other).bit_count())


def _confirmed(
    sample: Sample, kept: Sequence[tuple[Candidate, float]], level: float
) -> list[Suggestion]:
    """Those of the best candidates that the held-out period confirms."""
    tables = [table_of(each.found, sample.outcomes, sample.later) for each, _ in kept]
    corrected = holm([exact_p(counts) for counts in tables])
    found = []
    for (candidate, p), counts, held_out_p in zip(kept, tables, corrected, strict=True):
        interval = counts.interval()
        if held_out_p <= level and interval is not None and interval.low > 1:
            held_out = Confusion(counts)
            found.append(Suggestion(candidate.parts, candidate.training, held_out, p, held_out_p))
    return found


def _behaviours(sample: Sample, everybody: int, tried: Sequence[Candidate]) -> list[Behaviour]:
    """For each event, the condition that goes best with conversion; the clearest ones first."""
    tables = [table_of(each.found, sample.outcomes, everybody) for each in tried]
    corrected = holm([exact_p(counts) for counts in tables])
    best: dict[str, Behaviour] = {}
    for candidate, counts, p in zip(tried, tables, corrected, strict=True):
        [condition] = candidate.parts
        behaviour = Behaviour(condition, Confusion(counts), p)
        known = best.get(condition.feature.event)
        if known is None or _clarity(behaviour) > _clarity(known):
            best[condition.feature.event] = behaviour
    return sorted(best.values(), key=_clarity, reverse=True)


def _clarity(behaviour: Behaviour) -> tuple[float, float]:
    return -behaviour.p, behaviour.figures.mcc or 0.0
