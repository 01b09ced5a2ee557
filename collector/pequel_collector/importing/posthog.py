"""PostHog: batch exports and the events API, as JSON or CSV.

    {"uuid": "0190…", "event": "$pageview", "distinct_id": "u1", "timestamp": "2026-03-01 10:00:00",
     "properties": {"$device_id": "d1", "$groups": {"company": "acme"}, "$set": {"plan": "free"}}}

The events API and its CSV call the ``uuid`` of an event ``id``. ``properties`` may be text. Their
own columns ``set`` and ``set_once``, as BigQuery has them, are read too.
"""

from __future__ import annotations

from ..model import JSON
from .format import Event, Options, Record, object_in, own_id, without_blanks
from .groups import Accounts

_VIEWS = {"$pageview": "page", "$screen": "screen"}
_ALIASES = ("$create_alias", "$merge_dangerously")
_OWN = {"$set", "$set_once", "$unset", "$groups", "distinct_id", "token", "$insert_id"}


class PostHog:
    """The account of an event is its group; with several types of group, that of ``--group``."""

    name = "posthog"
    keys = (
        "event", "distinct_id", "uuid or id", "timestamp", "properties", "properties.$groups",
        "properties.$set", "properties.$device_id", "properties.$anon_distinct_id",
    )  # fmt: skip

    def __init__(self, options: Options) -> None:
        self._group = options.group
        self._accounts = Accounts(options.group)

    def fits(self, record: Record) -> bool:
        return "event" in record and "distinct_id" in record and "timestamp" in record

    def events(self, record: Record) -> list[Event]:
        properties = object_in(record, "properties")
        name, mid = record.get("event"), _message_id(record, properties)
        user, visitor = _who(record.get("distinct_id"), properties)
        base: Event = {
            "messageId": mid,
            "timestamp": record.get("timestamp"),
            "userId": user,
            "anonymousId": visitor,
        }
        traits = _set(record, properties)
        if name == "$groupidentify":
            return [self._group_call(base, properties)]
        if name in _ALIASES:
            alias = {"type": "alias", "previousId": properties.get("alias")}
            user = record.get("distinct_id")
            return [without_blanks({**base, **alias, "userId": user, "anonymousId": None})]
        if name in {"$identify", "$set"}:
            return [without_blanks({**base, "type": "identify", "traits": traits})]
        found = [without_blanks({**base, **self._content(name, properties)})]
        if traits:
            extra = {"type": "identify", "traits": traits, "messageId": own_id(mid, "set")}
            found.append(without_blanks({**base, **extra}))
        return found

    def doubts(self) -> list[str]:
        return self._accounts.doubts()

    def _content(self, name: JSON, properties: Record) -> Event:
        own = {key: value for key, value in properties.items() if key not in _OWN}
        content: Event = {
            "groupId": self._accounts.among(object_in(properties, "$groups")),
            "properties": own,
            "type": _VIEWS.get(str(name), "track"),
        }
        match content["type"]:
            case "track":
                content["event"] = name
            case "screen":
                content["name"] = properties.get("$screen_name")
            case _:
                content["name"] = properties.get("title")
        return content

    def _group_call(self, base: Event, properties: Record) -> Event:
        """The traits of an account. Of a group of another type it is an event like others."""
        type_, key = properties.get("$group_type"), properties.get("$group_key")
        self._accounts.note([type_] if isinstance(type_, str) else ())
        if self._group is not None and type_ != self._group:
            own = {"$group_type": type_, "$group_key": key}
            return without_blanks(
                {**base, "type": "track", "event": "$groupidentify", "properties": own}
            )
        traits = object_in(properties, "$group_set")
        return without_blanks({**base, "type": "group", "groupId": key, "traits": traits})


def _message_id(record: Record, properties: Record) -> JSON:
    """The id of an event, which is one in all exports. A number is that of a row."""
    id_ = record.get("id")
    is_own = isinstance(id_, str) and not id_.strip().isdigit()
    return record.get("uuid") or (id_ if is_own else None) or properties.get("$insert_id")


def _who(distinct: JSON, properties: Record) -> tuple[JSON, JSON]:
    """The user id and the anonymous id of an event.

    Until somebody is identified, PostHog's ``distinct_id`` is the id of the device, or the event
    says so. ``$identify`` has both ids.
    """
    anonymous = properties.get("$anon_distinct_id")
    if anonymous not in (None, "", distinct):
        return distinct, anonymous
    device, user = properties.get("$device_id"), properties.get("$user_id")
    if user not in (None, "", device):
        return user, device
    if _is_visitor(distinct, device, properties):
        return None, distinct
    return distinct, device if properties.get("$is_identified") is True else None


def _is_visitor(distinct: JSON, device: JSON, properties: Record) -> bool:
    """Whether the ``distinct_id`` of an event is that of a device or of a session.

    In a browser, ``$process_person_profile`` is false until the visitor is identified. On a server,
    which has no device, it only saves the profile of a user.
    """
    identified = properties.get("$is_identified")
    if identified is False or properties.get("$cookieless_mode") is True:
        return True
    if device in (None, ""):
        return False
    has_no_profile = properties.get("$process_person_profile") is False
    return distinct == device or (has_no_profile and identified is not True)


def _set(record: Record, properties: Record) -> dict[str, JSON]:
    """The traits that an event sets: those of ``$set`` win over those of ``$set_once``."""
    once = object_in(record, "set_once") | object_in(properties, "$set_once")
    traits = once | object_in(record, "set") | object_in(properties, "$set")
    gone = properties.get("$unset")
    names = gone if isinstance(gone, list) else []
    return traits | {name: None for name in names if isinstance(name, str)}
