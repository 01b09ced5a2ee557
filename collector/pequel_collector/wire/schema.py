"""The shape of what comes in, in marshmallow's words. Times and names are read elsewhere.

Segment-family libraries send more keys than these (``integrations``, ``channel``, ``version``,
``_metadata``, ``receivedAt``, ``rudderId`` …): keys that are not named here are passed over.
"""

from __future__ import annotations

from typing import Any

from marshmallow import EXCLUDE, Schema, ValidationError, fields, post_load

from ..model import JSON
from .event import Event, describe


class Text(fields.Field[str]):
    """Text or null."""

    expected = "text"

    def __init__(self, data_key: str | None = None) -> None:
        super().__init__(data_key=data_key, load_default=None)

    def fits(self, value: JSON) -> bool:
        """Whether a value that is not null belongs here."""
        return isinstance(value, str)

    def _deserialize(self, value: JSON, attr: Any, data: Any, **kwargs: Any) -> Any:  # noqa: ARG002
        if not self.fits(value):
            raise ValidationError(f"found {describe(value)}, expected {self.expected}")
        return value


class Identifier(Text):
    """Text, a number or null."""

    expected = "text or a number"

    def fits(self, value: JSON) -> bool:
        """Booleans are numbers to Python, and not here."""
        return isinstance(value, (str, int, float)) and not isinstance(value, bool)


class Object(Text):
    """An object or null."""

    expected = "an object or null"

    def fits(self, value: JSON) -> bool:
        """Whether it is an object."""
        return isinstance(value, dict)


class Events(Text):
    """A list, already cut into its events."""

    expected = "a list of events"

    def fits(self, value: JSON) -> bool:
        """Whether it is a list."""
        return isinstance(value, list)


class Anything(Text):
    """Any value: who uses it looks at it."""

    def fits(self, value: JSON) -> bool:  # noqa: ARG002
        """It does."""
        return True


class EventSchema(Schema):
    """One event, alone in a body or in a batch."""

    class Meta:
        """Clients send more than this."""

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
    """A body with several events. What events share is used where it can be, else passed over."""

    class Meta:
        """Clients send more than this."""

        unknown = EXCLUDE

    batch = Events()
    context = Anything()
    sent_at = Anything("sentAt")
    write_key = Anything("writeKey")
    report = Anything()
