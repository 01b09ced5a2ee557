"""Who is in the numerator of a metric, who is not, and who is too young to tell."""

from __future__ import annotations

from typing import NamedTuple

from ...ports import MetricLead, ReadTransaction
from ...rules.language.definition import Catalogue
from .catalogue import Metric
from .figure import Asked
from .figures import lead_spans, span_query
from .lead_figures import OPEN, is_due, state_of
from .rates import Span, standing


class Member(NamedTuple):
    """A subject or a lead, what it counts as, and when it started and arrived (ms).

    ``key`` is its place in the list: the subject, or the id of the lead. ``standing`` is ``in``,
    ``out`` or ``immature``.
    """

    key: str
    subject: str
    lead: str | None
    standing: str
    start: int
    end: int | None


_COUNTED = ("volume", "ageing", "sla_attainment")


def is_listed(metric: Metric) -> bool:
    """Whether a metric can list its members."""
    return metric.name in _COUNTED or bool(
        metric.start and metric.counts in ("people", "leads") and metric.name != "definition_health"
    )


def people_members(
    tx: ReadTransaction, asked: Asked, catalogue: Catalogue, now: int, after: str, limit: int
) -> list[Member]:
    """The subjects after a key, in order."""
    wanted = span_query(asked, catalogue)
    return [
        Member(key, key, None, _standing(asked, (start, end), now), start, end)
        for key, start, end in tx.named_spans_of(wanted, after, limit)
    ]


def lead_members(tx: ReadTransaction, asked: Asked, now: int) -> list[Member]:
    """The leads that a metric looks at, by id."""
    leads = sorted(tx.metric_leads(asked.first, asked.until, asked.definition))
    found = (_lead_member(asked, lead, now) for lead in leads)
    return [member for member in found if member is not None]


def _lead_member(asked: Asked, lead: MetricLead, now: int) -> Member | None:
    end = lead.converted
    match asked.metric.name:
        case "volume":
            counts_as, end = "in", None
        case "ageing":
            counts_as, end = ("in" if state_of(lead, now) in OPEN else "out"), None
        case "sla_attainment":
            is_kept = is_due(lead, now)
            if is_kept is None:
                return None
            counts_as, end = is_kept, lead.contacted_at
        case _:
            spans = lead_spans(asked, [lead])
            if not spans:
                return None
            [(_, end)] = spans
            counts_as = _standing(asked, spans[0], now)
    return Member(lead.id, lead.subject, lead.id, counts_as, lead.marked_at, end)


def _standing(asked: Asked, span: Span, now: int) -> str:
    if asked.horizon is None:
        return "out" if span[1] is None else "in"
    return standing(span, asked.horizon, now)
