"""``GET /metrics`` for Prometheus. It needs no key."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from flask import Blueprint, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from ...access.refused import TALLY as UNKNOWN_KEYS
from ...app.bootstrap import Collector
from ...ports import LeadFilter, Usage
from ...usage import balance_of
from ..openapi.operation import Content, Operation, describe
from .alert_metrics import alert_metrics
from .crm_metrics import crm_metrics

MOST_OVERDUE = 10_000
"""Overdue leads that are counted: a scrape stays short."""

_METRICS = Operation(
    "Metrics for Prometheus",
    "operations",
    contents=(Content("text/plain", {"type": "string"}),),
    errors=(500, 503),
)


def blueprint(collector: Collector) -> Blueprint:
    """The metrics, over a collector."""
    bp = Blueprint("metrics", __name__)
    registry = CollectorRegistry()
    registry.register(_StoreMetrics(collector))

    @bp.get("/metrics")
    @describe(_METRICS)
    def metrics() -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return bp


_Family = CounterMetricFamily | GaugeMetricFamily


class _StoreMetrics:
    """Reads the store at each scrape, so that every process gives the same numbers."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def describe(self) -> list[Metric]:
        """Nothing: at registration, the store is not read."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every metric."""
        with self._collector.store.reading() as view:
            usages, totals, depths = view.usage(), view.totals(), view.outbox()
            wanted = LeadFilter(overdue=True, now=self._collector.clock())
            overdue = view.count_leads(wanted, MOST_OVERDUE)
        yield from _events(usages)
        yield _gauge("messages", "Messages stored.", totals["messages"])
        yield _gauge("leads", "Leads ever opened.", totals["leads"])
        yield _gauge("leads_overdue", "Leads that are overdue, at most 10,000.", overdue)
        yield _gauge("refused", "Rejected events kept.", totals["rejected"])
        text = "Links of an id that has an earlier link to another user."
        yield _gauge("link_conflicts", text, totals.get("link_conflicts", 0))
        yield _gauge("unattributed", "Events without an account.", totals.get("unattributed", 0))
        unknown = CounterMetricFamily("pequel_unknown_key", "Requests with an unknown key.")
        unknown.add_metric([], totals.get(UNKNOWN_KEYS, 0))
        yield unknown
        yield _gauge("waiting_events", "Events that wait for the store.", self._collector.waiting())
        names = [alert.name for alert in self._collector.alerts.alerts()]
        yield from alert_metrics(names, depths, totals, self._collector.clock())
        yield from crm_metrics(self._collector.crm.names(), totals)
        yield _gauge("ready", "Whether events can be stored.", self._collector.trouble() is None)


def _events(usages: list[Usage]) -> Iterator[Metric]:
    keys = sorted({usage.key for usage in usages})
    balances = {key: balance_of(u for u in usages if u.key == key) for key in keys}
    yield _counter("received", "Events that came in.", {k: b.received for k, b in balances.items()})
    yield _counter("stored", "Events stored.", {k: b.stored for k, b in balances.items()})
    yield _counter(
        "duplicate",
        "Events that were stored before.",
        {k: b.duplicates for k, b in balances.items()},
    )
    yield _counter(
        "suppressed", "Events of erased users.", {k: b.suppressed for k, b in balances.items()}
    )
    rejected = {key: balance.rejected for key, balance in balances.items()}
    dropped = {key: balance.dropped for key, balance in balances.items()}
    text = "Rejected events that are still rejected, by reason."
    yield _by_reason(GaugeMetricFamily, "events_rejected", text, rejected)
    text = "Events that clients dropped and reported, by reason."
    yield _by_reason(CounterMetricFamily, "client_dropped", text, dropped)


def _counter(name: str, text: str, numbers: dict[str, int]) -> Metric:
    family = CounterMetricFamily(f"pequel_events_{name}", text, labels=["key"])
    for key, number in numbers.items():
        family.add_metric([key], number)
    return family


def _by_reason(
    kind: Callable[..., _Family], name: str, text: str, numbers: Mapping[str, Counter[str]]
) -> Metric:
    family = kind(f"pequel_{name}", text, labels=["key", "reason"])
    for key, reasons in numbers.items():
        for reason, number in reasons.items():
            family.add_metric([key, reason], number)
    return family


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"pequel_{name}", text, value=value)
