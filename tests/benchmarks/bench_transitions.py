"""Changes of leads over HTTP while events come in, on one collector.

Each change is a ``PATCH``, over sixteen connections: leads are assigned, contacted, snoozed and
won. Meanwhile single events come in at 1,000 a second. Prints the rate of changes alone, of both
together, and within what time 99 of 100 were answered. No time is asserted.
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

ALONE = ({"owner": "ben"}, {"contact": {"channel": "email", "note": "sent the plan"}})
BESIDE = (
    {"contact": {"channel": "phone"}},
    {"snoozed_until": "2100-01-01"},
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
        send(port, _events("project_created", LEADS, 0), CONNECTIONS)
        leads = _lead_ids(server.url)
        print()
        _print("changes alone", send(port, _changes(leads, ALONE), CONNECTIONS))
        with ThreadPoolExecutor(1) as threads:
            events = _events("opened", EVENTS * EVENT_SECONDS, LEADS)
            sending = threads.submit(send, port, events, CONNECTIONS, EVENTS)
            _print("changes beside events", send(port, _changes(leads, BESIDE), CONNECTIONS))
            _print("events", sending.result())


def _changes(leads: list[str], steps: Sequence[dict[str, object]]) -> list[bytes]:
    """Requests that take each lead through these steps."""
    key = KEYS["PEQUEL_ADMIN_KEY"]
    return [
        request(f"/v1/pqls/{lead}", json.dumps(step).encode(), key, "PATCH")
        for step in steps
        for lead in leads
    ]


def _events(name: str, count: int, first: int) -> list[bytes]:
    key = KEYS["PEQUEL_WRITE_KEY"]
    events = [
        {"userId": f"u{number % LEADS}", "event": name, "messageId": f"m{number:07}"}
        for number in range(first, first + count)
    ]
    return [request("/v1/track", json.dumps(event).encode(), key) for event in events]


def _lead_ids(url: str) -> list[str]:
    with pequel.Reader(KEYS["PEQUEL_READ_KEY"], url) as reader:
        return [lead["id"] for lead in reader.pqls(page_size=LEADS)]


def _print(what: str, run: Run) -> None:
    print(f"{what:<22} {run.rate:>7,.0f}/s, 99 % within {run.wait(0.99) * 1000:,.0f} ms")
