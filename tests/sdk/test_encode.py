"""Any Python value becomes strict JSON."""

import collections
import dataclasses
import datetime as dt
import enum
import fractions
import ipaddress
import itertools
import json
import math
import pathlib
import time
import types
import uuid
from decimal import Decimal
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel.messages import encode as encoding
from pequel.messages.encode import CYCLE, MAX_DEPTH, MAX_ELEMENTS, TOO_DEEP, TOO_MUCH, encode


class Plan(enum.Enum):
    FREE = "free"
    LIMIT = Decimal("0.1")


class Level(enum.IntEnum):
    LOW = 1


@dataclasses.dataclass
class Point:
    x: int
    when: dt.date


class Silent:
    pass


class Broken:
    def __str__(self):
        raise RuntimeError("no text")

    def __repr__(self):
        return "<a broken one>"


class BrokenDict(dict):
    def items(self):
        raise RuntimeError("no items")


class BrokenMapping(collections.abc.Mapping):
    """Of one letter less than it says."""

    def __init__(self, letters):
        self._letters = letters

    def __iter__(self):
        return iter(self._letters)

    def __len__(self):
        return len(self._letters)

    def __getitem__(self, key):
        if key == "a":
            raise RuntimeError("cannot be read")
        return 1


class Proxy:
    """Says that it is what is behind it, as the lazy objects of frameworks do."""

    def __init__(self, behind):
        object.__setattr__(self, "_behind", behind)

    @property
    def __class__(self):
        return type(object.__getattribute__(self, "_behind"))

    def __getattr__(self, name):
        return getattr(object.__getattribute__(self, "_behind"), name)

    def __str__(self):
        return str(self._behind)

    def __index__(self):
        return self._behind.__index__()

    def __float__(self):
        return float(self._behind)

    def __bool__(self):
        return bool(self._behind)

    def __iter__(self):
        return iter(self._behind)

    def __len__(self):
        return len(self._behind)

    def __getitem__(self, key):
        return self._behind[key]


class Price(Decimal):
    """Writes itself as people do."""

    def __str__(self):
        return f"${Decimal.__str__(self)}"

    def is_finite(self):
        return True


class OddText(str):
    __slots__ = ()

    def encode(self, *_):
        raise RuntimeError("no bytes")


class Array:
    """Like an array of a numeric library."""

    def tolist(self):
        return [1, 2]


def strict(data):
    """Parse as a strict parser would."""

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    return json.loads(data.decode("utf-8", "strict"), parse_constant=refuse)


def through(value):
    return strict(encode({"v": value}))["v"]


EAST = dt.timezone(dt.timedelta(hours=5))
WHEN = dt.datetime(2026, 3, 1, 15, 0, 0, 123456)  # noqa: DTZ001 - on purpose


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ü ☃ 😀", "ü ☃ 😀"),
        (2**70, 2**70),
        (float("nan"), None),
        (float("inf"), None),
        (float("-inf"), None),
        (Decimal("19.90"), 19.9),
        (Decimal("NaN"), None),
        (Decimal("-Infinity"), None),
        (Decimal("1E+400"), "1E+400"),
        (WHEN, "2026-03-01T15:00:00.123Z"),
        (WHEN.replace(tzinfo=EAST), "2026-03-01T10:00:00.123Z"),
        (WHEN.date(), "2026-03-01"),
        (WHEN.time(), "15:00:00.123456"),
        (dt.timedelta(minutes=1, milliseconds=500), 60.5),
        (uuid.UUID(int=7), "00000000-0000-0000-0000-000000000007"),
        (Plan.FREE, "free"),
        (Plan.LIMIT, 0.1),
        (Level.LOW, 1),
        (pathlib.PurePosixPath("/a/b"), "/a/b"),
        (b"text", "text"),
        (b"\xff\x00", "/wA="),
        (bytearray(b"x"), "x"),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", "a"}), ["a", "b"]),
        ((1, (2,)), [1, [2]]),
        (collections.deque([1]), [1]),
        (range(3), [0, 1, 2]),
        ({"a": 1}.keys(), ["a"]),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (Point(1, WHEN.date()), {"x": 1, "when": "2026-03-01"}),
        (Array(), [1, 2]),
        (fractions.Fraction(1, 4), 0.25),
        (ipaddress.ip_address("10.0.0.1"), "10.0.0.1"),
        (Silent(), "<Silent>"),
        (Broken(), "<Broken>"),
        (BrokenDict(a=1), {"a": 1}),
        (BrokenMapping("ab"), {"b": 1}),
        (collections.UserString("text"), "text"),
        (Proxy("text"), "text"),
        (Proxy(5), 5),
        (Proxy(True), True),
        (Proxy(1.5), 1.5),
        (Proxy(None), None),
        (Proxy([1]), [1]),
        (Proxy({"a": 1}), {"a": 1}),
        (Proxy(Decimal("1.5")), 1.5),
        (Price("5.00"), 5.0),
        (OddText("a\ud800b"), "a�b"),
        ({OddText("a\ud800b"): 1}, {"a�b": 1}),
        (Point, "Point"),
        ("\ud83d\ude00", "😀"),
        ("a\ud800b", "a�b"),
        ({"\udfff": 1}, {"�": 1}),
        (
            {1: "a", None: "b", False: "c", 1.5: "d"},
            {"1": "a", "null": "b", "false": "c", "1.5": "d"},
        ),
        ({WHEN.date(): 1, (1, 2): 2, b"k": 3}, {"2026-03-01": 1, "(1, 2)": 2, "k": 3}),
        ({Plan.FREE: 1, Level.LOW: 2}, {"free": 1, "1": 2}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_becomes_what_the_table_says(value, expected):
    """Each kind of value has one documented result."""
    assert through(value) == expected


@pytest.mark.parametrize(
    "text", ["0.1234567890123456789012345", "12345678901234567890.01", "1E-30", "-0.10", "1000"]
)
def test_a_decimal_keeps_its_exact_value(text):
    """The digits of a Decimal stand in the JSON as a number."""
    data = json.loads(encode([Decimal(text)]), parse_float=Decimal, parse_int=Decimal)
    assert data == [Decimal(text)]


@pytest.mark.parametrize("text", ["NaN", "Infinity", "12345678901234567890.12", "1E+400"])
@pytest.mark.parametrize("beside", [1, math.nan])
def test_a_decimal_with_methods_of_its_own_is_a_decimal(text, beside):
    """What it says of itself does not get into the JSON."""
    assert strict(encode([Price(text), beside])) == strict(encode([Decimal(text), beside]))


def test_what_only_says_that_it_is_a_decimal_is_strict_json():
    """A mock of one has no digits."""
    assert through([mock.MagicMock(spec=Decimal), math.nan]) == ["<MagicMock>", None]


def test_an_int_too_long_to_write_is_given_in_base_16():
    """Python refuses to write out ints of thousands of digits; they keep their value."""
    assert through(1 << 20_000) == hex(1 << 20_000)


def test_a_cycle_ends_where_it_closes():
    """A container inside itself is replaced; what stands beside it stays."""
    loop = {"name": "a"}
    loop["self"] = [loop]
    assert through(loop) == {"name": "a", "self": [CYCLE]}


def test_the_same_object_twice_is_no_cycle():
    """Only a container inside itself is a cycle."""
    twice = {"bad": math.nan}
    assert through([twice, twice]) == [{"bad": None}] * 2


def depth(value):
    parts = value.values() if isinstance(value, dict) else value
    return 1 + max(map(depth, parts), default=0) if isinstance(value, dict | list) else 0


@pytest.mark.parametrize("levels", [MAX_DEPTH - 1, MAX_DEPTH, 500, 100_000])
def test_depth_ends_at_the_limit(levels):
    """What lies deeper than the limit is replaced, and the rest is kept."""
    value = []
    for _ in range(levels):
        value = [value]
    data = encode(value)
    assert depth(strict(data)) == min(levels + 1, MAX_DEPTH)
    assert (TOO_DEEP.encode() in data) == (levels >= MAX_DEPTH)


def test_an_object_without_end_ends():
    """A mock answers to everything with more of itself, and still becomes something."""
    assert isinstance(through(mock.MagicMock()), str | list | int)
    assert through(mock.Mock(spec=dict)) == "<Mock>"


def test_a_long_text_of_an_object_is_cut():
    """An object passed by mistake does not fill the event."""
    assert len(through(types.SimpleNamespace(a="x" * 10_000))) == 500


@dataclasses.dataclass
class Page:
    before: object = None
    after: object = None
    beside: list = dataclasses.field(default_factory=list)


class Endless(collections.abc.Sequence):
    """Forgets to say where it ends."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return index


class EndlessMapping(collections.abc.Mapping):
    def __len__(self):
        return 3

    def __iter__(self):
        return itertools.count()

    def __getitem__(self, key):
        return key


class EndlessDict(dict):
    def items(self):
        return ((number, number) for number in itertools.count())


def pages():
    first, second = Page(), Page()
    first.after, second.before = second, first
    return first


def friends():
    users = [{"id": n} for n in range(12)]
    for user in users:
        user["friends"] = [other for other in users if other is not user]
    return users


def doubled(pair, value=1, levels=40):
    for _ in range(levels):
        value = pair(value)
    return value


def test_linked_objects_end_where_the_links_close():
    """It is the object that is inside itself, not what stands for it."""
    assert through(pages()) == {
        "before": None,
        "after": {"before": CYCLE, "after": None, "beside": []},
        "beside": [],
    }


def test_a_sequence_has_as_many_elements_as_it_says():
    """Also one that would go on for ever."""
    assert through(Endless()) == [0, 1, 2]


@pytest.mark.parametrize(
    "value",
    [
        friends(),
        doubled(lambda v: [v, v]),
        doubled(lambda v: (v, v)),
        doubled(lambda v: {"a": v, "b": v}),
        doubled(lambda v: Page(v, v)),
        doubled(lambda v: types.MappingProxyType({"a": v, "b": v})),
        [math.nan, doubled(lambda v: [v, v])],
        range(10**12),
        dict.fromkeys(range(MAX_ELEMENTS + 1)),
        EndlessMapping(),
        EndlessDict(a=1),
        ["x" * 1_000_000] * 10_000,
        [["x" * 1_000_000] * 32] * 32,
    ],
    ids=lambda value: type(value).__name__,
)
def test_more_than_the_limit_is_left_out_at_once(value):
    """Shared parts multiply; what an event cannot hold is not written at all."""
    begun = time.process_time()
    data = encode({"v": value})
    assert time.process_time() - begun < 2
    assert TOO_MUCH.encode() in data
    assert len(data) < MAX_ELEMENTS * 4_200
    strict(data)


def test_an_array_with_more_than_the_limit_is_not_listed():
    """Its size is asked for first."""
    array = mock.Mock(size=MAX_ELEMENTS + 1)
    type(array).tolist = mock.Mock(side_effect=AssertionError)
    assert through(array) == TOO_MUCH


@pytest.mark.parametrize("beside", [1, math.nan])
def test_as_much_as_the_limit_is_kept(beside):
    """Whichever way it takes."""
    value = [beside] + [1] * (MAX_ELEMENTS - 2)
    assert len(through(value)) == len(value)
    assert through([*value, 1])[-1] == TOO_MUCH


def test_the_value_is_not_changed():
    """The caller's objects stay as they were."""
    value = {"a": {1, 2}, "b": [math.nan], 3: "c"}
    encode(value)
    assert value["a"] == {1, 2}
    assert math.isnan(value["b"][0])
    assert 3 in value


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.text(),
    st.text(st.characters(min_codepoint=0xD700, max_codepoint=0xE000, categories=["Cs", "Lo"])),
    st.binary(),
    st.datetimes(timezones=st.none() | st.timezones()),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.uuids(),
    st.fractions(),
    st.complex_numbers(),
    st.sampled_from([Plan.FREE, Level.LOW, Silent(), Broken(), Point, object, len, ...]),
)
keys = st.one_of(st.text(), st.integers(), st.floats(), st.dates(), st.tuples(st.integers()))
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner),
        st.tuples(inner, inner),
        st.dictionaries(keys, inner),
        st.dictionaries(st.text(), inner).map(types.MappingProxyType),
        st.builds(Point, inner, inner),
        st.frozensets(st.integers() | st.text()),
    ),
    max_leaves=20,
)


@given(values)
def test_any_value_encodes_to_strict_json(value):
    """No value raises, and none makes the JSON other than strict."""
    strict(encode(value))


@given(values)
def test_the_careful_way_agrees_with_the_fast_one(value):
    """Whether a value takes the fast way or the careful one does not show."""
    assert strict(encode(value)) == strict(encoding._encode_slowly(value))


plain_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(plain_json)
def test_plain_json_comes_back_unchanged(value):
    """Encoding then parsing gives the same, for what is JSON already."""
    assert strict(encode(value)) == value
