"""Paths of keys: where they lead, and what is left without them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.importing.paths import at, with_dots, without

NAMES = st.sampled_from(["a", "b", "c"])
TREES = st.recursive(
    st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(NAMES, inner, min_size=1, max_size=3),
    max_leaves=8,
)
RECORDS = st.dictionaries(NAMES, TREES, min_size=1)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("a", 1),
        ("b.c", 2),
        ("b.c.d", None),
        ("x.y", 3),
        ("list[0].id", 4),
        ("list.1.id", 5),
        ("list[2].id", None),
        ("list.id", None),
        ("list[0]", {"id": 4}),
        ("nested[0][1]", 6),
        ("b[0]", None),
        ("list[99999999999999999999].id", None),
    ],
)
def test_a_path_leads_to_a_value_or_to_none(path: str, found: Any) -> None:
    record = {
        "a": 1,
        "b": {"c": 2},
        "x.y": 3,
        "list": [{"id": 4}, {"id": 5}],
        "nested": [[0, 6]],
    }
    assert at(record, with_dots(path)) == found


@given(RECORDS)
def test_every_leaf_is_at_its_path_and_not_there_without_it(record: dict[str, Any]) -> None:
    leaves = dict(_leaves(record))
    for path, value in leaves.items():
        assert at(record, path) == value
        rest = without(record, {path})
        assert at(rest, path) is None
        assert dict(_leaves(rest)) == {p: v for p, v in leaves.items() if p != path}
    assert without(record, leaves) == {}


def test_a_list_of_which_a_part_is_named_stays_whole() -> None:
    record = {"contexts": [{"id": "acme", "seats": 5}]}
    assert without(record, {"contexts.0.id"}) == record


def _leaves(tree: dict[str, Any], before: str = "") -> list[tuple[str, Any]]:
    found = []
    for name, value in tree.items():
        inner = _leaves(value, f"{before}{name}.") if isinstance(value, dict) else []
        found += inner or [(f"{before}{name}", value)]
    return found
