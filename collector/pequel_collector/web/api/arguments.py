"""What stands behind the question mark: read by schemas; a mistake is named, never passed over."""

from __future__ import annotations

from typing import Any

from flask import Request
from marshmallow import RAISE, Schema, ValidationError, fields

from ...errors import BadRequest
from ...model import parse_iso

LIMIT = 100
LARGEST_LIMIT = 1000

KINDS = ("new", "upgrade", "cross_sell", "expansion", "nudge")
STATES = ("new", "assigned", "contacted", "won", "lost", "dismissed", "expired", "voided")


class Text(fields.Field[Any]):
    """Some text."""

    expected = "text"

    def parse(self, text: str) -> Any:
        """The value; None where the text is none."""
        return text if text.strip() and "\0" not in text else None

    def _deserialize(self, value: str, attr: Any, data: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        found = self.parse(value)
        if found is None:
            raise ValidationError(self.expected)
        return found


class OneOf(Text):
    """One of a few words."""

    def __init__(self, *words: str) -> None:
        super().__init__()
        self.words = words
        self.expected = words[0] if len(words) == 1 else f"one of {', '.join(words)}"

    def parse(self, text: str) -> str | None:
        """The word."""
        return text if text in self.words else None


class Time(Text):
    """An instant."""

    expected = "a time in ISO 8601, such as 2026-03-01T10:00:00.000Z"

    def parse(self, text: str) -> int | None:
        """The instant in milliseconds."""
        # A plus sign that nobody escaped has become a space on the way.
        return parse_iso(text) or parse_iso("+".join(text.rsplit(" ", 1)))


class Limit(Text):
    """How many to list."""

    expected = f"a whole number from 1 to {LARGEST_LIMIT}"

    def parse(self, text: str) -> int | None:
        """The number."""
        short = text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_LIMIT))
        return int(text) if short and 1 <= int(text) <= LARGEST_LIMIT else None


class NoArguments(Schema):
    """A call without any."""

    class Meta:
        """What is not known is a mistake."""

        unknown = RAISE


class ListArguments(NoArguments):
    """A list that is cut off."""

    limit = Limit(load_default=LIMIT)


class PageArguments(ListArguments):
    """A list in pages."""

    cursor = Text(load_default=None)


class LeadArguments(PageArguments):
    """The list of leads: what of it, and in which form."""

    format = OneOf("json")
    definition = Text()
    subject_kind = OneOf("user", "account")
    state = OneOf(*STATES)
    owner = Text()
    kind = OneOf(*KINDS)
    country = Text()
    plan = Text()
    account = Text()
    qualified_from = Time()
    qualified_to = Time()
    marked_after = Time()


class RefusedArguments(PageArguments):
    """The list of what was refused, and what of it."""

    code = Text()
    key = Text()


def read(request: Request, schema: Schema) -> dict[str, Any]:
    """The arguments of a request. Raises BadRequest."""
    given = request.args.to_dict(flat=False)
    for name, values in given.items():
        if name not in schema.fields:
            known = f"one of {', '.join(schema.fields)}" if schema.fields else "no parameters"
            raise _mistake(name, "an unknown parameter", known)
        if len(values) > 1:
            raise _mistake(name, f"{len(values)} values", "one")
    try:
        found: dict[str, Any] = schema.load({name: values[0] for name, values in given.items()})
    except ValidationError as error:
        name, expected = next(iter(error.messages_dict.items()))
        raise _mistake(name, ascii(given[name][0]), expected[0]) from None
    return found


def _mistake(field: str, found: str, expected: str) -> BadRequest:
    return BadRequest(
        f"{field}: found {found}, expected {expected}",
        "bad_parameter",
        field=field,
        found=found,
        expected=expected,
    )
