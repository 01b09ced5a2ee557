"""What is asked of a metric, and what comes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ...model import JSON
from ...ports import EARLIEST
from .catalogue import Metric
from .rates import Rate
from .survival import Duration


class Asked(NamedTuple):
    """A question. ``since`` is included, ``until`` is not, both in ms; so is ``horizon``.

    ``since`` None means all of the past. ``definition`` None means any. ``is_until_now`` says that
    no end of the period was given.
    """

    metric: Metric
    until: int
    since: int | None = None
    horizon: int | None = None
    definition: str | None = None
    by: str | None = None
    is_until_now: bool = False

    @property
    def first(self) -> int:
        """The first time of the period."""
        return EARLIEST if self.since is None else self.since


Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Group:
    """The values of one segment: ``by`` has the name of the segment, and which one it is."""

    by: dict[str, JSON]
    values: Values


@dataclass(frozen=True, slots=True)
class Figure:
    """The answer to a question, as of a time. ``version`` is that of its definition in force.

    ``more_groups`` counts segments that are left out, those with the fewest. ``missing`` says what
    the figure needs and the project does not have.
    """

    asked: Asked
    since: int | None
    as_of: int
    version: int | None
    values: Values
    groups: Sequence[Group] = field(default=())
    more_groups: int = 0
    missing: Sequence[str] = ()

    @property
    def until(self) -> int:
        """The end of the period: the time of the answer, if none was given."""
        return min(self.asked.until, self.as_of) if self.asked.is_until_now else self.asked.until


def of_rate(found: Rate) -> Values:
    """The values of a share."""
    interval = found.interval
    return {
        "numerator": found.numerator,
        "denominator": found.denominator,
        "immature": found.immature,
        "rate": found.rate,
        "interval": None if interval is None else list(interval),
    }


def of_duration(found: Duration) -> Values:
    """The values of a length of time."""
    return {
        "median_seconds": None if found.median is None else found.median / 1000,
        "p90_seconds": None if found.p90 is None else found.p90 / 1000,
        "n": found.n,
        "censored": found.censored,
    }
