"""What the schemas of answers are made of. Times are ISO 8601 in UTC with milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple

from marshmallow import Schema, fields, missing

from ...model import JSON, id_of, iso, kind_of

Read = Callable[[Any], Any]
"""From a record to a value; ``missing`` for one that is left out."""

_WITHOUT_ATTRIBUTE = (fields.Function, fields.Constant)


class Part(NamedTuple):
    """A field of a schema: its key in JSON, where its value is, and the form of the value."""

    key: str
    read: Read
    serialize: Callable[[Any, str, Any], Any]


class AnswerSchema(Schema):
    """Reads attributes, by dotted names. Raises AttributeError for one that is missing.

    It runs no hooks. What the fields are is looked up once, not for each record, so that a page is
    made in half the time.
    """

    OMITTED_IF_NONE: ClassVar[frozenset[str]] = frozenset()
    OMITTED: ClassVar[frozenset[str]] = frozenset()
    """Attributes that a ``reader`` of a subclass leaves out of some records."""

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """A record as JSON, or each of many."""
        is_many = self.many if many is None else many
        return [self._record(each) for each in obj] if is_many else self._record(obj)

    def reader(self, attribute: str) -> Read:
        """What reads an attribute of a record."""
        read = attrgetter(attribute)
        if attribute not in self.OMITTED_IF_NONE:
            return read
        return lambda obj: missing if (value := read(obj)) is None else value

    def always(self) -> list[str]:
        """The keys in JSON that every record has."""
        sometimes = self.OMITTED_IF_NONE | self.OMITTED
        found = self.dump_fields.items()
        return [f.data_key or name for name, f in found if (f.attribute or name) not in sometimes]

    def _record(self, obj: Any) -> dict[str, JSON]:
        found: dict[str, JSON] = {}
        for key, read, serialize in self._parts:
            value = read(obj)
            if value is not missing:
                found[key] = serialize(value, key, obj)
        return found

    @cached_property
    def _parts(self) -> list[Part]:
        return [self._part(name, field) for name, field in self.dump_fields.items()]

    def _part(self, name: str, field: fields.Field[Any]) -> Part:
        has_attribute = not isinstance(field, _WITHOUT_ATTRIBUTE)
        read = self.reader(field.attribute or name) if has_attribute else _nothing
        serialize = field._serialize  # noqa: SLF001 - what each sort of field defines
        return Part(field.data_key or name, read, serialize)


def _nothing(_: Any) -> None:
    """The value of a field that reads none."""


class DescribedField(fields.Field[Any]):
    """A field that says what its values are in JSON Schema."""

    json_schema: ClassVar[dict[str, JSON]] = {}


class Time(DescribedField):
    """A time in ms as text."""

    json_schema: ClassVar = {"type": "string", "format": "date-time"}

    def _serialize(self, value: Any, *_: Any, **_options: Any) -> Any:
        return None if value is None else iso(value)


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

    def _serialize(self, value: Any, *_: Any, **_options: Any) -> Any:
        return {"kind": kind_of(value) or "anonymous", "id": id_of(value)}


class SubjectId(DescribedField):
    """The id in a subject key."""

    json_schema: ClassVar = {"type": "string"}

    def _serialize(self, value: Any, *_: Any, **_options: Any) -> Any:
        return id_of(value)


class Counts(DescribedField):
    """Numbers by name, in the order of the names, without zeros."""

    json_schema: ClassVar = {"type": "object", "additionalProperties": {"type": "integer"}}

    def _serialize(self, value: Any, *_: Any, **_options: Any) -> Any:
        return {name: number for name, number in sorted(value.items()) if number}


class Object(DescribedField):
    """An object that is shown as it is stored."""

    json_schema: ClassVar = {"type": "object"}


class Objects(DescribedField):
    """A list of objects that are shown as they are stored."""

    json_schema: ClassVar = {"type": "array", "items": {"type": "object"}}
