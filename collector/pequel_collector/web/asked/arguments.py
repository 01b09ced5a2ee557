"""Query parameters, read by schemas. A mistake is reported, never ignored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, get_args

from flask import Request
from marshmallow import Schema, ValidationError, fields

from ...errors import BadRequest
from ...model import JSON, LeadState, parse_iso
from ...ports import LeadSort
from ...rules.language.quantities import milliseconds
from ...wire.event import Code

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000

MAX_LENGTH = 512
"""Characters of a parameter, as of an id or a name."""

MAX_CURSOR = 10_000
"""Characters of a cursor, which holds an id."""

MAX_SHORT = 100
"""Items of a page where each takes some work."""

MAX_WAIT = 20
"""Seconds that a request may wait for something to arrive."""

_MAX_SHOWN = 200

_END = 253_370_764_800_000
"""The end of the year 9998 (ms): what is counted from a time on stays in the calendar."""

LIKELIHOOD = "likelihood"
"""The order of a list by how likely its subjects are to convert."""

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

    # marshmallow merges these dicts of all classes of a field, and changes none of them.
    default_error_messages = {"required": "a value: it is required"}  # noqa: RUF012

    def _deserialize(self, value: str, attr: Any, data: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        found = self.parse(value) if len(value) <= self.max_length else None
        if found is None:
            raise ValidationError(self.expected)
        return found


class Cursor(Text):
    """The place after which a page begins. Without one, or with an empty one, it is the first."""

    expected = "the next_cursor of an earlier page of this list"
    max_length = MAX_CURSOR

    @property
    def json_schema(self) -> dict[str, JSON]:
        return {"type": "string", "maxLength": self.max_length}

    def _deserialize(self, value: str, attr: Any, data: Any, **kwargs: Any) -> Any:
        return None if not value else super()._deserialize(value, attr, data, **kwargs)


class OneOf(Text):
    """One of several words."""

    def __init__(self, *words: str, **options: Any) -> None:
        super().__init__(**options)
        self.words = words
        self.expected = words[0] if len(words) == 1 else f"one of {', '.join(words)}"

    @property
    def json_schema(self) -> dict[str, JSON]:
        return {"type": "string", "enum": list(self.words)}

    def parse(self, text: str) -> str | None:
        return text if text in self.words else None


class Flag(OneOf):
    """``true`` or ``false``."""

    def __init__(self, **options: Any) -> None:
        super().__init__("true", "false", **options)

    def parse(self, text: str) -> Any:
        return None if super().parse(text) is None else text == "true"


class Number(Text):
    """A whole number from 1 on."""

    expected = "a whole number from 1 to 1000000000"

    @property
    def json_schema(self) -> dict[str, JSON]:
        return {"type": "integer", "minimum": 1, "maximum": 10**9}

    def parse(self, text: str) -> int | None:
        is_short = text.isascii() and text.isdigit() and len(text) <= 10
        return int(text) if is_short and 1 <= int(text) <= 10**9 else None


class Duration(Text):
    """A length of time, as ms."""

    expected = "a length of time, such as 7d"

    def parse(self, text: str) -> int | None:
        if text == "0":
            return 0
        try:
            return milliseconds(text)
        except ValueError:
            return None


class Time(Text):
    """A time in ISO 8601, as ms."""

    expected = "a time in ISO 8601 from 1970 on, such as 2026-03-01T10:00:00.000Z"

    @property
    def json_schema(self) -> dict[str, JSON]:
        return {"type": "string", "example": "2026-03-01T10:00:00.000Z"}

    def parse(self, text: str) -> int | None:
        # A plus sign that was not escaped arrives as a space.
        found = parse_iso(text)
        if found is None:
            found = parse_iso("+".join(text.rsplit(" ", 1)))
        return found if found is not None and 0 <= found < _END else None


class Limit(Text):
    """How many items to list."""

    expected = f"a whole number from 1 to {MAX_LIMIT}"

    @property
    def json_schema(self) -> dict[str, JSON]:
        return {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT}

    def parse(self, text: str) -> int | None:
        short = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_LIMIT))
        return int(text) if short and 1 <= int(text) <= MAX_LIMIT else None


class ShortLimit(Limit):
    """How many items to list, where each takes some work."""

    expected = f"a whole number from 1 to {MAX_SHORT}"

    @property
    def json_schema(self) -> dict[str, JSON]:
        return {"type": "integer", "minimum": 1, "maximum": MAX_SHORT}

    def parse(self, text: str) -> int | None:
        found = super().parse(text)
        return found if found is not None and found <= MAX_SHORT else None


class Seconds(Text):
    """How long to wait for something to arrive."""

    expected = f"a whole number of seconds from 0 to {MAX_WAIT}"

    @property
    def json_schema(self) -> dict[str, JSON]:
        return {"type": "integer", "minimum": 0, "maximum": MAX_WAIT}

    def parse(self, text: str) -> int | None:
        short = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_WAIT))
        return int(text) if short and int(text) <= MAX_WAIT else None


class NoArguments(Schema):
    """A call without parameters.

    ``PREFIX`` begins parameters with any name behind it, whose values are texts; ``load`` returns
    them by that name under ``PREFIX``.
    """

    PREFIX: ClassVar[str | None] = None


class ListArguments(NoArguments):
    """A list that is cut off at a limit."""

    limit = Limit(load_default=DEFAULT_LIMIT)


class PageArguments(ListArguments):
    """A list in pages."""

    cursor = Cursor(load_default=None)


class ShortPageArguments(NoArguments):
    """A list in short pages."""

    limit = ShortLimit(load_default=MAX_SHORT)
    cursor = Cursor(load_default=None)


class SubjectArguments(ShortPageArguments):
    """The list of users or accounts."""

    q = Text(load_default=None)


class NearArguments(ShortPageArguments):
    """The list of those near a definition."""

    definition = Text(required=True)
    sort = OneOf("progress", LIKELIHOOD, load_default="progress")


class AdoptionArguments(ShortPageArguments):
    """The list of users by a feature."""

    feature = Text(required=True)
    used = Flag()
    plan = Text()
    min_age = Duration()
    max_age = Duration()


class LeadArguments(PageArguments):
    """The list of leads."""

    PREFIX = "trait."

    format = OneOf("json", "csv", "ndjson", load_default="json")
    sort = OneOf(*get_args(LeadSort), LIKELIHOOD)
    count = Flag()
    q = Text()
    version = Number()
    holds_now = Flag()
    definition = Text()
    subject_kind = OneOf("user", "account")
    state = OneOf("open", "any", *get_args(LeadState), load_default="open")
    owner = Text()
    partner = Text()
    kind = OneOf(*KINDS)
    country = Text()
    plan = Text()
    account = Text()
    overdue = Flag()
    snoozed = Flag()
    qualified_from = Time()
    qualified_to = Time()
    marked_after = Time()


class ChangesArguments(ListArguments):
    """The ledger of leads, after a place in it."""

    after = Cursor(load_default=None)


class FollowArguments(NoArguments):
    """What arrives after a place."""

    after = Cursor(load_default=None)
    last = ShortLimit()
    limit = ShortLimit(load_default=MAX_SHORT)
    wait = Seconds(load_default=0)
    user = Text()
    event = Text()


class RejectedArguments(PageArguments):
    """The list of rejected events."""

    code = OneOf(*get_args(Code))
    key = Text()


def read(request: Request, schema: Schema) -> dict[str, Any]:
    """The arguments of a request. Raises BadRequest."""
    return read_values(request.args.to_dict(flat=False), schema)


def read_values(given: Mapping[str, Sequence[str]], schema: Schema) -> dict[str, Any]:
    """The arguments that these values are, by name. Raises BadRequest."""
    prefix = getattr(schema, "PREFIX", None)
    open_: dict[str, str] = {}
    for name, values in given.items():
        is_open = prefix is not None and name.startswith(prefix) and name != prefix
        if name not in schema.fields and not is_open:
            names = [*schema.fields, *([f"{prefix}NAME"] if prefix else [])]
            known = f"one of {', '.join(names)}" if names else "no parameters"
            raise mistake(name[:_MAX_SHOWN], "an unknown parameter", known)
        if len(values) > 1:
            raise mistake(name, f"{len(values)} values", "one")
        if is_open:
            open_[name] = values[0]
    fixed = {name: values[0] for name, values in given.items() if name not in open_}
    try:
        found: dict[str, Any] = schema.load(fixed)
        for name, value in open_.items():
            found.setdefault(str(prefix), {})[name.removeprefix(str(prefix))] = _text(name, value)
    except ValidationError as error:
        name, expected = next(iter(error.messages_dict.items()))
        shown = ascii(given[name][0][:_MAX_SHOWN]) if name in given else "nothing"
        raise mistake(name, shown, expected[0]) from None
    return found


def _text(name: str, value: str) -> Any:
    """The value of a parameter with an open name. Raises ValidationError."""
    try:
        return Text().deserialize(value)
    except ValidationError as error:
        raise ValidationError({name: error.messages}) from None


def mistake(field: str, found: str, expected: str) -> BadRequest:
    """The error for a parameter that cannot be used."""
    return BadRequest(
        f"{field}: found {found}, expected {expected}",
        "bad_parameter",
        field=field,
        found=found,
        expected=expected,
    )
