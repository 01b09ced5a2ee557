"""Amplitude: the files of the Export API.

{"event_type": "Signed up", "user_id": "u1", "device_id": "d1", "$insert_id": "i1",
 "event_time": "2026-03-01 10:00:00.000000", "event_properties": {"plan": "free"},
 "user_properties": {"plan": "free"}, "groups": {"company": ["acme"]}, "uuid": "…"}
"""

from __future__ import annotations

from ..model import JSON
from .format import (
    Event,
    Options,
    Record,
    Snapshots,
    from_epoch,
    object_in,
    own_id,
    without_blanks,
)
from .groups import Accounts

_VIEWS = {
    "[Amplitude] Page Viewed": "page",
    "[Amplitude] Screen Viewed": "screen",
}
_UNKNOWN = "EMPTY"


class Amplitude:
    """Each record has all properties of its user: one that changes them is an identify call too."""

    name = "amplitude"
    keys = (
        "event_type", "user_id", "device_id", "event_time", "$insert_id or uuid",
        "event_properties", "user_properties", "groups", "group_properties",
    )  # fmt: skip

    def __init__(self, options: Options) -> None:
        self._group = options.group
        self._accounts = Accounts(options.group)
        self._users, self._groups = Snapshots(), Snapshots()

    def fits(self, record: Record) -> bool:
        return "event_type" in record and ("user_id" in record or "device_id" in record)

    def events(self, record: Record) -> list[Event]:
        mid = record.get("$insert_id") or record.get("insert_id") or record.get("uuid")
        base: Event = {
            "messageId": mid,
            "timestamp": from_epoch(record.get("event_time"), "event_time"),
            "userId": record.get("user_id"),
            "anonymousId": record.get("device_id"),
        }
        account = self._accounts.among(object_in(record, "groups"))
        found = [without_blanks({**base, **call}) for call in self._calls(record, mid, account)]
        return found or [without_blanks({**base, "type": "identify"})]

    def doubts(self) -> list[str]:
        return self._accounts.doubts()

    def _calls(self, record: Record, mid: JSON, account: JSON) -> list[Event]:
        """What a record says: an event, and the properties of user and account if they changed."""
        name, calls = record.get("event_type"), []
        if name == "$groupidentify":
            return self._group_calls(record, account, mid)
        if name != "$identify":
            calls.append(_event(name, object_in(record, "event_properties"), account))
        traits = _known(object_in(record, "user_properties"))
        who = record.get("user_id") or record.get("device_id")
        if traits and self._users.is_new(who, traits):
            own = mid if name == "$identify" else own_id(mid, "user")
            calls.append({"type": "identify", "traits": traits, "messageId": own})
        return calls + self._group_calls(record, account, own_id(mid, "group"))

    def _group_calls(self, record: Record, account: JSON, mid: JSON) -> list[Event]:
        """The properties of the account, which are under its type and its name."""
        if account in (None, ""):
            return []
        types = object_in(record, "group_properties")
        found = [named for type_, named in types.items() if self._group in (None, type_)]
        traits = next((named.get(str(account)) for named in found if isinstance(named, dict)), None)
        if not isinstance(traits, dict) or not self._groups.is_new(account, traits):
            return []
        return [{"type": "group", "groupId": account, "traits": traits, "messageId": mid}]


def _known(traits: Record) -> dict[str, JSON]:
    """Without what Amplitude's own SDK does not know, such as the campaign of a first visit."""
    return {name: value for name, value in traits.items() if value != _UNKNOWN}


def _event(name: JSON, properties: Record, account: JSON) -> Event:
    type_ = _VIEWS.get(str(name), "track")
    event: Event = {"type": type_, "properties": dict(properties), "groupId": account}
    if type_ == "track":
        event["event"] = name
    else:
        title = properties.get("[Amplitude] Page Title")
        event["name"] = title or properties.get("[Amplitude] Screen Name")
    return event
