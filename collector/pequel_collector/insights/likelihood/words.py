"""A condition on early behaviour in words: *created 3 or more projects in the first 7 days*."""

from __future__ import annotations

from ...rules.explain.vocabulary import Vocabulary
from ...rules.explain.words import NUMBER
from ...rules.language.definition import pattern_of
from ...rules.language.quantities import DAY, HOUR, MINUTE, SECOND, many
from ..suggest.features import COUNT
from ..suggest.search import Condition

_UNITS = ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (SECOND, "second"))


def words_of(condition: Condition, vocabulary: Vocabulary) -> str:
    """A condition in words."""
    feature, least = condition.feature, condition.threshold
    action = vocabulary.action(pattern_of([feature.event]))
    if feature.measure == COUNT:
        done = action.once if least == 1 else action.many.replace(NUMBER, f"{least} or more")
    else:
        done = action.once if least == 1 else f"{action.once} on {least} or more days"
    return f"{done} in the first {_length(feature.window)}"


def _length(length: int) -> str:
    unit, name = next(each for each in _UNITS if length % each[0] == 0)
    number = length // unit
    return name if number == 1 else many(number, name)
