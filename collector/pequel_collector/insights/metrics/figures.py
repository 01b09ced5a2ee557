"""From a question to its figure: reads the records of a metric, and counts them.

One ``Figures`` answers several questions of one moment, and reads what they share once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from ...model import JSON
from ...ports import MetricLead, ReadTransaction, SpanQuery
from ...rules.language.definition import Catalogue
from . import funnel, lead_figures, stages, survival
from .catalogue import METRICS, TRAIT
from .figure import Asked, Figure, Group, Values, of_duration, of_rate
from .health import Health, contact_effect, health, may_convert
from .money_figures import MoneyFigures
from .rates import Rate, Span, arrived_within, rate, together
from .segments import Key, key_of, segment_of, trait_named
from .survival import Lengths, duration, lengths_of

MAX_GROUPS = 100
"""Segments that an answer lists."""

FOREVER = 2**60
"""After any time."""

_ALL: Key = (False, None)
"""The only segment of a question without segments."""

Item = TypeVar("Item")

Counts = tuple[JSON, int, int, int]
"""A segment, and how many there arrived, are mature and are immature."""

LeadKey = tuple[int, int, str | None, str | None]
"""A period, a definition and a trait."""

_SIZES = ("denominator", "n", "leads", "open", "dismissals", "customers", "pqls", "people")


class Figures:
    """The figures of one transaction. ``versions`` are the numbers in force, by definition.

    ``questions`` are those that are going to be asked together.
    """

    def __init__(
        self,
        tx: ReadTransaction,
        catalogue: Catalogue,
        versions: Mapping[str, int],
        now: int,
        questions: Sequence[Asked] = (),
    ) -> None:
        self._tx, self._catalogue, self._versions, self._now = tx, catalogue, versions, now
        self._zone = catalogue.project.timezone
        self._counted_starts: dict[tuple[SpanQuery, int], list[Counts]] = {}
        self._read_arrivals: dict[SpanQuery, list[tuple[JSON, list[int], list[int]]]] = {}
        self._read_starts: dict[SpanQuery, list[tuple[JSON, list[int]]]] = {}
        self._money = MoneyFigures(tx, self.leads)
        self._asks_people = any(map(asks_people, questions))
        self._read: dict[tuple[LeadKey, bool], list[MetricLead]] = {}

    def figure(self, asked: Asked) -> Figure:
        """The answer to a question."""
        values, groups = self._counted(asked)
        listed = sorted(groups, key=_by_size)[:MAX_GROUPS]
        version = None if asked.definition is None else self._versions.get(asked.definition)
        since = self._tx.earliest_seen() if asked.since is None else asked.since
        since = asked.until if since is None else min(since, asked.until)
        lacking = missing(asked, self._catalogue, values)
        more = len(groups) - len(listed)
        return Figure(asked, since, self._now, version, values, listed, more, lacking)

    def _counted(self, asked: Asked) -> tuple[Values, list[Group]]:
        match asked.metric.counts:
            case "people":
                return self._of_people(asked)
            case "leads":
                return self._of_leads(asked)
            case "funnel":
                return self._funnel(asked)
            case "stages":
                return self._stages(asked)
            case _:
                return self._money.counted(asked)

    # -- funnel and stages -------------------------------------------------------------------

    def _funnel(self, asked: Asked) -> tuple[Values, list[Group]]:
        whole = self._funnel_values(asked._replace(by=None)).get(_ALL)
        nothing = funnel.values_of(funnel.NOTHING, self._now)
        if asked.by == "definition":
            names = [d.name for d in self._catalogue.definitions]
            parts = {
                name: self._funnel_values(asked._replace(definition=name, by=None)).get(_ALL)
                for name in names
                if asked.definition in (None, name)
            }
            groups = [Group({"definition": n}, found or nothing) for n, found in parts.items()]
        elif asked.by is None:
            groups = []
        else:
            parted = self._funnel_values(asked)
            groups = [Group({asked.by: key[1]}, values) for key, values in parted.items()]
        return whole or nothing, groups

    def _funnel_values(self, asked: Asked) -> dict[Key, Values]:
        steps = funnel.steps_of(self._tx, span_query(asked, self._catalogue))
        return {key: funnel.values_of(each, self._now) for key, each in steps.items()}

    def _stages(self, asked: Asked) -> tuple[Values, list[Group]]:
        reached = self._tx.stages_reached(asked.first, asked.until)
        starts = stages.starts_of(reached, self.leads(asked._replace(by=None)))
        events = self._money.revenue(asked.until)
        customers, _ = self._money.prices(asked.until)
        worth, payers = stages.worth_of(customers, asked.until), stages.customers_of(events)

        def values(some: Sequence[stages.Start]) -> Values:
            return stages.values_of(some, asked.horizon or 0, self._now, worth, payers)

        groups = (
            []
            if asked.by is None
            else [Group({asked.by: key[1]}, values(some)) for key, some in starts.items()]
        )
        return values(stages.first_stages(starts)), groups

    # -- people ----------------------------------------------------------------------------

    def _of_people(self, asked: Asked) -> tuple[Values, list[Group]]:
        whole = self._people_values(asked._replace(by=None))[_ALL]
        if asked.by == "definition":
            names = [d.name for d in self._catalogue.definitions]
            return whole, [
                Group({"definition": name}, self._of_definition(asked, name))
                for name in names
                if asked.definition in (None, name)
            ]
        if asked.by is None:
            return whole, []
        parts = self._people_values(asked)
        return whole, [Group({asked.by: key[1]}, values) for key, values in parts.items()]

    def _of_definition(self, asked: Asked, name: str) -> Values:
        return self._people_values(asked._replace(definition=name, by=None))[_ALL]

    def _people_values(self, asked: Asked) -> dict[Key, Values]:
        """The values of each segment."""
        wanted = span_query(asked, self._catalogue)
        if asked.metric.family == "duration":
            lengths = self._lengths(wanted)
            return {key: of_duration(duration(part, self._now)) for key, part in lengths.items()}
        return self._rates(wanted, asked.horizon or 0)

    def _rates(self, wanted: SpanQuery, horizon: int) -> dict[Key, Values]:
        """The share of each segment."""
        numbers: defaultdict[Key, Rate] = defaultdict(Rate)
        for value, *counted in self._counts(wanted, horizon):
            key = key_of(value, wanted.by)
            numbers[key] = together((numbers[key], Rate(*counted)))
        found = {key: of_rate(number) for key, number in numbers.items()}
        return _or_nothing(wanted, found, of_rate(Rate()))

    def _counts(self, wanted: SpanQuery, horizon: int) -> list[Counts]:
        """Of each segment: who arrived, who is mature, and who is immature.

        Who qualified is counted from the leads; who started, once for all definitions.
        """
        if wanted.end != "qualified":
            return self._tx.span_counts(wanted, horizon, self._now)
        at = wanted._replace(end="", definition=None), horizon
        if at not in self._counted_starts:
            self._counted_starts[at] = self._tx.start_counts(wanted, horizon, self._now)
        youngest = self._now - horizon
        return self._counted_starts[at] + [
            (value, arrived_within(lengths, starts, horizon, youngest), 0, 0)
            for value, lengths, starts in self._arrivals(wanted)
        ]

    def _arrivals(self, wanted: SpanQuery) -> list[tuple[JSON, list[int], list[int]]]:
        if wanted not in self._read_arrivals:
            self._read_arrivals[wanted] = self._tx.arrivals(wanted)
        return self._read_arrivals[wanted]

    def _lengths(self, wanted: SpanQuery) -> dict[Key, Lengths]:
        found: defaultdict[Key, list[Lengths]] = defaultdict(list)
        if wanted.end != "qualified":
            for value, arrived, starts in self._tx.span_lengths(wanted):
                found[key_of(value, wanted.by)].append(Lengths(arrived, starts))
        else:
            for value, starts in self._starts(wanted):
                found[key_of(value, wanted.by)].append(Lengths([], starts))
            for value, *arrivals in self._arrivals(wanted):
                arrived, starts = arrivals
                found[key_of(value, wanted.by)].append(Lengths(arrived, [], starts))
        joined = {key: survival.together(parts) for key, parts in found.items()}
        return _or_nothing(wanted, joined, Lengths([], []))

    def _starts(self, wanted: SpanQuery) -> list[tuple[JSON, list[int]]]:
        at = wanted._replace(end="", definition=None)
        if at not in self._read_starts:
            self._read_starts[at] = self._tx.span_starts(wanted)
        return self._read_starts[at]

    # -- leads -----------------------------------------------------------------------------

    def leads(self, asked: Asked) -> list[MetricLead]:
        """The leads of a question."""
        period = asked.first, asked.until
        is_of_all = asked.since is None and asked.is_until_now
        if asked.metric.name == "lead_velocity" and not is_of_all:  # by the qualification
            period = -FOREVER, FOREVER
        key = (*period, asked.definition, trait_named(asked.by))
        of_people = self._asks_people or asks_people(asked)
        if (key, of_people) not in self._read:
            self._read[key, of_people] = self._tx.metric_leads(*key, of_people=of_people)
        return self._read[key, of_people]

    def _of_leads(self, asked: Asked) -> tuple[Values, list[Group]]:
        match asked.metric.name:
            case "dismissal_reasons":
                return self._dismissals(asked)
            case "overlap":
                leads = self.leads(asked._replace(definition=None))
                return {
                    "pairs": lead_figures.overlap(lead_figures.marked_by(leads), asked.definition)
                }, []
            case "definition_health":
                return self._health(asked), []
        found = self.leads(asked)
        parted: defaultdict[Key, list[MetricLead]] = defaultdict(list)
        if asked.by is not None:
            for lead in found:
                parted[segment_of(lead, asked.by)].append(lead)
        groups = [
            Group({str(asked.by): key[1]}, self._lead_values(asked, leads))
            for key, leads in parted.items()
        ]
        return self._lead_values(asked, found), groups

    def _lead_values(self, asked: Asked, leads: Sequence[MetricLead]) -> Values:
        match asked.metric.name:
            case "volume":
                return lead_figures.volume(leads, self._zone, self._now)
            case "ageing":
                return lead_figures.ageing(leads, self._now)
            case "sla_attainment":
                return of_rate(lead_figures.sla_attainment(leads, self._now))
            case "lead_velocity":
                inside = [x for x in leads if asked.first <= x.qualified_at < asked.until]
                return lead_figures.velocity(inside, asked.until, self._zone)
            case "contact_effect":
                return contact_effect(leads, asked.horizon or 0, self._now)
            case _:
                return self._span_values(asked, lead_spans(asked, leads))

    def _span_values(self, asked: Asked, spans: Iterable[Span]) -> Values:
        if asked.metric.family == "duration":
            return of_duration(duration(lengths_of(spans), self._now))
        return of_rate(rate(spans, asked.horizon or 0, self._now))

    def _dismissals(self, asked: Asked) -> tuple[Values, list[Group]]:
        named: defaultdict[str, list[str]] = defaultdict(list)
        for definition, reason in self._tx.dismissals(asked.first, asked.until):
            if asked.definition in (None, definition):
                named[definition].append(reason)
        values = lead_figures.dismissal_reasons([r for each in named.values() for r in each])
        if asked.by is None:
            return values, []
        return values, [
            Group({"definition": name}, lead_figures.dismissal_reasons(reasons))
            for name, reasons in named.items()
        ]

    def _health(self, asked: Asked) -> Values:
        metric = METRICS["signup_to_pql"]
        of_signups = asked._replace(metric=metric, horizon=metric.horizon)
        signups = {
            definition.name: self._of_definition(of_signups, definition.name)
            for definition in self._catalogue.definitions
            if asked.definition in (None, definition.name)
        }
        leads = self.leads(asked._replace(definition=None))
        found = Health(self._tx, asked, leads, self._now)
        return {
            "definitions": health(found, self._catalogue, self._versions, signups, asked.definition)
        }


def asks_people(asked: Asked) -> bool:
    """Whether a question of leads needs to know when their subjects converted, or their channel."""
    return asked.metric.end == "converted" or asked.by == "channel"


def _or_nothing(wanted: SpanQuery, found: dict[Key, Item], nothing: Item) -> dict[Key, Item]:
    """What was found; without segments, something in any case."""
    return found or ({_ALL: nothing} if wanted.by is None else {})


def span_query(asked: Asked, catalogue: Catalogue) -> SpanQuery:
    """What to look up for a metric of people."""
    metric = asked.metric
    subjects = "visitor" if metric.start == "seen" else "user"  # a visitor may be a user too
    if metric.end == "qualified" and kind_in(catalogue, asked.definition) == "account":
        subjects = "account"
    definition = asked.definition if metric.end == "qualified" else None
    trait = trait_named(asked.by)
    by = asked.by if trait is None else TRAIT + trait
    return SpanQuery(subjects, metric.start, metric.end, asked.first, asked.until, definition, by)


def missing(asked: Asked, catalogue: Catalogue, values: Values) -> list[str]:
    """What a figure needs and does not have."""
    metric, project = asked.metric, catalogue.project
    of_sales = metric.end == "converted" or metric.counts == "customers"
    needs = {
        "[project] has no trial": metric.start == "trial" and project.trial is None,
        "[project] has no key_events": metric.end == "value" and not project.key_events,
        "[project] has no conversion": of_sales and project.conversion is None,
        "[project] has no holdout": metric.name == "contact_effect" and not project.holdout,
        "no definition is in force": metric.has_definition and not catalogue.definitions,
        "nothing was spent in the period": metric.counts == "spend" and not values["spend"],
    }
    return [what for what, is_missing in needs.items() if is_missing]


def kind_in(catalogue: Catalogue, definition: str | None) -> str:
    """The kind of subject of a definition; of any, users unless all are of accounts."""
    kinds = {d.subject for d in catalogue.definitions if definition in (None, d.name)}
    return "account" if kinds == {"account"} else "user"


def lead_spans(asked: Asked, leads: Iterable[MetricLead]) -> list[Span]:
    """From the mark to the end of a metric, of the leads that it looks at."""
    match asked.metric.end:
        case "contacted":
            return [(lead.marked_at, lead.contacted_at) for lead in leads if not lead.is_held_out]
        case "won":
            return [(lead.marked_at, lead.won_at) for lead in leads]
        case _:
            return [(lead.marked_at, lead.converted) for lead in leads if may_convert(lead)]


def _by_size(group: Group) -> tuple[int, str]:
    sizes = (group.values[name] for name in _SIZES if isinstance(group.values.get(name), int))
    return -next(sizes, 0), repr(group.by)
