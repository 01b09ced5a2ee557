"""Mixpanel: the raw event export.

    {"event": "Signed up", "properties": {"time": 1772359200, "distinct_id": "u1",
     "$insert_id": "i1", "$device_id": "d1", "$user_id": "u1", "plan": "free"}}

Times are seconds, of the clock in the project's time zone if the project is older than 2023.
"""

from __future__ import annotations

import json
from hashlib import blake2b

from ..model import JSON
from .format import (
    FIRST_MILLISECONDS,
    Event,
    Known,
    Options,
    Record,
    in_zone,
    number_of,
    object_in,
    without_blanks,
)
from .groups import Accounts
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
        self._accounts = Accounts(options.group, "properties")
        self._users, self._devices = Known(), Known()

    def fits(self, record: Record) -> bool:
        properties = record.get("properties")
        return "event" in record and isinstance(properties, dict) and "distinct_id" in properties

    def events(self, record: Record) -> list[Event]:
        properties = object_in(record, "properties")
        user, device = _who(properties)
        self._users.add(properties.get("$user_id"))
        self._devices.add(_bare(properties.get("$device_id")))
        event: Event = {
            "messageId": _message_id(record.get("event"), properties),
            "timestamp": self._time(properties.get("time")),
            "userId": user,
            "anonymousId": device,
            **self._content(record.get("event"), properties),
        }
        return [without_blanks(event)]

    def doubts(self) -> list[str]:
        return self._accounts.doubts()

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
                return self._alias(properties.get("alias"), properties.get("distinct_id"))
            case "$merge":
                return self._alias(*_pair(properties.get("$distinct_ids")))
        own = {key: value for key, value in properties.items() if key not in _OWN}
        account = self._accounts.named_in(own)
        if name == _PAGE:
            return {"type": "page", "properties": own, "groupId": account}
        return {"type": "track", "event": name, "properties": own, "groupId": account}

    def _alias(self, user: JSON, previous: JSON) -> Event:
        """Two ids of one person; the second is the earlier one, if both may be a user's."""
        if self._doubt(user) > self._doubt(previous):
            user, previous = previous, user
        if self._doubt(user) > 1:
            raise BadLine("bad_value", f"{user!a} and {previous!a} are of devices, expected a user")
        return {"type": "alias", "userId": user, "previousId": _bare(previous), "anonymousId": None}

    def _doubt(self, id_: JSON) -> int:
        """How unlikely an id is a user's, by what earlier records say of it."""
        if _is_device(id_):
            return 3
        if id_ in self._users:
            return 0
        return 2 if id_ in self._devices else 1

    def _time(self, time: JSON) -> str | None:
        if time is None:
            return None
        seconds = number_of(time, "properties.time")
        seconds = seconds / 1000 if seconds >= FIRST_MILLISECONDS else seconds
        return in_zone(seconds, self._options.zone, "properties.time")


def _message_id(name: JSON, properties: Record) -> JSON:
    """An id of what Mixpanel takes for one event: one name, time, id of a person, and insert id.

    ``distinct_id`` changes when a visitor is identified; the id before that does not.
    """
    insert_id = properties.get("$insert_id")
    if insert_id in (None, ""):
        return None
    person = properties.get("$distinct_id_before_identity") or properties.get("distinct_id")
    text = json.dumps([name, properties.get("time"), person])
    return f"{insert_id}-{blake2b(text.encode(), digest_size=6).hexdigest()}"


def _who(properties: Record) -> tuple[JSON, JSON]:
    """The user id and the anonymous id of an event.

    A project with the simplified merge of ids writes ``$device:`` before the id of a device. In
    others, an event of a device has the id of the device as ``distinct_id``.
    """
    device, user = _bare(properties.get("$device_id")), properties.get("$user_id")
    distinct = properties.get("distinct_id")
    if user in (None, "") and distinct not in (None, ""):
        if _is_device(distinct) or distinct == device:
            return None, device or _bare(distinct)
        user = distinct
    return user, device


def _pair(ids: JSON) -> tuple[JSON, JSON]:
    if not isinstance(ids, list) or len(ids) != 2:
        raise BadLine("bad_value", "properties.$distinct_ids: expected two ids")
    return ids[0], ids[1]


def _is_device(id_: JSON) -> bool:
    return isinstance(id_, str) and id_.startswith(_DEVICE)


def _bare(device: JSON) -> JSON:
    return device.removeprefix(_DEVICE) if isinstance(device, str) else device
