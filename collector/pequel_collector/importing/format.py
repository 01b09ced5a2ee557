"""What a format of logs is, and what several formats need."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from hashlib import blake2b
from math import isfinite
from typing import Protocol

from ..model import JSON, iso
from .line import BadLine

Record = Mapping[str, JSON]
"""The object on a line."""

Event = dict[str, JSON]
"""A message in Segment's form, as it would come over HTTP."""

FIRST_MILLISECONDS = 100_000_000_000
"""Numbers from here on are milliseconds: as seconds, they would be after the year 5138."""

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_LAST = 253_402_300_799_999
_REMEMBERED = 50_000


@dataclass(frozen=True, slots=True)
class Options:
    """What a log does not say about itself, and the user has to.

    ``group`` is the type of group, or the key, that names the account. ``table`` is the type of the
    calls of a warehouse table. ``zone`` is the time zone of times that have none.
    """

    group: str | None = None
    table: str | None = None
    zone: tzinfo = timezone.utc


class Format(Protocol):
    """How one product writes its logs."""

    @property
    def name(self) -> str:
        """What the user calls it."""

    @property
    def keys(self) -> Sequence[str]:
        """The keys that are read, as people write them: ``properties.time``."""

    def fits(self, record: Record) -> bool:
        """Whether an object is an event in this format."""

    def events(self, record: Record) -> list[Event]:
        """The messages of an object, at least one. Raises BadLine."""

    def doubts(self) -> Sequence[str]:
        """What of the options was in no object so far, and what was left out, in sentences."""


def from_milliseconds(number: float, field: str) -> str:
    """A time in ms since 1970 as text. Raises BadLine."""
    if not isfinite(number) or not 0 <= number <= _LAST:
        raise BadLine("bad_timestamp", f"{field}: found {number}, expected a time from 1970 on")
    return iso(int(number))


def from_epoch(value: JSON, field: str) -> JSON:
    """A time as text, if it is a number: seconds, or milliseconds from 100,000,000,000 on."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return from_milliseconds(value if value >= FIRST_MILLISECONDS else value * 1000, field)


def number_of(value: JSON, field: str) -> float:
    """A number, which may be text, as in CSV. Raises BadLine."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return int(value) if isinstance(value, str) and value.isdigit() else float(value)
    except (TypeError, ValueError, OverflowError):
        found = type(value).__name__
        raise BadLine("bad_timestamp", f"{field}: found {found}, expected a number") from None


def in_zone(seconds: float, zone: tzinfo, field: str) -> str:
    """A time as text, of seconds since 1970 that a clock in a zone showed. Raises BadLine."""
    from_milliseconds(seconds * 1000, field)
    shown = _EPOCH + timedelta(seconds=seconds)
    return iso(round((shown.replace(tzinfo=zone) - _EPOCH).total_seconds() * 1000))


def object_in(record: Record, field: str) -> dict[str, JSON]:
    """An object under a key, which may be written as text; empty if missing. Raises BadLine."""
    value = record.get(field)
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.strip() else None
        except (ValueError, RecursionError) as error:
            raise BadLine("bad_value", f"{field}: not JSON: {error}") from None
    if value is None:
        return {}
    if not isinstance(value, dict):
        found = type(value).__name__
        raise BadLine("bad_value", f"{field}: found {found}, expected an object")
    return value


def without_blanks(event: Event) -> Event:
    """A message without keys that say nothing."""
    return {name: value for name, value in event.items() if value not in (None, "", {})}


def own_id(mid: JSON, what: str) -> JSON:
    """An id for a second message of a record, from the id of the first; None without one."""
    return None if mid in (None, "") else f"{mid}:{what}"


class Snapshots:
    """The traits of each user as they were last, to find the records in which they change.

    Of some users that were not seen for long, they are forgotten, and count as changed.
    """

    def __init__(self) -> None:
        self._seen: OrderedDict[str, bytes] = OrderedDict()

    def is_new(self, who: JSON, traits: Record) -> bool:
        """Whether a user's traits differ from the last time."""
        text = json.dumps(traits, sort_keys=True)
        digest = blake2b(text.encode(), digest_size=12).digest()
        same = self._seen.pop(str(who), None) == digest
        self._seen[str(who)] = digest
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return not same


class Known:
    """Ids that were seen. Those that were not seen for long are forgotten."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, None] = OrderedDict()

    def add(self, id_: JSON) -> None:
        """Remember an id; anything but text is none."""
        if isinstance(id_, str) and id_:
            self._seen[id_] = None
            self._seen.move_to_end(id_)
            if len(self._seen) > _REMEMBERED:
                self._seen.popitem(last=False)

    def __contains__(self, id_: object) -> bool:
        return isinstance(id_, str) and id_ in self._seen
