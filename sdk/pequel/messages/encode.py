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
| other mappings, sequences and views | dict, list; a mapping without what cannot be read of it |
| dataclass | a dict of its fields |
| numbers and arrays of other libraries | numbers, lists |
| what stands for text, such as a lazy translation | the text |
| any other object | its text, cut at 500 characters; `<Name>` if it has none of its own |
| a key that is no text | the text of what stands for it |
| a lone surrogate | U+FFFD |
| a container inside itself | `"<cycle>"` |
| a container below 64 levels | `"<too deep>"` |
| what comes after 20,000 elements | `"<too much>"`; 4,096 characters of text count as one more |
"""

import binascii
import json
import math
import operator
import os
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping, MappingView, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import islice
from json.encoder import encode_basestring
from typing import Any

from pequel.messages import iso8601

MAX_DEPTH = 64
MAX_ELEMENTS = 20_000  # more than the 32,768 bytes hold that a collector takes
CYCLE = "<cycle>"
TOO_DEEP = "<too deep>"
TOO_MUCH = "<too much>"
_MAX_TEXT = 500
_TEXT_PER_ELEMENT = 4096
_FEW, _LEVELS = 32, 3
_JSON_TYPES = (str, int, float, list, tuple, dict, type(None))
_CONTAINERS = (dict, list, tuple)
_EXACT = frozenset((*_JSON_TYPES, bool, Decimal))
_SCALARS = frozenset((str, int, float, bool, type(None), Decimal, datetime, date))
_ITEMS = (dict.items, OrderedDict.items)


class _TooMuchError(Exception):
    """There is more than the fast encoder should be let loose on."""


def encode(value: object) -> bytes:
    """The value as strict JSON in UTF-8. Never raises on account of the value."""
    try:
        if _is_small(value, _LEVELS):
            return "".join(_encode_small(value, 0)).encode()
        data = "".join(_encoder(_Allowance(value).hook, {})(value, 0)).encode()
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
    return result if issubclass(type(result), (*_JSON_TYPES, Decimal)) else _text(value)


def members(value: Mapping[Any, Any]) -> dict[Any, Any]:
    """A mapping as a dict, without what cannot be read of it, nor more than could be written."""
    if issubclass(type(value), dict):
        return dict(_pairs(value, MAX_ELEMENTS + 1))  # type: ignore[arg-type]
    found: dict[Any, Any] = {}
    with suppress(Exception):  # it is the value's own code that fails
        for key in islice(value, MAX_ELEMENTS + 1):
            with suppress(Exception):
                found[key] = value[key]
    return found


def stands_for_text(value: object) -> bool:
    """Whether it has what only text has, such as a lazy translation."""
    return hasattr(type(value), "isidentifier")


def _is_small(value: object, levels: int) -> bool:
    """Whether it is a dict or a list of few elements, on few levels, as most messages are."""
    kind = type(value)
    if (kind is not dict and kind is not list) or len(value) > _FEW:  # type: ignore[arg-type]
        return False
    found: Any = value.values() if kind is dict else value  # type: ignore[attr-defined]
    for one in found:
        if (
            type(one) not in _SCALARS
            and isinstance(one, _CONTAINERS)
            and not (levels and _is_small(one, levels - 1))
        ):
            return False
    return levels > 1 or not _is_long(found)


def _is_long(elements: Iterable[object]) -> bool:
    """Whether one is a text that, written as often as a shared part occurs, would be too much."""
    return any(type(one) is str and len(one) > _TEXT_PER_ELEMENT for one in elements)


def _small_hook(value: object) -> object:
    """What stands for a value, in what is small itself. Raises _TooMuchError."""
    result = _hook(value)
    if isinstance(result, _CONTAINERS) and not _is_flat(result):
        raise _TooMuchError
    return result


def _is_flat(value: Any) -> bool:
    elements = value.values() if type(value) is dict else value
    return len(value) <= _FEW and _SCALARS.issuperset(map(type, elements))


class _Allowance:
    """Keeps the fast encoder from more elements than an event may have."""

    def __init__(self, value: object) -> None:
        self._left = MAX_ELEMENTS
        self._spend(value)

    def hook(self, value: object) -> object:
        """What stands for a value. Raises _TooMuchError."""
        result = _hook(value)
        if not isinstance(result, str | int | float):
            self._spend(result)
        return result

    def _spend(self, value: object) -> None:
        """Count what is in the containers that the encoder itself looks into, as often as it is."""
        within = [value]
        while within:
            found = _inner(within.pop())
            self._left -= len(found)
            if self._left >= 0:
                texts = sum(len(one) for one in found if type(one) is str)
                self._left -= texts // _TEXT_PER_ELEMENT
            if self._left < 0:
                raise _TooMuchError
            within += [one for one in found if type(one) not in _SCALARS]


def _inner(value: object) -> Sequence[object]:
    kind = type(value)
    if issubclass(kind, list | tuple):
        return value  # type: ignore[return-value]
    if not issubclass(kind, dict):
        return ()
    if kind.items not in _ITEMS:
        raise _TooMuchError  # there may be any number of them
    return list(dict.values(value))  # type: ignore[arg-type]


def _hook(value: object) -> object:
    """For the fast encoder, which can write a Decimal only where a float has its digits."""
    result = plain(value)
    return _exact(result) if isinstance(result, Decimal) else result


def _exact(value: Decimal) -> float:
    number = float(value)
    if Decimal(repr(number)) != value:
        raise ValueError("a float does not hold these digits")
    return number


def _encoder(hook: Callable[[object], object], above: dict[int, object] | None) -> Any:
    """The encoder of the standard library, without what it does anew at each call.

    Args:
        hook: gives what stands for a value that is not known to it.
        above: where it keeps what it is inside of; None where there can be no cycle.
    """
    make = json.encoder.c_make_encoder  # type: ignore[attr-defined] # typeshed leaves it out
    if make is None:  # not on every Python
        return _slow_encoder(hook)
    return make(above, hook, encode_basestring, None, ":", ",", False, False, False)


def _slow_encoder(hook: Callable[[object], object]) -> Callable[[object, int], str]:
    encoder = json.JSONEncoder(
        ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=hook
    )
    return lambda value, _level: encoder.encode(value)


_encode_small = _encoder(_small_hook, None)


def _careful(value: object) -> bytes:
    return _Writer().write(value).encode()


class _Writer:
    """Writes the JSON that the fast encoder cannot, and otherwise the same."""

    def __init__(self) -> None:
        self._above: set[int] = set()
        self._left = MAX_ELEMENTS

    def write(self, value: object) -> str:
        """The JSON text of a value; of one that misbehaves, its type's name."""
        try:
            return self._write(value)
        except Exception:  # noqa: BLE001 - as above
            return encode_basestring(_name(value))

    def _write(self, value: object) -> str:
        stands = value if type(value) in _EXACT else plain(value)
        if isinstance(stands, dict):
            return self._inside(value, stands, self._object)
        if isinstance(stands, list | tuple):
            return self._inside(value, stands, self._array)
        return self._scalar(stands)

    def _inside(self, value: object, stands: object, write: Callable[..., str]) -> str:
        if id(value) in self._above:
            return encode_basestring(CYCLE)
        if len(self._above) >= MAX_DEPTH:
            return encode_basestring(TOO_DEEP)
        self._above.add(id(value))
        try:
            return write(stands)
        finally:
            self._above.discard(id(value))

    def _object(self, value: dict[object, object]) -> str:
        written: dict[str, str] = {}
        for key, member in _pairs(value, self._left + 1):
            written[_key(key)] = self._element(member)
            if self._left < 0:
                break
        return "{" + ",".join(f"{encode_basestring(k)}:{v}" for k, v in written.items()) + "}"

    def _array(self, value: Sequence[object]) -> str:
        written: list[str] = []
        for element in list(islice(value, self._left + 1)):
            written.append(self._element(element))
            if self._left < 0:
                break
        return "[" + ",".join(written) + "]"

    def _element(self, value: object) -> str:
        """An element, or what is in place of it and of all that would come after it."""
        self._left -= 1
        return self.write(value) if self._left >= 0 else encode_basestring(TOO_MUCH)

    def _scalar(self, value: object) -> str:
        if isinstance(value, str):
            self._left -= len(value) // _TEXT_PER_ELEMENT
            value = value if self._left >= 0 else TOO_MUCH
        return _scalar(value)


def _pairs(value: dict[object, object], most: int) -> list[tuple[object, object]]:
    """The items of a dict, also if its own class cannot tell them."""
    try:
        return [(key, member) for key, member in list(islice(value.items(), most))]
    except Exception:  # noqa: BLE001 - as above
        return list(islice(dict.items(value), most))


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
        return float.__repr__(value) if math.isfinite(value) else "null"
    if not value.is_finite():
        return "null"
    text = str(value)
    return text if abs(float(value)) != float("inf") else encode_basestring(text)


def _key(key: object) -> str:
    if type(key) not in _EXACT:
        key = plain(key)
    if isinstance(key, list | tuple | dict):
        key = _text(key)
    return _unicode(key) if isinstance(key, str) else _scalar(key).strip('"')


def _unicode(text: str) -> str:
    """The text with pairs of surrogates joined and lone ones replaced."""
    text = str.__str__(text)
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


def _some(value: Any) -> list[object]:
    """As many elements as there are said to be, but not many more than could be written."""
    return list(islice(value, min(len(value), MAX_ELEMENTS + 1)))


def _really(value: object) -> object:
    """The value; for a proxy, which only says that it is of such a type, what is behind it."""
    if issubclass(type(value), _JSON_TYPES):
        return value
    return next(make(value) for kind, make in _MAKES if isinstance(value, kind))


_MAKES: tuple[tuple[type, Callable[[Any], object]], ...] = (
    (str, str),
    (bool, bool),
    (int, operator.index),
    (float, float),
    (dict, dict),
    (list, _some),
    (tuple, _some),
    (type(None), lambda _: None),
)


def _decimal(value: object) -> Decimal:
    """A Decimal of no other class, which might write itself in its own way."""
    return Decimal(value if issubclass(type(value), Decimal) else str(value))  # type: ignore[arg-type]


def _sequence(value: Any) -> object:
    return str(value) if stands_for_text(value) else _some(value)


def _set(value: AbstractSet[object]) -> list[object]:
    elements = list(islice(value, MAX_ELEMENTS + 1))
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
    if stands_for_text(value):
        return str(value)
    if hasattr(kind, "tolist"):
        if _count(value) > MAX_ELEMENTS:
            return TOO_MUCH
        result = value.tolist()  # type: ignore[attr-defined]
        return result if isinstance(result, _JSON_TYPES) else _known(result)
    if hasattr(kind, "__index__"):
        return operator.index(value)  # type: ignore[arg-type]
    if hasattr(kind, "__float__"):
        return float(value)  # type: ignore[arg-type]
    return _text(value)


def _count(array: Any) -> int:
    """The elements of an array in all its dimensions."""
    size = getattr(array, "size", None)
    return size if isinstance(size, int) else operator.length_hint(array)


def _convert(value: object) -> object:
    if isinstance(value, type):
        return value.__qualname__
    if hasattr(type(value), "__dataclass_fields__"):
        return _fields(value)
    known = _known(value)
    return _foreign(value) if known is _UNKNOWN else known


_UNKNOWN = object()
_KNOWN: tuple[tuple[type | tuple[type, ...], Callable[..., object]], ...] = (
    (_JSON_TYPES, _really),
    (datetime, iso8601.from_datetime),
    ((date, time), lambda value: value.isoformat()),
    (timedelta, lambda value: value.total_seconds()),
    (Decimal, _decimal),
    (Enum, lambda value: plain(value.value)),
    (os.PathLike, lambda value: plain(os.fspath(value))),
    ((bytes, bytearray, memoryview), _bytes),
    (Mapping, members),
    (AbstractSet, _set),
    ((Sequence, MappingView, deque), _sequence),
)


def _known(value: object) -> object:
    for kinds, convert in _KNOWN:
        if isinstance(value, kinds):
            return convert(value)
    return _UNKNOWN
