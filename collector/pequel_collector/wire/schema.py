"""The shape of events and batches as marshmallow schemas. ``normalise`` reads times and names.

Libraries that speak Segment's protocol send more keys than these (``integrations``, ``channel``,
``version``, ``_metadata``, ``receivedAt``, ``rudderId`` …). Other keys are ignored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load

from ..model import JSON, is_number
from .event import Event, describe


class Checked(fields.Field[Any]):
    """A value that is null or passes a check."""

    def __init__(
        self, expected: str, is_valid: Callable[[JSON], bool], data_key: str | None = None
    ) -> None:
        super().__init__(data_key=data_key, load_default=None)
        self._expected, self._is_valid = expected, is_valid

    def _deserialize(self, value: JSON, attr: Any, data: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        if not self._is_valid(value):
            raise ValidationError(f"found {describe(value)}, expected {self._expected}")
        return value


def _text() -> Checked:
    return Checked("text", lambda value: isinstance(value, str))


def _identifier(data_key: str) -> Checked:
    return Checked(
        "text or a number", lambda value: isinstance(value, str) or is_number(value), data_key
    )


def _object() -> Checked:
    return Checked("an object or null", lambda value: isinstance(value, dict))


def _anything(data_key: str | None = None) -> fields.Raw:
    """Any value; ``normalise`` checks it."""
    return fields.Raw(data_key=data_key, load_default=None)


class EventSchema(Schema):
    """One event, alone in a body or in a batch."""

    class Meta:
        unknown = EXCLUDE

    type = _text()
    event = _text()
    user_id = _identifier("userId")
    anonymous_id = _identifier("anonymousId")
    group_id = _identifier("groupId")
    previous_id = _identifier("previousId")
    message_id = _identifier("messageId")
    name = _anything()
    category = _anything()
    properties = _object()
    traits = _object()
    context = _object()
    timestamp = _anything()
    original_timestamp = _anything("originalTimestamp")
    sent_at = _anything("sentAt")

    @post_load
    def _event(self, data: dict[str, Any], **_: Any) -> Event:
        return Event(**data)


class BatchSchema(Schema):
    """A body with several events. Invalid shared values are ignored."""

    class Meta:
        unknown = EXCLUDE

    batch = Checked("a list of events", lambda value: isinstance(value, list))
    context = _anything()
    sent_at = _anything("sentAt")
    write_key = _anything("writeKey")
    report = _anything()
