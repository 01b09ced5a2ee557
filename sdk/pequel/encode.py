"""Any Python value as strict JSON.

Nothing raises and nothing is lost for want of a representation:

| value | becomes |
|---|---|
| text, int, float, bool, None, dict, list, tuple | themselves |
| NaN, infinities | null |
| an int of thousands of digits | its text in base 16 |
| Decimal | a number with exactly its digits; text if beyond a double's range |
| datetime | text, UTC, milliseconds, `Z`; without a zone it is taken as UTC |
| date, time | their ISO 8601 text |
| timedelta | a number of seconds |
| UUID | its text |
| Enum | its value |
| path | its text |
| bytes | text if they are UTF-8, else base64 |
| set | a list, sorted if its elements can be |
| other mappings, sequences and views | dict, list |
| dataclass | a dict of its fields |
| numbers and arrays of other libraries | numbers, lists |
| any other object | its text, cut at 500 characters; `<Name>` if it has none of its own |
| a key that is no text | the text of what stands for it |
| a lone surrogate | U+FFFD |
| a container inside itself | `"<cycle>"` |
| a container below 64 levels | `"<too deep>"` |
"""

import binascii
import json
import operator
import os
from collections import deque
from collections.abc import Callable, Mapping, MappingView, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from json.encoder import encode_basestring

from pequel import instants

MAX_DEPTH = 64
CYCLE = "<cycle>"
TOO_DEEP = "<too deep>"
_MAX_TEXT = 500
_JSON_TYPES = (str, int, float, list, tuple, dict, type(None))


def encode(value: object) -> bytes:
    """The value as strict JSON in UTF-8. Never raises on account of the value."""
    try:
        data = _fast(value).encode()
    except Exception:  # noqa: BLE001 - whatever it is, the careful way copes with it
        return _careful(value)
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH:  # only then can it be too deep
        return _careful(value)
    return data


def plain(value: object) -> object:
    """What stands for a value in JSON, one level deep: a JSON type of Python, or a Decimal."""
    try:
        result = _convert(value)
    except Exception:  # noqa: BLE001 - it was the value's own code that failed
        return _name(value)
    return result if isinstance(result, (*_JSON_TYPES, Decimal)) else _text(value)


def _hook(value: object) -> object:
    """For the fast encoder, which can write a Decimal only where a float has its digits."""
    result = plain(value)
    return _exact(result) if isinstance(result, Decimal) else result


def _exact(value: Decimal) -> float:
    number = float(value)
    if Decimal(repr(number)) != value:
        raise ValueError("a float does not hold these digits")
    return number


def _fast_encoder() -> Callable[[object], str]:
    """The encoder of the standard library, without what it does anew at each call."""
    make = json.encoder.c_make_encoder  # type: ignore[attr-defined] # typeshed leaves it out
    if make is None:  # not on every Python
        encoder = json.JSONEncoder(
            ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_hook
        )
        return encoder.encode

    def fast(value: object) -> str:
        chunks = make({}, _hook, encode_basestring, None, ":", ",", False, False, False)(value, 0)
        return "".join(chunks)

    return fast


_fast = _fast_encoder()


def _careful(value: object) -> bytes:
    return _Writer().write(value).encode()


class _Writer:
    """Writes the JSON that the fast encoder cannot, and otherwise the same."""

    def __init__(self) -> None:
        self._above: set[int] = set()

    def write(self, value: object) -> str:
        """The JSON text of a value; of one that misbehaves, its type's name."""
        try:
            return self._write(value)
        except Exception:  # noqa: BLE001 - as above
            return encode_basestring(_name(value))

    def _write(self, value: object) -> str:
        if not isinstance(value, (*_JSON_TYPES, Decimal)):
            value = plain(value)
        if isinstance(value, dict):
            return self._inside(value, self._object)
        if isinstance(value, list | tuple):
            return self._inside(value, self._array)
        return _scalar(value)

    def _inside(self, value: object, write: Callable[..., str]) -> str:
        if id(value) in self._above:
            return encode_basestring(CYCLE)
        if len(self._above) >= MAX_DEPTH:
            return encode_basestring(TOO_DEEP)
        self._above.add(id(value))
        try:
            return write(value)
        finally:
            self._above.discard(id(value))

    def _object(self, value: dict[object, object]) -> str:
        members = {_key(key): self.write(member) for key, member in list(value.items())}
        return "{" + ",".join(f"{encode_basestring(k)}:{v}" for k, v in members.items()) + "}"

    def _array(self, value: Sequence[object]) -> str:
        return "[" + ",".join([self.write(element) for element in list(value)]) + "]"


def _scalar(value: object) -> str:
    if isinstance(value, str):
        return encode_basestring(_unicode(value))
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    if isinstance(value, int):
        return _digits(value)
    return _number(value)  # type: ignore[arg-type]


def _digits(value: int) -> str:
    try:
        return int.__repr__(value)
    except ValueError:  # Python refuses to write out more than some thousands of digits
        return encode_basestring(hex(value))


def _number(value: float | Decimal) -> str:
    if isinstance(value, float):
        return float.__repr__(value) if value - value == 0 else "null"
    if not value.is_finite():
        return "null"
    text = str(value)
    return text if abs(float(value)) != float("inf") else encode_basestring(text)


def _key(key: object) -> str:
    if not isinstance(key, str):
        key = plain(key)
    if isinstance(key, list | tuple | dict):
        key = _text(key)
    return _unicode(key) if isinstance(key, str) else _scalar(key).strip('"')


def _unicode(text: str) -> str:
    """The text with pairs of surrogates joined and lone ones replaced."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _text(value: object) -> str:
    kind = type(value)
    if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
        return _name(value)  # its own text would be its address in memory
    try:
        return str(value)[:_MAX_TEXT]
    except Exception:  # noqa: BLE001 - as above
        return _name(value)


def _name(value: object) -> str:
    return _unicode(f"<{type(value).__name__}>")


def _bytes(value: bytes | bytearray | memoryview) -> str:
    data = bytes(value)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return binascii.b2a_base64(data, newline=False).decode()


def _set(value: AbstractSet[object]) -> list[object]:
    elements = list(value)
    try:
        return sorted(elements)  # type: ignore[type-var]
    except Exception:  # noqa: BLE001 - as above
        return elements


def _fields(value: object) -> dict[str, object]:
    names: Mapping[str, object] = type(value).__dataclass_fields__  # type: ignore[attr-defined]
    return {name: getattr(value, name, None) for name in names}


def _foreign(value: object) -> object:
    """A number or an array of a library that is not imported here, by what it can do."""
    kind = type(value)
    if hasattr(kind, "tolist"):
        result = value.tolist()  # type: ignore[attr-defined]
        return result if isinstance(result, _JSON_TYPES) else _known(result)
    if hasattr(kind, "__index__"):
        return operator.index(value)  # type: ignore[arg-type]
    if hasattr(kind, "__float__"):
        return float(value)  # type: ignore[arg-type]
    return _text(value)


def _convert(value: object) -> object:
    if isinstance(value, type):
        return value.__qualname__
    if hasattr(type(value), "__dataclass_fields__"):
        return _fields(value)
    known = _known(value)
    return _foreign(value) if known is _UNKNOWN else known


_UNKNOWN = object()
_KNOWN: tuple[tuple[type | tuple[type, ...], Callable[..., object]], ...] = (
    (_JSON_TYPES, lambda value: value),
    (datetime, instants.from_datetime),
    ((date, time), lambda value: value.isoformat()),
    (timedelta, lambda value: value.total_seconds()),
    (Decimal, lambda value: value),
    (Enum, lambda value: plain(value.value)),
    (os.PathLike, lambda value: plain(os.fspath(value))),
    ((bytes, bytearray, memoryview), _bytes),
    (Mapping, dict),
    (AbstractSet, _set),
    ((Sequence, MappingView, deque), list),
)


def _known(value: object) -> object:
    for kinds, convert in _KNOWN:
        if isinstance(value, kinds):
            return convert(value)
    return _UNKNOWN
