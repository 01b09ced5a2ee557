"""What is kept of a refused event, and that it can be read again as if it had just come."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.config import Settings
from pequel_collector.model import Message, RejectedEvent
from pequel_collector.wire import decode, headers
from pequel_collector.wire.event import Envelope, EventError
from pequel_collector.wire.normalise import normalise, normalise_again
from pequel_collector.wire.rejected_events import LONGEST

NOW = 1_772_366_400_000
TRACK = {"type": "track", "event": "e", "userId": "u1"}

texts = st.sampled_from(["u1", "", " ", "a\0", "\ud800", "null", "2026-03-01T10:00:00Z", "acme"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(texts, inner, max_size=2),
    max_leaves=5,
)
names = (
    "event userId anonymousId groupId previousId messageId name category properties traits context "
    "timestamp originalTimestamp sentAt writeKey"
)
events = st.fixed_dictionaries(
    {"type": st.sampled_from(["track", "identify", "group", "page", "alias", "?"])},
    optional=dict.fromkeys(names.split(), values) | {"userId": texts, "event": texts},
)
envelopes = st.builds(
    lambda event, type_, shared, sent, header: headers.completed(
        Envelope([json.dumps(event).encode()], type_, shared), sent, header
    ),
    events,
    st.none() | st.sampled_from(["track", "identify", "group"]),
    st.none() | st.dictionaries(texts, texts, max_size=2),
    st.none() | st.sampled_from(["2026-03-01T11:59:00Z", "?", ""]),
    st.none() | st.just("YTE="),
)


def taken(envelope: Envelope, settings: Settings) -> Message | RejectedEvent:
    """What becomes of an envelope's only event."""
    messages, rejected = normalise(envelope, settings, NOW, ids())
    (only,) = [*messages, *rejected]
    return only


def put_off(envelope: Envelope) -> RejectedEvent:
    """The refusal of an envelope's only event, as the one too many of a batch."""
    behind = envelope._replace(events=[b"0", *envelope.events])
    _, (_, refused) = normalise(behind, Settings(max_batch=1), NOW, ids())
    assert refused.code == "batch_full"
    return refused


def again(refused: RejectedEvent, settings: Settings) -> Message | str:
    """What becomes of a refused event when it is read again: a message, or the code of a fault."""
    try:
        return normalise_again(refused.payload, refused.around, NOW, settings, ids())
    except EventError as fault:
        return fault.code


def ids() -> Any:
    given = count(1)
    return lambda: f"given-{next(given)}"


@given(envelopes)
def test_a_refused_event_is_the_same_message_later(envelope: Envelope) -> None:
    """Rejected by a limit that is raised afterwards, it is what it would have been at once."""
    refused = put_off(envelope)
    at_once = taken(envelope, Settings())
    expected = at_once.code if isinstance(at_once, RejectedEvent) else at_once
    assert repr(again(refused, Settings())) == repr(expected)


def test_a_refused_event_of_a_batch_keeps_what_stood_around_it() -> None:
    body = {"batch": [TRACK], "context": {"ip": "::1"}, "sentAt": "2026-03-01T11:59:00Z"}
    envelope = decode.batch(json.dumps(body).encode())
    refused = put_off(headers.completed(envelope, "x", "YTE="))
    assert refused.around == {
        "context": {"ip": "::1"},
        "sentAt": "2026-03-01T11:59:00Z",
        "anonymousId": "a1",
    }


def test_a_refused_event_keeps_the_type_of_its_path() -> None:
    refused = put_off(decode.single(json.dumps(TRACK).encode(), "page"))
    assert refused.around == {"type": "page"}


def test_nothing_around_is_none() -> None:
    refused = taken(Envelope([b"5"]), Settings())
    assert isinstance(refused, RejectedEvent)
    assert refused.around is None


@pytest.mark.parametrize(
    "text",
    [
        '{"writeKey": "secret", "type": "x"}',
        '{"write\\u004bey": "secret", "type": "x"}',
        '{"writeKey": "secret", "writeKey": "secret", "type": "x"}',
        '{"writeKey": "secret", "type": NaN}',
        '{"write\\u004bey": "secret", "type": NaN}',
        '{"writeKey" : "sec\\"secret", "a": ' + "[" * 5_000 + "]" * 5_000 + "}",
    ],
)
def test_a_write_key_is_not_kept(text: str) -> None:
    refused = taken(Envelope([text.encode()]), Settings())
    assert isinstance(refused, RejectedEvent)
    assert "secret" not in refused.payload
    assert refused.payload


def test_a_property_that_is_called_like_the_key_is_kept() -> None:
    text = '{"type":"x","properties":{"writeKey":"mine","n":NaN}}'
    refused = taken(Envelope([text.encode()]), Settings())
    assert isinstance(refused, RejectedEvent)
    assert "mine" in refused.payload


def test_of_a_very_long_event_the_start_is_kept() -> None:
    """A few kB of gzip hold one of many MB, and anybody has a write key of a page."""
    text = json.dumps({"writeKey": "secret", "type": "x", "properties": {"a": "é" * 1_000_000}})
    refused = taken(Envelope([text.encode()]), Settings())
    assert isinstance(refused, RejectedEvent)
    assert refused.payload.startswith('{"type":"x"')
    assert len(refused.payload.encode()) <= LONGEST
