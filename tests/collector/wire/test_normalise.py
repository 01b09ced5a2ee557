"""From events to messages and refusals: what the cases in `tests/vectors/wire` cannot say."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pequel_collector.config import Settings
from pequel_collector.errors import BadRequest, TooLarge
from pequel_collector.model import Message, RejectedEvent
from pequel_collector.store.encoding import escape
from pequel_collector.wire import decode
from pequel_collector.wire.event import Envelope
from pequel_collector.wire.normalise import normalise

NOW = 1_772_366_400_000
TRACK = {"type": "track", "event": "e", "userId": "u1"}
LONG_ID = "\u4e2d" * 267  # 801 bytes


def sent(*events: Any, **settings: int) -> tuple[list[Message], list[RejectedEvent]]:
    """What becomes of a batch; a text is an event as it stands."""
    texts = [event if isinstance(event, str) else json.dumps(event) for event in events]
    envelope = decode.batch(f'{{"batch": [{", ".join(texts)}]}}'.encode())
    return normalise(envelope, Settings(**settings), NOW, lambda: "given")


def refusal(event: Any, **settings: int) -> RejectedEvent:
    messages, (rejected,) = sent(event, **settings)
    assert not messages
    return rejected


def nested(levels: int) -> str:
    """An event of so many levels."""
    inner = levels - 1
    return json.dumps(TRACK)[:-1] + ', "properties": ' + '{"a":' * inner + "1" + "}" * inner + "}"


class TestABatch:
    def test_keeps_the_good_beside_the_bad(self) -> None:
        messages, rejected = sent(TRACK, {"type": "x"}, "NaN", TRACK | {"userId": "u2"}, nested(99))
        assert [message.subject for message in messages] == ["u:u1", "u:u2"]
        assert [(r.index, r.code) for r in rejected] == [
            (1, "unknown_type"),
            (2, "not_an_object"),
            (4, "too_deep"),
        ]

    def test_of_the_limit_is_taken_whole(self) -> None:
        messages, rejected = sent(*[TRACK] * 3, max_batch=3)
        assert (len(messages), rejected) == (3, [])

    def test_over_the_limit_loses_only_what_is_over(self) -> None:
        messages, rejected = sent(*[TRACK | {"messageId": f"m{n}"} for n in range(5)], max_batch=3)
        assert [message.mid for message in messages] == ["m0", "m1", "m2"]
        found = [(r.index, r.code, r.mid) for r in rejected]
        assert found == [(3, "batch_full", "m3"), (4, "batch_full", "m4")]

    def test_grossly_over_the_limit_is_refused_whole(self) -> None:
        """Else a body of commas would be answered with a hundred times as much."""
        with pytest.raises(TooLarge):
            sent(*["1"] * 31, max_batch=3)


class TestWhatABatchShares:
    """It is stored with each event: what is small once may be large 2,500 times."""

    BATCH = '{"batch": [%s], "context": %s}'

    def taken(self, context: str) -> list[Message]:
        envelope = decode.batch((self.BATCH % (json.dumps(TRACK), context)).encode())
        return normalise(envelope, Settings(), NOW, lambda: "given")[0]

    def test_may_be_as_large_as_an_event(self) -> None:
        assert self.taken(json.dumps({"a": "x" * 32_760}))
        with pytest.raises(TooLarge, match="32769 bytes"):
            self.taken(json.dumps({"a": "x" * 32_761}))

    def test_counts_for_each_event(self) -> None:
        events = ", ".join(["{}"] * 1_000)
        envelope = decode.batch((self.BATCH % (events, json.dumps({"a": "x" * 21_000}))).encode())
        with pytest.raises(TooLarge, match="together"):
            normalise(envelope, Settings(), NOW, lambda: "given")

    def test_may_hold_half_a_character(self) -> None:
        (message,) = self.taken('{"a": "\\ud800"}')
        assert message.context == {"a": "\ud800"}

    def test_may_nest_as_deeply_as_an_event(self) -> None:
        assert self.taken('{"a":' * 63 + "1" + "}" * 63)
        with pytest.raises(BadRequest, match="deeper than 63 levels"):
            self.taken('{"a":' * 64 + "1" + "}" * 64)


class TestLimits:
    def test_an_event_is_measured_as_it_stands(self) -> None:
        text = json.dumps(TRACK)
        assert sent(text, max_event=len(text))[0]
        assert refusal(text, max_event=len(text) - 1).code == "too_large"

    def test_an_event_of_32_768_bytes_is_taken(self) -> None:
        empty = len(json.dumps(TRACK | {"properties": {"a": ""}}))
        assert sent(TRACK | {"properties": {"a": "x" * (32_768 - empty)}})[0]
        assert refusal(TRACK | {"properties": {"a": "x" * (32_769 - empty)}}).code == "too_large"

    @pytest.mark.parametrize("levels", [65, 300, 800, 1_000, 2_500])
    def test_an_event_nests_64_levels(self, levels: int) -> None:
        assert sent(nested(64))[0]
        assert refusal(nested(levels)).code == "too_deep"

    def test_an_event_that_no_parser_can_follow_harms_no_other(self) -> None:
        deep = '{"type": "[\\"{", "a": ' + "[" * 100_000 + '"]"' + "]" * 100_000 + "}"
        messages, rejected = sent(TRACK, deep, TRACK, max_event=300_000)
        assert len(messages) == 2
        assert [(r.index, r.code) for r in rejected] == [(1, "too_deep")]

    def test_a_batch_that_never_closes_what_it_opens_is_refused_whole(self) -> None:
        with pytest.raises(BadRequest, match="Expecting the end"):
            decode.batch(('{"batch": [' + '{"a":[' * 50_000 + '"\\').encode())

    @pytest.mark.parametrize("character", ["x", "é", "😀", "\ufdd0"])
    def test_an_id_has_512_characters_and_800_bytes_as_it_is_stored(self, character: str) -> None:
        most = min(512, 800 // len(escape(character).encode()))
        (message,), _ = sent(TRACK | {"userId": character * most})
        assert message.user_id == character * most
        assert refusal(TRACK | {"userId": character * (most + 1)}).code == "too_long"

    @pytest.mark.parametrize(
        ("field", "event"),
        [
            ("userId", {"userId": LONG_ID}),
            ("anonymousId", {"anonymousId": LONG_ID}),
            ("messageId", {"messageId": LONG_ID}),
            ("event", {"event": LONG_ID}),
            ("context.groupId", {"context": {"groupId": LONG_ID}}),
            ("groupId", {"type": "group", "groupId": LONG_ID}),
            ("previousId", {"type": "alias", "previousId": LONG_ID}),
            ("traits", {"type": "identify", "traits": {LONG_ID: 1}}),
            ("traits", {"type": "identify", "context": {"traits": {LONG_ID: 1}}}),
            ("traits", {"type": "group", "groupId": "g", "traits": {LONG_ID: 1}}),
        ],
    )
    def test_every_id_and_name_is_bounded_in_bytes(self, field: str, event: dict[str, Any]) -> None:
        messages, (rejected,) = sent(TRACK | event, TRACK)
        assert (rejected.code, rejected.field, len(messages)) == ("too_long", field, 1)

    def test_an_anonymous_id_of_a_header_is_bounded(self) -> None:
        envelope = Envelope([b'{"type": "track", "event": "e"}'], anonymous_id="x" * 513)
        _, (rejected,) = normalise(envelope, Settings(), NOW, lambda: "given")
        assert (rejected.code, rejected.field) == ("too_long", "anonymousId")

    @pytest.mark.parametrize("part", ["properties", "traits", "context"])
    @pytest.mark.parametrize("digits", [309, 4_300, 4_301, 9_000])
    @pytest.mark.parametrize("sign", ["", "-"])
    def test_a_whole_number_has_308_digits(self, part: str, digits: int, sign: str) -> None:
        text = json.dumps(TRACK)[:-1] + ', "%s": {"a": [{"b": %s}]}}'
        (message,), _ = sent(text % (part, sign + "9" * 308))
        assert getattr(message, part) or part == "traits"
        rejected = refusal(text % (part, sign + "9" * digits))
        assert (rejected.code, rejected.field) == ("too_long", part)

    def test_digits_in_a_text_are_not_a_number(self) -> None:
        (message,), _ = sent(TRACK | {"properties": {"a": "9" * 5_000}})
        assert message.properties == {"a": "9" * 5_000}

    def test_a_long_number_in_a_key_that_is_ignored_does_no_harm(self) -> None:
        assert sent(json.dumps(TRACK)[:-1] + ', "rank": ' + "9" * 5_000 + "}")[0]


class TestARefusal:
    def test_keeps_the_event_as_it_came_without_its_white_space(self) -> None:
        assert refusal('{"type" : "x",\n "a": "1 2" }').payload == '{"type":"x","a":"1 2"}'

    def test_keeps_what_is_no_json(self) -> None:
        assert refusal('{"type": NaN}').payload == '{"type": NaN}'

    def test_keeps_all_of_an_event_that_is_too_large(self) -> None:
        event = TRACK | {"properties": {"a": "é" * 100}}
        assert json.loads(refusal(event, max_event=50).payload) == event

    def test_tells_the_message_id(self) -> None:
        assert refusal({"type": "x", "messageId": "m1"}).mid == "m1"
        assert refusal('{"type": NaN, "messageId": 17}').mid == "17"

    @pytest.mark.parametrize("mid", ['"\\u0000"', '"\\ud800"', "{}", f'"{"x" * 513}"', "null"])
    def test_tells_no_message_id_that_cannot_be_stored(self, mid: str) -> None:
        assert refusal(f'{{"type": "x", "messageId": {mid}}}').mid is None

    @pytest.mark.parametrize(
        ("event", "said"),
        [
            (TRACK | {"properties": [1]}, "properties: found a list, expected an object or null"),
            (TRACK | {"context": "web"}, "context: found the text 'web', expected an object"),
            (TRACK | {"userId": True}, "userId: found true, expected text or a number"),
            (TRACK | {"event": 5}, "event: found the number 5, expected text"),
            (TRACK | {"type": "trakc"}, "type: found the text 'trakc', expected track, identify"),
            (
                TRACK | {"timestamp": 5},
                "timestamp: found the number 5, expected a time in ISO 8601",
            ),
            (TRACK | {"userId": "x" * 600}, "userId: found 600 characters, expected at most 512"),
            (TRACK | {"event": "\0"}, r"event: found the text '\x00', expected text without NUL"),
            ({"type": "group", "userId": "u1"}, "groupId: not there, expected an id"),
            ({"type": "track", "event": "e"}, "expected a userId or an anonymousId"),
        ],
    )
    def test_says_what_was_found_and_what_was_expected(self, event: Any, said: str) -> None:
        assert said in refusal(event).message

    @pytest.mark.parametrize(
        ("event", "hint"),
        [
            ({"userid": "u1"}, ": found userid; did you mean userId?"),
            ({"user_id": "u1"}, ": found user_id; did you mean userId?"),
            ({"usrId": "u1"}, ": found usrId; did you mean userId?"),
            ({"anonymous-id": "v1"}, ": found anonymous-id; did you mean anonymousId?"),
            ({"GroupID": "a"}, ": found GroupID; did you mean groupId?"),
            (
                {"user_id": "u1", "time_stamp": "2026-03-01"},
                ": found user_id and time_stamp; did you mean userId and timestamp?",
            ),
            ({"user_id": "u1", "userid": "u1"}, ": found user_id; did you mean userId?"),
            ({"userId": None, "userid": "u1"}, ""),
            ({"uid": "u1", "user": "u1", "rudderId": "u1", "u\nserid": "u1"}, ""),
            ({"user" + "_" * 30 + "id": "u1"}, ""),
        ],
    )
    def test_names_a_key_that_looks_like_a_field(self, event: Any, hint: str) -> None:
        start = "expected a userId or an anonymousId, or a groupId alone"
        assert refusal({"type": "track", "event": "e", **event}).message == start + hint

    def test_names_a_key_that_looks_like_the_name_or_the_type(self) -> None:
        assert refusal({"type": "track", "userId": "u1", "Event": "e"}).message == (
            "event: not there, expected the name of the event: found Event; did you mean event?"
        )
        assert ": found Type; did you mean type?" in refusal({"Type": "track"}).message

    def test_names_no_key_where_nothing_is_missing(self) -> None:
        assert "did you mean" not in refusal(TRACK | {"timestamp": 5, "userid": "u1"}).message

    def test_says_it_briefly(self) -> None:
        assert len(refusal(TRACK | {"type": "x" * 500}).message) < 200


def test_what_is_received_is_noted_on_every_message() -> None:
    (message,), _ = sent(TRACK)
    assert (message.received, message.time, message.mid) == (NOW, NOW, "given")
