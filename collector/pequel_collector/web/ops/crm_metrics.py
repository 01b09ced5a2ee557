"""The metrics of CRMs: what became of the events that they sent back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, Metric

from ...app.crm import TALLY
from ...leads.crm import OUTCOMES


def crm_metrics(crms: Iterable[str], totals: Mapping[str, int]) -> Iterator[Metric]:
    """The metrics, for each CRM of the definitions in force."""
    events = CounterMetricFamily(
        "pequel_crm_events", "Events that a CRM sent, by outcome.", labels=["crm", "outcome"]
    )
    for crm in sorted(crms):
        for outcome in OUTCOMES:
            events.add_metric([crm, outcome], totals.get(f"{TALLY}{crm}:{outcome}", 0))
    yield events
