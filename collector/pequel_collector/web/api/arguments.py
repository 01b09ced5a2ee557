"""Query parameters, read by schemas. A mistake is reported, never ignored."""

from __future__ import annotations

from typing import Any, get_args

from flask import Request
from marshmallow import Schema, ValidationError, fields

from ...errors import BadRequest
from ...model import JSON, LeadState, parse_iso
from ...wire.event import Code

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000

MAX_LENGTH = 512
"""Characters of a parameter, as of an id or a name."""

MAX_CURSOR = 10_000
"""Characters of a cursor, which holds an id."""

_MAX_SHOWN = 200

KINDS = ("new", "upgrade", "cross_sell", "expansion", "nudge")


class Text(fields.Field[Any]):
    """Text that is not blank."""

    expected = f"text of at most {MAX_LENGTH} characters"
    max_length = MAX_LENGTH

    @property
    def json_schema(self) -> dict[str, JSON]:
        """What a value is, in JSON Schema."""
        return {"type": "string", "minLength": 1, "maxLength": self.max_length, "pattern": r"\S"}

    def parse(self, text: str) -> Any:
        """The value; None for a mistake."""
        return text if text.strip() and "\0" not in text else None

    def _deserialize(self, value: str, attr: Any, data: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        found = self.parse(value) if len(value) <= self.max_length else None
        if found is None:
            raise ValidationError(self.expected)
        return found


class Cursor(Text):
    """The place after which a page begins."""

    expected = "the next_cursor of an earlier page of this list"
    max_length = MAX_CURSOR


class OneOf(Text):
    """One of several words."""

    def __init__(self, *words: str) -> None:
        super().__init__()
        self.words = words
        self.expected = words[0] if len(words) == 1 else f"one of {', '.join(words)}"

    @property
    def json_schema(self) -> dict[str, JSON]:
        return {"type": "string", "enum": list(self.words)}

    def parse(self, text: str) -> str | None:
        return text if text in self.words else None


class Flag(OneOf):
    """``true`` or ``false``."""

    def __init__(self) -> None:
        super().__init__("true", "false")

    def parse(self, text: str) -> Any:
        return None if super().parse(text) is None else text == "true"


class Time(Text):
    """A time in ISO 8601, as ms."""

    expected = "a time in ISO 8601, such as 2026-03-01T10:00:00.000Z"

    @property
    def json_schema(self) -> dict[str, JSON]:
        return {"type": "string", "example": "2026-03-01T10:00:00.000Z"}

    def parse(self, text: str) -> int | None:
        # A plus sign that was not escaped arrives as a space.
        return parse_iso(text) or parse_iso("+".join(text.rsplit(" ", 1)))


class Limit(Text):
    """How many items to list."""

    expected = f"a whole number from 1 to {MAX_LIMIT}"

    @property
    def json_schema(self) -> dict[str, JSON]:
        return {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}

    def parse(self, text: str) -> int | None:
        short = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_LIMIT))
        return int(text) if short and 1 <= int(text) <= MAX_LIMIT else None


class NoArguments(Schema):
    """A call without parameters."""


class ListArguments(NoArguments):
    """A list that is cut off at a limit."""

    limit = Limit(load_default=DEFAULT_LIMIT)


class PageArguments(ListArguments):
    """A list in pages."""

    cursor = Cursor(load_default=None)


class LeadArguments(PageArguments):
    """The list of leads."""

    format = OneOf("json")
    definition = Text()
    subject_kind = OneOf("user", "account")
    state = OneOf(*get_args(LeadState))
    owner = Text()
    kind = OneOf(*KINDS)
    country = Text()
    plan = Text()
    account = Text()
    overdue = Flag()
    qualified_from = Time()
    qualified_to = Time()
    marked_after = Time()


class ChangesArguments(ListArguments):
    """The ledger of leads, after a place in it."""

    after = Cursor(load_default=None)


class RejectedArguments(PageArguments):
    """The list of rejected events."""

    code = OneOf(*get_args(Code))
    key = Text()


def read(request: Request, schema: Schema) -> dict[str, Any]:
    """The arguments of a request. Raises BadRequest."""
    given = request.args.to_dict(flat=False)
    for name, values in given.items():
        if name not in schema.fields:
            known = f"one of {', '.join(schema.fields)}" if schema.fields else "no parameters"
            raise _mistake(name[:_MAX_SHOWN], "an unknown parameter", known)
        if len(values) > 1:
            raise _mistake(name, f"{len(values)} values", "one")
    try:
        found: dict[str, Any] = schema.load({name: values[0] for name, values in given.items()})
    except ValidationError as error:
        name, expected = next(iter(error.messages_dict.items()))
        raise _mistake(name, ascii(given[name][0][:_MAX_SHOWN]), expected[0]) from None
    return found


def _mistake(field: str, found: str, expected: str) -> BadRequest:
    return BadRequest(
        f"{field}: found {found}, expected {expected}",
        "bad_parameter",
        field=field,
        found=found,
        expected=expected,
    )
