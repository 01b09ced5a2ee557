"""Definitions printed from their source."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import tomllib
from hypothesis import given
from hypothesis import strategies as st

from oracle.streams import WHOLE, catalogues
from oracle.toml import to_toml as written
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.rules.parser.printer import plain, to_file, to_toml
from pequel_collector.rules.parser.toml import parse

KEPT = """\
[[pql]]
name = "x"
subject = "account"
when.all = [
  { event = "report_exported", where = { kind = "pdf", size.width = { gte = 20 } }, gte = 3 },
  { trait = "employees", gte = 0.1 },
]
unless = [{ event = "removed", eq = 0 }]
requalify = { after_silence = "90d" }
"""


def test_a_value_that_fits_is_on_one_line_and_long_lists_have_one_item_a_line() -> None:
    assert to_toml(read_catalogue(KEPT).definitions[0].source) == KEPT


def again(keys: str) -> None:
    """Check that a definition, from its other keys, comes back from its source as JSON."""
    (found,) = read_catalogue(f'[[pql]]\nname = "x"\n{keys}').definitions
    source = json.loads(json.dumps(found.source, allow_nan=False))
    printed = to_toml(source)
    (read,) = read_catalogue(printed).definitions
    assert (read, read.hash, read.source) == (found, found.hash, found.source)


CASES = [
    'when = { event = "a", where = { a.b.c = 1, "a.b" = 2, "ä ö".gte = 3, "" = 4, eq.x = 5 } }',
    'when = { event = "a", where = { a = { eq = { b = { c = 1 } } }, d = { eq = {} } } }',
    'when = { event = "a", where = { a = { eq = { "$decimal" = 1 } }, "$$decimal" = "2" } }',
    'when = { trait = "a", eq = "\\u007f\\u0000\\n\\"é\\u2028" }',
    'when = { trait = "a", eq = 0.1000000000000000055511151231257827 }',
    'when = { trait = "a", eq = [0.1, 1e300, 1e-300, -0.0, 123456789012345678901234567890] }',
    'when = { trait = "a", gt = 1234567890.12345678901234567890 }',
    "when = { trait = 'a', eq = 'b' }\ntitle = '''\nlong\\ text'''\nplay = '" + "a" * 200 + "'",
    "[pql.when.where.b]\nc = 1\n[pql.when.where.d]\nlt = 2.5e-7\n[pql.when]\nevent = 'a'",
    "when = { event = 'a', where = { "
    + ", ".join(f"p{n}.q = {{ gte = {n} }}" for n in range(20))
    + " } }",
]


@pytest.mark.parametrize("keys", CASES)
def test_printing_and_reading_give_the_same_definition(keys: str) -> None:
    again(keys)


@given(catalogues(WHOLE))
def test_a_file_comes_back_from_what_is_shared_and_the_sources(catalogue: dict[str, Any]) -> None:
    found = read_catalogue(written(catalogue))
    shared = {key: part for key, part in parse(found.text).data.items() if key != "pql"}
    sources = [json.loads(json.dumps(each.source)) for each in found.definitions]
    again = read_catalogue(to_file(shared, sources))
    assert replace(again, text=found.text) == found


def numbers() -> st.SearchStrategy[Decimal]:
    return st.decimals(allow_nan=False, allow_infinity=False).filter(
        lambda number: abs(number.adjusted()) <= 308
    )


@given(numbers())
def test_every_number_comes_back_exactly(number: Decimal) -> None:
    text = str(number)
    again(f'when = {{ trait = "a", eq = {text if set(text) & set(".E") else text + ".0"} }}')


@given(
    st.recursive(
        st.booleans() | st.integers() | st.text() | numbers(),
        lambda below: (
            st.lists(below, max_size=3)
            | st.dictionaries(st.text() | st.sampled_from(["$decimal", "where", "eq"]), below)
        ),
        max_leaves=8,
    )
)
def test_any_value_is_printed_as_toml(value: Any) -> None:
    source = json.loads(json.dumps(plain({"key": value}), allow_nan=False))
    text = to_toml(source)
    (read,) = tomllib.loads(text, parse_float=Decimal)["pql"]
    assert read == {"key": value}
