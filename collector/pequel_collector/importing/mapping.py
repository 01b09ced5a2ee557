"""Any other log, by a map in TOML that says what each key is.

    event = "action"
    user_id = "actor.id"
    time = "occurred.at"
    time_format = "epoch_ms"

    [properties]
    project_id = "target.project"

A value is the path of a key, with dots and indexes. ``properties`` is a path, a table of paths by
name, or ``*``: all keys that the map does not name. ``type`` may also be a type itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timezone, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import tomllib

from ..errors import BadRequest
from ..model import JSON, iso
from .format import Event, Record, from_milliseconds, number_of, object_in, without_blanks
from .line import BadLine
from .paths import at, with_dots, without

_FIELDS = {  # what a map may name, and what it becomes
    "user_id": "userId",
    "anonymous_id": "anonymousId",
    "account_id": "groupId",
    "message_id": "messageId",
    "previous_id": "previousId",
}
_PER_SECOND = {"epoch_s": 1, "epoch_ms": 1_000, "epoch_us": 1_000_000}
_TYPES = ("track", "identify", "group", "page", "screen", "alias")
_NAMED = ("track", "page", "screen")
_WHO = ("user_id", "anonymous_id")
_OBJECTS = ("properties", "traits", "types")
_KEYS = (*_FIELDS, "event", "type", "time", "time_format", "time_zone", *_OBJECTS)

ALL = "*"
"""In place of a path: all keys that the map does not name."""


class Mapped:
    """A log whose keys a map names."""

    name = "map"

    def __init__(self, given: Mapping[str, Any], where: str = "the map") -> None:
        _check(given, where)
        self.where = where
        self._map = given
        self._time = _reader(given, where)
        self._paths = _paths(given)
        self._not_found = dict.fromkeys(self._paths)
        self.keys = tuple(sorted(set(self._paths.values())))

    def fits(self, record: Record) -> bool:
        is_named = not self._needs_event([record]) or self._has_any(record, ["event"])
        return is_named and self._has_any(record, _WHO)

    def absent(self, records: Sequence[Record]) -> str | None:
        """What no record has, though each message needs it: the key of the map and its path."""
        for names in (["event"] if self._needs_event(records) else [], _WHO):
            own = [name for name in names if name in self._paths]
            if own and not any(self._has_any(record, own) for record in records):
                told = " or ".join(self._told(name) for name in own)
                return f"{own[0]}: no record has {told}"
        return None

    def doubts(self) -> list[str]:
        absent = ", ".join(f"{name} = {self._told(name)}" for name in self._not_found)
        return [f"{self.where}: in no record: {absent}"] if absent else []

    def events(self, record: Record) -> list[Event]:
        event: Event = {
            segment: self._at(record, name)
            for name, segment in _FIELDS.items()
            if name in self._paths
        }
        event["type"] = self._type(record)
        if event["type"] in _NAMED:
            event["event" if event["type"] == "track" else "name"] = self._at(record, "event")
        for part in ("properties", "traits"):
            event[part] = self._object(record, part)
        time = self._at(record, "time")
        event["timestamp"] = None if time is None else self._time(time)
        return [without_blanks(event)]

    def _type(self, record: Record) -> str:
        """The type of call: by the value at the path ``type`` and the table ``types``."""
        if self._map.get("type") in _TYPES:
            return str(self._map["type"])
        found = self._at(record, "type")
        if found is None:
            return "track"
        type_ = self._map.get("types", {}).get(str(found), found)
        if type_ not in _TYPES:
            raise BadLine("unknown_type", f"type: found {found!a}, expected {', '.join(_TYPES)}")
        return str(type_)

    def _object(self, record: Record, part: str) -> dict[str, JSON]:
        given = self._map.get(part)
        if given is None:
            return {}
        if given == ALL:
            return without(record, set(self._paths.values()))
        if isinstance(given, str):
            return object_in({given: self._at(record, part)}, given)
        values = {name: self._at(record, f"{part}.{name}") for name in given}
        return {name: value for name, value in values.items() if value is not None}

    def _at(self, record: Record, name: str) -> JSON:
        """The value that the map names so; None if it names none."""
        path = self._paths.get(name)
        found = None if path is None else at(record, path)
        if found is not None:
            self._not_found.pop(name, None)
        return found

    def _has_any(self, record: Record, names: Sequence[str]) -> bool:
        paths = [self._paths[name] for name in names if name in self._paths]
        return any(at(record, path) is not None for path in paths)

    def _needs_event(self, records: Sequence[Record]) -> bool:
        """Whether a record is a call with a name, as far as the map can say."""
        return any(self._type_or_track(record) == "track" for record in records)

    def _type_or_track(self, record: Record) -> str:
        try:
            return self._type(record)
        except BadLine:
            return "unknown"

    def _told(self, name: str) -> str:
        part, _, inner = name.partition(".")
        return str(self._map[part][inner] if inner else self._map[part])


def read_map(text: str, where: str) -> Mapped:
    """The map in a TOML text; ``where`` is its file, for errors. Raises BadRequest."""
    try:
        given = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadRequest(f"{where} is not TOML: {error}") from None
    except RecursionError:
        raise BadRequest(f"{where} is nested too deeply, expected keys and paths") from None
    except ValueError as error:  # such as a number of thousands of digits
        raise BadRequest(f"{where} is not TOML: {str(error).partition(';')[0]}") from None
    return Mapped(given, where)


def _check(given: Mapping[str, Any], where: str) -> None:
    for name, value in given.items():
        if name not in _KEYS:
            expected = ", ".join(_KEYS)
            raise BadRequest(f"{where}: {name}: not known, expected one of {expected}")
        table = isinstance(value, dict) and name in _OBJECTS
        texts = value.values() if table else [value]
        if not all(isinstance(text, str) and text for text in texts) or (
            name == "types" and not table
        ):
            expected = "a table of paths" if name == "types" else "the path of a key"
            raise BadRequest(f"{where}: {name}: found {type(value).__name__}, expected {expected}")
    if "event" not in given and given.get("type", "track") == "track":
        raise BadRequest(f"{where}: event: not there, expected the path of the event's name")
    if "user_id" not in given and "anonymous_id" not in given:
        raise BadRequest(f"{where}: user_id: not there, expected the path of the user's id")


def _reader(given: Mapping[str, Any], where: str) -> Callable[[JSON], JSON]:
    """How a time is read."""
    form = given.get("time_format", "iso8601")
    zone = _zone(given.get("time_zone"), where)
    if form in _PER_SECOND:
        return lambda value: from_milliseconds(
            number_of(value, "time") * 1000 / _PER_SECOND[form], "time"
        )
    if form == "iso8601":
        return (lambda value: value) if zone is None else (lambda value: _in_zone(value, zone))
    if "%" not in form:
        expected = "iso8601, epoch_s, epoch_ms, epoch_us, or a pattern such as %d/%m/%Y %H:%M"
        raise BadRequest(f"{where}: time_format: found {form!a}, expected {expected}")
    if zone is None and "%z" not in form:
        raise BadRequest(
            f"{where}: time_zone: not there, expected a zone such as Europe/Berlin, because "
            "time_format has no %z"
        )
    return lambda value: _by_pattern(value, form, zone or timezone.utc)


def _zone(name: str | None, where: str) -> tzinfo | None:
    return None if name is None else zone_of(name, f"{where}: time_zone")


def zone_of(name: str, field: str) -> tzinfo:
    """The time zone of a name. Raises BadRequest."""
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError):
        raise BadRequest(
            f"{field}: found {name!a}, expected a zone, such as Europe/Berlin"
        ) from None


def _in_zone(value: JSON, zone: tzinfo) -> JSON:
    """A time in ISO 8601; without an offset, it is that of a clock in the zone."""
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return value  # it is refused later, as every other text that is no time
    found = found if found.tzinfo else found.replace(tzinfo=zone)
    return iso(round(found.timestamp() * 1000))


def _by_pattern(value: JSON, pattern: str, zone: tzinfo) -> str:
    try:
        found = datetime.strptime(str(value), pattern)  # noqa: DTZ007 - the zone follows
        found = found if found.tzinfo else found.replace(tzinfo=zone)
        return iso(round(found.timestamp() * 1000))
    except (ValueError, OverflowError):
        raise BadLine("bad_timestamp", f"time: found {value!a}, expected {pattern}") from None


def _paths(given: Mapping[str, Any]) -> dict[str, str]:
    """The paths of a map by what they are for: ``user_id``, or ``properties.plan``."""
    found: dict[str, str] = {}
    for name, value in given.items():
        if name in {"time_format", "time_zone", "types"} or value == ALL:
            continue
        if isinstance(value, dict):
            found |= {f"{name}.{inner}": path for inner, path in value.items()}
        elif name != "type" or value not in _TYPES:
            found[name] = value
    return {name: with_dots(path) for name, path in found.items()}
