"""Mixpanel: the raw event export.

    {"event": "Signed up", "properties": {"time": 1772359200, "distinct_id": "u1",
     "$insert_id": "i1", "$device_id": "d1", "$user_id": "u1", "plan": "free"}}

Times are seconds, of the clock in the project's time zone if the project is older than 2023.
"""

from __future__ import annotations

from ..model import JSON
from .format import (
    FIRST_MILLISECONDS,
    Event,
    Options,
    Record,
    in_zone,
    number_of,
    object_in,
    without_blanks,
)
from .line import BadLine

_DEVICE = "$device:"
_OWN = {"time", "distinct_id", "$insert_id", "$user_id", "$device_id", "token", "mp_api_endpoint"}
_PAGE = "$mp_web_page_view"


class Mixpanel:
    """The account of an event is the property that ``--group`` names: the group key."""

    name = "mixpanel"
    keys = (
        "event", "properties.time", "properties.distinct_id", "properties.$user_id",
        "properties.$device_id", "properties.$insert_id",
    )  # fmt: skip

    def __init__(self, options: Options) -> None:
        self._options = options

    def fits(self, record: Record) -> bool:
        properties = record.get("properties")
        return "event" in record and isinstance(properties, dict) and "distinct_id" in properties

    def events(self, record: Record) -> list[Event]:
        properties = object_in(record, "properties")
        user, device = _who(properties)
        event: Event = {
            "messageId": properties.get("$insert_id"),
            "timestamp": self._time(properties.get("time")),
            "userId": user,
            "anonymousId": device,
            **self._content(record.get("event"), properties),
        }
        return [without_blanks(event)]

    def _content(self, name: JSON, properties: Record) -> Event:
        match name:
            case "$identify":
                return {
                    "type": "identify",
                    "userId": properties.get("$identified_id") or properties.get("$user_id"),
                    "anonymousId": _bare(
                        properties.get("$anon_id") or properties.get("$device_id")
                    ),
                }
            case "$create_alias":
                return _alias(properties.get("alias"), properties.get("distinct_id"))
            case "$merge":
                return _alias(*_pair(properties.get("$distinct_ids")))
        own = {key: value for key, value in properties.items() if key not in _OWN}
        account = own.get(self._options.group) if self._options.group else None
        account = account[0] if isinstance(account, list) and account else account
        if name == _PAGE:
            return {"type": "page", "properties": own, "groupId": account}
        return {"type": "track", "event": name, "properties": own, "groupId": account}

    def _time(self, time: JSON) -> str | None:
        if time is None:
            return None
        seconds = number_of(time, "properties.time")
        seconds = seconds / 1000 if seconds >= FIRST_MILLISECONDS else seconds
        return in_zone(seconds, self._options.zone, "properties.time")


def _who(properties: Record) -> tuple[JSON, JSON]:
    """The user id and the anonymous id of an event.

    A project with the simplified merge of ids writes ``$device:`` before the id of a device. In
    others, an event of a device has the id of the device as ``distinct_id``.
    """
    device, user = _bare(properties.get("$device_id")), properties.get("$user_id")
    distinct = properties.get("distinct_id")
    if user in (None, "") and distinct not in (None, ""):
        if str(distinct).startswith(_DEVICE) or distinct == device:
            return None, device or _bare(distinct)
        user = distinct
    return user, device


def _alias(user: JSON, previous: JSON) -> Event:
    return {"type": "alias", "userId": user, "previousId": _bare(previous), "anonymousId": None}


def _pair(ids: JSON) -> tuple[JSON, JSON]:
    if not isinstance(ids, list) or len(ids) != 2:
        raise BadLine("bad_value", "properties.$distinct_ids: expected two ids")
    return ids[0], ids[1]


def _bare(device: JSON) -> JSON:
    return device.removeprefix(_DEVICE) if isinstance(device, str) else device
