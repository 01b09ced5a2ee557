"""The segments of a metric: the value of a trait, a channel, an owner, a definition."""

from __future__ import annotations

import msgspec

from ...model import JSON, is_number
from ...ports import MetricLead
from .catalogue import TRAIT
from .channels import DIRECT

Key = tuple[bool, JSON]
"""A segment that can be a key: 1 and true are different."""


def key_of(value: JSON, by: str | None) -> Key:
    """A segment as a key. Who has no channel came directly; a list or an object is its JSON."""
    if value is None and by == "channel":
        return False, DIRECT
    if isinstance(value, list | dict):
        value = msgspec.json.encode(value).decode()
    elif is_number(value) and value == int(value):
        value = int(value)
    return isinstance(value, bool), value


def trait_named(by: str | None) -> str | None:
    """The trait that makes a segment; None for a segment of another sort."""
    if by in ("plan", "country"):
        return by
    return by.removeprefix(TRAIT) if by is not None and by.startswith(TRAIT) else None


def segment_of(lead: MetricLead, by: str) -> Key:
    """The segment of a lead."""
    values = {
        "definition": lead.definition,
        "channel": lead.channel,
        "owner": lead.owner,
        "partner": lead.partner,
    }
    return key_of(values.get(by, lead.segment), by)
