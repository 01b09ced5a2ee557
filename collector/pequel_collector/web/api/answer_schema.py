"""What the schemas of answers are made of. Times are ISO 8601 in UTC with milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, lru_cache
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple

from marshmallow import Schema, fields, missing

from ...model import JSON, id_of, iso, kind_of

_getter = lru_cache(attrgetter)
_WITHOUT_ATTRIBUTE = (fields.Function, fields.Constant)


class Part(NamedTuple):
    """A field of a schema: its key in JSON, the attribute that it shows, if any, and its form."""

    key: str
    attribute: str | None
    serialize: Callable[[Any, str, Any], Any]


class AnswerSchema(Schema):
    """Reads attributes, by dotted names. Raises AttributeError for one that is missing.

    It runs no hooks. What the fields are is looked up once, not for each record, so that a page is
    made in half the time.
    """

    OMITTED_IF_NONE: ClassVar[frozenset[str]] = frozenset()

    def dump(self, obj: Any, *, many: bool | None = None) -> Any:
        """A record as JSON, or each of many."""
        is_many = self.many if many is None else many
        return [self._record(each) for each in obj] if is_many else self._record(obj)

    def _record(self, obj: Any) -> dict[str, JSON]:
        found: dict[str, JSON] = {}
        for key, attribute, serialize in self._parts:
            value = None if attribute is None else self.get_attribute(obj, attribute, missing)
            if value is not missing:
                found[key] = serialize(value, key, obj)
        return found

    @cached_property
    def _parts(self) -> list[Part]:
        return [
            Part(
                field.data_key or name,
                None if isinstance(field, _WITHOUT_ATTRIBUTE) else field.attribute or name,
                field._serialize,  # noqa: SLF001 - what each sort of field defines
            )
            for name, field in self.dump_fields.items()
        ]

    def get_attribute(self, obj: Any, attr: str, default: Any) -> Any:  # noqa: ARG002
        value = _getter(attr)(obj)
        return missing if value is None and attr in self.OMITTED_IF_NONE else value


class Time(fields.Field[Any]):
    """A time in ms as text."""

    def _serialize(self, value: Any, *_: Any, **_options: Any) -> Any:
        return None if value is None else iso(value)


class SubjectKey(fields.Field[Any]):
    """A subject key as an object: ``{"kind": "user", "id": "u1"}``."""

    def _serialize(self, value: Any, *_: Any, **_options: Any) -> Any:
        return {"kind": kind_of(value) or "anonymous", "id": id_of(value)}


class SubjectId(fields.Field[Any]):
    """The id in a subject key."""

    def _serialize(self, value: Any, *_: Any, **_options: Any) -> Any:
        return id_of(value)


class Counts(fields.Field[Any]):
    """Numbers by name, in the order of the names, without zeros."""

    def _serialize(self, value: Any, *_: Any, **_options: Any) -> Any:
        return {name: number for name, number in sorted(value.items()) if number}
