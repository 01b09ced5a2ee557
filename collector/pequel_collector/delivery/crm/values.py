"""What fields of a CRM get from a delivery: pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...model import JSON, iso
from ...rules.language.crm import FieldMap, Source, Sources
from ..records import Delivery

LONGEST = 30_000
"""Characters of a value: Salesforce takes 32,768 in its longest fields, HubSpot more."""


def values_of(fields: FieldMap, delivery: Delivery) -> dict[str, JSON]:
    """The fields that have a value. One that has none is left as it is in the CRM."""
    found = ((name, first(sources, delivery)) for name, sources in fields.items())
    return {name: value for name, value in found if value is not None}


def first(sources: Sources, delivery: Delivery) -> JSON:
    """The first value that is neither missing, null nor blank; else None."""
    for source in sources:
        value = _value(source, delivery)
        if value is not None and value != "":
            return value
    return None


def _value(source: Source, delivery: Delivery) -> JSON:
    if source.text is not None:
        return source.text
    top, *rest = source.path
    found: Any = _tops(delivery).get(top, delivery.lead.get(top))
    return _below(found, rest[0]) if rest else found


def _tops(delivery: Delivery) -> dict[str, JSON]:
    return {
        "link": delivery.link,
        "type": delivery.type,
        "timestamp": iso(delivery.at),
        "change": dict(delivery.change or {}),
    }


def _below(found: Any, path: str) -> JSON:
    """What is at a path of objects. A name with dots in it goes before the steps of a path."""
    while isinstance(found, Mapping):
        if path in found:
            value: JSON = found[path]
            return value
        step, dot, path = path.partition(".")
        if not dot:
            return None
        found = found.get(step)
    return None


def text_of(value: JSON) -> str:
    """A value as a text: lists as HubSpot separates them, objects not at all."""
    match value:
        case bool():
            return str(value).lower()
        case list():
            return ";".join(map(text_of, value))[:LONGEST]
        case dict() | None:
            return ""
        case _:
            return str(value)[:LONGEST]


def texts_of(fields: FieldMap, delivery: Delivery) -> dict[str, str]:
    """The fields that have a value, as texts."""
    found = {name: text_of(value) for name, value in values_of(fields, delivery).items()}
    return {name: text for name, text in found.items() if text}
