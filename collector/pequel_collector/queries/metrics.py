"""The metrics of one store: checked questions, figures that are kept for a minute, and members."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from difflib import get_close_matches
from threading import Lock
from typing import NamedTuple

from ..errors import BadRequest, NotFound
from ..insights.metrics import catch_up
from ..insights.metrics.catalogue import METRICS, ROLES, VIEW_BY, Metric, allows
from ..insights.metrics.figure import Asked, Figure
from ..insights.metrics.figures import Figures
from ..insights.metrics.members import Member, is_listed, lead_members, people_members
from ..insights.metrics.roles import Roles
from ..marking.evaluators import Evaluators
from ..model import Clock
from ..ports import ReadTransaction, Spend, Store
from ..rules.language.definition import Catalogue
from ..rules.language.quantities import DAY
from . import cursors
from .answers import Page

MAX_AGE = 60_000
"""How long (ms) a figure is kept. It is counted anew at once after a write."""

MAX_KEPT = 256
"""Figures that are kept, those asked for last."""

MAX_HORIZON = 1_095 * DAY
MIN_HORIZON = 60_000

STEPS = 100
"""Steps of catching up that one question waits for."""

LOOKED_AT = 20
"""Reads of subjects that a page of members may take."""

AT_ONCE = 500


class Question(NamedTuple):
    """What is asked of a metric or a view, as it was given. Times are ms."""

    since: int | None = None
    until: int | None = None
    horizon: int | None = None
    definition: str | None = None
    by: str | None = None


ALL = Question()


class View(NamedTuple):
    """The figures of a role."""

    role: str
    figures: Sequence[Figure]


class Metrics:
    """Every question about metrics, over one store.

    A question first reads what was stored since the last one, so it sees all that was acknowledged.
    It raises Unavailable if that takes more than so many ``steps``; the next one goes on.
    """

    def __init__(
        self,
        store: Store,
        evaluators_in: Callable[[ReadTransaction], Evaluators],
        clock: Clock,
        steps: int | None = STEPS,
    ) -> None:
        self._store, self._evaluators_in, self._clock = store, evaluators_in, clock
        self._steps = steps
        self._kept: OrderedDict[object, Figure] = OrderedDict()
        self._lock = Lock()

    def metric(self, name: str, question: Question = ALL) -> Figure:
        """The figure of a metric. Raises NotFound for its name, BadRequest for the question."""
        return self._figures([(metric_named(name), question)])[0]

    def view(self, role: str, question: Question = ALL) -> View:
        """The figures of a role. Each takes of the question what it can have."""
        if role not in ROLES:
            raise NotFound(f"there is no view {role!a}, expected one of {', '.join(ROLES)}")
        metrics = [METRICS[name] for name in ROLES[role]]
        if question.by is not None and not any(allows(m, question.by) for m in metrics):
            allowed = ", ".join(dict.fromkeys(word for m in metrics for word in m.by))
            raise mistake("by", ascii(question.by), f"one of {allowed}" if allowed else "none")
        by = question.by or VIEW_BY.get(role)
        return View(role, self._figures([(m, fitting(m, question, by)) for m in metrics]))

    def members(
        self, name: str, question: Question, standing: str | None, limit: int, cursor: str | None
    ) -> Page[Member]:
        """Who counts as what in a metric, in order of their ids. ``question`` has no segment."""
        metric = metric_named(name)
        if not is_listed(metric):
            named = ", ".join(m.name for m in METRICS.values() if is_listed(m))
            raise NotFound(f"{name} has no members, expected one of {named}")
        of = cursors.list_id("members", name, question, standing)
        place = cursors.decode_time_cursor(of, cursor)
        now, after = place or (self._clock(), "")
        evaluators = self._current()
        with self._store.reading() as tx:
            asked = checked(metric, question, evaluators.catalogue, now)
            found, last = _page(tx, asked, evaluators.catalogue, now, standing, limit, after)
        return Page(found, None if last is None else cursors.encode(of, now, last))

    def add_spend(self, spent: Sequence[Spend]) -> None:
        """Write what channels cost."""
        with self._store.writing() as tx:
            tx.save_spend(spent)

    def keep_up(self) -> bool:
        """Catch up by one step, if somebody has ever asked; whether there is more to do."""
        with self._store.reading() as tx:
            done = catch_up.progress(tx)
            is_behind = done is not None and catch_up.is_behind(tx, done)
        return is_behind and not catch_up.catch_up(self._store, self._roles(), steps=1)

    def _roles(self) -> Roles:
        with self._store.reading() as tx:
            return Roles.of(self._evaluators_in(tx).catalogue.project)

    def _current(self) -> Evaluators:
        """Catch up; the evaluators in force. Raises Unavailable if much is left to read."""
        with self._store.reading() as tx:
            evaluators = self._evaluators_in(tx)
        catch_up.require_current(self._store, Roles.of(evaluators.catalogue.project), self._steps)
        return evaluators

    # -- figures that are kept ---------------------------------------------------------------

    def _figures(self, questions: Sequence[tuple[Metric, Question]]) -> list[Figure]:
        now = self._clock()
        with self._store.reading() as tx:
            state = self._state(tx)
        kept = [self._known((*each, *state), now) for each in questions]
        if all(kept):
            return [figure for figure in kept if figure is not None]
        self._current()
        with self._store.reading() as tx:
            evaluators, state = self._evaluators_in(tx), self._state(tx)
            catalogue = evaluators.catalogue
            asked = [checked(metric, question, catalogue, now) for metric, question in questions]
            figures = Figures(tx, catalogue, evaluators.in_force.versions, now, asked)
            found = [figures.figure(each) for each in asked]
        for each, figure in zip(questions, found, strict=True):
            self._keep((*each, *state), figure)
        return found

    def _state(self, tx: ReadTransaction) -> tuple[object, ...]:
        """What figures depend on besides the question and the time."""
        evaluators = self._evaluators_in(tx)
        roles = Roles.of(evaluators.catalogue.project)
        return (evaluators.version, roles.digest, *tx.last_write())

    def _known(self, key: object, now: int) -> Figure | None:
        with self._lock:
            figure = self._kept.get(key)
            if figure is None or not 0 <= now - figure.as_of < MAX_AGE:
                return None
            self._kept.move_to_end(key)
            return figure

    def _keep(self, key: object, figure: Figure) -> None:
        with self._lock:
            self._kept[key] = figure
            while len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)


def metric_named(name: str) -> Metric:
    """The metric of a name. Raises NotFound."""
    if name not in METRICS:
        closest = get_close_matches(name, METRICS, n=1) or list(METRICS)
        raise NotFound(f"there is no metric {name!a}, expected {' or '.join(closest)}")
    return METRICS[name]


def fitting(metric: Metric, question: Question, by: str | None) -> Question:
    """The part of a question that a metric can have."""
    return question._replace(
        by=by if by is not None and allows(metric, by) else None,
        definition=question.definition if metric.has_definition else None,
        horizon=question.horizon if metric.horizon is not None else None,
    )


def checked(metric: Metric, question: Question, catalogue: Catalogue, now: int) -> Asked:
    """A question with its defaults. Raises BadRequest for what a metric cannot answer."""
    until = now + 1 if question.until is None else question.until  # what is of now counts
    since = question.since
    if since is None and metric.period is not None:
        since = until - metric.period
    if since is not None and since >= until:
        raise mistake("from", "a time at or after the end of the period", "a time before it")
    if question.by is not None and not allows(metric, question.by):
        allowed = f"one of {', '.join(metric.by)}" if metric.by else f"none: {metric.name} has none"
        raise mistake("by", ascii(question.by), allowed)
    if question.definition is not None:
        _check_definition(metric, question.definition, catalogue)
    horizon = metric.horizon and (question.horizon or metric.horizon)
    if question.horizon is not None and not MIN_HORIZON <= question.horizon <= MAX_HORIZON:
        raise mistake("horizon", f"{question.horizon:,} ms", "a length of time from 1m to 1095d")
    is_until_now = question.until is None
    return Asked(metric, until, since, horizon, question.definition, question.by, is_until_now)


def _check_definition(metric: Metric, name: str, catalogue: Catalogue) -> None:
    if not metric.has_definition:
        raise mistake("definition", ascii(name), f"none: {metric.name} is not about definitions")
    known = [definition.name for definition in catalogue.definitions]
    if name not in known:
        closest = get_close_matches(name, known, n=1) or known[:20]
        raise mistake(
            "definition",
            f"the unknown definition {name!a}",
            " or ".join(map(ascii, closest)) or "none, as no definition is in force",
        )


def mistake(field: str, found: str, expected: str) -> BadRequest:
    """The error for a part of a question that cannot be used."""
    message = f"{field}: found {found}, expected {expected}"
    return BadRequest(message, "bad_parameter", field=field, found=found, expected=expected)


def _page(
    tx: ReadTransaction,
    asked: Asked,
    catalogue: Catalogue,
    now: int,
    standing: str | None,
    limit: int,
    after: str,
) -> tuple[list[Member], str | None]:
    """Members after one, and the key after which the next page begins; None at the end."""
    found: list[Member] = []
    for read, members in _read(tx, asked, catalogue, now, after):
        for member in members:
            if standing in (None, member.standing):
                found.append(member)
                if len(found) == limit:
                    return found, member.key
        after = members[-1].key if members else after
        if read == LOOKED_AT:
            return found, after
    return found, None


def _read(
    tx: ReadTransaction, asked: Asked, catalogue: Catalogue, now: int, after: str
) -> Iterator[tuple[int, list[Member]]]:
    """The members after one, in parts, with the number of the part."""
    if asked.metric.counts == "leads":
        yield 1, [m for m in lead_members(tx, asked, now) if m.key > after]
        return
    number = 0
    while members := people_members(tx, asked, catalogue, now, after, AT_ONCE):
        number += 1
        yield number, members
        after = members[-1].key
