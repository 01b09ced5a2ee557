"""Segment and RudderStack: archives of messages, and rows of a warehouse.

An archive has the messages as they were sent, in camelCase. A warehouse has a table for each type
of call and for each event, in snake_case, with properties and traits as columns of their own:

    {"id": "m1", "user_id": "u1", "event": "project_created", "event_text": "Project Created",
     "timestamp": "2026-03-01 10:00:00 UTC", "project_id": "p9", "context_group_id": "acme"}
"""

from __future__ import annotations

from ..model import JSON
from .format import Event, Options, Record
from .line import BadLine
from .pequel import Pequel

_COLUMNS = frozenset(
    {
        "id", "message_id", "anonymous_id", "user_id", "group_id", "previous_id", "event",
        "event_text", "timestamp", "original_timestamp", "sent_at", "received_at", "loaded_at",
        "uuid", "uuid_ts", "channel", "name", "category", "type",
    }
)  # fmt: skip
_TABLES = ("track", "identify", "group", "page", "screen", "alias")
_WITH_TRAITS = ("identify", "group")


class Segment:
    """Messages of an archive, or rows of a warehouse."""

    keys = (
        "type", "event", "userId", "anonymousId", "groupId", "messageId", "timestamp",
        "properties", "traits", "context",
        "or of a warehouse: id", "user_id", "anonymous_id", "group_id", "event_text",
        "context_group_id",
    )  # fmt: skip

    def __init__(self, name: str, options: Options) -> None:
        self.name = name
        self._table = options.table
        self._messages = Pequel()

    def fits(self, record: Record) -> bool:
        if _is_message(record):
            named = "type" in record or "event" in record
            return named and ("userId" in record or "anonymousId" in record)
        return ("user_id" in record or "anonymous_id" in record) and "timestamp" in record

    def events(self, record: Record) -> list[Event]:
        if _is_message(record):
            return self._messages.events(record)
        return [self._row(record)]

    def doubts(self) -> list[str]:
        return []

    def _row(self, row: Record) -> Event:
        type_ = self._type(row)
        rest = {name: value for name, value in row.items() if name not in _COLUMNS}
        own = {n: v for n, v in rest.items() if not n.startswith("context_") and v is not None}
        event: Event = {
            "type": type_,
            "messageId": row.get("id") or row.get("message_id"),
            "userId": row.get("user_id"),
            "anonymousId": row.get("anonymous_id"),
            "previousId": row.get("previous_id"),
            "groupId": row.get("group_id") or row.get("context_group_id"),
            "timestamp": _time(row.get("timestamp")),
            "traits" if type_ in _WITH_TRAITS else "properties": own,
        }
        if type_ in _WITH_TRAITS and row.get("name") is not None:
            own["name"] = row["name"]
        elif type_ in {"page", "screen"}:
            event |= {"name": row.get("name"), "category": row.get("category")}
        elif type_ == "track":
            event["event"] = row.get("event_text") or row.get("event")
        return {name: value for name, value in event.items() if value is not None}

    def _type(self, row: Record) -> str:
        given = self._table or row.get("type")
        if given is not None:
            if given not in _TABLES:
                raise BadLine("unknown_type", f"type: found {given!a}, expected {_expected()}")
            return str(given)
        if row.get("event") is not None or row.get("event_text") is not None:
            return "track"
        if row.get("group_id") is not None:
            return "group"
        raise BadLine(
            "missing_field", "type: the row of a table says none, expected --table page or identify"
        )


def _is_message(record: Record) -> bool:
    return any(name in record for name in ("messageId", "userId", "anonymousId", "properties"))


def _expected() -> str:
    return ", ".join(_TABLES)


def _time(value: JSON) -> JSON:
    """A time as BigQuery writes it, in ISO 8601."""
    return value.removesuffix(" UTC") + "Z" if str(value).endswith(" UTC") else value
