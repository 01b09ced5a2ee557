"""What every client tells, one call of each kind, and how a collector shows it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Call = dict[str, Any]

DEFINITIONS = """
[[pql]]
name = "activated"
when = { event = "project_created" }
"""

CALLS: list[Call] = [
    {
        "type": "track",
        "anonymousId": "guest-1",
        "event": "demo_watched",
        "properties": {"seconds": 40},
    },
    {"type": "identify", "userId": "u1", "traits": {"email": "ada@example.com", "plan": "free"}},
    {"type": "group", "userId": "u1", "groupId": "acme", "traits": {"employees": 120}},
    {
        "type": "track",
        "userId": "u1",
        "event": "project_created",
        "properties": {"project_id": "p9", "parts": 3, "tags": ["a", "ü"]},
    },
    {
        "type": "page",
        "userId": "u1",
        "category": "Docs",
        "name": "Pricing",
        "properties": {"plan": "free"},
    },
    {
        "type": "screen",
        "userId": "u1",
        "category": "Mobile",
        "name": "Board",
        "properties": {"zoom": 1.5},
    },
    {"type": "alias", "userId": "u1", "previousId": "guest-1"},
]

_EVENTS = ("track", "page", "screen")
_BEFORE_THE_GROUP = ("demo_watched", "identify")


def of_the_past(calls: list[Call]) -> list[Call]:
    """The same calls, told long after what they tell of: a minute between two of them."""
    return [
        {**call, "timestamp": f"2025-03-01T10:{minute:02}:00+00:00"}
        for minute, call in enumerate(calls)
    ]


def without(*kinds: str) -> list[Call]:
    """The story of a library that does not have these kinds of call."""
    return [call for call in CALLS if call["type"] not in kinds]


def many(number: int) -> list[Call]:
    """As many events, no two of them alike."""
    return [
        {"type": "track", "userId": "u1", "event": "step_done", "properties": {"step": step}}
        for step in range(number)
    ]


def as_shown(call: Call) -> Call:
    """How `GET /v1/events` shows a call, apart from what its library adds."""
    is_event = call["type"] in _EVENTS
    name = call.get("event", call["type"])
    content = "properties" if is_event else "traits"
    parts = {part: call[part] for part in ("name", "category") if part in call}
    return {
        "type": call["type"],
        "event": name if is_event else None,
        "userId": call.get("userId"),
        "anonymousId": call.get("anonymousId"),
        "account": None if name in _BEFORE_THE_GROUP else "acme",
        content: call.get(content, {}) | parts,
    }


def in_order(calls: list[Call]) -> list[Call]:
    """Calls in an order that is not that of their arrival."""
    return sorted(calls, key=lambda call: (call["type"], call["event"] or ""))


def told_by(call: Call, wanted: Mapping[str, Any]) -> Call:
    """Of a call what is wanted to be known, the whole of it."""
    return {name: call[name] for name in wanted}
