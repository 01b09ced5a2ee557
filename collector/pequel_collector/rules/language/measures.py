"""The measures: what an event leaf can draw from events, one row of ``MEASURES`` each.

Adding a measure takes a row here and an aggregate in ``rules.engine.aggregates``. The row of
``max`` says, for example: its value is missing where no event has such a number, so ``or_missing``
may stand beside it and doing nothing never meets it; once ``gte`` holds, more events cannot undo
that; and the evidence shows the latest event that has the largest number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .definition import Operator


@dataclass(frozen=True, slots=True)
class Measure:
    """What the parser, the sentences, the evidence and the linter need to know of a measure.

    ``noun`` names it in error messages. ``of_nothing`` is its value where no event counts: 0, or
    None for missing. ``is_count`` says that it is a whole number that has to be at least 1 where
    no comparison is stated, ``takes_any_value`` that it need not be a number. ``kept_by`` has the
    operators that go on holding as events are added, and ``adds_up`` says that each event can add
    to it. ``evidence`` says which of its events decide.

    ``asked`` is a phrase: ``{value}`` is the property, ``{size}`` reads *at least 3*, ``{test}``
    reads *is at least 3*.
    """

    noun: str
    of_nothing: Literal[0] | None = 0
    takes_property: bool = True
    is_count: bool = False
    takes_any_value: bool = False
    kept_by: frozenset[Operator] = frozenset()
    adds_up: bool = False
    evidence: Literal["all", "first of each", "latest observed", "latest"] = "all"
    asked: str = ""

    @property
    def may_be_missing(self) -> bool:
        """Whether there is no value where no event counts."""
        return self.of_nothing is None


_LEAST: frozenset[Operator] = frozenset({"gte", "gt"})
_MOST: frozenset[Operator] = frozenset({"lte", "lt"})

MEASURES: dict[str, Measure] = {
    "count": Measure(
        noun="a count",
        takes_property=False,
        is_count=True,
        kept_by=_LEAST,
        adds_up=True,
    ),
    "distinct": Measure(noun="a count", is_count=True, kept_by=_LEAST, evidence="first of each"),
    "sum": Measure(
        noun="a sum",
        adds_up=True,
        asked="with {value} adding up to {size}",
    ),
    "min": Measure(
        noun="a smallest value",
        of_nothing=None,
        kept_by=_MOST,
        evidence="latest observed",
        asked="where the smallest {value} {test}",
    ),
    "max": Measure(
        noun="a largest value",
        of_nothing=None,
        kept_by=_LEAST,
        evidence="latest observed",
        asked="where the largest {value} {test}",
    ),
    "last": Measure(
        noun="a latest value",
        of_nothing=None,
        takes_any_value=True,
        evidence="latest",
        asked="where the latest {value} {test}",
    ),
}
