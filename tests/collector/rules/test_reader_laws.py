"""Laws of reading: whatever the text, the answer is a catalogue or a list of problems in it."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.errors import DefinitionError
from pequel_collector.rules.language.definition import Catalogue, leaves_of
from pequel_collector.rules.language.sentence import describe
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.rules.parser.toml import parse

FILE = """\
[project]
timezone   = "UTC"
signup     = "signed_up"
conversion = "paid"
key_events = ["a"]
internal   = { email_domain = ["us.example"], trait = { staff = true } }

[features]
basic = ["a", "b"]

[[pql]]
name = "one"
subject = "account"
within = "14d"
of = "signup"
when.all = [
  { event = "a", distinct = "p.q", gte = 3, where = { x = { gte = 2, lt = "1k" }, y.z = [1, 2] } },
  { event = { feature = "basic" }, distinct = "@event", gte = "all" },
  { any = [{ trait = "size", gte = "1GB" }, { trait = "plan", in = ["x"], or_missing = true }] },
]
unless = ["internal", "customer", { event = "b*", eq = 0 }]
priority = "high"

[[pql]]
name = "two"
when = { event = "*", distinct = "@day", between = [2, 5], within = "7d" }
sla = "4h"
"""

VALUES = [
    "0", "1", "-1", "2.5", "nan", "1e400", "true", '""', '"a"', '"all"', '"7d"', '"10GB"', '"80%"',
    '"customer"', '"@day"', '"trial"', '"\\u0000"', "[]", "[1]", '["a", 1]', "[[]]", "{}",
    "1979-05-27",
    "{ a = 1 }", "{ a.b.c = 1 }", "{ gte = 1 }", '{ event = "a" }', '{ trait = "a", eq = 1 }',
    "{ all = [{}] }", '{ feature = "basic" }', "{ feature = {} }", "{ ratio = 1 }", "07:32:00",
]  # fmt: skip
WORDS = ["gte", "lt", "event", "trait", "all", "any", "where", "within", "of", "name", "pql", "x"]


def spans(text: str) -> list[tuple[int, int]]:
    """Where each value stands in the text that was written with one."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for place in parse(text).spans.values():
        start = starts[place.value.line - 1] + place.value.column - 1
        found.append((start, start + len(place.text)))
    return [(start, end) for start, end in found if end > start]


def read(text: str) -> Catalogue | None:
    """The catalogue, if there is one; what is refused is refused with places in the text."""
    try:
        return read_catalogue(text)
    except DefinitionError as error:
        problems = error.problems
    assert problems
    lines = text.split("\n")
    for problem in problems:
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
    return None


def check_meaning(catalogue: Catalogue) -> None:
    """What was read can be used: described, stored as JSON, told apart by its leaves' paths."""
    for definition in catalogue.definitions:
        assert describe(definition)
        assert json.loads(json.dumps(definition.source)) == definition.source
        parts: list[Any] = [definition.when, *definition.unless]
        paths = [leaf.path for part in parts for leaf in leaves_of(part)]
        assert len(set(paths)) == len(paths)


def test_the_file_itself_is_read() -> None:
    catalogue = read(FILE)
    assert catalogue is not None
    check_meaning(catalogue)


@given(st.data())
def test_any_value_in_any_place_is_read_or_refused(data: st.DataObject) -> None:
    text = FILE
    for _ in range(data.draw(st.integers(1, 3))):
        start, end = data.draw(st.sampled_from(spans(text)))
        text = text[:start] + data.draw(st.sampled_from(VALUES)) + text[end:]
    if catalogue := read(text):
        check_meaning(catalogue)


@given(st.data())
def test_any_word_in_place_of_another_is_read_or_refused(data: st.DataObject) -> None:
    word, other = data.draw(st.tuples(st.sampled_from(WORDS), st.sampled_from(WORDS)))
    if catalogue := read(FILE.replace(word, other, data.draw(st.integers(1, 4)))):
        check_meaning(catalogue)


@given(st.data())
def test_any_slip_of_the_keyboard_is_read_or_refused(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(FILE)))
    cut = data.draw(st.integers(0, 3))
    if catalogue := read(
        FILE[:at] + data.draw(st.text('[]{}=",.\n a1', max_size=2)) + FILE[at + cut :]
    ):
        check_meaning(catalogue)


@given(st.text())
def test_any_text_at_all_is_read_or_refused(text: str) -> None:
    read(text)


@given(st.lists(st.sampled_from(range(len(FILE.splitlines()))), max_size=5))
def test_comments_and_empty_lines_change_no_meaning(places: list[int]) -> None:
    lines = FILE.splitlines()
    for place in places:
        if not lines[place].startswith(" "):
            lines[place] = "# a remark\n\n" + lines[place]
    hashes = [definition.hash for definition in read_catalogue("\n".join(lines)).definitions]
    assert hashes == [definition.hash for definition in read_catalogue(FILE).definitions]
