"""The shape of events and batches as marshmallow schemas. ``normalise`` reads times and names.

Libraries that speak Segment's protocol send more keys than these (``integrations``, ``channel``,
``version``, ``_metadata``, ``receivedAt``, ``rudderId`` …). Other keys are ignored.
"""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load

from ..model import JSON, is_number
from .event import Event, describe


class Text(fields.Field[str]):
    """Text or null."""

    expected = "text"

    def __init__(self, data_key: str | None = None) -> None:
        super().__init__(data_key=data_key, load_default=None)

    def fits(self, value: JSON) -> bool:
        """Whether a value that is not null has the right type."""
        return isinstance(value, str)

    def _deserialize(self, value: JSON, attr: Any, data: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        if not self.fits(value):
            raise ValidationError(f"found {describe(value)}, expected {self.expected}")
        return value


class Identifier(Text):
    """Text, a number or null."""

    expected = "text or a number"

    def fits(self, value: JSON) -> bool:
        return isinstance(value, str) or is_number(value)


class Object(Text):
    """An object or null."""

    expected = "an object or null"

    def fits(self, value: JSON) -> bool:
        return isinstance(value, dict)


class Events(Text):
    """A list that is already cut into events."""

    expected = "a list of events"

    def fits(self, value: JSON) -> bool:
        return isinstance(value, list)


class Anything(Text):
    """Any value; ``normalise`` checks it."""

    def fits(self, value: JSON) -> bool:  # noqa: ARG002
        return True


class EventSchema(Schema):
    """One event, alone in a body or in a batch."""

    class Meta:
        unknown = EXCLUDE

    type = Text()
    event = Text()
    user_id = Identifier("userId")
    anonymous_id = Identifier("anonymousId")
    group_id = Identifier("groupId")
    previous_id = Identifier("previousId")
    message_id = Identifier("messageId")
    name = Anything()
    category = Anything()
    properties = Object()
    traits = Object()
    context = Object()
    timestamp = Anything()
    original_timestamp = Anything("originalTimestamp")
    sent_at = Anything("sentAt")

    @post_load
    def _event(self, data: dict[str, Any], **_: Any) -> Event:
        return Event(**data)


class BatchSchema(Schema):
    """A body with several events. Invalid shared values are ignored."""

    class Meta:
        unknown = EXCLUDE

    batch = Events()
    context = Anything()
    sent_at = Anything("sentAt")
    write_key = Anything("writeKey")
    report = Anything()
