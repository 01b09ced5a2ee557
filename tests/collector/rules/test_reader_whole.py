"""Laws over random catalogues of the whole language, and over slips in them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from oracle.streams import WHOLE, catalogues
from oracle.toml import to_toml
from pequel_collector.errors import DefinitionError
from pequel_collector.rules.language.content_hash import canonical
from pequel_collector.rules.language.definition import (
    AllOf,
    AnyOf,
    AtLeast,
    Catalogue,
    Comparison,
    Condition,
    Definition,
    EventLeaf,
    Guard,
    TraitLeaf,
    UsersLeaf,
    leaves_of,
)
from pequel_collector.rules.language.sentence import describe, describe_leaf
from pequel_collector.rules.parser import printer
from pequel_collector.rules.parser.catalogue import read_catalogue

Table = dict[str, Any]
Path = tuple[str | int, ...]

VALUES: list[Any] = [
    0, 1, 2, -1, 7, 0.1, 0.30000000000000004, -2.5, 10**400, 1e308, float("nan"), float("inf"),
    True, False, "", " ", "a", "*", "project_*", "all", "1d", "-6h", "36h", "0d", "10GB", "80%",
    "@day", "@user", "signup", "trial", "first:", "first:page", "trait:started", "account.limit",
    "trait:account.", "account.", "user", "account", "pql_0", "pql_1", "volume", "internal",
    "forward", [], [1], [3, 1], ["a", "b*"], {}, {"gte": 1}, {"x": {"y": 1}}, {"eq": {"gte": 1}},
    {"ratio": 0.5, "of_trait": "limit"}, {"ratio": 0}, {"feature": "basic"}, {"event": "page"},
    {"pql": "pql_0"}, {"trait": "plan", "eq": "free"}, {"event": "page", "eq": 0},
    {"users": {"event": "page"}}, {"all": [{"event": "page"}]}, {"after_silence": "1d"},
    {"L01": "because"}, {"$decimal": "1"}, {"sequence": ["page", "*"], "within": "1h"},
    [{"event": "page"}, {"metric": "volume", "lt": 3}],
]  # fmt: skip
KEYS = [
    "gte", "gt", "lt", "eq", "ne", "between", "in", "exists", "or_missing", "contains", "event",
    "metric", "distinct", "sum", "max", "last", "per", "where", "within", "of", "from", "users",
    "trait", "sequence", "growth", "over", "base", "score", "points", "half_life", "pql", "all",
    "any", "at_least", "of_these", "add", "cap", "unless", "when", "name", "subject", "requalify",
    "cooldown", "expires", "clock", "on_change", "accept", "ratio", "of_trait", "min", "matches",
    "value_metric", "after_silence", "feature", "a.b", "trial", "persona", "route",
]  # fmt: skip


def read(catalogue: Table) -> Catalogue:
    return read_catalogue(to_toml(catalogue))


def shared(catalogue: Table) -> str:
    """The text of all but the definitions."""
    return to_toml({key: part for key, part in catalogue.items() if key != "pql"})


# -- slips ---------------------------------------------------------------------------------


def places(part: Any, path: Path = ()) -> Iterator[Path]:
    """The path of everything inside a table or a list."""
    items = part.items() if isinstance(part, dict) else enumerate(part)
    for key, below in items:
        yield (*path, key)
        if isinstance(below, dict | list):
            yield from places(below, (*path, key))


@st.composite
def slips(draw: st.DrawFn, catalogue: Table, inside: str = "") -> Table:
    """The catalogue with one value replaced, left out, put in or swapped with another one."""
    slipped: Table = deepcopy(catalogue)
    found = [path for path in places(slipped) if path[0] == inside or not inside]
    path = draw(st.sampled_from([path for path in found if len(path) > 2 or not inside]))
    holder = at(slipped, path[:-1])
    match draw(st.sampled_from(["replace", "leave out", "put in", "swap"])):
        case "replace":
            holder[path[-1]] = deepcopy(draw(st.sampled_from(VALUES)))
        case "leave out":
            del holder[path[-1]]
        case "put in" if isinstance(holder, dict):
            holder[draw(st.sampled_from(KEYS))] = deepcopy(draw(st.sampled_from(VALUES)))
        case "put in":
            holder.append(deepcopy(draw(st.sampled_from(VALUES))))
        case _:
            holder[path[-1]] = deepcopy(at(catalogue, draw(st.sampled_from(found))))
    return slipped


def at(part: Any, path: Path) -> Any:
    for key in path:
        part = part[key]
    return part


def text_of(catalogue: Table) -> str | None:
    """The catalogue as a file, where what should be tables still are some."""
    is_text = all(
        isinstance(part, dict)
        or (isinstance(part, list) and all(isinstance(t, dict) for t in part))
        for part in catalogue.values()
    )
    return to_toml(catalogue) if is_text else None


@given(st.data())
def test_a_file_with_slips_is_read_or_refused_with_places_in_it(data: st.DataObject) -> None:
    catalogue = data.draw(catalogues(WHOLE))
    for _ in range(data.draw(st.integers(1, 3))):
        catalogue = data.draw(slips(catalogue))
        if not any(places(catalogue)):
            return
    if (text := text_of(catalogue)) is None:
        return
    if found := readable(text):
        check_meaning(found)


def readable(text: str) -> Catalogue | None:
    """The catalogue, if there is one; what is refused is refused with places in the text."""
    try:
        return read_catalogue(text)
    except DefinitionError as error:
        problems = error.problems
    lines = text.split("\n")
    assert problems
    for problem in problems:
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
    return None


def check_meaning(catalogue: Catalogue) -> None:
    """What was read can be used: described, stored as JSON, told apart by its leaves' paths."""
    assert json.loads(json.dumps(catalogue.personas)) == list(catalogue.personas)
    for definition in catalogue.definitions:
        assert describe(definition)
        assert json.loads(json.dumps(definition.source)) == definition.source
        found = [leaf for part in parts(definition) for leaf in leaves_of(part)]
        assert len({leaf.path for leaf in found}) == len(found)
        assert all(map(describe_leaf, found))


def parts(definition: Definition) -> tuple[Guard, ...]:
    return (definition.when, *definition.unless)


# -- what is written, kept and printed -----------------------------------------------------


@given(catalogues(WHOLE))
def test_every_catalogue_of_the_grammar_is_read(catalogue: Table) -> None:
    found = read(catalogue)
    assert [d.name for d in found.definitions] == [table["name"] for table in catalogue["pql"]]
    check_meaning(found)


@given(catalogues(WHOLE))
def test_a_printed_source_reads_as_the_same_definition(catalogue: Table) -> None:
    found = read(catalogue).definitions
    sources = [json.loads(json.dumps(definition.source)) for definition in found]
    printed = "\n".join(map(printer.to_toml, sources))
    assert read_catalogue(f"{shared(catalogue)}\n{printed}").definitions == found


@given(catalogues(WHOLE))
def test_the_kept_texts_read_as_the_same_definitions(catalogue: Table) -> None:
    found = read(catalogue).definitions
    texts = "\n".join(definition.text for definition in found)
    assert read_catalogue(f"{shared(catalogue)}\n{texts}").definitions == found


# -- hashes and sentences ------------------------------------------------------------------


def pairs(catalogue: Table, slipped: Table) -> Iterator[tuple[Definition, Definition]]:
    """The definitions before and after a slip, where both can be read."""
    text = text_of(slipped)
    try:
        after = read_catalogue(text or "")
    except DefinitionError:
        return
    for definition in read(catalogue).definitions:
        if other := after.named(definition.name):
            yield definition, other


@given(st.data())
def test_definitions_that_decide_otherwise_have_other_hashes_and_sentences(
    data: st.DataObject,
) -> None:
    catalogue = data.draw(catalogues(WHOLE))
    for one, other in pairs(catalogue, data.draw(slips(catalogue, "pql"))):
        if normal(one) != normal(other):
            assert one.hash != other.hash
            assert describe(one) != describe(other)


def normal(definition: Definition) -> Any:
    """What a definition says, in one form for each meaning."""
    options = ("after_silence", "cooldown", "clock", "subject")
    return canonical(
        {
            "when": normal_node(definition.when),
            "unless": tuple(map(normal_node, definition.unless)),
            "forward": definition.on_change == "forward",
            **{key: getattr(definition, key) for key in options},
        }
    )


def normal_node(node: Any) -> Any:
    match node:
        case AllOf((part,)) | AnyOf((part,)):
            return normal_node(part)
        case AllOf(below):
            return AllOf(tuple(map(normal_node, below)))
        case AnyOf(below):
            return AnyOf(tuple(map(normal_node, below)))
        case AtLeast(needed, below):
            return AtLeast(needed, tuple(map(normal_node, below)))
        case UsersLeaf(inner):
            return replace(node, inner=normal_node(inner))
        case TraitLeaf(condition):
            return replace(node, condition=normal_condition(condition))
        case EventLeaf():
            where = tuple(map(normal_condition, node.where))
            return replace(node, where=where, comparison=normal_count(node))
        case _:
            return node


def normal_count(leaf: EventLeaf) -> Comparison:
    """None at all is written in three ways."""
    comparison = normal_comparison(leaf.comparison)
    none = (comparison.operator, comparison.operand) in (("lt", 1), ("lte", 0), ("eq", 0))
    return Comparison("eq", 0) if none and leaf.measure == "count" else comparison


def normal_condition(condition: Condition) -> Condition:
    return replace(condition, comparisons=tuple(map(normal_comparison, condition.comparisons)))


def normal_comparison(comparison: Comparison) -> Comparison:
    """A list of one is that one."""
    match comparison:
        case Comparison("in", (one,)):
            return Comparison("eq", one)
        case Comparison("not_in", (one,)):
            return Comparison("ne", one)
        case _:
            return comparison
