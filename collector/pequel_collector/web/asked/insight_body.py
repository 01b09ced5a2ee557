"""What the bodies of backtests, searches and trainings have in common, and how much these read."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from ...errors import TooLarge
from ...insights.backtest import Question
from ...insights.bulk import Budget
from ...insights.completed import completed
from ...insights.population import population_of
from ...insights.suggest.suggest import LONGEST, Wanted
from ...marking.active import BODY, active_definitions
from ...model import parse_iso
from ...ports import ReadTransaction
from ...rules.language.definition import Catalogue
from ...rules.language.quantities import SECOND
from . import json_body
from .bounds import messages_for

MAX_STORED = 20_000_000
"""Messages of a store over which a request may look for those that it needs."""

MAX_MESSAGES = 2_000_000
"""Messages that are read."""

MAX_WORK = 10_000_000
"""Messages read, times conditions."""

Short = Annotated[str, Meta(max_length=512)]


class LifeBody(Struct, forbid_unknown_fields=True, kw_only=True):
    """Which part of a subject's life is looked at, and where the data ends."""

    landmark: Short = "7d"
    horizon: Short = "30d"
    end: Short | None = None


class QuestionBody(LifeBody, forbid_unknown_fields=True, kw_only=True):
    """How to look at a definition."""

    population: Short = "signup"


class SampleBody(LifeBody, forbid_unknown_fields=True, kw_only=True):
    """What to learn from."""

    subject: Literal["user", "account"] = "user"


def question_of(asked: QuestionBody, capacity: int | None = None) -> Question:
    """How to look at a definition. Raises BadRequest."""
    return Question(
        json_body.duration("landmark", asked.landmark),
        json_body.duration("horizon", asked.horizon),
        population_of(asked.population),
        end_in(asked.end),
        capacity,
    )


def wanted_of(asked: SampleBody) -> Wanted:
    """What to search. Raises BadRequest."""
    landmark = json_body.duration("landmark", asked.landmark)
    if landmark > LONGEST or landmark % SECOND:
        raise json_body.mistake("landmark", repr(asked.landmark), "at most 366d")
    horizon = json_body.duration("horizon", asked.horizon)
    return Wanted(landmark, horizon, asked.subject, end=end_in(asked.end))


def end_in(text: str | None) -> int | None:
    """The end of the data that a body states. Raises BadRequest."""
    end = None if text is None else parse_iso(text)
    if text is not None and end is None:
        raise json_body.mistake("end", repr(text[:100]), "a time in ISO 8601")
    return end


def catalogue_of(view: ReadTransaction, active: Catalogue, toml: str | None) -> Catalogue:
    """The definitions in a text, completed from those in force; without a text, those in force."""
    if toml is None:
        return active
    in_force = active_definitions(view)
    return completed(toml, "" if in_force is None else in_force.text, BODY)


def budget(view: ReadTransaction, catalogue: Catalogue) -> Budget:
    """How many messages one request may read. Raises TooLarge for too much work."""
    instead = "and a request evaluates {limit} at most: use the command line"
    if view.totals()["messages"] > MAX_STORED:
        raise TooLarge(
            f"the store has over {MAX_STORED:,} messages: use the command line", limit=MAX_STORED
        )
    return Budget(messages_for(catalogue, MAX_MESSAGES, MAX_WORK, instead))
