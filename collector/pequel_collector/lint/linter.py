"""All rules over a whole catalogue."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import NamedTuple

from ..insights.sample import ENOUGH, Sample
from ..rules.language.definition import Catalogue
from ..rules.parser.items import human
from ..rules.parser.toml import Location, Path, SourceSpan, parse
from . import (
    activity_only,
    numbers,
    ownership,
    routes,
    shape,
    types_and_values,
    unknown_events,
    unused_names,
)
from .case import Case, Found
from .finding import Finding, Level, Report, ordered

Check = Callable[[Case], Iterator[Found]]
DataCheck = Callable[[Case, Sample], Iterator[Found]]
CatalogueCheck = Callable[[Catalogue, Sample], Iterator[tuple[str, Found]]]
"""Looks at all definitions at once; gives the name of a definition with each finding."""

RouteCheck = Callable[[Catalogue, int], Iterator[Found]]
"""Looks at one route, given its place among the routes."""

Parts = dict[Path, dict[Path, SourceSpan]]

_START = SourceSpan(Location(1, 1), Location(1, 1), "")


class Rule(NamedTuple):
    """A rule: its level, what it is about, and its checks.

    ``data_checks`` and ``catalogue_checks`` need a sample. ``route_checks`` look at routes.
    """

    level: Level
    title: str
    checks: tuple[Check, ...] = ()
    data_checks: tuple[DataCheck, ...] = ()
    catalogue_checks: tuple[CatalogueCheck, ...] = ()
    route_checks: tuple[RouteCheck, ...] = ()

    @property
    def needs_data(self) -> bool:
        """Whether the rule finds nothing without a sample."""
        return not self.checks and not self.route_checks


RULES: dict[str, Rule] = {
    "L01": Rule("error", "activity only", (activity_only.activity_only,)),
    "L02": Rule(
        "error", "sign-up marks", (activity_only.marks_at_sign_up,), (numbers.nearly_everybody,)
    ),
    "L03": Rule("warning", "no key action", (activity_only.no_key_action,)),
    "L04": Rule(
        "warning",
        "never or not lately received",
        data_checks=(unused_names.not_received,),
        catalogue_checks=(unknown_events.received_strays,),
    ),
    "L05": Rule("warning", "once is not enough", data_checks=(numbers.once_is_not_enough,)),
    "L06": Rule("warning", "no window", (shape.no_window,)),
    "L07": Rule("error", "never or always", (shape.never_or_always,), (numbers.beyond_all_data,)),
    "L08": Rule("note", "mixed windows", (shape.mixed_windows,)),
    "L09": Rule("note", "the same thing again", data_checks=(numbers.count_of_the_same,)),
    "L10": Rule("note", "team behaviour", data_checks=(numbers.team_behaviour,)),
    "L11": Rule("warning", "events without an account", data_checks=(numbers.without_account,)),
    "L12": Rule(
        "warning",
        "no guard",
        (ownership.no_customer_guard,),
        catalogue_checks=(numbers.no_internal_guard,),
    ),
    "L13": Rule("error", "endless absence", (shape.endless_absence,)),
    "L14": Rule(
        "error", "outcome leakage", (ownership.outcome_leakage,), (numbers.follows_conversion,)
    ),
    "L15": Rule("warning", "no unit", (ownership.no_unit,)),
    "L16": Rule("warning", "too many, too few", data_checks=(numbers.too_many_or_too_few,)),
    "L17": Rule("warning", "nobody follows up", (ownership.nobody_follows_up,)),
    "L18": Rule("note", "near duplicate", data_checks=(numbers.near_duplicate,)),
    "L19": Rule("warning", "predicts nothing", data_checks=(numbers.predicts_nothing,)),
    "L20": Rule("note", "revocable", (shape.revocable,)),
    "L21": Rule("note", "score soup", (shape.score_soup,)),
    "L22": Rule("error", "sensitive trait", (ownership.sensitive_trait,)),
    "L23": Rule("warning", "another type", data_checks=(types_and_values.another_type,)),
    "L24": Rule("warning", "value never seen", data_checks=(types_and_values.never_seen,)),
    "L25": Rule("warning", "mostly missing", data_checks=(types_and_values.mostly_missing,)),
    "L26": Rule("warning", "misspelt event", catalogue_checks=(unknown_events.misspelt_events,)),
    "L27": Rule("note", "no value metric", (activity_only.no_value_metric,)),
    "L28": Rule("warning", "route never matches", route_checks=(routes.never_matches,)),
    "L29": Rule("warning", "route is shadowed", route_checks=(routes.is_shadowed,)),
}


def lint(
    catalogue: Catalogue,
    file: str = "pequel.toml",
    sample: Sample | None = None,
    capacity: int | None = None,
) -> Report:
    """Every finding about the definitions of a file; those that need data only with a sample.

    ``capacity`` is how many leads of one definition can be followed up in a week.
    """
    parts = _parts_of(catalogue)
    found: list[Finding] = []
    shared = _about_all(catalogue, sample)
    decided: dict[tuple[Hashable, str], bool] = {}
    for number, definition in enumerate(catalogue.definitions):
        own = _spans_of(parts, "pql", number)
        written = {path: place.text for path, place in own.items()}
        case = Case(catalogue, definition, written, sample, capacity, decided)
        found += _findings(case, file, own, shared.get(definition.name, {}))
    for number in range(len(catalogue.routing.routes)):
        own = _spans_of(parts, "route", number)
        found += _route_findings(catalogue, number, file, own)
    looked = None if sample is None else str(sample)
    is_small = sample is not None and sample.received < ENOUGH
    return Report(ordered(found), len(catalogue.definitions), looked, is_small)


def names_that_hardly_arrive(
    catalogue: Catalogue, arriving: Mapping[str, int], file: str = "pequel.toml"
) -> Iterator[Finding]:
    """L04, where only the events that arrive are known, and how often: names that look alike."""
    parts = _parts_of(catalogue)
    numbers = {each.name: number for number, each in enumerate(catalogue.definitions)}
    accepted = {each.name: dict(each.accepted).get("L04") for each in catalogue.definitions}
    slips, strays = unknown_events.likely_slips, unknown_events.strays
    for name, found in (*slips(catalogue, arriving), *strays(catalogue, arriving)):
        at = _place(_spans_of(parts, "pql", numbers[name]), found)
        yield Finding("L04", "warning", name, file, *at, found.message, accepted=accepted[name])


def _parts_of(catalogue: Catalogue) -> Parts:
    """The places of a file by the table that they are in, such as the first ``[[pql]]``."""
    parts: Parts = {}
    for path, span in parse(catalogue.text).spans.items():
        parts.setdefault(path[:2], {})[path[2:]] = span
    return parts


def _spans_of(parts: Parts, table: str, number: int) -> dict[str, SourceSpan]:
    return {human(path): span for path, span in parts.get((table, number), {}).items()}


def _place(spans: Mapping[str, SourceSpan], found: Found) -> Location:
    """Where something was found; the beginning of its table, if it is about all of it."""
    return spans.get(found.path, spans.get("", _START)).value


def _about_all(
    catalogue: Catalogue, sample: Sample | None
) -> dict[str, defaultdict[str, list[Found]]]:
    """What the checks of the whole catalogue find, by definition and rule."""
    found: dict[str, defaultdict[str, list[Found]]] = {}
    if sample is None:
        return found
    for code, rule in RULES.items():
        for check in rule.catalogue_checks:
            for name, each in check(catalogue, sample):
                found.setdefault(name, defaultdict(list))[code].append(each)
    return found


def _findings(
    case: Case, file: str, spans: Mapping[str, SourceSpan], shared: Mapping[str, list[Found]]
) -> Iterator[Finding]:
    reasons = dict(case.definition.accepted)
    for code, rule in RULES.items():
        for found in (*_found(rule, case), *shared.get(code, ())):
            at = _place(spans, found)
            level = found.level or rule.level
            yield Finding(
                *(code, level, case.definition.name, file, *at, found.message),
                accepted=reasons.get(code),
            )


def _route_findings(
    catalogue: Catalogue, number: int, file: str, spans: Mapping[str, SourceSpan]
) -> Iterator[Finding]:
    """What is wrong with a route. The finding names it where others name a definition."""
    name = f"route {catalogue.routing.routes[number].name}".replace("route route ", "route ")
    for code, rule in RULES.items():
        for check in rule.route_checks:
            for found in check(catalogue, number):
                at = _place(spans, found)
                yield Finding(code, rule.level, name, file, *at, found.message)


def _found(rule: Rule, case: Case) -> Iterator[Found]:
    for check in rule.checks:
        yield from check(case)
    if case.sample is not None:
        for data_check in rule.data_checks:
            yield from data_check(case, case.sample)
