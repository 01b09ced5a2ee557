"""``GET /metrics``: what Prometheus asks for. Nobody needs a key to ask."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from flask import Blueprint, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from ...ports import Usage
from ...usage import balance_of
from ..collector import Collector


def blueprint(collector: Collector) -> Blueprint:
    """The metrics, over a collector."""
    paths = Blueprint("metrics", __name__)
    registry = CollectorRegistry()
    registry.register(_Measures(collector))

    @paths.get("/metrics")
    def metrics() -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return paths


_Family = CounterMetricFamily | GaugeMetricFamily


class _Measures:
    """Reads everything from the store when it is asked, so that every process says the same."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    def describe(self) -> list[Metric]:
        """Nothing, so that nothing is read before somebody asks."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Every measure there is."""
        with self._collector.store.reading() as view:
            usages, totals = view.usage(), view.totals()
        yield from _events(usages)
        yield _gauge("messages", "Messages stored.", totals["messages"])
        yield _gauge("leads", "Leads ever opened.", totals["leads"])
        yield _gauge("refused", "Rejected events kept.", totals["rejected"])
        yield _gauge("waiting_events", "Events that wait to be stored.", self._collector.waiting())
        yield _gauge("ready", "Whether events can be stored.", self._collector.trouble() is None)


def _events(usages: list[Usage]) -> Iterator[Metric]:
    keys = sorted({usage.key for usage in usages})
    of = {key: balance_of(usage for usage in usages if usage.key == key) for key in keys}
    yield _counter("received", "Events that came in.", {k: b.received for k, b in of.items()})
    yield _counter("stored", "Events stored.", {k: b.stored for k, b in of.items()})
    yield _counter("duplicate", "Events known before.", {k: b.duplicates for k, b in of.items()})
    yield _counter("suppressed", "Events of the erased.", {k: b.suppressed for k, b in of.items()})
    rejected = {key: balance.rejected for key, balance in of.items()}
    dropped = {key: balance.dropped for key, balance in of.items()}
    text = "Events refused and not taken in since, for which reason."
    yield _by_reason(GaugeMetricFamily, "events_rejected", text, rejected)
    text = "Events that clients dropped before they came here, and for which reason."
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
