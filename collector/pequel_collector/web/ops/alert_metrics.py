"""The metrics of alerts: how many deliveries wait, how long, and what came of attempts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from ...delivery.dispatcher import RESULTS, TALLY
from ...ports import OutboxDepth


def alert_metrics(
    alerts: Iterable[str], depths: Iterable[OutboxDepth], totals: Mapping[str, int], now: int
) -> Iterator[Metric]:
    """The metrics, for the alerts in force and those that deliveries which wait still name."""
    by_name = {depth.alert: depth for depth in depths}
    waiting = GaugeMetricFamily(
        "pequel_alerts_waiting", "Deliveries of an alert that wait.", labels=["alert"]
    )
    oldest = GaugeMetricFamily(
        "pequel_alerts_oldest_seconds", "How long the oldest has waited.", labels=["alert"]
    )
    for name in sorted({*alerts, *by_name}):
        depth = by_name.get(name)
        waiting.add_metric([name], depth.waiting if depth else 0)
        oldest.add_metric([name], max(0, now - depth.oldest) / 1_000 if depth else 0)
    attempts = CounterMetricFamily(
        "pequel_alert_attempts", "Attempts to deliver, by result.", labels=["result"]
    )
    for result in RESULTS:
        attempts.add_metric([result], totals.get(TALLY + result, 0))
    yield from (waiting, oldest, attempts)
