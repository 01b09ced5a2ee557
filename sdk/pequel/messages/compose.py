"""From the arguments of a call to a message: which fields it has, and their types."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timezone
from decimal import Decimal
from enum import Enum
from typing import TYPE_CHECKING

from pequel.messages import iso8601
from pequel.messages.encode import is_text_like, mapping_to_dict, to_json_type
from pequel.messages.library import context_first

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeAlias, TypeGuard
    from uuid import UUID

    Id: TypeAlias = str | int | UUID
    Data: TypeAlias = Mapping[str, Any]
    Timestamp: TypeAlias = date | str

_HINT = ": give its id, as text"
REQUIRED = {"track": "event", "group": "groupId", "alias": "previousId"}


class InvalidMessageError(ValueError):
    """A message cannot be made: `field` is at fault, `detail` says why."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field
        self.detail = detail


def compose(
    kind: str, fields: Iterable[tuple[str, object]], now_ms: int, new_id: Callable[[int], str]
) -> dict[str, object]:
    """A message of this type, from the fields of a call.

    Leaves out fields without a value, and adds the time and the id if they are missing. Does not
    look at the values inside properties, traits and context.

    Raises:
        InvalidMessageError: a required field is missing, or a field has the wrong type.
    """
    message: dict[str, object] = {"type": kind}
    for field, value in fields:
        if value is not None and (converted := CONVERTERS[field](field, value)) is not None:
            message[field] = converted
    # The collector corrects our own time by the error of this machine's clock. It does not
    # correct a time that the caller gave, which it knows by `originalTimestamp` beside it.
    now = iso8601.from_ms(now_ms)
    if message.setdefault("timestamp", now) is not now:
        message["originalTimestamp"] = now
    if "messageId" not in message:
        message["messageId"] = new_id(now_ms)
    _check_required(kind, message)
    return context_first(message) if "context" in message else message


def identifier(field: str, value: object) -> str | None:
    """An id or a name as text; None if it is absent or blank.

    Raises:
        InvalidMessageError: it is neither text nor a number.
    """
    text = value if type(value) is str else _as_text(field, value)
    return text if text is not None and text.strip() else None


def mapping(field: str, value: object) -> dict[Any, Any]:
    """Properties, traits or context as a dict. Raises InvalidMessageError for other types."""
    if type(value) is dict:
        return value
    if isinstance(value, Mapping):
        return mapping_to_dict(value)
    converted = to_json_type(value)
    if not isinstance(converted, dict):
        raise InvalidMessageError(field, f"{field} must be a mapping, not {_type_name(value)}")
    return converted


def timestamp(field: str, value: object) -> str | None:
    """A time as text in UTC; the collector checks text without an offset.

    Raises:
        InvalidMessageError: it is neither a time nor text, or out of range.
    """
    if isinstance(value, str):
        return iso8601.from_text(value) if value.strip() else None
    if not isinstance(value, date):
        raise InvalidMessageError(field, f"{field} must be a time, not {_type_name(value)}")
    try:
        return iso8601.from_datetime(_midnight(value))
    except (OverflowError, ValueError) as error:
        raise InvalidMessageError(field, f"{field} is out of range: {error}") from error


def _unchanged(_field: str, value: object) -> object:
    return value


CONVERTERS: dict[str, Callable[[str, object], object]] = {
    "userId": identifier,
    "anonymousId": identifier,
    "previousId": identifier,
    "groupId": identifier,
    "messageId": identifier,
    "event": identifier,
    "category": _unchanged,
    "name": _unchanged,
    "properties": mapping,
    "traits": mapping,
    "context": mapping,
    "integrations": mapping,
    "timestamp": timestamp,
}


def _check_required(kind: str, message: dict[str, object]) -> None:
    required = REQUIRED.get(kind)
    if required and required not in message:
        raise InvalidMessageError(required, f"{kind} needs {required}")
    if "userId" in message:
        return
    if kind == "alias":
        raise InvalidMessageError("userId", "alias needs userId")
    if "anonymousId" not in message and "groupId" not in message:
        detail = f"{kind} needs userId or anonymousId: pass one, or set one with pequel.context"
        raise InvalidMessageError("userId", detail)


def _as_text(field: str, value: object) -> str | None:
    """The text of text or a number. Other objects may all have the same text, so they raise."""
    if value is None:
        return None
    if _is_real_str(value):
        return str.__str__(value)  # not by a method of a subclass
    if isinstance(value, Enum):
        return _as_text(field, value.value)
    converted = to_json_type(value)
    if isinstance(converted, str) and _is_text(value):
        return str(converted)
    if isinstance(converted, int | float | Decimal) and not isinstance(converted, bool):
        return _digits(converted)
    no_hint = field == "event" or isinstance(converted, bool | list | tuple | dict)
    detail = f"{field} must be text or a number, not {_type_name(value)}"
    raise InvalidMessageError(field, detail if no_hint else detail + _HINT)


def _is_real_str(value: object) -> TypeGuard[str]:
    """Whether its type is str or a subclass. `isinstance` is also true for a proxy of text."""
    return issubclass(type(value), str)


def _is_text(value: object) -> bool:
    from uuid import UUID  # here, to keep the import of the package quick

    known = isinstance(value, str | bytes | bytearray | memoryview | UUID)
    return known or is_text_like(value)


def _digits(number: object) -> str | None:
    if isinstance(number, float | Decimal) and not Decimal(number).is_finite():
        return None  # NaN is how tables write an absent number
    return str(int(number) if isinstance(number, float) and number.is_integer() else number)


def _midnight(day: date) -> datetime:
    if isinstance(day, datetime):
        return day
    return datetime(day.year, day.month, day.day, tzinfo=timezone.utc)


def _type_name(value: object) -> str:
    return type(value).__name__
