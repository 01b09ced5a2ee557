"""Who is nearly there: the subjects with the most progress towards a definition.

Progress is not stored, so it is computed for the subjects that were seen last, some hundred at a
time. Within such a set the nearest come first; the next set follows it.
"""

from __future__ import annotations

from itertools import islice
from typing import Literal, NamedTuple

from ..identity.subject import Subject
from ..insights.likelihood.scores import Scores
from ..marking.snapshot import Snapshot
from ..model import JSON, kind_of
from ..ports import Seen
from ..rules.engine.rules import Rule
from ..rules.explain.evidence import Explainer
from .answers import NearSubject
from .directory import named, person_traits
from .events.recent import Known, recently_seen
from .likely import MILLION, millionths

NearSort = Literal["progress", "likelihood"]

SET = 400
"""Subjects of which the nearest come first."""

AT_ONCE = 200
MAX_STEPS = 10

FACTS_LOOKED_AT = 64
"""Facts at either end of a window among which progress looks for the events that were counted."""


class NearCursor(NamedTuple):
    """Where a set begins, and the last subject of it that was shown; none if its key is empty."""

    start: Seen
    rank: int
    last: int
    key: str


class Near(NamedTuple):
    """Those who are near, how many were looked at, and where the next page begins.

    ``is_complete`` says that those are all subjects, so that nobody else is nearer.
    """

    data: list[NearSubject]
    looked_at: int
    is_complete: bool
    next: NearCursor | None


class _Candidate(NamedTuple):
    """Somebody who has begun. ``rank`` is a whole number, which a cursor can have.

    It is the likelihood in millionths; or the overall progress, and after it the mean of the
    leaves' progress.
    """

    known: Known
    rank: int
    answer: dict[str, JSON]
    likelihood: float | None = None

    @property
    def order(self) -> tuple[int, int, str]:
        return -self.rank, -self.known.last, self.known.key


def near(
    snapshot: Snapshot, rule: Rule, sort: NearSort, limit: int, after: NearCursor | None
) -> Near:
    """Subjects without a lead of a definition that can still qualify, the nearest first.

    Or the likeliest to convert; raises BadRequest if there is no model of that.
    """
    scores = Scores(snapshot.tx)
    if sort == "likelihood":
        scores.require(rule.definition.subject)
    kind = rule.definition.subject
    start = after.start if after else None
    some: list[Known] = []
    end = start
    for found, end in islice(recently_seen(snapshot.tx, kind, start, AT_ONCE), MAX_STEPS):
        some += found
        if len(some) >= SET or end is None:
            break
    candidates = _candidates(snapshot, rule, some)
    if sort == "likelihood":
        candidates = _by_likelihood(scores, candidates)
    candidates.sort(key=lambda each: each.order)
    if after is not None and after.key:
        place = -after.rank, -after.last, after.key
        candidates = [each for each in candidates if each.order > place]
    shown = candidates[:limit]
    if sort != "likelihood":
        shown = _with_likelihood(scores, shown)
    return Near(
        [_answer(snapshot, each) for each in shown],
        len(some),
        end is None and _is_first(after),
        _next(start or _start(some), shown, len(candidates) > limit, end),
    )


def _is_first(after: NearCursor | None) -> bool:
    """Whether a page is of the first set, before which nobody was looked at."""
    return after is None or (after.key != "" and after.start.key == "")


def _next(
    start: Seen | None, shown: list[_Candidate], is_more: bool, end: Seen | None
) -> NearCursor | None:
    if is_more and start is not None:
        known, rank, *_ = shown[-1]
        return NearCursor(start, rank, known.last, known.key)
    return None if end is None else NearCursor(end, 0, 0, "")


def _start(some: list[Known]) -> Seen | None:
    """The place before a set, so that a later page finds the same set."""
    return Seen(some[0].last + 1, "") if some else None


def _candidates(snapshot: Snapshot, rule: Rule, some: list[Known]) -> list[_Candidate]:
    """Those of some subjects who have no lead, have begun, and can still qualify."""
    leads = snapshot.tx.leads_of([each.key for each in some])
    without = [
        each
        for each in some
        if not any(
            lead.definition == rule.name and lead.state != "voided" for lead in leads[each.key]
        )
    ]
    snapshot.load([each.key for each in without])
    found = []
    for each in without:
        ctx = snapshot.ctx(each.key)
        if ctx is None:
            continue
        evaluator = snapshot.evaluators.of(each.key)
        explainer = Explainer(evaluator, rule, ctx, FACTS_LOOKED_AT)
        progress = explainer.progress()
        has_begun = progress["progress"] > 0 or explainer.has_begun()
        if has_begun and progress["can_still_qualify"] and not progress["blocked_by"]:
            rank = rank_of(progress["progress"], explainer.mean())
            found.append(_Candidate(each, rank, progress))
    return found


def rank_of(progress: float, mean: float) -> int:
    """Overall progress and the mean of the leaves' as one whole number; the former goes first."""
    return millionths(progress) * (MILLION + 1) + millionths(mean)


def _with_likelihood(scores: Scores, some: list[_Candidate]) -> list[_Candidate]:
    """Candidates with their likelihoods, in the same order."""
    found = scores.of([each.known.key for each in some])
    return [
        each._replace(likelihood=found[each.known.key].probability)
        if each.known.key in found
        else each
        for each in some
    ]


def _by_likelihood(scores: Scores, some: list[_Candidate]) -> list[_Candidate]:
    """Candidates that are ranked by their likelihoods."""
    return [
        each._replace(rank=millionths(each.likelihood)) for each in _with_likelihood(scores, some)
    ]


def _answer(snapshot: Snapshot, candidate: _Candidate) -> NearSubject:
    tx, known = snapshot.tx, candidate.known
    is_user = kind_of(known.key) == "user"
    traits = tx.traits({known.key: known.ids})[known.key]
    return NearSubject(
        key=known.key,
        account=Subject(tx, known.key, list(known.ids)).account() if is_user else None,
        traits=named(traits, person_traits(snapshot.evaluators.catalogue)),
        last_seen=known.last,
        progress=candidate.answer["progress"],
        leaves=candidate.answer["leaves"],
        likelihood=candidate.likelihood,
    )
