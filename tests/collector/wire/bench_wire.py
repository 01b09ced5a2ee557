"""How long it takes from the bytes of a batch to its messages."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from pequel_collector.config import Settings
from pequel_collector.wire import decode
from pequel_collector.wire.ids import Ids
from pequel_collector.wire.normalise import normalise

NOW = 1_772_366_400_000
EVENTS = 100


def event(number: int) -> dict[str, Any]:
    """What a server's library sends."""
    return {
        "type": "track",
        "event": "project_created",
        "userId": f"u{number}",
        "anonymousId": None,
        "messageId": f"0195510e-2d00-7000-8000-{number:012}",
        "timestamp": f"2026-03-01T10:00:{number % 60:02}.{number * 7 % 1000:03}Z",
        "properties": {"project_id": f"p{number}", "plan": "free", "rows": number, "at": {"x": 1}},
        "context": {"library": {"name": "pequel-python", "version": "0.1.0"}},
        "integrations": {},
    }


def best(action: Callable[[], object]) -> float:
    """Microseconds of the quickest of many runs: the others were interrupted."""
    times = []
    for _ in range(500):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times) * 1e6


def test_a_batch_of_100_events() -> None:
    sent = {"batch": [event(n) for n in range(EVENTS)], "sentAt": "2026-03-01T10:01:00.000Z"}
    body, settings, ids = json.dumps(sent).encode(), Settings(), Ids(lambda: NOW)
    envelope = decode.batch(body)
    messages, rejected = normalise(envelope, settings, NOW, ids)
    assert (len(messages), rejected) == (EVENTS, [])
    whole = best(lambda: normalise(decode.batch(body), settings, NOW, ids))
    shapes = best(lambda: [decode.event(raw) for raw in decode.batch(body).events])
    lenient = best(lambda: [decode.lenient_event(raw) for raw in envelope.events])
    print(f"\n{EVENTS} events, {len(body)} bytes: {whole:.0f} µs to messages")
    print(f"of which {shapes:.0f} µs to events; the lenient parser takes {lenient:.0f} µs for that")
