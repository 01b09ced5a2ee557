"""The default format: an event table of your own, or messages in Segment's form.

A line has one of two forms: Segment's, which has a ``type``, or the common form::

    {
        "event_id": "e1",
        "user_id": "u1",
        "account_id": "acme",
        "event": "project_created",
        "timestamp": "2026-03-01T10:00:00.000Z",
        "properties": {"project_id": "p9"},
    }

A line without a ``type`` but with a name of Segment's form, such as ``userId``, is a track call. A
line may mix names of both forms; for one value under two names, Segment's name counts.
"""

from __future__ import annotations

from collections.abc import Iterable

from ..model import JSON
from .format import Event, Record, from_epoch, object_in

_MESSAGE_IDS = ("event_id", "message_id", "uuid", "insert_id", "$insert_id", "id")
_SYNONYMS = {
    **dict.fromkeys(_MESSAGE_IDS, "messageId"),
    "user_id": "userId",
    "anonymous_id": "anonymousId",
    "account_id": "groupId",
}
_SEGMENT = (
    "type", "event", "userId", "anonymousId", "groupId", "previousId", "messageId", "name",
    "category", "properties", "traits", "context", "timestamp", "originalTimestamp",
)  # fmt: skip
_IGNORED = (
    "channel", "clientIp", "integrations", "projectId", "receivedAt", "request_ip", "rudderId",
    "sentAt", "sourceId", "version", "writeKey", "_metadata",
)  # fmt: skip
_READ = frozenset((*_SEGMENT, *_IGNORED, *_SYNONYMS))
_WHO = ("userId", "user_id", "anonymousId", "anonymous_id")
_TIMES = ("timestamp", "originalTimestamp")
_OBJECTS = ("properties", "traits", "context")


class Pequel:
    """Lines of our own form and of Segment's, mixed as they like."""

    name = "pequel"
    keys = (
        "event or type", "user_id or userId", "anonymous_id or anonymousId",
        "account_id or groupId", "timestamp", "event_id or messageId", "properties", "traits",
        "context",
    )  # fmt: skip

    def fits(self, record: Record) -> bool:
        """Whether it says what happened, and to whom or when, without saying it in other words.

        An event may have no user or no time. But if it also has keys that are not read, those are
        likely the user or the time.
        """
        if not _has(record, ("event", "type")):
            return False
        who, when = _has(record, _WHO), _has(record, _TIMES)
        return (who and when) or ((who or when) and _READ.issuperset(record))

    def events(self, record: Record) -> list[Event]:
        kept = record if _is_segment(record) else _SEGMENT
        event = {name: record[name] for name in kept if name in record and name not in _SYNONYMS}
        event.pop("sentAt", None)  # no client's clock could be wrong
        if event.get("type") is None:
            event["type"] = "track"
        for own, segment in _SYNONYMS.items():
            if own in record and _is_blank(event.get(segment)) and _is_id(own, record[own]):
                event[segment] = record[own]
        for name in _TIMES:
            if name in event:
                event[name] = from_epoch(event[name], name)
        for name in _OBJECTS:
            if isinstance(event.get(name), str):  # as a cell of CSV
                event[name] = object_in(event, name)
        return [event]

    def doubts(self) -> list[str]:
        return []


def _is_segment(record: Record) -> bool:
    names = ("type", *_SYNONYMS.values())
    return any(record.get(name) is not None for name in names)


def _has(record: Record, names: Iterable[str]) -> bool:
    return any(name in record for name in names)


def _is_blank(value: JSON) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _is_id(name: str, value: JSON) -> bool:
    """Whether a value is taken as the id that its name says.

    A number under ``id`` may be the number of a row, which another table has too.
    """
    return name != "id" or (isinstance(value, str) and not value.strip().isdigit())
