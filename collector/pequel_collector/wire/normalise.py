"""Events to messages: what their ids, names, times and accounts mean, or why one is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import NamedTuple

from ..config import Settings
from ..model import JSON, Message, RejectedEvent, anonymous_key, user_key
from . import decode, iso8601, rejected_events
from .bounds import check_depth, check_shared, check_size
from .event import Envelope, Event, EventError, describe
from .junk_ids import may_link, names_nobody

LONGEST = 512
"""Characters in an id or a name."""


class Arrival(NamedTuple):
    """What the events of one request have in common."""

    received: int
    settings: Settings
    new_id: Callable[[], str]
    envelope: Envelope
    sent: int | None


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
    """The messages of a request, and its refused events. Every event is in one of the two.

    Raises TooLarge and BadRequest for what the events share.
    """
    check_shared(envelope, settings)
    arrival = Arrival(received, settings, new_id, envelope, _sent(envelope.sent_at))
    around = rejected_events.surroundings(envelope)
    messages, rejected = [], []
    for index, raw in enumerate(envelope.events):
        try:
            if index >= settings.max_batch:
                raise _full(settings.max_batch)
            messages.append(message(raw, arrival))
        except EventError as fault:
            rejected.append(_rejection(index, raw, fault, around, received))
    return messages, rejected


def normalise_again(
    payload: str,
    around: Mapping[str, JSON] | None,
    received: int,
    settings: Settings,
    new_id: Callable[[], str],
) -> Message:
    """What a refused event is by now: the message that it would have been when it was received.

    ``payload`` and ``around`` are those of its RejectedEvent, ``received`` is in milliseconds.
    Raises EventError for one that would be refused again.
    """
    envelope = rejected_events.as_it_came(payload, around)
    arrival = Arrival(received, settings, new_id, envelope, _sent(envelope.sent_at))
    try:
        return message(envelope.events[0], arrival)
    except ValueError as error:  # a line of a file may have been no JSON at all
        raise EventError("bad_json", f"no JSON: {error}") from None


def message(raw: bytes, arrival: Arrival) -> Message:
    """One event as a message. Raises EventError."""
    received, settings, new_id, envelope, sent = arrival
    check_size(raw, settings.max_event)
    event = decode.event(raw)
    check_depth(event, raw, settings.max_depth)
    type_ = _type(envelope.type or event.type)
    user, anonymous = _who(event, envelope.anonymous_id)
    context = event.context or {}
    if envelope.context:
        context = {**envelope.context, **context}
    name, account, previous, properties, traits = _CONTENT[type_](event, context)
    if event.sent_at is not None:
        sent = _sent(event.sent_at) or sent
    time, original = event_time(event, sent, received)
    return Message(
        _real(event.message_id, "messageId") or new_id(),
        type_,
        _subject(user, anonymous),
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


def identifier(value: JSON, field: str) -> str | None:
    """An id: a number is its decimal text; null and blanks are none. Raises EventError."""
    if isinstance(value, str):
        return checked(value, field) if value and not value.isspace() else None
    return None if value is None else checked(_decimal_text(value, field), field)


def checked(text: str, field: str) -> str:
    """A text that can be stored, searched for and shown as it is. Raises EventError."""
    if len(text) > LONGEST:
        found = f"{len(text)} characters"
        raise EventError("too_long", f"{field}: found {found}, expected at most {LONGEST}", field)
    if "\0" not in text and (text.isascii() or _is_unicode(text)):
        return text
    expected = "text without NUL and half characters"
    raise EventError("bad_text", f"{field}: found {describe(text)}, expected {expected}", field)


def event_time(event: Event, sent: int | None, received: int) -> tuple[int, str | None]:
    """When it happened by the collector's clock, and what the client said. Raises EventError.

    What was sent with its time of sending is moved by the difference of the two clocks, unless
    the client gave two times: then the first was meant as it stands.
    """
    stated, original = _stated(event.timestamp), _stated(event.original_timestamp)
    if stated is None and original is None:
        return received, None
    field, text = ("originalTimestamp", original) if stated is None else ("timestamp", stated)
    time = iso8601.parse(text) if isinstance(text, str) else None
    if time is None:
        raise _bad_time(field, text)
    if sent is not None and (stated is None or original is None):
        time += received - sent
    if time < 0:
        raise _bad_time(field, text)
    return min(time, received), text


def _type(found: str | None) -> str:
    if found is not None and found in _CONTENT:
        return found
    expected = "expected " + ", ".join(_CONTENT)
    if found is None:
        raise EventError("missing_field", f"type: not there, {expected}", "type")
    raise EventError("unknown_type", f"type: found {describe(found)}, {expected}", "type")


def _who(event: Event, header: str | None) -> tuple[str | None, str | None]:
    """The user id and the anonymous id of an event. Raises EventError where there is only junk."""
    user = _real(event.user_id, "userId")
    anonymous = _real(event.anonymous_id, "anonymousId") or (None if user else header)
    if user is None and anonymous is None:
        for value, field in ((event.user_id, "userId"), (event.anonymous_id, "anonymousId")):
            _refuse_junk(identifier(value, field), field)
    return user, anonymous


def _subject(user: str | None, anonymous: str | None) -> str:
    if user is not None:
        return user_key(user)
    if anonymous is not None:
        return anonymous_key(anonymous)
    raise EventError("missing_field", "expected a userId or an anonymousId", "userId")


def _linked(user: str | None, anonymous: str | None) -> str | None:
    """The anonymous id that an event links to its user."""
    if user is None or anonymous is None:
        return None
    return anonymous if may_link(user) and may_link(anonymous) else None


def _track(event: Event, context: Mapping[str, JSON]) -> Content:
    name = event.event
    if name is None or not name or name.isspace():
        raise EventError(
            "missing_field", "event: not there, expected the name of the event", "event"
        )
    return Content(checked(name, "event"), _account(event, context), None, event.properties)


def _page(event: Event, context: Mapping[str, JSON]) -> Content:
    return Content("page", _account(event, context), None, _view(event))


def _screen(event: Event, context: Mapping[str, JSON]) -> Content:
    return Content("screen", _account(event, context), None, _view(event))


def _identify(event: Event, context: Mapping[str, JSON]) -> Content:
    traits = event.traits or {}
    under = context.get("traits")
    if isinstance(under, dict):
        traits = {**under, **traits}
    elif under is not None:
        found, field = describe(under), "context.traits"
        raise EventError("bad_value", f"{field}: found {found}, expected an object or null", field)
    return Content(None, _account(event, context), traits=_named(traits))


def _group(event: Event, context: Mapping[str, JSON]) -> Content:  # noqa: ARG001
    return Content(None, _needed(event.group_id, "groupId"), traits=_named(event.traits or {}))


def _alias(event: Event, context: Mapping[str, JSON]) -> Content:
    _linking(event.user_id, "userId")
    return Content(None, _account(event, context), _linking(event.previous_id, "previousId"))


_CONTENT: dict[str, Callable[[Event, Mapping[str, JSON]], Content]] = {
    "track": _track,
    "identify": _identify,
    "group": _group,
    "page": _page,
    "screen": _screen,
    "alias": _alias,
}


def _account(event: Event, context: Mapping[str, JSON]) -> str | None:
    """The account named on an event."""
    named = _real(context["groupId"], "context.groupId") if "groupId" in context else None
    return named or _real(event.group_id, "groupId")


def _view(event: Event) -> dict[str, JSON]:
    """The properties of a page or a screen: its name and category are among them."""
    own = {"name": event.name, "category": event.category}
    stated = {name: value for name, value in own.items() if value not in (None, "")}
    return {**(event.properties or {}), **stated}


def _needed(value: JSON, field: str) -> str:
    found = identifier(value, field)
    if found is None:
        raise EventError("missing_field", f"{field}: not there, expected an id", field)
    _refuse_junk(found, field)
    return found


def _linking(value: JSON, field: str) -> str:
    """An id that is there to be linked to another."""
    found = _needed(value, field)
    if not may_link(found):
        raise _junk(found, field)
    return found


def _real(value: JSON, field: str) -> str | None:
    """An id, as long as it names somebody. Raises EventError where it is none at all."""
    found = identifier(value, field)
    return None if found is None or names_nobody(found) else found


def _refuse_junk(found: str | None, field: str) -> None:
    if found is not None and names_nobody(found):
        raise _junk(found, field)


def _junk(found: str, field: str) -> EventError:
    expected = "the id of somebody or something"
    return EventError("junk_id", f"{field}: found {describe(found)}, expected {expected}", field)


def _named(traits: dict[str, JSON]) -> dict[str, JSON]:
    """Traits whose names can be stored."""
    for name in traits:
        checked(name, "traits")
    return traits


def _decimal_text(number: JSON, field: str) -> str:
    """A number without exponent, and a whole one without a fraction."""
    if isinstance(number, bool) or not isinstance(number, (int, float)):
        found = describe(number)
        raise EventError("bad_value", f"{field}: found {found}, expected text or a number", field)
    if isinstance(number, int):
        return str(number)
    return format(Decimal(repr(number + 0.0)), "f").removesuffix(".0")


def _is_unicode(text: str) -> bool:
    """Whether there are no lone surrogates in it, which no encoding can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _stated(value: JSON) -> JSON:
    """A time as given; null and blanks are none."""
    return None if isinstance(value, str) and (not value or value.isspace()) else value


def _sent(value: JSON) -> int | None:
    """The time of sending; one that cannot be read corrects nothing."""
    return iso8601.parse(value) if isinstance(value, str) else None


def _bad_time(field: str, value: JSON) -> EventError:
    expected = "a time in ISO 8601 from 1970 on, such as 2026-03-01T10:00:00.000Z"
    return EventError(
        "bad_timestamp", f"{field}: found {describe(value)}, expected {expected}", field
    )


def _full(most: int) -> EventError:
    return EventError("batch_full", f"is over the {most} events that one batch may have")


def _rejection(
    index: int, raw: bytes, fault: EventError, around: Mapping[str, JSON] | None, received: int
) -> RejectedEvent:
    try:
        mid = identifier(decode.message_id(raw), "messageId")
    except EventError:
        mid = None
    text = rejected_events.payload(raw)
    return RejectedEvent(index, fault.code, fault.message, fault.field, mid, text, around, received)
