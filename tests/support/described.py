"""A client that compares every answer it gets with the description of the API."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import jsonschema_rs
from flask import Flask
from flask.testing import FlaskClient

from pequel_collector.web.openapi.document import document

JSON = Any


def closed(described: JSON) -> JSON:
    """The description with answers that have no other fields than the described ones."""
    described = copy.deepcopy(described)
    for schema in described["components"]["schemas"].values():
        schema.setdefault("additionalProperties", False)
    return described


def validator_of(schema: JSON, described: JSON) -> Any:
    """What checks values against a schema of a description."""
    return jsonschema_rs.Draft202012Validator(schema | {"components": described["components"]})


def mistakes(validator: Any, found: JSON) -> list[str]:
    """What is wrong with a value."""
    return [
        f"{'.'.join(map(str, error.instance_path)) or 'the whole'}: {error.message}"
        for error in validator.iter_errors(found)
    ]


class Description:
    """The description of an application, and whether answers keep to it."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._validators: dict[str, Any] = {}

    @cached_property
    def described(self) -> JSON:
        return closed(document(self._app))

    @cached_property
    def _paths(self) -> list[tuple[re.Pattern[str], JSON]]:
        """Each path as an expression: those with the fewest variables first."""
        paths = sorted(self.described["paths"].items(), key=lambda path: path[0].count("{"))
        return [
            (re.compile(re.sub(r"{\w+}", "[^/]+", path) + "/?"), methods) for path, methods in paths
        ]

    def operation(self, method: str, path: str) -> JSON:
        """What is described for a method of a path; None if nothing is."""
        for pattern, methods in self._paths:
            if pattern.fullmatch(path) and method.lower() in methods:
                return methods[method.lower()]
        return None

    def check(self, method: str, path: str, response: Any) -> None:
        """Fail if an answer differs from its description."""
        operation = self.operation(method, path)
        if operation is None or response.status_code == 405:
            return
        call = f"{method} {path}"
        described = operation["responses"].get(str(response.status_code))
        assert described, f"{call}: the status {response.status_code} is not described"
        content = described["content"].get(response.mimetype)
        assert content, f"{call}: {response.mimetype} is not described"
        if response.mimetype == "application/json":
            found = mistakes(self._validator(content["schema"]), json.loads(response.data))
            assert not found, f"{call}: the answer is not as described: {found}"

    def _validator(self, schema: JSON) -> Any:
        text = json.dumps(schema)
        if text not in self._validators:
            self._validators[text] = validator_of(schema, self.described)
        return self._validators[text]


_descriptions: list[Description] = []


def description_of(app: Flask) -> Description:
    """The description of an application. It is made once, since every application has the same."""
    if not _descriptions:
        _descriptions.append(Description(app))
    return _descriptions[0]


class DescribedClient(FlaskClient):
    """A client that fails at an answer that differs from its description."""

    def open(self, *args: Any, **options: Any) -> Any:
        response = super().open(*args, **options)
        request = response.request
        path = str(request.environ.get("REQUEST_URI", request.path)).partition("?")[0]
        description_of(self.application).check(request.method, path, response)
        return response


def client_of(app: Flask) -> FlaskClient:
    """A client of an application that compares answers with its description."""
    app.test_client_class = DescribedClient
    return app.test_client()


def examples_in(value: JSON, where: str = "") -> Iterator[tuple[str, JSON, JSON]]:
    """Every place in a description with an example: the place, the schema and the example."""
    if isinstance(value, dict):
        if "example" in value:
            yield where, value.get("schema", value), value["example"]
        for name, each in value.items():
            if name != "example":
                yield from examples_in(each, f"{where}/{name}")
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from examples_in(each, f"{where}/{index}")
