"""The pages of metrics. Each asks what ``GET /v1/metrics/…`` asks, with the same parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from flask import Blueprint, Response

from ....errors import BadRequest, Unavailable
from ....insights.metrics.catalogue import METRICS, ROLES, VIEW_BY, allows
from ....insights.metrics.figure import Figure
from ....insights.metrics.members import Member, is_listed
from ....model import JSON, kind_of
from ....queries.metrics import Question, metric_named
from ....rules.language.quantities import DAY
from ...api.metrics import MemberArguments, QuestionArguments
from ...api.queries import page_slot
from ...asked import arguments
from ..frame import Console
from ..leads import given_filters
from .charts import SMALL, columns
from .readings import Listed, Reading, Row, lists_of, reading, rows_of, trend_of

MEMBERS = 50
"""Members of a page."""

SEGMENTS = ("channel", "plan", "country", "definition", "owner", "partner")
HORIZONS = ("7d", "14d", "30d", "60d", "90d", "180d")
STANDINGS = {"in": "Counted", "out": "Not counted", "immature": "Too young to tell"}
STEPS = (
    ("visitor_to_signup", "Visitor → sign-up"),
    ("signup_to_pql", "Sign-up → PQL"),
    ("time_to_contact", "PQL → contacted"),
    ("time_to_won", "PQL → won"),
    ("pql_to_customer", "PQL → customer"),
)
"""The funnel. Each step has its own horizon, and its own subjects."""

FUNNEL_OF = ("marketing", "sales", "product")
"""The roles whose page begins with the funnel."""

COHORTS_OF = ("marketing", "product", "customer_success")
COHORTS = 6
COHORT = 30 * DAY


class RoleArguments(QuestionArguments):
    """A role, and what is asked of each of its figures."""

    role = arguments.OneOf(*ROLES, load_default="sales")


class OneArguments(MemberArguments):
    """One metric, what is asked of it, and which of its members are listed."""

    name = arguments.Text(required=True)
    by = arguments.Text(load_default=None)
    limit = arguments.ShortLimit(load_default=MEMBERS)


class Shown(NamedTuple):
    """A figure as a page shows it."""

    figure: Figure
    rows: Sequence[Row]
    lists: Sequence[Listed]
    chart: str
    is_listed: bool


class Cohort(NamedTuple):
    """Those who signed up in a time, and what became of them."""

    since: int
    until: int
    reading: Reading


class Named(NamedTuple):
    """A member and what people call it."""

    member: Member
    traits: Mapping[str, JSON]


class Outlook(NamedTuple):
    """How a definition does: leads by week, who gets there, who buys, and its health."""

    trend: str
    signups: Reading
    customers: Reading
    health: Mapping[str, Any]


_ROLE, _ONE = RoleArguments(), OneArguments()


def add(bp: Blueprint, console: Console) -> None:
    """The routes, over a console."""
    metrics = console.collector.metrics

    @bp.get("/figures")
    def figures() -> Response:
        given = given_filters()
        read = _read(given, _ROLE)
        role, question = read.pop("role"), question_of(read)
        found = metrics.view(role, question)
        return console.page(
            "figures/role.html",
            role=role,
            roles=list(ROLES),
            given=given,
            shown=[shown(each) for each in found.figures],
            funnel=list(_funnel(console, question))
            if role in FUNNEL_OF and "funnel" not in ROLES[role]
            else [],
            cohorts=list(_cohorts(console, question)) if role in COHORTS_OF else [],
            by=question.by or VIEW_BY.get(role, ""),
            **_choices(console),
        )

    @bp.get("/figure")
    def figure() -> Response:
        given = given_filters()
        read = _read(given, _ONE)
        name, standing = read.pop("name"), read.pop("standing")
        limit, cursor, question = read.pop("limit"), read.pop("cursor"), question_of(read)
        metric = metric_named(name)
        found = metrics.metric(name, question)
        members: list[Named] = []
        next_cursor = None
        if is_listed(metric):
            with page_slot(limit):
                page = metrics.members(name, question._replace(by=None), standing, limit, cursor)
            members, next_cursor = _named(console, page.data), page.next_cursor
        return console.page(
            "figures/one.html",
            metric=metric,
            shown=shown(found),
            given=given,
            members=members,
            next_cursor=next_cursor,
            standings=STANDINGS,
            **_choices(console) | {"segments": [s for s in SEGMENTS if allows(metric, s)]},
        )


def question_of(read: dict[str, Any]) -> Question:
    """A question from the values of an address."""
    return Question(read["from"], read["to"], read["horizon"], read["definition"], read["by"])


def shown(figure: Figure) -> Shown:
    """A figure with its words and its chart."""
    metric = figure.asked.metric
    trend = trend_of(figure)
    chart = columns(trend, metric.title) if len(trend) > 1 else ""
    return Shown(figure, rows_of(figure), lists_of(figure), chart, is_listed(metric))


def outlook(console: Console, definition: str) -> Outlook | None:
    """How a definition does; None while the figures are being counted."""
    metrics, question = console.collector.metrics, Question(definition=definition)
    try:
        found = {name: metrics.metric(name, question) for name in _OF_A_DEFINITION}
    except (Unavailable, BadRequest):  # taken out meanwhile, or much to read
        return None
    trend = trend_of(found["volume"])
    [health] = found["definition_health"].values["definitions"]
    signups, customers = (
        reading("rate", found[name].values) for name in ("signup_to_pql", "pql_to_customer")
    )
    return Outlook(columns(trend, "Leads by week", SMALL), signups, customers, health)


_OF_A_DEFINITION = ("volume", "signup_to_pql", "pql_to_customer", "definition_health")


def _funnel(console: Console, question: Question) -> Iterator[tuple[str, str, Reading]]:
    """Each step in words. Those contacted are those of all marked, so some are still young."""
    for name, words in STEPS:
        metric = METRICS[name]
        asked = question._replace(
            by=None,
            definition=question.definition if metric.has_definition else None,
            horizon=question.horizon if metric.horizon else None,
        )
        values = console.collector.metrics.metric(name, asked).values
        if metric.family == "rate":
            yield name, words, reading("rate", values)
        else:
            arrived, waiting = values["n"] - values["censored"], values["censored"]
            of_all = f"{arrived:,} of {values['n']:,} so far" if values["n"] else "nobody yet"
            share = arrived / values["n"] if values["n"] else None
            yield name, words, Reading(of_all, f"{waiting:,} not yet" if waiting else "", share)


def _cohorts(console: Console, question: Question) -> Iterator[Cohort]:
    """Sign-ups by the time in which they signed up, the latest last."""
    # A whole day, so that the figures of the last visit are used again.
    until = question.until or (console.collector.clock() // DAY + 1) * DAY
    for number in range(COHORTS, 0, -1):
        since = until - number * COHORT
        asked = Question(since, since + COHORT, question.horizon, question.definition)
        values = console.collector.metrics.metric("signup_to_pql", asked).values
        if values["denominator"] or values["immature"]:
            yield Cohort(since, since + COHORT, reading("rate", values))


def _named(console: Console, members: Sequence[Member]) -> list[Named]:
    """Members with the traits that name them."""
    keys = {each.subject for each in members}
    with console.collector.store.reading() as tx:
        ids = tx.ids_of([key for key in keys if kind_of(key) == "user"])
        traits = tx.traits({key: ids.get(key, [key]) for key in keys})
    return [Named(each, traits[each.subject]) for each in members]


def _choices(console: Console) -> dict[str, Any]:
    names = [each.name for each in console.collector.catalogue.definitions]
    return {"segments": SEGMENTS, "horizons": HORIZONS, "definitions": names}


def _read(given: Mapping[str, str], schema: arguments.NoArguments) -> dict[str, Any]:
    """The values of an address. Raises BadRequest."""
    return dict(arguments.read_values({name: [text] for name, text in given.items()}, schema))
