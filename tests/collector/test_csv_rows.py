"""Cells of CSV files: what a spreadsheet would run, and what it would not."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from pequel_collector.queries.csv_rows import cell, csv_lines


@pytest.mark.parametrize(
    "text",
    [
        "=1+1", "+A1", "-A1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "\tx", "\rx", " =1", "\u3000=1",
        "\u00a0=1", "＝1+1", "＋A1", "－A1", "＠SUM", "-1", "-1+1", "+1;=2", "=", "--", "-1\n=1",
    ],
)  # fmt: skip
def test_a_text_that_a_spreadsheet_would_run_begins_with_an_apostrophe(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, ""), ("", ""), ("a=1", "a=1"), ("ada@acme.example", "ada@acme.example"),
        ("-", "-"), (-3, "-3"),
        (True, "true"), ({"a": "é"}, '{"a": "é"}'), ("a\ud800", "a?"),
    ],
)  # fmt: skip
def test_any_other_value_stays_as_it_is(value: Any, expected: str) -> None:
    assert cell(value) == expected


def test_lines_are_read_back_with_their_columns() -> None:
    text = "".join(csv_lines(["a", "=b"], [['x,"y"', "two\nlines"], [None, 1]]))
    assert text.splitlines()[0] == "a,'=b"
    rows = list(csv.reader(io.StringIO(text)))
    assert rows == [["a", "'=b"], ['x,"y"', "two\nlines"], ["", "1"]]
