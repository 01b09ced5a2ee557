"""Where everything in a TOML document stands."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import tomllib
from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.rules.parser.toml import (
    DEPTH,
    Document,
    Location,
    Path,
    SourceSpan,
    TomlError,
    parse,
)

DOCUMENT = '''\
# a comment, with [brackets] and "quotes"
title = "café # not a comment"   # a comment
"quoted key" = 'literal \\ text'

[project]
since = 1979-05-27 07:32:00
rate.lower . "upper" = 0x1F

[[pql]]
name = """
two "lines" """
when.all = [
  { event = "a", gte = 3 },  # the first ]
  { event = 'b', where = { "a.b" = 1, c.d = [ ] } },
]
[pql.when.more]
deep = true

[[pql]]
name = """"x""""
[[ pql . steps ]]
n = -1_000.5e3
'''

PLACES: list[tuple[Path, Location, Location]] = [
    ((), Location(1, 1), Location(1, 1)),
    (("title",), Location(2, 1), Location(2, 9)),
    (("quoted key",), Location(3, 1), Location(3, 16)),
    (("project",), Location(5, 2), Location(5, 1)),
    (("project", "since"), Location(6, 1), Location(6, 9)),
    (("project", "rate"), Location(7, 1), Location(7, 1)),
    (("project", "rate", "lower"), Location(7, 6), Location(7, 6)),
    (("project", "rate", "lower", "upper"), Location(7, 14), Location(7, 24)),
    (("pql",), Location(9, 3), Location(9, 3)),
    (("pql", 0), Location(9, 3), Location(9, 1)),
    (("pql", 0, "name"), Location(10, 1), Location(10, 8)),
    (("pql", 0, "when"), Location(12, 1), Location(12, 1)),
    (("pql", 0, "when", "all"), Location(12, 6), Location(12, 12)),
    (("pql", 0, "when", "all", 0), Location(13, 3), Location(13, 3)),
    (("pql", 0, "when", "all", 0, "gte"), Location(13, 18), Location(13, 24)),
    (("pql", 0, "when", "all", 1, "where"), Location(14, 18), Location(14, 26)),
    (("pql", 0, "when", "all", 1, "where", "a.b"), Location(14, 28), Location(14, 36)),
    (
        ("pql", 0, "when", "all", 1, "where", "c", "d"),
        Location(14, 41),
        Location(14, 45),
    ),
    (("pql", 0, "when", "more"), Location(16, 11), Location(16, 1)),
    (("pql", 0, "when", "more", "deep"), Location(17, 1), Location(17, 8)),
    (("pql", 1), Location(19, 3), Location(19, 1)),
    (("pql", 1, "name"), Location(20, 1), Location(20, 8)),
    (("pql", 1, "steps"), Location(21, 10), Location(21, 10)),
    (("pql", 1, "steps", 0), Location(21, 10), Location(21, 1)),
    (("pql", 1, "steps", 0, "n"), Location(22, 1), Location(22, 5)),
]


@pytest.mark.parametrize(("path", "key", "value"), PLACES, ids=[str(path) for path, *_ in PLACES])
def test_keys_and_values_stand_where_they_were_written(
    path: Path, key: Location, value: Location
) -> None:
    assert parse(DOCUMENT.replace(" [ ]", " [1]")).spans[path][:2] == (key, value)


def test_a_value_is_kept_as_it_was_written() -> None:
    spans = parse(DOCUMENT).spans
    assert spans["project", "rate", "lower", "upper"].text == "0x1F"
    assert spans["pql", 0, "when", "all", 0].text == '{ event = "a", gte = 3 }'
    assert spans["pql", 1, "name"].text == '""""x""""'


def test_tables_made_by_headers_and_dotted_keys_have_no_text() -> None:
    spans = parse(DOCUMENT).spans
    assert [spans[path].text for path in [(), ("project",), ("project", "rate"), ("pql", 0)]] == [
        "", "", "", "",
    ]  # fmt: skip


def test_floats_are_exact() -> None:
    assert parse("a = 0.1\nb = 1e400\nc = 1_0.5").data == {
        "a": Decimal("0.1"), "b": Decimal("1e400"), "c": Decimal("10.5"),
    }  # fmt: skip


def test_a_float_beyond_all_exponents_is_infinite() -> None:
    assert parse("a = 1e99999999999999999999").data == {"a": Decimal("Infinity")}


def test_a_byte_order_mark_does_not_count_as_a_column() -> None:
    assert parse("\ufeffa = 1").spans["a",] == SourceSpan(Location(1, 1), Location(1, 5), "1")


MISTAKES = [
    ("a = [1,\n  2 3]", Location(2, 5)),
    ("a = 1\na = 2", Location(2, 6)),
    ('a = 1\nb = """\n', Location(3, 1)),
    ("a = \n", Location(1, 5)),
    ("a = " + "[" * 5_000, Location(1, 5 + DEPTH)),
    ("a = " + "9" * 5_000, Location(1, 1)),
    ("a = " + "[" * (DEPTH + 1) + "]" * (DEPTH + 1), Location(1, 5 + DEPTH)),
    (".".join("a" * (DEPTH + 1)) + " = 1", Location(1, 1 + 2 * DEPTH)),
]


@pytest.mark.parametrize(("text", "position"), MISTAKES, ids=[text[:12] for text, _ in MISTAKES])
def test_text_that_is_not_toml_is_refused_at_the_place_of_the_mistake(
    text: str, position: Location
) -> None:
    with pytest.raises(TomlError) as caught:
        parse(text)
    assert caught.value.position == position
    assert "(at " not in str(caught.value)


# -- laws ----------------------------------------------------------------------------------


def is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def is_one_value(text: str) -> bool:
    """Not two with a comma between, nor one with a comment that would hide a bracket."""
    return is_toml(f"a = {text}") and is_toml(f"a = [{text}]")


def is_one_key(text: str) -> bool:
    return is_toml(f"{text} = 1") and list(tomllib.loads(f"{text} = 1").values()) == [1]


def meaning(key: str) -> str:
    return next(iter(tomllib.loads(f"{key} = 1")))


PIECES = [*"a\"'\n #[]{},=é\t", "\\\\", '\\"', "\\n"]
QUOTES = ['"', "'", '"""', "'''"]
NUMBERS = ["0xAF", "0b1", "1_000", "+1", "-0.0", "6.5e-3", "1e400", "-inf"]
DATES = [
    "1979-05-27", "07:32:00", "1979-05-27T07:32:00Z", "1979-05-27 07:32:00.5+01:00",
]  # fmt: skip

pieces = st.lists(st.sampled_from(PIECES), max_size=6).map("".join)
strings = st.builds(lambda quote, inside: quote + inside + quote, st.sampled_from(QUOTES), pieces)
scalars = st.one_of(
    strings.filter(is_one_value),
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.sampled_from([*NUMBERS, *DATES, "true", "false"]),
)
bare_keys = st.text("ab1_-", min_size=1, max_size=3)
quoted_keys = strings.filter(is_one_key)
keys = st.lists(st.one_of(bare_keys, quoted_keys), unique_by=meaning, max_size=4)
commas = st.sampled_from([",", " , ", ",\n  ", ", # ], }\n", "\n,"])


@st.composite
def arrays(draw: st.DrawFn) -> str:
    elements = draw(st.lists(values, max_size=3))
    text = "".join(element + draw(commas) for element in elements)
    return draw(st.sampled_from(["[", "[ ", "[\n # [\n"])) + text + "]"


@st.composite
def inline_tables(draw: st.DrawFn) -> str:
    pairs = [f"{key} = {draw(values)}" for key in draw(keys)]
    return "{" + draw(st.sampled_from([", ", ","])).join(pairs) + "}"


values: st.SearchStrategy[str] = st.deferred(
    lambda: st.one_of(scalars, scalars, arrays(), inline_tables())
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    return "\n".join(draw(tables("", depth=0))) + "\n"


@st.composite
def tables(draw: st.DrawFn, header: str, depth: int) -> list[str]:
    """The lines of one table: values and dotted keys first, then the tables inside it."""
    lines, inside = [], []
    for key in draw(keys):
        kind = draw(st.sampled_from(["value", "value", "dotted", "table", "tables"]))
        if kind == "value" or depth == 2:
            lines.append(f"{key} = {draw(values)}" + draw(st.sampled_from(["", " # x", "\n"])))
        elif kind == "dotted":
            lines += [f"{key} . {inner}={draw(values)}" for inner in draw(keys)]
        else:
            inside += draw(sections(f"{header} . {key}" if header else key, kind, depth))
    return lines + inside


@st.composite
def sections(draw: st.DrawFn, header: str, kind: str, depth: int) -> list[str]:
    if kind == "table":
        return [f"[ {header} ]", *draw(tables(header, depth + 1))]
    lines = []
    for _ in range(draw(st.integers(1, 2))):
        lines += [f"  [[{header}]] # y", *draw(tables(header, depth + 1))]
    return lines


def walk(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    yield path, value
    inside = value.items() if isinstance(value, dict) else ()
    inside = enumerate(value) if isinstance(value, list) else inside
    for step, part in inside:
        yield from walk(part, (*path, step))


def text_at(text: str, position: Location) -> str:
    lines = text.split("\n")[position.line - 1 :]
    return "\n".join(lines)[position.column - 1 :]


def reparsed(text: str) -> Any:
    return tomllib.loads(f"a = {text}", parse_float=Decimal)["a"]


@given(documents())
def test_every_path_of_a_document_has_a_place_and_no_other_has(text: str) -> None:
    document = parse(text)
    assert document.spans.keys() == {path for path, _ in walk(document.data)}


@given(documents())
def test_the_text_at_a_value_reads_back_as_the_value(text: str) -> None:
    for place, value in placed_values(parse(text)):
        assert text_at(text, place.value).startswith(place.text)
        if place.text:
            assert reparsed(place.text) == value
        else:
            assert isinstance(value, dict | list)


@given(documents())
def test_the_text_at_a_key_begins_with_that_key(text: str) -> None:
    for path, place in parse(text).spans.items():
        if path and isinstance(path[-1], str):
            there = text_at(text, place.key)
            ends = range(1, len(there) + 1)
            assert any(is_toml(f"{there[:n]}=1") and meaning(there[:n]) == path[-1] for n in ends)


@given(documents())
def test_windows_line_ends_move_nothing(text: str) -> None:
    assert parse(text.replace("\n", "\r\n")) == parse(text)


def placed_values(document: Document) -> Iterator[tuple[SourceSpan, Any]]:
    return ((document.spans[path], value) for path, value in walk(document.data))


# -- what was written ----------------------------------------------------------------------

FILE = '''\
# the file
[project]
a = 1

# about the first
[[pql]] # here
name = "x"
when.all = [
  1, # one
]
# at its end

# ---- a chapter ----

  [pql.below]
  b = """
  [[pql]]
  """  # a text
# about the second
[[pql]]
name = "y"

[other]
c = 1

[pql.again]
d = 1
# the end'''


def test_a_table_is_from_its_header_to_its_last_line_with_its_comments() -> None:
    first = parse(FILE).written(("pql", 0))
    assert first.startswith("[[pql]] # here\nname")
    assert "# ---- a chapter ----" in first
    assert first.endswith('"""  # a text')


def test_comments_right_below_the_last_line_belong_to_it_unless_a_header_follows() -> None:
    assert parse("[a]\nb = 1\n# mine\n\n[c]").written(("a",)) == "[a]\nb = 1\n# mine"
    assert parse("[a]\nb = 1\n# not mine\n[c]").written(("a",)) == "[a]\nb = 1"
    assert parse("[a]\nb = 1\n\n# not mine\n").written(("a",)) == "[a]\nb = 1"


def test_a_table_may_be_written_in_several_parts() -> None:
    expected = '[[pql]]\nname = "y"\n\n[pql.again]\nd = 1\n# the end'
    assert parse(FILE).written(("pql", 1)) == expected


def test_a_table_without_a_header_is_what_stands_between_its_braces() -> None:
    assert parse("a = [{ b = 1 }, { c = 2 }]").written(("a", 1)) == "{ c = 2 }"


def test_the_text_of_a_table_keeps_its_line_endings() -> None:
    assert parse("\ufeff[a]\r\nb = 1\r\n\r\n[c]").written(("a",)) == "[a]\r\nb = 1"


@given(documents())
def test_tables_are_pieces_of_the_text(text: str) -> None:
    document = parse(text)
    for table in document.tables:
        first = document.written(table.path).partition("\n")[0]
        assert any(line.startswith(first) for line in text.split("\n"))
