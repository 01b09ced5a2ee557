"""What is kept of a rejected event, and that it gives the same message when it is read again."""

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
from pequel_collector.wire.rejected_events import MAX_PAYLOAD

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
    """The message or the rejected event of an envelope with one event."""
    messages, rejected = normalise(envelope, settings, NOW, ids())
    (only,) = [*messages, *rejected]
    return only


def reject_for_now(envelope: Envelope) -> RejectedEvent:
    """An envelope's only event, rejected as the one too many of a batch."""
    behind = envelope._replace(events=[b"0", *envelope.events])
    _, (_, rejected) = normalise(behind, Settings(max_batch=1), NOW, ids())
    assert rejected.code == "batch_full"
    return rejected


def again(rejected: RejectedEvent, settings: Settings) -> Message | str:
    """A rejected event, read again: its message, or the code of the error."""
    try:
        return normalise_again(rejected, NOW, settings, ids())
    except EventError as error:
        return error.code


def ids() -> Any:
    given = count(1)
    return lambda: f"given-{next(given)}"


@given(envelopes)
def test_a_rejected_event_is_the_same_message_later(envelope: Envelope) -> None:
    """It was rejected by a limit that is higher later."""
    rejected = reject_for_now(envelope)
    at_once = taken(envelope, Settings())
    expected = at_once.code if isinstance(at_once, RejectedEvent) else at_once
    assert repr(again(rejected, Settings())) == repr(expected)


def test_a_rejected_event_of_a_batch_keeps_what_its_request_said() -> None:
    body = {"batch": [TRACK], "context": {"ip": "::1"}, "sentAt": "2026-03-01T11:59:00Z"}
    envelope = decode.batch(json.dumps(body).encode())
    rejected = reject_for_now(headers.completed(envelope, "x", "YTE="))
    assert rejected.envelope == {
        "context": {"ip": "::1"},
        "sentAt": "2026-03-01T11:59:00Z",
        "anonymousId": "a1",
    }


def test_a_rejected_event_keeps_the_type_of_its_path() -> None:
    rejected = reject_for_now(decode.single(json.dumps(TRACK).encode(), "page"))
    assert rejected.envelope == {"type": "page"}


def test_an_empty_envelope_is_none() -> None:
    rejected = taken(Envelope([b"5"]), Settings())
    assert isinstance(rejected, RejectedEvent)
    assert rejected.envelope is None


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
    rejected = taken(Envelope([text.encode()]), Settings())
    assert isinstance(rejected, RejectedEvent)
    assert "secret" not in rejected.payload
    assert rejected.payload


def test_a_property_that_is_called_like_the_key_is_kept() -> None:
    text = '{"type":"x","properties":{"writeKey":"mine","n":NaN}}'
    rejected = taken(Envelope([text.encode()]), Settings())
    assert isinstance(rejected, RejectedEvent)
    assert "mine" in rejected.payload


def test_of_a_very_long_event_the_start_is_kept() -> None:
    """A few kB of gzip hold one of many MB, and anybody has a write key of a page."""
    text = json.dumps({"writeKey": "secret", "type": "x", "properties": {"a": "é" * 1_000_000}})
    rejected = taken(Envelope([text.encode()]), Settings())
    assert isinstance(rejected, RejectedEvent)
    assert rejected.payload.startswith('{"type":"x"')
    assert len(rejected.payload.encode()) <= MAX_PAYLOAD
