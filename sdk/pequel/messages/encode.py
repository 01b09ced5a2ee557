"""Any Python value as strict JSON.

Every value has a representation, and encoding never raises:

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
| other mappings, sequences and views | dict, list; members that cannot be read are left out |
| dataclass | a dict of its fields |
| numbers and arrays of other libraries | numbers, lists |
| an object that behaves like text, such as a lazy translation | the text |
| any other object | its text, cut at 500 characters; `<Name>` if its class defines none |
| a key that is not text | the text of its JSON value |
| a lone surrogate | U+FFFD |
| a container inside itself | `"<cycle>"` |
| a container below 64 levels | `"<too deep>"` |
| elements after the first 20,000 | `"<too much>"`; 4,096 characters of text count as one more |
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
MAX_ELEMENTS = 20_000  # more than fit into the 32,768 bytes that a collector accepts
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


class _TooManyError(Exception):
    """The value has too many elements for the fast encoder."""


def encode(value: object) -> bytes:
    """The value as strict JSON in UTF-8. No value makes it raise.

    Most messages are small, and go straight to the C encoder of the standard library. For larger
    ones the elements are counted first, as often as they occur. Values that the C encoder cannot
    write, or should not, are written in Python.
    """
    try:
        if _is_small(value, _LEVELS):
            return "".join(_encode_small(value, 0)).encode()
        data = "".join(_encoder(_ElementBudget(value).hook, {})(value, 0)).encode()
    except Exception:  # noqa: BLE001 - the slow encoder handles every value
        return _encode_slowly(value)
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH:  # only then can it be too deep
        return _encode_slowly(value)
    return data


def to_json_type(value: object) -> object:
    """The value as a type that JSON has, one level deep; a Decimal stays one."""
    try:
        result = _convert(value)
    except Exception:  # noqa: BLE001 - the value's own code failed
        return _type_placeholder(value)
    return result if issubclass(type(result), (*_JSON_TYPES, Decimal)) else _text(value)


def mapping_to_dict(value: Mapping[Any, Any]) -> dict[Any, Any]:
    """A mapping as a dict, without members that cannot be read, cut above MAX_ELEMENTS."""
    if issubclass(type(value), dict):
        return dict(_pairs(value, MAX_ELEMENTS + 1))  # type: ignore[arg-type]
    found: dict[Any, Any] = {}
    with suppress(Exception):  # the value's own code may fail
        for key in islice(value, MAX_ELEMENTS + 1):
            with suppress(Exception):
                found[key] = value[key]
    return found


def is_text_like(value: object) -> bool:
    """Whether its type has a method that only text has, such as a lazy translation."""
    return hasattr(type(value), "isidentifier")


def _is_small(value: object, levels: int) -> bool:
    """Whether it is a dict or a list of few elements on few levels, as most messages are."""
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
    """Whether one is a long text, which a shared part might repeat many times."""
    return any(type(one) is str and len(one) > _TEXT_PER_ELEMENT for one in elements)


def _small_hook(value: object) -> object:
    """The JSON type of a value inside a small message. Raises _TooManyError."""
    result = _hook(value)
    if isinstance(result, _CONTAINERS) and not _is_flat(result):
        raise _TooManyError
    return result


def _is_flat(value: Any) -> bool:
    elements = value.values() if type(value) is dict else value
    return len(value) <= _FEW and _SCALARS.issuperset(map(type, elements))


class _ElementBudget:
    """Stops the fast encoder at the number of elements that an event may have."""

    def __init__(self, value: object) -> None:
        self._left = MAX_ELEMENTS
        self._count_elements(value)

    def hook(self, value: object) -> object:
        """The JSON type of a value. Raises _TooManyError."""
        result = _hook(value)
        if not isinstance(result, str | int | float):
            self._count_elements(result)
        return result

    def _count_elements(self, value: object) -> None:
        """Count the elements that the encoder will visit; shared ones count each time."""
        within = [value]
        while within:
            found = _elements_of(within.pop())
            self._left -= len(found)
            if self._left >= 0:
                texts = sum(len(one) for one in found if type(one) is str)
                self._left -= texts // _TEXT_PER_ELEMENT
            if self._left < 0:
                raise _TooManyError
            within += [one for one in found if type(one) not in _SCALARS]


def _elements_of(value: object) -> Sequence[object]:
    kind = type(value)
    if issubclass(kind, list | tuple):
        return value  # type: ignore[return-value]
    if not issubclass(kind, dict):
        return ()
    if kind.items not in _ITEMS:
        raise _TooManyError  # a method of its own may yield any number
    return list(dict.values(value))  # type: ignore[arg-type]


def _hook(value: object) -> object:
    """The JSON type of a value for the fast encoder; a Decimal as the float of equal digits."""
    result = to_json_type(value)
    return _exact_float(result) if isinstance(result, Decimal) else result


def _exact_float(value: Decimal) -> float:
    number = float(value)
    if Decimal(repr(number)) != value:
        raise ValueError("a float does not hold these digits")
    return number


def _encoder(hook: Callable[[object], object], enclosing: dict[int, object] | None) -> Any:
    """The C encoder of the standard library, without the setup that it repeats at each call.

    Args:
        hook: called with a value of a type unknown to JSON; returns one to write instead.
        enclosing: the encoder's record of the containers around a value; None skips the check
            for cycles.
    """
    make = json.encoder.c_make_encoder  # type: ignore[attr-defined] # typeshed leaves it out
    if make is None:  # not on every Python
        return _slow_encoder(hook)
    return make(enclosing, hook, encode_basestring, None, ":", ",", False, False, False)


def _slow_encoder(hook: Callable[[object], object]) -> Callable[[object, int], str]:
    encoder = json.JSONEncoder(
        ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=hook
    )
    return lambda value, _level: encoder.encode(value)


_encode_small = _encoder(_small_hook, None)


def _encode_slowly(value: object) -> bytes:
    return _SlowEncoder().write(value).encode()


class _SlowEncoder:
    """Writes the same JSON as the fast encoder, for values that it cannot write."""

    def __init__(self) -> None:
        self._enclosing: set[int] = set()
        self._left = MAX_ELEMENTS

    def write(self, value: object) -> str:
        """The JSON text of a value; the name of its type if the value's own code raises."""
        try:
            return self._write(value)
        except Exception:  # noqa: BLE001 - the value's own code failed
            return encode_basestring(_type_placeholder(value))

    def _write(self, value: object) -> str:
        converted = value if type(value) in _EXACT else to_json_type(value)
        if isinstance(converted, dict):
            return self._write_container(value, converted, self._object)
        if isinstance(converted, list | tuple):
            return self._write_container(value, converted, self._array)
        return self._scalar(converted)

    def _write_container(self, value: object, converted: object, write: Callable[..., str]) -> str:
        if id(value) in self._enclosing:
            return encode_basestring(CYCLE)
        if len(self._enclosing) >= MAX_DEPTH:
            return encode_basestring(TOO_DEEP)
        self._enclosing.add(id(value))
        try:
            return write(converted)
        finally:
            self._enclosing.discard(id(value))

    def _object(self, value: dict[object, object]) -> str:
        written: dict[str, str] = {}
        for key, member in _pairs(value, self._left + 1):
            written[_key(key)] = self._write_element(member)
            if self._left < 0:
                break
        return "{" + ",".join(f"{encode_basestring(k)}:{v}" for k, v in written.items()) + "}"

    def _array(self, value: Sequence[object]) -> str:
        written: list[str] = []
        for element in list(islice(value, self._left + 1)):
            written.append(self._write_element(element))
            if self._left < 0:
                break
        return "[" + ",".join(written) + "]"

    def _write_element(self, value: object) -> str:
        """The JSON text of an element, or TOO_MUCH once the budget is spent."""
        self._left -= 1
        return self.write(value) if self._left >= 0 else encode_basestring(TOO_MUCH)

    def _scalar(self, value: object) -> str:
        if isinstance(value, str):
            self._left -= len(value) // _TEXT_PER_ELEMENT
            value = value if self._left >= 0 else TOO_MUCH
        return _scalar(value)


def _pairs(value: dict[object, object], most: int) -> list[tuple[object, object]]:
    """The items of a dict, also if the `items` of its own class fails."""
    try:
        return [(key, member) for key, member in list(islice(value.items(), most))]
    except Exception:  # noqa: BLE001 - the value's own code failed
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
    except ValueError:  # Python limits the digits of an int in decimal
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
        key = to_json_type(key)
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
        return _type_placeholder(value)  # the default text would be an address in memory
    try:
        return str(value)[:_MAX_TEXT]
    except Exception:  # noqa: BLE001 - the value's own code failed
        return _type_placeholder(value)


def _type_placeholder(value: object) -> str:
    return _unicode(f"<{type(value).__name__}>")


def _bytes(value: bytes | bytearray | memoryview) -> str:
    data = bytes(value)
    try:
        return data.decode()
    except UnicodeDecodeError:
        return binascii.b2a_base64(data, newline=False).decode()


def _first_elements(value: Any) -> list[object]:
    """The elements, at most as many as its length says, cut above MAX_ELEMENTS."""
    return list(islice(value, min(len(value), MAX_ELEMENTS + 1)))


def _builtin_of(value: object) -> object:
    """The value; for a proxy, which only claims to be of such a type, the value behind it."""
    if issubclass(type(value), _JSON_TYPES):
        return value
    return next(make(value) for kind, make in _BUILTINS if isinstance(value, kind))


_BUILTINS: tuple[tuple[type, Callable[[Any], object]], ...] = (
    (str, str),
    (bool, bool),
    (int, operator.index),
    (float, float),
    (dict, dict),
    (list, _first_elements),
    (tuple, _first_elements),
    (type(None), lambda _: None),
)


def _decimal(value: object) -> Decimal:
    """A plain Decimal; a subclass may write itself differently."""
    return Decimal(value if issubclass(type(value), Decimal) else str(value))  # type: ignore[arg-type]


def _sequence(value: Any) -> object:
    return str(value) if is_text_like(value) else _first_elements(value)


def _set(value: AbstractSet[object]) -> list[object]:
    elements = list(islice(value, MAX_ELEMENTS + 1))
    try:
        return sorted(elements)  # type: ignore[type-var]
    except Exception:  # noqa: BLE001 - the value's own code failed
        return elements


def _dataclass_fields(value: object) -> dict[str, object]:
    names: Mapping[str, object] = type(value).__dataclass_fields__  # type: ignore[attr-defined]
    return {name: getattr(value, name, None) for name in names}


def _convert_foreign(value: object) -> object:
    """A number or an array of another library, recognised by its methods."""
    kind = type(value)
    if is_text_like(value):
        return str(value)
    if hasattr(kind, "tolist"):
        if _count(value) > MAX_ELEMENTS:
            return TOO_MUCH
        result = value.tolist()  # type: ignore[attr-defined]
        return result if isinstance(result, _JSON_TYPES) else _convert_known(result)
    if hasattr(kind, "__index__"):
        return operator.index(value)  # type: ignore[arg-type]
    if hasattr(kind, "__float__"):
        return float(value)  # type: ignore[arg-type]
    return _text(value)


def _count(array: Any) -> int:
    """The number of elements of an array, in all its dimensions."""
    size = getattr(array, "size", None)
    return size if isinstance(size, int) else operator.length_hint(array)


def _convert(value: object) -> object:
    if isinstance(value, type):
        return value.__qualname__
    if hasattr(type(value), "__dataclass_fields__"):
        return _dataclass_fields(value)
    known = _convert_known(value)
    return _convert_foreign(value) if known is _NO_CONVERTER else known


_NO_CONVERTER = object()
_CONVERTERS: tuple[tuple[type | tuple[type, ...], Callable[..., object]], ...] = (
    (_JSON_TYPES, _builtin_of),
    (datetime, iso8601.from_datetime),
    ((date, time), lambda value: value.isoformat()),
    (timedelta, lambda value: value.total_seconds()),
    (Decimal, _decimal),
    (Enum, lambda value: to_json_type(value.value)),
    (os.PathLike, lambda value: to_json_type(os.fspath(value))),
    ((bytes, bytearray, memoryview), _bytes),
    (Mapping, mapping_to_dict),
    (AbstractSet, _set),
    ((Sequence, MappingView, deque), _sequence),
)


def _convert_known(value: object) -> object:
    for kinds, convert in _CONVERTERS:
        if isinstance(value, kinds):
            return convert(value)
    return _NO_CONVERTER
