"""OpenAPI 3.1 of an application, made from what its routes say and from the schemas they use."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from typing import Any, NamedTuple

from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from flask import Flask
from marshmallow import Schema, missing
from marshmallow.fields import Field

from ... import __version__
from ...access.keys import kinds_with
from ...model import JSON
from ..answers.answer_schema import AnswerSchema
from ..asked.arguments import MAX_LENGTH
from . import examples
from .operation import Content, Operation, operations_of

_ABOUT = """\
Ask who is a product-qualified lead, since when and why. Send events.

Each call says which kinds of API key may make it. Every error has one of two shapes: `Error`, or
`IngestError` for the calls that bring events.
"""
_TAGS = {
    "leads": "Who is a product-qualified lead, and why.",
    "users and accounts": "What is known of a user or an account, and how far it is.",
    "events": "What arrived, and what was rejected.",
    "definitions": "What qualifies a user or an account.",
    "metrics": "Shares, times, money and counts, each with its formula.",
    "sending": "Events in, as the Segment tracking API has it and as other libraries send them.",
    "operations": "Health, metrics and this description.",
}
_BEARER = {"type": "http", "scheme": "bearer", "description": "An API key."}
_BASIC = {"type": "http", "scheme": "basic", "description": "An API key as the user name."}
_SECURITY = {
    "bearer": _BEARER,
    "basic": _BASIC,
    "header": {"type": "apiKey", "in": "header", "name": "X-Write-Key"},
    "query": {"type": "apiKey", "in": "query", "name": "writeKey"},
}
_QUERY_KEYS, _WRITE_KEYS = ("bearer", "basic"), ("bearer", "basic", "header", "query")

_TEXT: JSON = {"type": "string"}
_OBJECT = ["code", "message", "details"]
_ERROR: JSON = {
    "type": "object",
    "description": "Every error of the query API.",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": _OBJECT,
            "properties": {"code": _TEXT, "message": _TEXT, "details": {"type": "object"}},
        }
    },
    "example": examples.ERROR,
}
_INGEST_ERROR: JSON = {
    "type": "object",
    "description": "Every error of a call that brings events.",
    "required": ["success", "error", "code", "message"],
    "properties": {
        "success": {"const": False},
        "error": {"type": "string", "description": "The same as the message."},
        "code": _TEXT,
        "message": _TEXT,
        "rejected": {"type": "array", "items": {"type": "object"}},
        "rejected_total": {"type": "integer"},
    },
    "example": examples.INGEST_ERROR,
}
_CURSOR: JSON = {
    "type": ["string", "null"],
    "description": "What `cursor` is for the next page; null on the last one.",
}
_METHODS_OF_FLASK = {"HEAD", "OPTIONS"}
_VARIABLE = re.compile(r"<(?:\w+:)?(\w+?)_?>")


class _Converter(OpenAPIConverter):
    """Adds what an answer always has, which examples show and which its docstring says."""

    def schema2jsonschema(self, schema: Schema) -> dict[str, Any]:
        found: dict[str, Any] = super().schema2jsonschema(schema)  # type: ignore[no-untyped-call]
        if isinstance(schema, AnswerSchema):
            found["required"] = schema.always()
            del found["additionalProperties"]  # a later release may add a field
            found["description"] = " ".join((type(schema).__doc__ or "").split())
        if example := examples.OF_SCHEMAS.get(type(schema).__name__):
            found["example"] = example
        return found


class _Plugin(MarshmallowPlugin):
    Converter = _Converter


def _of_itself(_converter: OpenAPIConverter, field: Field[Any], **_: Any) -> dict[str, Any]:
    """What a field says of its values, and that they may be null."""
    found = dict(getattr(field, "json_schema", {}))
    if found and field.allow_none:
        found["type"] = [found["type"], "null"]
    return found


class Route(NamedTuple):
    """A method of a rule of an application, and what its view says of it."""

    rule: str
    method: str
    operations: tuple[Operation, ...]

    def paths(self) -> Iterator[tuple[str, Operation]]:
        """Each path that the route serves, as OpenAPI writes it."""
        for operation in self.operations:
            yield operation.path or _VARIABLE.sub(r"{\1}", self.rule), operation


def routes(app: Flask) -> list[Route]:
    """Every route for programs, without the methods that Flask adds. Pages are for people."""
    return [
        Route(rule.rule, method, operations_of(app.view_functions[rule.endpoint]))
        for rule in sorted(app.url_map.iter_rules(), key=str)
        if not rule.endpoint.startswith("console.")
        for method in sorted((rule.methods or set()) - _METHODS_OF_FLASK)
    ]


def document(app: Flask) -> dict[str, Any]:
    """The description of an application. A route that says nothing is left out."""
    plugin = _Plugin()
    spec = APISpec("Pequel", __version__, "3.1.0", [plugin], info={"description": _ABOUT})
    if plugin.converter:
        plugin.converter.add_attribute_function(_of_itself)  # type: ignore[no-untyped-call]
    for name, scheme in _SECURITY.items():
        spec.components.security_scheme(name, scheme)
    spec.components.schema("Error", _ERROR)
    spec.components.schema("IngestError", _INGEST_ERROR)
    for name, about in _TAGS.items():
        spec.tag({"name": name, "description": about})
    for route in routes(app):
        for path, operation in route.paths():
            described = _operation(spec, route.method, path, operation)
            spec.path(path, operations={route.method.lower(): described})
    found: dict[str, Any] = spec.to_dict()
    return found


def _operation(spec: APISpec, method: str, path: str, operation: Operation) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": _identifier(method, path),
        "summary": operation.summary,
        "tags": [operation.tag],
        "parameters": [*_path_parameters(path), *_parameters(operation)],
        "responses": {
            "200": _answer(spec, operation),
            **{str(status): _error(status, operation) for status in operation.errors},
            **{str(status): _other(status, body) for status, body in operation.others.items()},
        },
    }
    if operation.scope:
        kinds = kinds_with(operation.scope)
        found["description"] = f"Kinds of key: {', '.join(kinds)}."
        names = _WRITE_KEYS if operation.is_ingest else _QUERY_KEYS
        found["security"] = [{name: [operation.scope]} for name in names]
    if operation.bodies:
        content = _contents(operation.bodies)
        found["requestBody"] = {"required": operation.needs_body, "content": content}
    return found


def _identifier(method: str, path: str) -> str:
    return "_".join((method.lower(), *re.findall(r"\w+", path)))


def _path_parameters(path: str) -> Iterator[JSON]:
    for name in re.findall(r"{(\w+)}", path):
        schema = {"type": "string", "minLength": 1}
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def _parameters(operation: Operation) -> Iterator[JSON]:
    """The query parameters: each field of the arguments has its own JSON Schema."""
    yield from operation.parameters
    if operation.arguments is None:
        return
    for name, field in operation.arguments.load_fields.items():
        schema = dict(field.json_schema)  # type: ignore[attr-defined]
        if field.load_default not in (missing, None):
            schema["default"] = field.load_default
        about = field.metadata.get("description") or field.expected  # type: ignore[attr-defined]
        yield {"name": name, "in": "query", "description": about, "schema": schema}
    if prefix := getattr(operation.arguments, "PREFIX", None):
        about = "NAME is any name; the value is text. There may be several."
        schema = {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH, "pattern": r"\S"}
        yield {"name": f"{prefix}NAME", "in": "query", "description": about, "schema": schema}


def _answer(spec: APISpec, operation: Operation) -> JSON:
    content = _contents(operation.contents)
    if operation.answer is not None:
        schema = _reference(spec, operation.answer)
        if operation.is_page:
            parts = {"data": {"type": "array", "items": schema}, "next_cursor": _CURSOR}
            schema = {
                "type": "object",
                "required": ["data", "next_cursor"],
                "properties": parts | _beside(spec, operation),
            }
        content = {"application/json": {"schema": schema}} | content
    return {"description": "What was asked for.", "content": content}


def _beside(spec: APISpec, operation: Operation) -> dict[str, JSON]:
    """What may stand beside the list of a page."""
    if operation.beside is None:
        return {}
    name = type(operation.beside).__name__
    _reference(spec, operation.beside)
    found: dict[str, JSON] = spec.components.schemas[name]["properties"]
    return found


def _other(status: int, content: Content) -> JSON:
    return {"description": HTTPStatus(status).phrase, "content": _contents((content,))}


def _contents(contents: Iterable[Content]) -> dict[str, JSON]:
    return {
        type_: {"schema": schema} | ({} if example is None else {"example": example})
        for type_, schema, example in contents
    }


def _reference(spec: APISpec, schema: Schema) -> JSON:
    name = type(schema).__name__
    if name not in spec.components.schemas:
        spec.components.schema(name, schema=schema)
    return {"$ref": f"#/components/schemas/{name}"}


def _error(status: int, operation: Operation) -> JSON:
    name = "IngestError" if operation.is_ingest else "Error"
    schema = {"$ref": f"#/components/schemas/{name}"}
    found: dict[str, JSON] = {
        "description": HTTPStatus(status).phrase,
        "content": {"application/json": {"schema": schema}},
    }
    if status in (429, 503):
        about = "Seconds to wait before the next try."
        found["headers"] = {"Retry-After": {"description": about, "schema": {"type": "string"}}}
    return found
