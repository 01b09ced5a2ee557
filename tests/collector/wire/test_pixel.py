"""Events in the parameters of an address."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.wire import pixel


def event(*parameters: tuple[str, str]) -> Any:
    found = json.loads(pixel.event("track", parameters, 64))
    assert found.pop("type") == "track"
    return found


CASES: list[tuple[list[tuple[str, str]], Any]] = [
    ([("event", "e"), ("userId", "u1")], {"event": "e", "userId": "u1"}),
    ([("properties.a", "1")], {"properties": {"a": "1"}}),
    ([("context.a.b", "1"), ("context.a.c", "2")], {"context": {"a": {"b": "1", "c": "2"}}}),
    ([("traits", '{"a":1}'), ("traits.c", "x")], {"traits": {"a": 1, "c": "x"}}),
    ([("properties", "[1]")], {"properties": "[1]"}),
    ([("traits", "text"), ("traits.a", "1")], {"traits": "text", "traits.a": "1"}),
    ([("properties.a", "1"), ("properties.a.b", "2")], {"properties": {"a": "1", "a.b": "2"}}),
    ([("traits.", "1"), (".", "2"), ("a.", "3")], {"traits.": "1", ".": "2", "a.": "3"}),
    ([("anonymousId", '"a1"')], {"anonymousId": "a1"}),
    ([("anonymousId", '"')], {"anonymousId": '"'}),
    ([("event", "first"), ("event", "second")], {"event": "first"}),
    ([("writeKey", "secret")], {}),
]


@pytest.mark.parametrize(("parameters", "expected"), CASES)
def test_parameters_are_read(parameters: list[tuple[str, str]], expected: Any) -> None:
    assert event(*parameters) == expected


def test_the_type_is_that_of_the_path() -> None:
    assert json.loads(pixel.event("page", [("type", "track")], 64)) == {"type": "page"}


def test_dots_nest_no_deeper_than_an_event_may() -> None:
    found = pixel.event("track", [("properties" + ".a" * 4_000, "1")], 3)
    assert found.count(b"{") == 4


@given(st.lists(st.tuples(st.text(alphabet="ap.properties", max_size=9), st.text(max_size=5))))
def test_any_parameters_are_an_event(parameters: list[tuple[str, str]]) -> None:
    assert isinstance(event(*parameters), dict)
