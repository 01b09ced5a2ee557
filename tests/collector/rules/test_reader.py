"""Reading a definitions file into a catalogue, key by key."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from pequel_collector.rules.definition import (
    AllOf,
    AnyOf,
    Catalogue,
    Comparison,
    Condition,
    Customer,
    Definition,
    EventLeaf,
    EventPattern,
    Internal,
    InternalRule,
    Node,
    Operator,
    Project,
    TraitLeaf,
    Window,
)
from pequel_collector.rules.quantities import DAY, HOUR
from pequel_collector.rules.reader import read_catalogue


def read(keys: str, shared: str = "") -> Definition:
    """A definition named x from its other keys."""
    (found,) = read_catalogue(f'{shared}\n[[pql]]\nname = "x"\n{keys}').definitions
    return found


def node(text: str, shared: str = "") -> Node:
    return read(f"when = {text}", shared).when


def leaf(text: str, shared: str = "") -> EventLeaf:
    """An event leaf from its keys."""
    found = node(f"{{ {text} }}", shared)
    assert isinstance(found, EventLeaf)
    return found


def conditions(text: str) -> dict[str, Condition]:
    found = leaf(f'event = "a", where = {text}').where
    assert len({c.path for c in found}) == len(found)
    return {condition.path: condition for condition in found}


# -- the file ------------------------------------------------------------------------------


def test_an_empty_file_is_an_empty_catalogue() -> None:
    assert read_catalogue("") == Catalogue()


def test_the_text_is_kept_as_written() -> None:
    text = "# mine\r\n[features]\r\na = ['b']"
    assert read_catalogue(text).text == text


def test_the_project_is_what_the_definitions_share() -> None:
    text = """
    [project]
    timezone = "Europe/Berlin"
    signup = "signed_up"
    trial = "trial_started"
    conversion = "paid"
    key_events = ["b", "a"]
    internal = { email_domain = ["Us.Example"], trait = { staff = true, plan = ["test", 1.5] } }
    """
    internal = InternalRule(
        frozenset({"us.example"}), (("staff", True), ("plan", "test"), ("plan", Decimal("1.5")))
    )
    assert read_catalogue(text).project == Project(
        "Europe/Berlin", "signed_up", "trial_started", "paid", ("b", "a"), internal
    )


def test_features_keep_the_order_of_their_events() -> None:
    catalogue = read_catalogue('[features]\nbasic = ["b", "a"]\nadvanced = ["c*"]')
    assert catalogue.features == {"basic": ("b", "a"), "advanced": ("c*",)}


def test_the_keys_about_the_lead_are_kept() -> None:
    found = read("""
    when = { event = "a" }
    title = "An X"
    kind = "cross_sell"
    priority = "low"
    sla = "2d"
    play = "call"
    owner = "ada"
    on_change = "retroactive"
    """)
    assert (found.title, found.kind, found.priority, found.sla) == (
        "An X", "cross_sell", "low", 2 * DAY,
    )  # fmt: skip
    assert (found.play, found.owner, found.on_change) == ("call", "ada", "retroactive")


def test_the_source_is_the_table_as_plain_data() -> None:
    found = read('sla = "4h"\nwhen = { trait = "a", between = [0.5, 2] }')
    assert found.source == {
        "name": "x",
        "sla": "4h",
        "when": {"trait": "a", "between": [0.5, 2]},
    }
    assert json.loads(json.dumps(found.source)) == found.source


# -- event leaves --------------------------------------------------------------------------

PATTERNS: dict[str, EventPattern] = {
    '"a"': EventPattern(frozenset({"a"})),
    '"*"': EventPattern(any=True),
    '"report_*"': EventPattern(prefixes=("report_",)),
    '["a", "b", "a"]': EventPattern(frozenset({"a", "b"})),
    '["y*", "a", "x*"]': EventPattern(frozenset({"a"}), ("x", "y")),
    '["a", "*"]': EventPattern(any=True),
    '{ feature = "basic" }': EventPattern(frozenset({"b", "c"})),
    '"a * b"': EventPattern(frozenset({"a * b"})),
}


@pytest.mark.parametrize(("text", "expected"), PATTERNS.items(), ids=PATTERNS)
def test_an_event_is_a_name_a_list_a_prefix_or_a_feature(text: str, expected: EventPattern) -> None:
    assert leaf(f"event = {text}", '[features]\nbasic = ["b", "c"]').events == expected


def test_a_count_is_of_at_least_one_unless_it_says_more() -> None:
    assert leaf('event = "a"').comparison == Comparison("gte", 1)


COUNTS: dict[str, Comparison] = {
    "gte = 2": Comparison("gte", 2),
    "gte = 2.0": Comparison("gte", 2),
    'gte = "2k"': Comparison("gte", 2000),
    "gt = 0": Comparison("gt", 0),
    "eq = 3": Comparison("eq", 3),
    "ne = 0": Comparison("ne", 0),
    'between = [1, "1k"]': Comparison("between", (1, 1000)),
}


@pytest.mark.parametrize(("text", "expected"), COUNTS.items(), ids=COUNTS)
def test_a_count_is_compared_with_whole_numbers(text: str, expected: Comparison) -> None:
    assert leaf(f'event = "a", {text}').comparison == expected


UNITS = {
    ("@minute", '"2h"'): 120,
    ("@minute", "90"): 90,
    ("@minute", '"1k"'): 1000,
    ("@hour", '"2d"'): 48,
    ("@day", '"1w"'): 7,
}


@pytest.mark.parametrize(("distinct", "threshold"), UNITS)
def test_a_duration_counts_in_the_unit_of_what_is_distinct(distinct: str, threshold: str) -> None:
    found = leaf(f'event = "*", distinct = "{distinct}", gte = {threshold}')
    assert found.comparison.operand == UNITS[distinct, threshold]


@pytest.mark.parametrize("events", ['["b", "c", "b"]', '{ feature = "basic" }'])
def test_all_is_the_number_of_names(events: str) -> None:
    found = leaf(
        f'event = {events}, distinct = "@event", gte = "all"', '[features]\nbasic = ["b", "c"]'
    )
    assert found.comparison == Comparison("gte", 2)


@pytest.mark.parametrize("distinct", ["user.id", "@day", "@hour", "@minute", "@user", "@event"])
def test_distinct_is_a_property_or_a_known_word(distinct: str) -> None:
    assert leaf(f'event = "a", distinct = "{distinct}"').distinct == distinct


WINDOWS = {
    "": Window(),
    ', within = "7d"': Window(7 * DAY),
    ', of = "signup"': Window(None, "signup"),
    ', within = "4h", of = "signup"': Window(4 * HOUR, "signup"),
}


@pytest.mark.parametrize(("text", "expected"), WINDOWS.items(), ids=WINDOWS)
def test_a_window_rolls_or_is_anchored(text: str, expected: Window) -> None:
    assert leaf(f'event = "a"{text}').window == expected


class TestInheritance:
    """A definition's window is that of the event leaves that set neither part of one."""

    def windows(self, leaves: str) -> list[Window]:
        found = read(f'within = "7d"\nof = "signup"\nwhen.all = [{leaves}]').when
        assert isinstance(found, AllOf)
        return [part.window for part in found.parts if isinstance(part, EventLeaf)]

    def test_a_leaf_without_a_window_inherits_both_parts(self) -> None:
        assert self.windows('{ event = "a" }') == [Window(7 * DAY, "signup")]

    def test_a_leaf_with_either_part_inherits_neither(self) -> None:
        assert self.windows('{ event = "a", within = "1d" }, { event = "b", of = "signup" }') == [
            Window(DAY),
            Window(None, "signup"),
        ]

    def test_a_leaf_inherits_through_combinators(self) -> None:
        found = read('within = "7d"\nwhen.any = [{ all = [{ event = "a" }] }]').when
        assert found == AnyOf(
            (
                AllOf(
                    (
                        EventLeaf(
                            EventPattern(frozenset({"a"})),
                            Comparison("gte", 1),
                            window=Window(7 * DAY),
                            path="when.any[0].all[0]",
                        ),
                    )
                ),
            )
        )

    def test_a_guard_inherits_nothing(self) -> None:
        found = read('within = "7d"\nwhen = { event = "a" }\nunless = [{ event = "b" }]')
        (guard,) = found.unless
        assert isinstance(guard, EventLeaf)
        assert guard.window == Window()


# -- conditions ----------------------------------------------------------------------------


def test_a_value_is_equality_and_a_list_is_a_choice() -> None:
    assert conditions('{ a = "x", b = 1.0, c = true, d = ["x", 2] }') == {
        "a": Condition("a", (Comparison("eq", "x"),)),
        "b": Condition("b", (Comparison("eq", 1),)),
        "c": Condition("c", (Comparison("eq", True),)),
        "d": Condition("d", (Comparison("in", ("x", 2)),)),
    }


def test_several_comparisons_stand_together() -> None:
    assert conditions("{ a = { lt = 20, gte = 10 } }")["a"].comparisons == (
        Comparison("gte", 10),
        Comparison("lt", 20),
    )


def test_or_missing_stands_beside_the_comparison() -> None:
    assert conditions('{ a = { ne = "x", or_missing = true } }')["a"] == Condition(
        "a", (Comparison("ne", "x"),), or_missing=True
    )


OPERANDS: dict[str, tuple[Operator, Any]] = {
    "gte = 0.5": ("gte", Decimal("0.5")),
    'gt = "10GB"': ("gt", 10**10),
    'lte = "80%"': ("lte", Decimal("0.8")),
    "lt = -3": ("lt", -3),
    'eq = "10GB"': ("eq", "10GB"),
    'eq = ["a", { b = 1.5 }]': ("eq", ["a", {"b": Decimal("1.5")}]),
    "ne = false": ("ne", False),
    'between = [-1, "1k"]': ("between", (-1, 1000)),
    'in = ["a", 1, true]': ("in", ("a", 1, True)),
    'not_in = ["a"]': ("not_in", ("a",)),
    "exists = true": ("exists", True),
    "exists = false": ("exists", False),
    'contains = "b"': ("contains", "b"),
    "contains = 3": ("contains", 3),
    'starts_with = "b"': ("starts_with", "b"),
    'ends_with = "b"': ("ends_with", "b"),
}


@pytest.mark.parametrize("text", OPERANDS)
def test_every_comparison_of_a_property_holds_for_a_trait_too(text: str) -> None:
    comparison = Comparison(*OPERANDS[text])
    assert conditions(f"{{ a = {{ {text} }} }}")["a"].comparisons == (comparison,)
    trait = node(f'{{ trait = "a.b", {text}, or_missing = true }}')
    assert trait == TraitLeaf(Condition("a.b", (comparison,), or_missing=True), "when")


PATHS = {
    "{ a.b = 1 }": ["a.b"],
    '{ "a.b" = 1 }': ["a.b"],
    "{ a.b.c.gte = 1 }": ["a.b.c"],
    "{ a.b = { gte = 1 }, a.c = 2 }": ["a.b", "a.c"],
    "{ a = { gte = 1 } }": ["a"],
}


@pytest.mark.parametrize(("text", "paths"), PATHS.items(), ids=PATHS)
def test_dotted_keys_are_paths(text: str, paths: list[str]) -> None:
    assert list(conditions(text)) == paths


def test_headers_are_dotted_keys_too() -> None:
    found = read('[pql.when]\nevent = "a"\n[pql.when.where.b]\nc = 1\n[pql.when.where.d]\nlt = 2')
    assert isinstance(found.when, EventLeaf)
    assert found.when.where == (
        Condition("b.c", (Comparison("eq", 1),)),
        Condition("d", (Comparison("lt", 2),)),
    )


# -- unless --------------------------------------------------------------------------------


def test_unless_lists_guards_and_conditions() -> None:
    found = read(
        'when = { event = "a" }\nunless = ["customer", { trait = "b", eq = 1 }, "internal"]',
        '[project]\nconversion = "paid"',
    )
    condition = TraitLeaf(Condition("b", (Comparison("eq", 1),)), "unless[1]")
    assert found.unless == (Customer(), condition, Internal())


@pytest.mark.parametrize(
    "text", ["eq = 0", "lt = 5", "lte = 0", "gte = 0", "ne = 3", "between = [0, 2]"]
)
def test_absence_is_allowed_in_unless(text: str) -> None:
    found = read(f'when = {{ event = "a" }}\nunless = [{{ all = [{{ event = "b", {text} }}] }}]')
    assert isinstance(found.unless[0], AllOf)


def test_unless_may_be_empty() -> None:
    assert read('when = { event = "a" }\nunless = []').unless == ()
