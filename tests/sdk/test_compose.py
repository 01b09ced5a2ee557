"""The arguments of a call become a message."""

import dataclasses
import datetime as dt
import enum
import uuid
from collections import UserString
from collections.abc import Mapping
from contextlib import nullcontext
from decimal import Decimal

import pytest
from django.utils.functional import lazystr
from werkzeug.local import LocalProxy

from pequel.messages.compose import InvalidMessageError, compose
from pequel.scope import context, filled_in

NOW = 1_772_359_200_000
NAIVE = dt.datetime(2026, 3, 1, 10, 0, 0, 999_999)  # noqa: DTZ001 - on purpose


def track(**fields):
    given = {"event": "e", "userId": "u", **fields}
    return compose("track", given.items(), NOW, lambda ms: f"id-{ms}")


def test_a_message_has_a_type_a_time_and_an_id():
    """What the caller leaves out is added or left out."""
    assert track() == {
        "type": "track",
        "event": "e",
        "userId": "u",
        "timestamp": "2026-03-01T10:00:00.000Z",
        "messageId": f"id-{NOW}",
    }


def test_fields_without_a_value_are_left_out():
    """None and blank ids do not travel."""
    message = track(properties=None, context=None, anonymousId=" ", integrations=None)
    assert message.keys() == {"type", "event", "userId", "timestamp", "messageId"}


class User:
    """As of an ORM: its text is its own, but not that of an id."""

    def __str__(self):
        return "a user"


class Name(enum.Enum):
    DONE = "done"
    SEVEN = 7
    NOT = User()


class Spoken(str, enum.Enum):
    DONE = "done"


class Whole:
    """Like a whole number of a numeric library."""

    def __index__(self):
        return 7


class Scalar:
    """Like an element of an array."""

    def tolist(self):
        return 7


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (42, "42"),
        (42.0, "42"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Name.DONE, "done"),
        (Name.SEVEN, "7"),
        (Spoken.DONE, "done"),
        (b"u1", "u1"),
        (Decimal(7), "7"),
        (Whole(), "7"),
        (Scalar(), "7"),
        (" u ", " u "),
    ],
)
def test_an_id_becomes_text(given, expected):
    """Numbers give their decimal text; text stays exactly as it is."""
    assert track(userId=given)["userId"] == expected


@pytest.mark.parametrize(
    "given", [True, ["u"], {"id": "u"}, b"", object(), User(), User, dt.date(2026, 3, 1), Name.NOT]
)
@pytest.mark.parametrize(("kind", "field"), [("identify", "userId"), ("group", "groupId")])
def test_what_cannot_be_an_id_is_refused(kind, field, given):
    """The field at fault is named. As text, an object may say the same of all its kind."""
    with pytest.raises(InvalidMessageError) as caught:
        compose(kind, {"userId": "u", field: given}.items(), NOW, str)
    assert caught.value.field == field


def test_whoever_gives_an_object_for_an_id_is_told_what_to_give():
    with pytest.raises(InvalidMessageError) as caught:
        track(userId=User())
    told = "userId must be text or a number, not User: give its id, as text"
    assert caught.value.detail == told


def test_an_object_is_no_name_of_an_event():
    with pytest.raises(InvalidMessageError, match=r"event must be text or a number, not User$"):
        track(event=User())


def test_a_proxy_stands_for_what_is_behind_it():
    """As Flask's and Flask-Login's do: for text that is an id, for a user that is none."""
    assert track(userId=LocalProxy(lambda: "u5"))["userId"] == "u5"
    assert type(track(userId=LocalProxy(lambda: "u5"))["userId"]) is str
    assert track(userId=LocalProxy(lambda: 5))["userId"] == "5"
    with pytest.raises(InvalidMessageError):
        track(userId=LocalProxy(User))


class OddText(str):
    __slots__ = ()

    def strip(self, *_):
        raise RuntimeError("no text")


@pytest.mark.parametrize("given", [lazystr("u5"), UserString("u5"), OddText("u5")])
def test_what_stands_for_text_is_an_id(given):
    """Such as a lazy translation; the id is plain text."""
    assert track(userId=given)["userId"] == "u5"
    assert type(track(userId=given)["userId"]) is str


def test_who_gives_nobody_is_told_of_scopes():
    with pytest.raises(InvalidMessageError, match=r"pass one, or set one with pequel\.context"):
        track(userId=None)


@pytest.mark.parametrize("absent", [None, "", "  ", float("nan"), Decimal("NaN")])
def test_an_absent_id_may_be_replaced_by_the_other(absent):
    """Null, blank and not-a-number ids count as absent."""
    message = track(userId=absent, anonymousId="a")
    assert "userId" not in message
    assert message["anonymousId"] == "a"


@pytest.mark.parametrize(
    ("kind", "fields", "missing"),
    [
        ("track", {"userId": "u"}, "event"),
        ("track", {"userId": "u", "event": " "}, "event"),
        ("track", {"event": "e"}, "userId"),
        ("identify", {}, "userId"),
        ("page", {}, "userId"),
        ("group", {"userId": "u"}, "groupId"),
        ("alias", {"userId": "u"}, "previousId"),
        ("alias", {"previousId": "p"}, "userId"),
    ],
)
def test_what_a_type_needs_must_be_there(kind, fields, missing):
    """A message the collector would have to refuse is not made."""
    with pytest.raises(InvalidMessageError) as caught:
        compose(kind, fields.items(), NOW, str)
    assert caught.value.field == missing


@dataclasses.dataclass
class Traits:
    plan: str


def test_a_dataclass_serves_as_properties():
    """Whatever encodes to an object can be one."""
    assert track(properties=Traits("free"))["properties"] == {"plan": "free"}


class BrokenDict(dict):
    def items(self):
        raise RuntimeError("cannot be read")

    keys = __iter__ = items


class BrokenMapping(Mapping):
    def __len__(self):
        return 2

    def __iter__(self):
        return iter("ab")

    def __getitem__(self, key):
        return {"b": 1}[key]


@pytest.mark.parametrize(
    ("value", "expected"), [(BrokenDict(a=1), {"a": 1}), (BrokenMapping(), {"b": 1})]
)
@pytest.mark.parametrize("field", ["properties", "context"])
def test_of_a_mapping_that_fails_there_is_what_can_be_read(field, value, expected):
    """Also where a scope adds to it."""
    with context(locale="de") if field == "context" else nullcontext():
        fields = filled_in("track", {"userId": "u", "event": "e", field: value})
    message = compose("track", fields.items(), NOW, str)
    assert type(message[field]) is dict
    assert expected.items() <= message[field].items()


@pytest.mark.parametrize("field", ["properties", "context", "integrations"])
@pytest.mark.parametrize("value", [[1], "text", 5])
def test_what_is_no_mapping_is_refused(field, value):
    """Properties that are a list or text cannot be meant."""
    with pytest.raises(InvalidMessageError) as caught:
        track(**{field: value})
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (NAIVE, "2026-03-01T10:00:00.999Z"),
        (
            dt.datetime(2026, 3, 1, tzinfo=dt.timezone(dt.timedelta(hours=-8))),
            "2026-03-01T08:00:00.000Z",
        ),
        (dt.date(2026, 3, 1), "2026-03-01T00:00:00.000Z"),
        ("2026-03-01T10:00:00+05:30", "2026-03-01T04:30:00.000Z"),
        ("2026-03-01T10:00:00.123456-08:00", "2026-03-01T18:00:00.123Z"),
        ("2026-03-01T10:00:00", "2026-03-01T10:00:00"),
        ("0001-01-01T00:00:00+05:30", "0001-01-01T00:00:00+05:30"),
        ("one fine day+03:00", "one fine day+03:00"),
        (" ", "2026-03-01T10:00:00.000Z"),
    ],
)
def test_a_timestamp_is_in_utc(given, expected):
    """Aware times are converted, naive ones are UTC; text without an offset is passed as it is."""
    assert track(timestamp=given)["timestamp"] == expected


@pytest.mark.parametrize(
    "given", [1_772_359_200, dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=1)))]
)
def test_an_unusable_timestamp_is_refused(given):
    """A bare number says neither seconds nor milliseconds; a time before year 1 has no text."""
    with pytest.raises(InvalidMessageError) as caught:
        track(timestamp=given)
    assert caught.value.field == "timestamp"


def test_a_given_message_id_is_kept():
    """So that the caller can send the same event again."""
    assert track(messageId="mine")["messageId"] == "mine"
