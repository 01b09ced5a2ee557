"""Google Analytics 4: rows of the BigQuery export.

    {"event_name": "sign_up", "event_timestamp": "1772359200000000", "user_id": "u1",
     "user_pseudo_id": "1234.5678", "event_params": [
       {"key": "method", "value": {"string_value": "google"}}], "user_properties": []}

Times are microseconds. BigQuery writes whole numbers as text.
"""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

from ..model import JSON
from .format import (
    Event,
    Options,
    Record,
    Snapshots,
    from_milliseconds,
    number_of,
    own_id,
    without_blanks,
)
from .groups import Accounts
from .line import BadLine

_VIEWS = {"page_view": "page", "screen_view": "screen"}
_TITLES = {"page": "page_title", "screen": "firebase_screen"}
_IDENTITY = (
    "event_name", "event_timestamp", "user_id", "user_pseudo_id", "event_bundle_sequence_id",
    "batch_event_index", "batch_ordering_id", "batch_page_id", "event_params",
)  # fmt: skip


class Ga4:
    """The account of an event is the parameter or user property that ``--group`` names."""

    name = "ga4"
    keys = (
        "event_name", "event_timestamp", "user_id", "user_pseudo_id", "event_params",
        "user_properties",
    )  # fmt: skip

    def __init__(self, options: Options) -> None:
        self._accounts = Accounts(options.group, "parameters and properties")
        self._users = Snapshots()

    def fits(self, record: Record) -> bool:
        return "event_name" in record and "event_timestamp" in record

    def events(self, record: Record) -> list[Event]:
        properties = _pairs(record, "event_params")
        traits = _pairs(record, "user_properties")
        name, mid = record.get("event_name"), _digest(record)
        type_ = _VIEWS.get(str(name), "track")
        account = self._accounts.named_in(properties, traits)
        base: Event = {
            "timestamp": _time(record.get("event_timestamp")),
            "userId": record.get("user_id"),
            "anonymousId": record.get("user_pseudo_id"),
        }
        event: Event = {"messageId": mid, "type": type_, "properties": properties}
        event["groupId"] = account
        event["event" if type_ == "track" else "name"] = (
            name if type_ == "track" else properties.get(_TITLES[type_])
        )
        found = [without_blanks({**base, **event})]
        who = record.get("user_id") or record.get("user_pseudo_id")
        if traits and self._users.is_new(who, traits):
            call = {"type": "identify", "traits": traits, "messageId": own_id(mid, "user")}
            found.append(without_blanks({**base, **call}))
        return found

    def doubts(self) -> list[str]:
        return self._accounts.doubts()


def _time(value: JSON) -> str | None:
    if value is None:
        return None
    return from_milliseconds(number_of(value, "event_timestamp") // 1000, "event_timestamp")


def _pairs(record: Record, field: str) -> dict[str, JSON]:
    """A list of keys and values as an object. Raises BadLine."""
    pairs = record.get(field)
    if isinstance(pairs, str):
        try:
            pairs = json.loads(pairs)
        except (ValueError, RecursionError) as error:
            raise BadLine("bad_value", f"{field}: not JSON: {error}") from None
    if pairs is None:
        return {}
    if not isinstance(pairs, list):
        found = type(pairs).__name__
        raise BadLine("bad_value", f"{field}: found {found}, expected a list of keys and values")
    return {str(p["key"]): _value(p.get("value")) for p in pairs if _is_pair(p)}


def _is_pair(pair: Any) -> bool:
    return isinstance(pair, dict) and isinstance(pair.get("key"), str)


def _value(union: JSON) -> JSON:
    """The one value among those by type."""
    if not isinstance(union, dict):
        return union
    whole = union.get("int_value")
    if whole is not None:
        return int(whole) if isinstance(whole, str) and whole.lstrip("-").isdigit() else whole
    names = ("string_value", "double_value", "float_value")
    return next((union[name] for name in names if union.get(name) is not None), None)


def _digest(record: Record) -> str:
    """An id of the event, which has none: a hash of what tells events apart."""
    told = {name: record.get(name) for name in _IDENTITY}
    text = json.dumps(told, sort_keys=True)
    return "ga4-" + blake2b(text.encode(), digest_size=16).hexdigest()
