"""What a route takes and answers, written beside it with ``describe``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, TypeVar

from marshmallow import Schema

from ...access.keys import Scope
from ...model import JSON

View = TypeVar("View", bound=Callable[..., Any])
Tag = Literal[
    "leads",
    "alerts",
    "users and accounts",
    "events",
    "definitions",
    "metrics",
    "operations",
    "sending",
]

QUERY_ERRORS = (400, 401, 403, 500, 503)
"""The errors of every call of the query API."""

INGEST_ERRORS = (400, 401, 413, 415, 429, 500, 503)
"""The errors of every call that brings events."""

BODY_ERRORS = (413, 415)
"""The errors of a call of the query API that reads a body, besides those of every call."""


class Content(NamedTuple):
    """A body that is not made by a schema: its media type, its JSON Schema and an example."""

    type: str
    schema: JSON
    example: JSON = None


TOML = Content(
    "application/toml", {"type": "string"}, '[[pql]]\nname = "keen"\nwhen = { event = "used" }\n'
)
ANY_OBJECT: JSON = {"type": "object"}


@dataclass(frozen=True)
class Operation:
    """One call: a method of a path.

    ``answer`` is the schema of what a 200 has, ``is_page`` whether that is one item of a list,
    ``beside`` what may stand beside that list, and ``contents`` other bodies of a 200.
    ``arguments`` reads the query parameters; ``parameters`` are others, as OpenAPI has them.
    ``scope`` is what the key must be able to do; None if no key is needed. ``errors`` are the
    statuses of errors, ``others`` those with a body of their own. ``path`` is needed only if the
    path is not the rule of the route, as for a route with several views.
    """

    summary: str
    tag: Tag
    answer: Schema | None = None
    is_page: bool = False
    beside: Schema | None = None
    contents: tuple[Content, ...] = ()
    arguments: Schema | None = None
    parameters: Sequence[JSON] = ()
    bodies: tuple[Content, ...] = ()
    needs_body: bool = True
    scope: Scope | None = None
    errors: tuple[int, ...] = ()
    others: Mapping[int, Content] = field(default_factory=dict)
    path: str | None = None
    is_ingest: bool = False


def describe(*operations: Operation) -> Callable[[View], View]:
    """Describe a route; with several operations, the paths that it serves."""

    def add(view: View) -> View:
        view.operations = operations  # type: ignore[attr-defined]
        return view

    return add


def query(
    summary: str,
    tag: Tag,
    answer: Schema,
    *,
    arguments: Schema | None = None,
    contents: tuple[Content, ...] = (),
    bodies: tuple[Content, ...] = (),
    needs_body: bool = True,
    scope: Scope = "read",
    errors: tuple[int, ...] = (),
    parameters: Sequence[JSON] = (),
    path: str | None = None,
) -> Operation:
    """A call of the query API that answers one thing. ``errors`` are those besides the usual."""
    return Operation(
        summary,
        tag,
        answer,
        contents=contents,
        arguments=arguments,
        bodies=bodies,
        needs_body=needs_body,
        parameters=parameters,
        scope=scope,
        errors=(*QUERY_ERRORS, *errors, *(BODY_ERRORS if bodies else ())),
        path=path,
    )


def query_page(
    summary: str,
    tag: Tag,
    item: Schema,
    *,
    arguments: Schema | None = None,
    scope: Scope = "read",
    errors: tuple[int, ...] = (),
    path: str | None = None,
) -> Operation:
    """A call of the query API that answers a page of a list."""
    return Operation(
        summary,
        tag,
        item,
        is_page=True,
        arguments=arguments,
        scope=scope,
        errors=(*QUERY_ERRORS, *errors),
        path=path,
    )


def operations_of(view: Any) -> tuple[Operation, ...]:
    """What a view says of itself; empty if it says nothing."""
    found: tuple[Operation, ...] = getattr(view, "operations", ())
    return found
