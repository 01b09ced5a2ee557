"""Changes of leads over HTTP while events come in, on one collector.

Each change is a ``PATCH``, over sixteen connections: leads are assigned, contacted, snoozed and
won. Meanwhile events come in at 1,000 a second: in batches of twenty, as an SDK sends them, and
then one in each request. Prints the rate of changes alone, of both together, and within what time
99 of 100 were answered. No time is asserted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pequel
from support.processes import KEYS, run_server

from .load import Run, request, send

LEADS, EVENTS, EVENT_SECONDS, CONNECTIONS = 1_000, 1_000, 8, 16

BATCH = 20
"""Events of a request in which an SDK sends them."""

ALONE = ({"owner": "ben"}, {"contact": {"channel": "email", "note": "sent the plan"}})
BESIDE_BATCHES = (
    {"contact": {"channel": "phone"}},
    {"snoozed_until": "2100-01-01"},
    {"contact": {"channel": "email"}},
)
BESIDE_SINGLE_EVENTS = (
    {"contact": {"channel": "phone"}},
    {"snoozed_until": "2101-01-01"},
    {"state": "won", "amount": "1200.00", "currency": "EUR"},
)

DEFINITIONS = """
[project]
conversion = "subscribed"

[[pql]]
name = "active"
when = { event = "project_created", gte = 1 }
sla = "4h"
cooldown = "30d"
"""


def test_changes_of_leads_while_events_come_in(tmp_path: Path) -> None:
    """Alone, then together with events."""
    (tmp_path / "pequel.toml").write_text(DEFINITIONS)
    with run_server(tmp_path) as server:
        port = int(server.url.rpartition(":")[2])
        send(port, _events("project_created", LEADS, 0, BATCH), CONNECTIONS)
        leads = _lead_ids(server.url)
        print()
        _print("changes alone", send(port, _changes(leads, ALONE), CONNECTIONS))
        first = LEADS
        for batch, steps in ((BATCH, BESIDE_BATCHES), (1, BESIDE_SINGLE_EVENTS)):
            events = _events("opened", EVENTS * EVENT_SECONDS, first, batch)
            first += EVENTS * EVENT_SECONDS
            _beside(port, leads, events, steps, batch)


def _beside(
    port: int,
    leads: list[str],
    events: list[bytes],
    steps: Sequence[dict[str, object]],
    batch: int,
) -> None:
    """Changes while events come in."""
    with ThreadPoolExecutor(1) as threads:
        sending = threads.submit(send, port, events, CONNECTIONS, EVENTS / batch)
        _print(
            f"changes beside events, {batch} a request",
            send(port, _changes(leads, steps), CONNECTIONS),
        )
        _print("  requests with events", sending.result())


def _changes(leads: list[str], steps: Sequence[dict[str, object]]) -> list[bytes]:
    """Requests that take each lead through these steps."""
    key = KEYS["PEQUEL_ADMIN_KEY"]
    return [
        request(f"/v1/pqls/{lead}", json.dumps(step).encode(), key, "PATCH")
        for step in steps
        for lead in leads
    ]


def _events(name: str, count: int, first: int, batch: int) -> list[bytes]:
    key = KEYS["PEQUEL_WRITE_KEY"]
    events = [
        {"type": "track", "userId": f"u{n % LEADS}", "event": name, "messageId": f"m{n:07}"}
        for n in range(first, first + count)
    ]
    parts = [events[start : start + batch] for start in range(0, count, batch)]
    return [request("/v1/batch", json.dumps({"batch": part}).encode(), key) for part in parts]


def _lead_ids(url: str) -> list[str]:
    with pequel.Reader(KEYS["PEQUEL_READ_KEY"], url) as reader:
        return [lead["id"] for lead in reader.pqls(page_size=LEADS)]


def _print(what: str, run: Run) -> None:
    print(f"{what:<35} {run.rate:>7,.0f}/s, 99 % within {run.wait(0.99) * 1000:,.0f} ms")
