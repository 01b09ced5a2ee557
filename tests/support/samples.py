"""Samples of data made by hand, for the rules of the linter that look at some."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pequel_collector.insights.sample import Arrivals, Property, Sample, SampledSubject
from pequel_collector.insights.values import values_of
from pequel_collector.lint.finding import Report
from pequel_collector.lint.linter import lint
from pequel_collector.model import JSON
from pequel_collector.rules.language.quantities import DAY
from pequel_collector.rules.parser.catalogue import read_catalogue

END = 100 * DAY
PROJECT = """\
[project]
signup     = "signed_up"
trial      = "trial_started"
conversion = "subscription_started"
"""


def linted(toml: str, sample: Sample | None = None, capacity: int | None = None) -> Report:
    """The report on definitions; a snippet without [project] gets one."""
    whole = toml if "[project]" in toml else PROJECT + toml
    return lint(read_catalogue(whole), "pequel.toml", sample, capacity)


def codes(report: Report) -> set[str]:
    """The rules that found something."""
    return {finding.code for finding in report.findings}


def users(count: int, prefix: str = "u:", **same: Any) -> tuple[SampledSubject, ...]:
    """So many subjects that are alike, but for their keys."""
    return tuple(SampledSubject(f"{prefix}{n}", **same) for n in range(count))


def doing(count: int, of: int, event: str, times: int = 1) -> tuple[SampledSubject, ...]:
    """So many users who did something a few times, among those who only signed up."""
    return tuple(
        SampledSubject(
            f"u:{n}", signup=0, counts={"signed_up": 1, **({event: times} if n < count else {})}
        )
        for n in range(of)
    )


def marked(names: Iterable[int], at: int = END - DAY) -> Mapping[str, tuple[int, ...]]:
    """These users, marked at an instant."""
    return {f"u:{n}": (at,) for n in names}


def buyers(buying: int, of: int) -> tuple[SampledSubject, ...]:
    """Users who signed up at 0, of whom the first so many converted on day 20."""
    return tuple(
        SampledSubject(f"u:{n}", signup=0, converted=20 * DAY if n < buying else None)
        for n in range(of)
    )


def repeated(path: str, count: int, different: int) -> Arrivals:
    """Events of one user with a property that has so many different values."""
    given = {("u:1", str(n)) for n in range(different)}
    return Arrivals(count, properties={path: Property(count, given)})


def teams(together: int, alone: int) -> Arrivals:
    """Events of accounts in which two users did it, and of some in which one did."""
    found = {f"team{n}": {"a", "b"} for n in range(together)}
    found |= {f"one{n}": {"a"} for n in range(alone)}
    return Arrivals(100, teams=found)


def valued(path: str, found: Iterable[JSON], of: int = 0) -> Arrivals:
    """Events with a property that has these values, and ``of`` of them in all."""
    values = values_of(found)
    return Arrivals(max(of, values.count), properties={path: Property(values.count, values=values)})


STORIES: dict[str, Sample] = {
    "L04": Sample(events={"report_shared": Arrivals(30)}, lasts={"report_shared": 0}),
    "L05": Sample(users=doing(60, 100, "project_created")),
    "L09": Sample(events={"document_opened": repeated("document_id", 40, 10)}),
    "L10": Sample(events={"comment_added": teams(15, 5)}),
    "L11": Sample(events={"report_exported": Arrivals(40, homeless=20)}),
    "L16": Sample(
        until=END,
        users=users(300),
        marks={"some_exports": marked(range(200)), "many_exports": marked(range(8))},
    ),
    "L18": Sample(marks={"exports": marked(range(30)), "exports_often": marked(range(30))}),
    "L19": Sample(
        until=END,
        users=buyers(120, 400),
        marks={
            "busy": marked(range(0, 400, 2), DAY),
            "gets_value": marked(range(100), DAY),
        },
    ),
    "L23": Sample(
        accounts=users(30, "g:", traits={"project_limit": "5", "projects_included": 5})
        + users(23, "g:n", traits={"project_limit": 5, "projects_included": 5}),
    ),
    "L24": Sample(
        users=users(12, traits={"plan": "Free"}) + users(28, "u:p", traits={"plan": "pro"}),
    ),
    "L25": Sample(
        events={
            "project_created": Arrivals(
                120,
                properties={
                    "project_id": Property(30, values=values_of(range(30))),
                    "id": Property(120, values=values_of(range(120))),
                },
            )
        }
    ),
    "L26": Sample(events={"projct_created": Arrivals(120), "project_created": Arrivals(300)}),
}
"""Data in which the bad example of a rule's documentation shows as bad."""

CAPACITY = 20
