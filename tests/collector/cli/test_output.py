"""What commands print: no text of strangers reaches the terminal as a command."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.cli.insights.metric_tables import Table, as_markdown, as_text
from pequel_collector.cli.output import columns, echo_as, printable_lines

BAD = "a\x1b[2J\x07\n\x9b\u202eb"


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1))
def test_a_row_of_a_table_is_one_printable_line(rows: list[tuple[str, str]]) -> None:
    lines = columns(rows)
    assert len(lines) == len(rows)
    assert all(map(str.isprintable, lines))


@given(st.text())
def test_lines_stay_lines(text: str) -> None:
    lines = printable_lines(text).split("\n")
    assert len(lines) == len(text.split("\n"))
    assert all(map(str.isprintable, lines))


@pytest.mark.parametrize("form", [as_text, as_markdown])
def test_segments_of_a_metric_are_printable(form: object) -> None:
    assert callable(form)
    lines = form([Table(BAD, ["segment", BAD], [[BAD, "1"]])]).split("\n")
    assert len(lines) == (3 if form is as_text else 5)
    assert all(map(str.isprintable, lines))


def test_json_is_printed_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    echo_as("json", '"\u00a0"')
    echo_as("text", BAD)
    assert capsys.readouterr().out.split("\n") == [
        '"\u00a0"',
        "a\ufffd[2J\ufffd",
        "\ufffd\ufffdb",
        "",
    ]
