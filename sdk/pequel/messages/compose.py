"""From the arguments of a call to a message of the wire; no clock, no queue, no network."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING

from pequel.messages import iso8601
from pequel.messages.encode import members, plain, stands_for_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias, TypeGuard
    from uuid import UUID

    Id: TypeAlias = str | int | UUID
    Data: TypeAlias = Mapping[str, Any]

_HINT = ": give its id, as text"
REQUIRED = {"track": "event", "group": "groupId", "alias": "previousId"}


class InvalidMessageError(ValueError):
    """A message cannot be made: the field at fault, and why."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field
        self.detail = detail


def compose(
    kind: str, fields: Mapping[str, object], now_ms: int, new_id: Callable[[int], str]
) -> dict[str, object]:
    """A message of this type, from its fields as the caller gave them.

    Fields without a value are left out; time and id are added where they are missing. Values
    inside properties, traits and context are not looked at.

    Raises:
        InvalidMessageError: something needed is missing, or of no use as what it is.
    """
    message: dict[str, object] = {"type": kind}
    for field, value in fields.items():
        read = None if value is None else READERS[field](field, value)
        if read is not None:
            message[field] = read
    # A time that the caller gives stands as it is, which both times together say; a time that
    # is only ours may be corrected by how far our clock is off.
    now = iso8601.from_ms(now_ms)
    if message.setdefault("timestamp", now) is not now:
        message["originalTimestamp"] = now
    if "messageId" not in message:
        message["messageId"] = new_id(now_ms)
    _check(kind, message)
    return message


def identifier(field: str, value: object) -> str | None:
    """An id or a name as text; None where it is absent, which blank text is too."""
    text = value if type(value) is str else _as_text(field, value)
    return text if text is not None and text.strip() else None


def mapping(field: str, value: object) -> dict[Any, Any]:
    """Properties, traits or context as a dict."""
    if type(value) is dict:
        return value
    if isinstance(value, Mapping):
        return members(value)
    found = plain(value)
    if not isinstance(found, dict):
        raise InvalidMessageError(field, f"{field} must be a mapping, not {_kind(value)}")
    return found


def moment(field: str, value: object) -> str | None:
    """A time as text, in UTC; text without an offset is passed on for the collector to judge."""
    if isinstance(value, str):
        return iso8601.from_text(value) if value.strip() else None
    if not isinstance(value, date):
        raise InvalidMessageError(field, f"{field} must be a time, not {_kind(value)}")
    try:
        return iso8601.from_datetime(_midnight(value))
    except (OverflowError, ValueError) as error:
        raise InvalidMessageError(field, f"{field} is out of range: {error}") from error


def _as_it_is(_field: str, value: object) -> object:
    return value


READERS: dict[str, Callable[[str, object], object]] = {
    "userId": identifier,
    "anonymousId": identifier,
    "previousId": identifier,
    "groupId": identifier,
    "messageId": identifier,
    "event": identifier,
    "category": _as_it_is,
    "name": _as_it_is,
    "properties": mapping,
    "traits": mapping,
    "context": mapping,
    "integrations": mapping,
    "timestamp": moment,
}


def _check(kind: str, message: dict[str, object]) -> None:
    needed = REQUIRED.get(kind)
    if needed and needed not in message:
        raise InvalidMessageError(needed, f"{kind} needs {needed}")
    if "userId" not in message and (kind == "alias" or "anonymousId" not in message):
        who = "userId or anonymousId: give one, or say in a scope who it is"
        raise InvalidMessageError("userId", f"{kind} needs {'userId' if kind == 'alias' else who}")


def _as_text(field: str, value: object) -> str | None:
    """Text from what is text or a number; any other object may say the same of all its kind."""
    if value is None:
        return None
    if _is_really_text(value):
        return str.__str__(value)  # of no other class, whose methods may be its own
    if isinstance(value, Enum):
        return _as_text(field, value.value)
    stands = plain(value)
    if isinstance(stands, str) and _is_text(value):
        return str(stands)
    if isinstance(stands, int | float | Decimal) and not isinstance(stands, bool):
        return _digits(stands)
    hint = "" if field == "event" or isinstance(stands, bool | list | tuple | dict) else _HINT
    raise InvalidMessageError(field, f"{field} must be text or a number, not {_kind(value)}{hint}")


def _is_really_text(value: object) -> TypeGuard[str]:
    """Not by a proxy, which says that it is what is behind it, and cannot be encoded so."""
    return issubclass(type(value), str)


def _is_text(value: object) -> bool:
    from uuid import UUID  # here, so that an import of the package is quick

    known = isinstance(value, str | bytes | bytearray | memoryview | UUID)
    return known or stands_for_text(value)


def _digits(number: object) -> str | None:
    if isinstance(number, float | Decimal) and not Decimal(number).is_finite():
        return None  # NaN is what tables have where a number is absent
    return str(int(number) if isinstance(number, float) and number.is_integer() else number)


def _midnight(day: date) -> datetime:
    if isinstance(day, datetime):
        return day
    return datetime(day.year, day.month, day.day, tzinfo=timezone.utc)


def _kind(value: object) -> str:
    return type(value).__name__
