"""What the schemas of answers are made of. Times are ISO 8601 in UTC with milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from operator import attrgetter
from typing import Any, ClassVar

from marshmallow import Schema, fields, missing

from ...model import JSON, id_of, iso, kind_of

Read = Callable[[Any], Any]
"""From a record to a value; ``missing`` for one that is left out."""

Convert = Callable[[Any], Any]
"""From a value to its form in JSON."""

_WITHOUT_ATTRIBUTE = (fields.Function, fields.Constant)


class AnswerSchema(Schema):
    """Reads attributes, by dotted names. Raises AttributeError for one that is missing.

    It runs no hooks. What the fields are is looked up once, not for each record. All values are
    read at once, and only those are converted that are not in their form already, so that a page is
    made in a quarter of the time.
    """

    OMITTED_IF_NONE: ClassVar[frozenset[str]] = frozenset()
    OMITTED: ClassVar[frozenset[str]] = frozenset()
    """Attributes that a ``reader`` of a subclass leaves out of some records."""

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """A record as JSON, or each of many."""
        is_many = self.many if many is None else many
        return list(map(self.record, obj)) if is_many else self.record(obj)

    def record(self, obj: Any) -> dict[str, JSON]:
        """A record as JSON."""
        found = dict(zip(self._keys, self._values(obj), strict=True))
        for key, convert in self._conversions:
            if (value := found[key]) is not None and value is not missing:
                found[key] = convert(value)
        for key, left_out in self._omitted:
            if found[key] in left_out:
                del found[key]
        return found

    def path_of(self, attribute: str) -> str:
        """The dotted names of an attribute in a record."""
        return attribute

    def reader(self, attribute: str) -> Read | None:  # noqa: ARG002 - for subclasses
        """What reads an attribute, if it is not read by its names."""
        return None

    def always(self) -> list[str]:
        """The keys in JSON that every record has."""
        sometimes = self.OMITTED_IF_NONE | self.OMITTED
        found = self.dump_fields.items()
        return [f.data_key or name for name, f in found if (f.attribute or name) not in sometimes]

    @cached_property
    def _keys(self) -> list[str]:
        return [field.data_key or name for name, field in self.dump_fields.items()]

    @cached_property
    def _omitted(self) -> list[tuple[str, tuple[object, ...]]]:
        """The keys that some records do not have, and the values that stand for that."""
        found = zip(self._keys, self.dump_fields.items(), strict=True)
        named = [(key, field.attribute or name) for key, (name, field) in found]
        if_none = [(key, (None, missing)) for key, name in named if name in self.OMITTED_IF_NONE]
        others = self.OMITTED - self.OMITTED_IF_NONE
        return if_none + [(key, (missing,)) for key, name in named if name in others]

    @cached_property
    def _values(self) -> Callable[[Any], Any]:
        """What reads the values of a record, in the order of the keys."""
        reads = [self._read(name, field) for name, field in self.dump_fields.items()]
        paths = [read for read in reads if isinstance(read, str)]
        if len(paths) == len(reads) > 1:
            return attrgetter(*paths)
        read_each = [attrgetter(read) if isinstance(read, str) else read for read in reads]
        return lambda obj: [read(obj) for read in read_each]

    def _read(self, name: str, field: fields.Field[Any]) -> str | Read:
        """The path of a field, or what reads its value."""
        if isinstance(field, _WITHOUT_ATTRIBUTE):
            serialize = _serialize(field)
            return lambda obj: serialize(None, name, obj)
        attribute = field.attribute or name
        return self.reader(attribute) or self.path_of(attribute)

    @cached_property
    def _conversions(self) -> list[tuple[str, Convert]]:
        found = zip(self._keys, map(_conversion, self.dump_fields.values()), strict=True)
        return [(key, convert) for key, convert in found if convert is not None]


def _conversion(field: fields.Field[Any]) -> Convert | None:
    """What converts the values of a field; None if they are in their form already."""
    if not isinstance(field, fields.List):
        return _of_values(field)
    convert = _conversion(field.inner)
    return None if convert is None else lambda values: list(map(convert, values))


def _of_values(field: fields.Field[Any]) -> Convert | None:
    if isinstance(field, DescribedField):
        return field.convert if type(field).convert is not DescribedField.convert else None
    if isinstance(field, _WITHOUT_ATTRIBUTE) or _sort(field) in _SHOWN_AS_THEY_ARE:
        return None
    if isinstance(field, fields.Nested):
        return _of_nested(field.schema)
    if isinstance(field, fields.Integer):
        return int
    serialize = _serialize(field)
    return lambda value: serialize(value, "", None)


def _of_nested(schema: Any) -> Convert:
    return (lambda values: schema.dump(values, many=True)) if schema.many else schema.record


def _serialize(field: fields.Field[Any]) -> Callable[[Any, str, Any], Any]:
    """What makes the value of a field, given another value, its key and the record."""
    found: Callable[[Any, str, Any], Any] = field._serialize  # noqa: SLF001 - each sort has its own
    return found


def _sort(field: fields.Field[Any]) -> Any:
    return type(field)._serialize  # noqa: SLF001 - as above


_SHOWN_AS_THEY_ARE = (_sort(fields.Raw()), _sort(fields.String()))


class DescribedField(fields.Field[Any]):
    """A field that says what its values are in JSON Schema."""

    json_schema: ClassVar[dict[str, JSON]] = {}

    def convert(self, value: Any) -> Any:
        """The form of a value that is not None."""
        return value


class Time(DescribedField):
    """A time in ms as text."""

    json_schema: ClassVar = {"type": "string", "format": "date-time"}

    def convert(self, value: Any) -> Any:
        return iso(value)


class SubjectKey(DescribedField):
    """A subject key as an object: ``{"kind": "user", "id": "u1"}``."""

    json_schema: ClassVar = {
        "type": "object",
        "required": ["kind", "id"],
        "properties": {
            "kind": {"type": "string", "enum": ["user", "account", "anonymous"]},
            "id": {"type": "string"},
        },
    }

    def convert(self, value: Any) -> Any:
        return {"kind": kind_of(value) or "anonymous", "id": id_of(value)}


class SubjectId(DescribedField):
    """The id in a subject key."""

    json_schema: ClassVar = {"type": "string"}

    def convert(self, value: Any) -> Any:
        return id_of(value)


class Counts(DescribedField):
    """Numbers by name, in the order of the names, without zeros."""

    json_schema: ClassVar = {"type": "object", "additionalProperties": {"type": "integer"}}

    def convert(self, value: Any) -> Any:
        return {name: number for name, number in sorted(value.items()) if number}


class Object(DescribedField):
    """An object that is shown as it is stored."""

    json_schema: ClassVar = {"type": "object"}


class Objects(DescribedField):
    """A list of objects that are shown as they are stored."""

    json_schema: ClassVar = {"type": "array", "items": {"type": "object"}}
