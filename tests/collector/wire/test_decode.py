"""Finding the events in a body, and that both parsers find the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pequel_collector.config import Settings
from pequel_collector.errors import BadRequest, PequelError
from pequel_collector.wire import body, decode
from pequel_collector.wire.event import Envelope, Event, EventError
from pequel_collector.wire.normalise import normalise
from pequel_collector.wire.schema import EventSchema

# -- Bodies that are nearly right: whatever clients send, and worse ------------------------------

EVENT_KEYS = [field.data_key or name for name, field in EventSchema().fields.items()]
OBJECT_KEYS = ("properties", "traits", "context")
ORDINARY = [key for key in EVENT_KEYS if key not in OBJECT_KEYS]
BODY_KEYS = ["batch", "context", "sentAt", "writeKey"]
NUMBERS = ["0", "-0", "-0.0", "1", "1.0", "1.5", "1e22", "1e23", "1E+5", "5e-324", "1e-400"]
HUGE = ["1e400", "-1e400", "1180591620717411303424", "9" * 400, "9" * 4300, "-" + "9" * 4301]
TEXTS = ['""', '" "', '"track"', '"u1"', '"é😀"', '"\x7f"', '"2026-03-01T10:00:00.000Z"']
ESCAPES = ['"\\u0000"', '"\\ud83d\\ude00"', '"\\ud800"', '"\\ud800x"', '"\\udc00\\ud800"']
CONSTANTS = ["null", "true", "false", "NaN", "Infinity", "-Infinity"]
BROKEN = [*'"{],\0', "nan", "01", "1.", ".5", "+1", "'a'", '"\\q"', '"\x01"', '"\\u00zz"']
SPACE = st.sampled_from(["", "", "", " ", "\n\t", "\r"])

texts = st.sampled_from([*TEXTS, *ESCAPES])
words = st.sampled_from([*NUMBERS, *HUGE, *CONSTANTS]) | texts


def quoted(*names: str) -> st.SearchStrategy[str]:
    return st.sampled_from([json.dumps(name) for name in names])


def listed(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """A list as text."""
    return st.tuples(SPACE, st.lists(parts, max_size=4)).map(lambda p: f"[{p[0]}{','.join(p[1])}]")


def keyed(names: st.SearchStrategy[str], parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """An object as text; names may come twice."""
    return braced(st.tuples(SPACE, names, SPACE, st.just(":"), SPACE, parts).map("".join))


def braced(members: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(members, max_size=8).map(lambda each: "{" + ",".join(each) + "}")


def fitting(key: str) -> st.SearchStrategy[str]:
    """A member of an event that is as it should be, most times."""
    value = objects if key in OBJECT_KEYS else texts | st.sampled_from(NUMBERS)
    return value.map(lambda text: f"{json.dumps(key)}: {text}")


values = st.recursive(words, lambda inner: listed(inner) | keyed(texts, inner), max_leaves=8)
objects = keyed(texts, values)
events = keyed(quoted(*EVENT_KEYS, "_metadata", "é"), values) | braced(
    st.sampled_from(EVENT_KEYS).flatmap(fitting)
)
bodies = keyed(quoted(*BODY_KEYS, "é"), values) | keyed(quoted("batch"), listed(events | values))


@st.composite
def spoiled(draw: st.DrawFn, texts: st.SearchStrategy[str]) -> bytes:
    """A text, perhaps with a few characters cut out or put in."""
    text = draw(texts)
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(text)))
        rest = text[at + draw(st.integers(0, 3)) :]
        text = text[:at] + draw(st.sampled_from(["", *BROKEN])) + rest
    return text.encode()


def outcome(read: Callable[[bytes], Any], text: bytes) -> str:
    """What comes of reading a text: `repr` tells 1, 1.0 and True apart."""
    try:
        return repr(read(text))
    except EventError as error:
        return f"{error.code} {error.field} {error.message}"
    except PequelError as error:
        return f"{error.code} {error.message}"


class TestMsgspec:
    """What msgspec accepts, the lenient parser reads in the same way."""

    @given(events | values)
    @example('{"userId": 1180591620717411303424}')
    @example('{"userId": true}')
    @example('{"type": "a", "type": 5}')
    @example('{"integrations": {"a": 1e400}}')
    def test_finds_the_same_event_as_the_lenient_one(self, text: str) -> None:
        assert outcome(decode.event, text.encode()) == outcome(decode.lenient_event, text.encode())

    @given(spoiled(bodies))
    @example(b'{"batch": [{}], "batch": [NaN]}')
    @example(b'{"batch": [1e400, "\\ud800"], "context": {"a": -0}}')
    @example(b'{"b\\u0061tch": [{}]}')
    @example(b'{"batch": [{}],}')
    @example(b'{"batch": [{},]}')
    @example(b'{"batch": [{}]} x')
    def test_finds_the_same_batch_as_the_lenient_one(self, text: bytes) -> None:
        assert outcome(decode.batch, text) == outcome(decode.lenient_batch, text)

    @given(st.lists(st.dictionaries(st.sampled_from(ORDINARY), st.none() | st.text()), max_size=5))
    def test_is_taken_by_ordinary_events(self, sent: list[dict[str, Any]]) -> None:
        """Otherwise the comparison would test nothing."""
        text = json.dumps({"batch": sent}).encode(errors="surrogatepass")
        assert decode._batch(text)
        assert all(isinstance(decode._event(raw), Event) for raw in decode.batch(text).events)


class TestAnyBytes:
    """A caller gets messages, rejected events or an error that says what is wrong."""

    @given(spoiled(bodies) | st.binary())
    def test_as_a_batch(self, text: bytes) -> None:
        self.survive(text, decode.batch)

    @given(spoiled(events) | st.binary())
    def test_as_a_single_call(self, text: bytes) -> None:
        self.survive(text, lambda read: decode.single(read, "identify"))

    def survive(self, text: bytes, find: Callable[[bytes], Envelope]) -> None:
        settings = Settings(max_batch=3, max_depth=4, max_event=200)
        with suppress(PequelError):
            envelope = find(body.read(text, "", settings))
            messages, rejected = normalise(envelope, settings, 1_772_359_200_000, lambda: "m")
            assert len(messages) + len(rejected) == len(envelope.events)
            for one in rejected:
                assert one.message.isprintable()
                assert "\0" not in (one.payload + (one.mid or "")).encode().decode()


class TestABatch:
    def test_gives_each_event_as_it_stands(self) -> None:
        found = decode.batch(b'{"batch": [ {"type" : "track"} ,null, "\xc3\xa9" ]}')
        assert found.events == [b'{"type" : "track"}', b"null", b'"\xc3\xa9"']

    def test_gives_each_event_unchanged_with_the_lenient_parser_too(self) -> None:
        found = decode.batch(b'{"x": NaN, "batch": [ {"type" : "track"} ,NaN, "\xc3\xa9" ]}')
        assert found.events == [b'{"type" : "track"}', b"NaN", b'"\xc3\xa9"']

    def test_gives_what_its_events_share(self) -> None:
        found = decode.batch(
            b'{"batch":[],"sentAt":"x","context":{"ip":"::1"},"writeKey":"k","integrations":{}}'
        )
        assert found == Envelope([], None, {"ip": "::1"}, "x", "k")

    def test_may_be_empty(self) -> None:
        assert decode.batch(b'{"batch": []}').events == []

    @pytest.mark.parametrize(
        ("text", "code", "said"),
        [
            (b"", "bad_json", "line 1 column 1"),
            (b"{", "bad_json", "line 1 column 2"),
            (b'{"batch": [}', "bad_json", "line 1 column 12"),
            (b'{"batch": [{"a" 1}]}', "bad_json", "line 1 column 17"),
            (b'{"batch": []\n "x": 1}', "bad_json", "line 2 column 2"),
            (b'{"batch": []} x', "bad_json", "Extra data"),
            (b"{batch: []}", "bad_json", "double quotes"),
            (b"[]", "bad_body", "the body is not an object, expected one with a list batch"),
            (b" null", "bad_body", "the body is not an object, expected one with a list batch"),
            (b"[] x", "bad_json", "Extra data"),
            (b"[" * 100_000, "bad_json", "Expecting the end"),
            (b"{}", "bad_body", "expected a list of events"),
            (b'{"batch": null}', "bad_body", "expected a list of events"),
            (b'{"batch": {}}', "bad_body", "found an object, expected a list of events"),
            (b'{"batch": "[]"}', "bad_body", "expected a list of events"),
            (b'{"batch": ' + b"[" * 100_000, "bad_json", "Expecting the end"),
            (b'{"x": ' + b'{"a":' * 100_000 + b"1", "bad_json", "too deeply"),
        ],
    )
    def test_that_is_none_is_refused_with_the_place_and_the_reason(
        self, text: bytes, code: str, said: str
    ) -> None:
        with pytest.raises(BadRequest) as caught:
            decode.batch(text)
        assert caught.value.code == code
        assert said in caught.value.message


class TestASingleCall:
    def test_is_the_body_with_the_type_of_its_path(self) -> None:
        found = decode.single(b' {"userId": "u1"}', "identify")
        assert found == Envelope([b' {"userId": "u1"}'], "identify")

    def test_may_hold_what_is_no_json(self) -> None:
        assert decode.single(b'{"properties": {"a": NaN}}', "track").events

    @pytest.mark.parametrize("text", [b"[]", b"null", b'"x"', b" 5"])
    def test_must_be_an_object(self, text: bytes) -> None:
        with pytest.raises(BadRequest, match="expected an event"):
            decode.single(text, "track")

    @pytest.mark.parametrize("text", [b"", b"{", b"{} {}", b'{"a": }', b"{" * 100_000])
    def test_must_be_json(self, text: bytes) -> None:
        with pytest.raises(BadRequest) as caught:
            decode.single(text, "track")
        assert caught.value.code == "bad_json"


class TestTheWriteKey:
    @pytest.mark.parametrize(
        "text",
        [
            b'{"batch": [], "writeKey": "k"}',
            b'{"batch": [{"writeKey": "k"}, {"writeKey": "other"}]}',
            b'{"batch": [{"writeKey": "other"}], "writeKey": "k"}',
            b'{"batch": [{"writeKey": "k"}], "writeKey": " "}',
            b'{"batch": [{"writeKey": "k"}], "writeKey": 5}',
            b'{"batch": [{"writeKey": "k", "properties": NaN}]}',
        ],
    )
    def test_is_that_of_the_body_else_of_its_first_event(self, text: bytes) -> None:
        assert decode.write_key(decode.batch(text)) == "k"

    def test_of_a_single_call_is_its_own(self) -> None:
        assert decode.write_key(decode.single(b'{"writeKey": "k"}', "track")) == "k"

    @pytest.mark.parametrize(
        "text", [b"[]", b"[5]", b"[{}]", b'[{}, {"writeKey": "k"}]', b'[{"writeKey": {}}]']
    )
    def test_may_be_missing(self, text: bytes) -> None:
        assert decode.write_key(decode.batch(b'{"batch": ' + text + b"}")) is None
