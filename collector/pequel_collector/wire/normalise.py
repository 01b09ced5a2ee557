"""Events to messages: their ids, names, times and accounts; or the reason why one is rejected.

``message`` makes one message. It reads the event within its limits (``bounds``), then its type, its
ids, its content by type, and its time (``event_time``). The first problem raises EventError.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from ..config import Settings
from ..model import (
    JSON,
    Message,
    RejectedEvent,
    account_key,
    anonymous_key,
    is_number,
    user_key,
)
from . import decode, rejected_events
from .bounds import check_shared, read_event
from .event import Envelope, Event, EventError, mismatch, missing
from .event_time import event_time, time_sent
from .junk_ids import JunkIds, is_placeholder, junk_ids, may_link
from .near_misses import near_misses_in

MAX_LENGTH = 512
"""Characters in an id or a name."""

MAX_BYTES = 800
"""Bytes in an id or a name, as it is stored. An index entry of PostgreSQL has at most 2,704 bytes,
and the longest one has three of them: a subject, a name of a trait and a message id."""

_MAX_BYTES_OF_CHARACTER = 7
_ESCAPED = "\ufdd0"
"""The store escapes this character, from 3 bytes to 7."""


class EventRequest(NamedTuple):
    """What is the same for all events of one request; ``sent`` is its time of sending."""

    received: int
    settings: Settings
    new_id: Callable[[], str]
    envelope: Envelope
    sent: int | None
    junk: JunkIds

    @classmethod
    def of(
        cls, envelope: Envelope, received: int, settings: Settings, new_id: Callable[[], str]
    ) -> EventRequest:
        sent, junk = time_sent(envelope.sent_at), junk_ids(settings.junk_ids)
        return cls(received, settings, new_id, envelope, sent, junk)


class Content(NamedTuple):
    """What an event says, apart from who and when."""

    name: str | None
    account: str | None
    previous: str | None = None
    properties: Mapping[str, JSON] | None = None
    traits: Mapping[str, JSON] | None = None


def normalise(
    envelope: Envelope, settings: Settings, received: int, new_id: Callable[[], str]
) -> tuple[list[Message], list[RejectedEvent]]:
    """The messages and the rejected events of a request. Each event is in one of the two.

    Raises TooLarge and BadRequest for what the events share.
    """
    check_shared(envelope, settings)
    request = EventRequest.of(envelope, received, settings, new_id)
    kept = rejected_events.KeptEvents(envelope, settings.max_body)
    messages, rejected = [], []
    for index, raw in enumerate(envelope.events):
        try:
            if index >= settings.max_batch:
                raise _batch_full(settings.max_batch)
            messages.append(message(raw, request))
        except EventError as error:
            rejected.append(_rejected(index, raw, error, kept, received))
    return messages, rejected


def normalise_again(
    rejected: RejectedEvent, received: int, settings: Settings, new_id: Callable[[], str]
) -> Message:
    """The message of a rejected event, read again as if it came at ``received``.

    Raises EventError if it is rejected again.
    """
    envelope = rejected_events.envelope_of(rejected)
    request = EventRequest.of(envelope, received, settings, new_id)
    try:
        return message(envelope.events[0], request)
    except ValueError as error:  # a rejected line of an event log is not always JSON
        raise EventError("bad_json", f"not JSON: {error}") from None


def message(raw: bytes, request: EventRequest) -> Message:
    """One event as a message. Raises EventError."""
    received, settings, new_id, envelope, sent, junk = request
    event = read_event(raw, settings)
    type_ = _type(envelope.type or event.type)
    user, anonymous = _who(event, envelope.anonymous_id, junk)
    context = event.context or {}
    if envelope.context:
        context = {**envelope.context, **context}
    name, account, previous, properties, traits = _CONTENT[type_](event, context, junk)
    if event.sent_at is not None:
        sent = time_sent(event.sent_at) or sent
    time, original = event_time(event, sent, received, settings.clock_tolerance * 1000)
    return Message(
        _message_id(event) or new_id(),
        type_,
        _subject(type_, user, anonymous, account),
        time,
        received,
        name,
        _linked(user, anonymous),
        previous,
        account,
        properties or {},
        traits or {},
        context,
        original,
        sent,
    )


# -- ids and names -------------------------------------------------------------------------


def identifier(value: JSON, field: str) -> str | None:
    """An id as text; None for null and blank text. Raises EventError."""
    if isinstance(value, str):
        return checked(value, field) if value and not value.isspace() else None
    return None if value is None else checked(_decimal_text(value, field), field)


def checked(text: str, field: str) -> str:
    """A text that can be stored, searched for and shown unchanged. Raises EventError."""
    if len(text) > MAX_LENGTH:
        raise _too_long(field, len(text), "characters", MAX_LENGTH)
    if "\0" in text or not (text.isascii() or _is_unicode(text)):
        raise mismatch("bad_text", field, text, "text without NUL and lone surrogates")
    if len(text) > MAX_BYTES // _MAX_BYTES_OF_CHARACTER and not text.isascii():
        size = len(text.encode()) + 4 * text.count(_ESCAPED)
        if size > MAX_BYTES:
            raise _too_long(field, size, "bytes", MAX_BYTES)
    return text


def _too_long(field: str, found: int, unit: str, most: int) -> EventError:
    return EventError("too_long", f"{field}: found {found} {unit}, expected at most {most}", field)


def _message_id(event: Event) -> str | None:
    """The id of a message; None for a placeholder."""
    found = identifier(event.message_id, "messageId")
    return None if found is None or is_placeholder(found) else found


def _real(value: JSON, field: str, junk: JunkIds) -> str | None:
    """An id that is not junk; else None. Raises EventError for a value that cannot be an id."""
    found = identifier(value, field)
    return None if found is None or found in junk else found


def _required(value: JSON, field: str, junk: JunkIds) -> str:
    found = identifier(value, field)
    if found is None:
        raise missing(field, "an id")
    if found in junk:
        raise _junk(found, field)
    return found


def _linking(value: JSON, field: str, junk: JunkIds) -> str:
    """A required id that links to another one."""
    found = _required(value, field, junk)
    if not may_link(found):
        raise _junk(found, field)
    return found


def _junk(found: str, field: str) -> EventError:
    return mismatch("junk_id", field, found, "the id of somebody or something")


def _decimal_text(number: JSON, field: str) -> str:
    """A number without exponent; a whole number without fraction."""
    if not is_number(number):
        raise mismatch("bad_value", field, number, "text or a number")
    if isinstance(number, int):
        return str(number)
    return format(Decimal(repr(float(number) + 0.0)), "f").removesuffix(".0")


def _is_unicode(text: str) -> bool:
    """Whether it has no lone surrogates, which no encoding can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# -- whose event it is ---------------------------------------------------------------------


def _who(event: Event, header: str | None, junk: JunkIds) -> tuple[str | None, str | None]:
    """The user id and the anonymous id of an event. Raises EventError if all its ids are junk."""
    user = given_user = identifier(event.user_id, "userId")
    anonymous = given_anonymous = identifier(event.anonymous_id, "anonymousId")
    if user is not None and user in junk:
        user = None
    if anonymous is not None and anonymous in junk:
        anonymous = None
    if anonymous is None and user is None and header is not None and header not in junk:
        anonymous = checked(header, "anonymousId")
    if anonymous is None and user is None:
        if given_user is not None:
            raise _junk(given_user, "userId")
        if given_anonymous is not None:
            raise _junk(given_anonymous, "anonymousId")
    return user, anonymous


def _subject(type_: str, user: str | None, anonymous: str | None, account: str | None) -> str:
    """The subject key of an event: of its user, else its visitor, else its account."""
    if user is not None:
        return user_key(user)
    if anonymous is not None:
        return anonymous_key(anonymous)
    if type_ in _OF_PEOPLE:
        raise EventError("missing_field", "expected a userId or an anonymousId", "userId")
    if account is None:
        expected = "expected a userId or an anonymousId, or a groupId alone"
        raise EventError("missing_field", expected, "userId")
    return account_key(account)


def _linked(user: str | None, anonymous: str | None) -> str | None:
    """The anonymous id that an event links to its user."""
    if user is None or anonymous is None:
        return None
    return anonymous if may_link(user) and may_link(anonymous) else None


def _account(event: Event, context: Mapping[str, JSON], junk: JunkIds) -> str | None:
    """The account named on an event."""
    named = _real(context["groupId"], "context.groupId", junk) if "groupId" in context else None
    return named or _real(event.group_id, "groupId", junk)


# -- the content by type -------------------------------------------------------------------


def _type(found: str | None) -> str:
    if found is not None and found in _CONTENT:
        return found
    expected = ", ".join(_CONTENT)
    if found is None:
        raise missing("type", expected)
    raise mismatch("unknown_type", "type", found, expected)


def _track(event: Event, context: Mapping[str, JSON], junk: JunkIds) -> Content:
    name = event.event
    if name is None or not name or name.isspace():
        raise missing("event", "the name of the event")
    return Content(checked(name, "event"), _account(event, context, junk), None, event.properties)


def _view(type_: str, event: Event, context: Mapping[str, JSON], junk: JunkIds) -> Content:
    """A page or a screen. Its name and category become properties."""
    own = {"name": event.name, "category": event.category}
    given = {name: value for name, value in own.items() if value not in (None, "")}
    properties = {**(event.properties or {}), **given}
    return Content(type_, _account(event, context, junk), None, properties)


def _identify(event: Event, context: Mapping[str, JSON], junk: JunkIds) -> Content:
    traits = event.traits or {}
    shared = context.get("traits")
    if isinstance(shared, dict):
        traits = {**shared, **traits}
    elif shared is not None:
        raise mismatch("bad_value", "context.traits", shared, "an object or null")
    return Content(None, _account(event, context, junk), traits=_with_checked_names(traits))


# The signature is that of the others; a group call falls to its groupId, whatever the context says.
def _group(event: Event, context: Mapping[str, JSON], junk: JunkIds) -> Content:  # noqa: ARG001
    account = _required(event.group_id, "groupId", junk)
    return Content(None, account, traits=_with_checked_names(event.traits or {}))


def _alias(event: Event, context: Mapping[str, JSON], junk: JunkIds) -> Content:
    _linking(event.user_id, "userId", junk)
    previous = _linking(event.previous_id, "previousId", junk)
    return Content(None, _account(event, context, junk), previous)


def _with_checked_names(traits: dict[str, JSON]) -> dict[str, JSON]:
    for name in traits:
        checked(name, "traits")
    return traits


_CONTENT: dict[str, Callable[[Event, Mapping[str, JSON], JunkIds], Content]] = {
    "track": _track,
    "identify": _identify,
    "group": _group,
    "page": partial(_view, "page"),
    "screen": partial(_view, "screen"),
    "alias": _alias,
}

_OF_PEOPLE = frozenset({"identify", "alias"})
"""The types of events that need a user or a visitor. Others may be of an account alone."""


# -- rejected events -----------------------------------------------------------------------


def _batch_full(most: int) -> EventError:
    return EventError("batch_full", f"is over the {most} events that one batch may have")


def _rejected(
    index: int, raw: bytes, error: EventError, kept: rejected_events.KeptEvents, received: int
) -> RejectedEvent:
    try:
        mid = identifier(decode.message_id(raw), "messageId")
    except EventError:
        mid = None
    text = kept.payload(raw)
    if text is None:
        what = index, error.code, error.message, error.field, mid
        return RejectedEvent(*what, received=received, is_kept=False)
    message = error.message + near_misses_in(error, raw)
    what = index, error.code, message, error.field, mid
    return RejectedEvent(*what, text, kept.envelope, received)
