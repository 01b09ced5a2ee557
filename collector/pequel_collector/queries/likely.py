"""Leads by the likelihood that their subject converts.

A likelihood is not stored, so it is computed for the leads that were marked last, some hundred at a
time. Within such a set the likeliest come first; the next set follows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ..insights.likelihood.scores import Scores
from ..ports import LeadCursor
from .answers import LeadAnswer

SET = 200
"""Leads of which the likeliest come first."""

MILLION = 1_000_000
UNKNOWN = -1
"""In place of the millionths of a lead without a likelihood, which comes last."""

Read = Callable[[LeadCursor | None], tuple[list[LeadAnswer], LeadCursor | None]]
"""The leads of a set, those marked last first, and where the next one begins."""


class LikelyCursor(NamedTuple):
    """Where a set begins, and the last lead of it that was shown; none if its id is empty."""

    start: LeadCursor
    millionths: int
    marked_at: int
    id: str


class LikelyLeads(NamedTuple):
    """Leads, the likeliest first, how many were looked at, and where the next page begins.

    ``is_complete`` says that those are all leads, so that none is likelier.
    """

    data: Sequence[LeadAnswer]
    looked_at: int
    is_complete: bool
    next: LikelyCursor | None


def likely(scores: Scores, read: Read, limit: int, after: LikelyCursor | None) -> LikelyLeads:
    """A page of leads, the likeliest of a set first."""
    some, end = read(after and after.start)
    ranked = sorted(with_likelihood(scores, some), key=order)
    if after is not None and after.id:
        place = -after.millionths, -after.marked_at, after.id
        ranked = [answer for answer in ranked if order(answer) > place]
    shown = ranked[:limit]
    is_first = after is None or (after.id != "" and after.start.id == "")
    start = after.start if after else _start(some)
    return LikelyLeads(
        shown,
        len(some),
        end is None and is_first,
        _next(start, shown, end, is_more=len(ranked) > limit),
    )


def with_likelihood(scores: Scores, leads: Sequence[LeadAnswer]) -> list[LeadAnswer]:
    """Leads with the likelihoods of their subjects."""
    found = scores.of({answer.lead.subject for answer in leads})
    return [
        answer._replace(likelihood=found[answer.lead.subject].probability)
        if answer.lead.subject in found
        else answer
        for answer in leads
    ]


def order(answer: LeadAnswer) -> tuple[int, int, str]:
    """The likeliest first; of equals, the one that was marked last."""
    return -millionths(answer.likelihood), -answer.lead.marked_at, answer.lead.id


def millionths(likelihood: float | None) -> int:
    """A likelihood as a whole number, which a cursor can have."""
    return UNKNOWN if likelihood is None else round(likelihood * MILLION)


def _start(some: Sequence[LeadAnswer]) -> LeadCursor:
    """The place before a set, so that a later page finds the same set."""
    return LeadCursor(0, some[0].lead.marked_at if some else 0, "")


def _next(
    start: LeadCursor, shown: Sequence[LeadAnswer], end: LeadCursor | None, *, is_more: bool
) -> LikelyCursor | None:
    if is_more:
        last = shown[-1]
        return LikelyCursor(start, millionths(last.likelihood), last.lead.marked_at, last.lead.id)
    return None if end is None else LikelyCursor(end, 0, 0, "")
