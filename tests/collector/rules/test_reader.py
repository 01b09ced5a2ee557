"""Read a definitions file into a catalogue, key by key."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from pequel_collector.rules.language.definition import (
    AllOf,
    AnyOf,
    AtLeast,
    Catalogue,
    Comparison,
    Condition,
    Customer,
    Definition,
    EventLeaf,
    EventPattern,
    EventPoints,
    GrowthLeaf,
    Internal,
    InternalRule,
    Leaf,
    Metric,
    Node,
    Operator,
    PqlLeaf,
    Project,
    ScoreLeaf,
    SequenceLeaf,
    Share,
    TraitLeaf,
    TraitPath,
    TraitPoints,
    UsersLeaf,
    Window,
)
from pequel_collector.rules.language.quantities import DAY, HOUR, MINUTE
from pequel_collector.rules.parser.catalogue import read_catalogue


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
    expansion = "upgraded"
    key_events = ["b", "a"]
    internal = { email_domain = ["Us.Example"], trait = { staff = true, plan = ["test", 1.5] } }
    """
    internal = InternalRule(
        frozenset({"us.example"}), (("staff", True), ("plan", "test"), ("plan", Decimal("1.5")))
    )
    assert read_catalogue(text).project == Project(
        "Europe/Berlin", "signed_up", "trial_started", "paid", ("b", "a"), internal, "upgraded"
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


def test_when_a_definition_may_be_met_again() -> None:
    found = read("""
    when = { event = "a" }
    requalify = { after_silence = "90d" }
    cooldown = "30d"
    expires = "2w"
    on_change = "forward"
    """)
    assert (found.after_silence, found.cooldown, found.expires) == (90 * DAY, 30 * DAY, 14 * DAY)
    assert found.on_change == "forward"


def test_a_lint_finding_can_be_accepted_with_a_reason() -> None:
    found = read('when = { event = "a" }\naccept = { L03 = "on purpose", L22 = "yes" }')
    assert found.accepted == (("L03", "on purpose"), ("L22", "yes"))


def test_personas_are_kept_as_plain_data() -> None:
    text = '[[persona]]\nname = "Ada"\nsince = 2026-03-01\nweights = [0.5, 2]'
    assert read_catalogue(text).personas == (
        {"name": "Ada", "since": "2026-03-01", "weights": [0.5, 2]},
    )


METRICS = """
[features]
basic = ["b", "c"]

[[metric]]
name = "volume"
event = "data_*"
sum = "bytes"
where = { ok = true }
value_metric = true

[[metric]]
name = "logins"
event = "login"

[[metric]]
name = "tried"
event = { feature = "basic" }
distinct = "@event"

[[metric]]
name = "plan"
event = "plan_set"
last = "to"
"""


def test_metrics_are_numbers_drawn_from_events() -> None:
    ok = Condition("ok", (Comparison("eq", True),))
    assert read_catalogue(METRICS).metrics == (
        Metric("volume", EventPattern(prefixes=("data_",)), (ok,), "sum", "bytes", True),
        Metric("logins", EventPattern(frozenset({"login"}))),
        Metric("tried", EventPattern(frozenset({"b", "c"})), (), "distinct", "@event"),
        Metric("plan", EventPattern(frozenset({"plan_set"})), (), "last", "to"),
    )


# -- event leaves --------------------------------------------------------------------------

PATTERNS: dict[str, EventPattern] = {
    '"a"': EventPattern(frozenset({"a"})),
    '"*"': EventPattern(any=True),
    '"report_*"': EventPattern(prefixes=("report_",)),
    '["a", "b", "a"]': EventPattern(frozenset({"a", "b"})),
    '["y*", "a", "x*"]': EventPattern(frozenset({"a"}), ("x", "y")),
    '["a", "*"]': EventPattern(any=True),
    '{ feature = "basic" }': EventPattern(frozenset({"b", "c"})),
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
    assert leaf(f'event = "a", distinct = "{distinct}"').value == distinct


MEASURES: dict[str, tuple[str, str, Comparison]] = {
    'distinct = "b", gte = 2': ("distinct", "b", Comparison("gte", 2)),
    'sum = "b.c", gt = 0.1': ("sum", "b.c", Comparison("gt", Decimal("0.1"))),
    'sum = "b", between = [1.5, "2k"]': ("sum", "b", Comparison("between", (Decimal("1.5"), 2000))),
    'min = "b", lte = 5': ("min", "b", Comparison("lte", 5)),
    'max = "b", lt = -3': ("max", "b", Comparison("lt", -3)),
    'max = "b", eq = "80%"': ("max", "b", Comparison("eq", Decimal("0.8"))),
    'last = "b", gte = "10GB"': ("last", "b", Comparison("gte", 10**10)),
    'last = "b", eq = "10GB"': ("last", "b", Comparison("eq", "10GB")),
    'last = "b", in = ["x", 1]': ("last", "b", Comparison("in", ("x", 1))),
    'last = "b", contains = "x"': ("last", "b", Comparison("contains", "x")),
    'last = "b", exists = false': ("last", "b", Comparison("exists", False)),
}


@pytest.mark.parametrize("text", MEASURES)
def test_a_number_is_counted_or_drawn_from_a_property(text: str) -> None:
    found = leaf(f'event = "a", {text}')
    assert (found.measure, found.value, found.comparison) == MEASURES[text]


def test_a_count_is_what_an_event_leaf_draws_unless_it_says_more() -> None:
    assert (leaf('event = "a"').measure, leaf('event = "a"').value) == ("count", None)


@pytest.mark.parametrize("measure", ["min", "max", "last"])
def test_the_smallest_the_largest_and_the_latest_value_may_be_missing(measure: str) -> None:
    text = f'event = "a", {measure} = "b", lt = 1'
    assert leaf(f"{text}, or_missing = true").or_missing
    assert not leaf(f"{text}, or_missing = false").or_missing
    assert not leaf(text).or_missing


def test_a_threshold_may_have_to_be_met_within_one_value_of_a_property() -> None:
    assert leaf('event = "a", gte = 10, per = "session.id"').per == "session.id"


SHARES: dict[str, Any] = {
    'gte = { ratio = 0.8, of_trait = "limit" }': Share(Decimal("0.8"), TraitPath("limit")),
    'gt = { ratio = "80%", of_trait = "limit.gb" }': Share(Decimal("0.8"), TraitPath("limit.gb")),
    'gte = { ratio = 2, of_trait = "account.limit" }': Share(2, TraitPath("limit", account=True)),
    'between = [1, { ratio = 2, of_trait = "limit" }]': (1, Share(2, TraitPath("limit"))),
}


@pytest.mark.parametrize("text", SHARES)
@pytest.mark.parametrize("measure", ['event = "a"', 'event = "a", last = "b"', 'trait = "a"'])
def test_a_threshold_may_be_a_share_of_a_trait(measure: str, text: str) -> None:
    found = node(f"{{ {measure}, {text} }}")
    assert isinstance(found, EventLeaf | TraitLeaf)
    (stated,) = [found.comparison] if isinstance(found, EventLeaf) else found.condition.comparisons
    assert stated.operand == SHARES[text]


class TestMetrics:
    """A leaf of a metric is an event leaf with what the metric says put in."""

    def leaf(self, text: str) -> EventLeaf:
        return leaf(text, METRICS)

    def test_the_leaf_computes_the_same_number_as_the_metric(self) -> None:
        assert self.leaf('metric = "volume", gte = "1MB", within = "7d"') == EventLeaf(
            EventPattern(prefixes=("data_",)),
            Comparison("gte", 10**6),
            (Condition("ok", (Comparison("eq", True),)),),
            "sum",
            "bytes",
            window=Window(7 * DAY),
            metric="volume",
            path="when",
        )

    def test_its_conditions_are_added_to_those_of_the_metric(self) -> None:
        found = self.leaf('metric = "volume", gt = 1, where = { kind = "x" }, per = "p"')
        assert [condition.path for condition in found.where] == ["ok", "kind"]
        assert found.per == "p"

    def test_a_count_is_at_least_one_unless_it_says_more(self) -> None:
        assert self.leaf('metric = "logins"').comparison == Comparison("gte", 1)
        assert self.leaf('metric = "tried"').comparison == Comparison("gte", 1)

    def test_all_is_the_number_of_names_that_the_metric_lists(self) -> None:
        assert self.leaf('metric = "tried", gte = "all"').comparison == Comparison("gte", 2)

    def test_the_latest_value_takes_every_comparison(self) -> None:
        found = self.leaf('metric = "plan", starts_with = "pro", or_missing = true')
        assert (found.comparison, found.or_missing) == (Comparison("starts_with", "pro"), True)


WINDOWS = {
    "": Window(),
    ', of = "trial", within = "2d"': Window(2 * DAY, "trial"),
    ', of = "first:report_*"': Window(None, "first:report_*"),
    ', of = "trait:trial.ends", from = "-7d"': Window(None, "trait:trial.ends", -7 * DAY),
    ', of = "trait:account.renews"': Window(None, "trait:account.renews"),
    ', of = "signup", within = "2d", from = "3h"': Window(2 * DAY, "signup", 3 * HOUR),
    ', within = "7d"': Window(7 * DAY),
    ', of = "signup"': Window(None, "signup"),
    ', within = "4h", of = "signup"': Window(4 * HOUR, "signup"),
}


@pytest.mark.parametrize(("text", "expected"), WINDOWS.items(), ids=WINDOWS)
def test_a_window_rolls_or_is_anchored(text: str, expected: Window) -> None:
    assert leaf(f'event = "a"{text}', '[project]\ntrial = "t"').window == expected


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

    def test_a_leaf_that_only_starts_later_inherits_both_parts(self) -> None:
        assert self.windows('{ event = "a", from = "1d" }') == [Window(7 * DAY, "signup", DAY)]

    def test_sequences_scores_and_metrics_inherit(self) -> None:
        found = read(
            """
            within = "7d"
            when.all = [
              { sequence = ["a", "b"] },
              { score = { gte = 1 }, points = [{ event = "a", add = 1 }] },
              { metric = "logins" },
            ]
            """,
            METRICS,
        ).when
        assert isinstance(found, AllOf)
        leaves = [p for p in found.parts if isinstance(p, SequenceLeaf | ScoreLeaf | EventLeaf)]
        assert [part.window for part in leaves] == [Window(7 * DAY)] * 3

    def test_the_leaf_inside_users_inherits_from_it_or_else_from_the_definition(self) -> None:
        found = read("""
        subject = "account"
        within = "7d"
        when.all = [
          { users = { event = "a" } },
          { users = { event = "a" }, within = "1d", of = "signup", from = "1h" },
          { users = { event = "a", within = "2d" }, within = "1d" },
          { users = { event = "a", from = "2h" }, of = "signup" },
        ]
        """).when
        assert isinstance(found, AllOf)
        inner = [part.inner for part in found.parts if isinstance(part, UsersLeaf)]
        assert [one.window for one in inner if isinstance(one, EventLeaf)] == [
            Window(7 * DAY),
            Window(DAY, "signup", HOUR),
            Window(2 * DAY),
            Window(None, "signup", 2 * HOUR),
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


# -- other leaves --------------------------------------------------------------------------

A, B = EventPattern(frozenset({"a"})), EventPattern(frozenset({"b"}))
IS_X = Condition("p", (Comparison("eq", "x"),))

LEAVES: dict[str, Leaf] = {
    'trait = "account.plan.name", eq = "x"': TraitLeaf(
        Condition("plan.name", (Comparison("eq", "x"),)), account=True, path="when"
    ),
    'sequence = ["a", "b"]': SequenceLeaf((A, B), path="when"),
    'sequence = [["a", "c*"], "*", { feature = "basic" }], where = { p = "x" }, within = "1h"': (
        SequenceLeaf(
            (
                EventPattern(frozenset({"a"}), ("c",)),
                EventPattern(any=True),
                EventPattern(frozenset({"b", "c"})),
            ),
            (IS_X,),
            Window(HOUR),
            "when",
        )
    ),
    'event = "a", growth = 2.0, over = "7d"': GrowthLeaf(A, 2, 7 * DAY, path="when"),
    'event = "a", growth = "150%", over = "1d", base = "1k", where = { p = "x" }': GrowthLeaf(
        A, Decimal("1.5"), DAY, 1000, (IS_X,), "when"
    ),
    'score = { gte = 7.5 }, points = [{ event = "a", add = -0.5 }]': ScoreLeaf(
        (EventPoints(A, Decimal("-0.5")),), Comparison("gte", Decimal("7.5")), path="when"
    ),
    """
    score = { between = [1, { ratio = 2, of_trait = "t" }] }, half_life = "30m", within = "1d",
    points = [
      { event = "a", add = 5, cap = 30, where = { p = "x" } },
      { trait = "t", gte = 2, lt = "1k", or_missing = true, add = 20 },
      { trait = "account.p", eq = "x", add = 1 },
    ]
    """: ScoreLeaf(
        (
            EventPoints(A, 5, (IS_X,), 30),
            TraitPoints(Condition("t", (Comparison("gte", 2), Comparison("lt", 1000)), True), 20),
            TraitPoints(IS_X, 1, account=True),
        ),
        Comparison("between", (1, Share(2, TraitPath("t")))),
        30 * MINUTE,
        Window(DAY),
        "when",
    ),
}


@pytest.mark.parametrize("text", LEAVES)
def test_a_leaf_is_read_as_what_it_says(text: str) -> None:
    text = " ".join(text.split())
    found = node(f"{{ {text} }}", METRICS)
    assert found == next(leaf for key, leaf in LEAVES.items() if " ".join(key.split()) == text)


def test_an_account_counts_its_users_of_whom_a_leaf_holds() -> None:
    text = (
        '{ users = { trait = "account.size", gte = 2 }, gte = { ratio = 0.5, of_trait = "seats" } }'
    )
    inner = TraitLeaf(Condition("size", (Comparison("gte", 2),)), account=True, path="when.users")
    half = Comparison("gte", Share(Decimal("0.5"), TraitPath("seats")))
    assert read(f'subject = "account"\nwhen = {text}').when == UsersLeaf(inner, half, "when")


def test_users_are_at_least_one_unless_it_says_more() -> None:
    found = read('subject = "account"\nwhen = { users = { event = "a" } }').when
    assert isinstance(found, UsersLeaf)
    assert found.comparison == Comparison("gte", 1)


def test_a_trait_of_an_account_may_be_called_account() -> None:
    found = read('subject = "account"\nwhen = { trait = "account.size", eq = 1 }').when
    assert found == TraitLeaf(Condition("account.size", (Comparison("eq", 1),)), path="when")


NAMED = """
[[pql]]
name = "of_user"
when = { event = "a" }
[[pql]]
name = "of_account"
subject = "account"
when = { users = { pql = "of_user" } }
[[pql]]
name = "of_account_too"
subject = "account"
when = { pql = "of_account" }
[[pql]]
name = "of_user_too"
when.all = [{ pql = "of_account" }, { pql = "of_user" }]
"""


def test_definitions_name_each_other() -> None:
    _, of_account, of_account_too, of_user_too = read_catalogue(NAMED).definitions
    inner = PqlLeaf("of_user", "when.users")
    assert of_account.when == UsersLeaf(inner, Comparison("gte", 1), "when")
    assert of_account_too.when == PqlLeaf("of_account", "when")
    assert of_user_too.when == AllOf(
        (PqlLeaf("of_account", "when.all[0]"), PqlLeaf("of_user", "when.all[1]"))
    )


def test_some_of_several_conditions_are_enough() -> None:
    found = node('{ at_least = 1, of_these = [{ any = [{ event = "a" }] }, { event = "b" }] }')
    assert isinstance(found, AtLeast)
    assert found.needed == 1
    assert [type(part) for part in found.parts] == [AnyOf, EventLeaf]


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
    'ends_with = " "': ("ends_with", " "),
    'contains = ["b", 3]': ("contains", ("b", 3)),
    'contains = ["b"]': ("contains", "b"),
    'starts_with = ["b", "c"]': ("starts_with", ("b", "c")),
    'ends_with = ["b"]': ("ends_with", "b"),
}


@pytest.mark.parametrize("text", OPERANDS)
def test_every_comparison_of_a_property_holds_for_a_trait_too(text: str) -> None:
    comparison = Comparison(*OPERANDS[text])
    assert conditions(f"{{ a = {{ {text} }} }}")["a"].comparisons == (comparison,)
    trait = node(f'{{ trait = "a.b", {text}, or_missing = true }}')
    assert trait == TraitLeaf(Condition("a.b", (comparison,), or_missing=True), path="when")


PATHS = {
    "{ a.b = 1 }": ["a.b"],
    '{ "a.b" = 1 }': ["a.b"],
    "{ a.b.c.gte = 1 }": ["a.b.c"],
    "{ a.b = { gte = 1 }, a.c = 2 }": ["a.b", "a.c"],
    "{ a = { gte = 1 } }": ["a"],
    "{ context.a.b = 1 }": ["context.a.b"],
    "{ context = { a = { b = 1, c = { gte = 2 } } } }": ["context.a.b", "context.a.c"],
    "{ context = { gte = 1 } }": ["context"],
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
    condition = TraitLeaf(Condition("b", (Comparison("eq", 1),)), path="unless[1]")
    assert found.unless == (Customer(), condition, Internal())


@pytest.mark.parametrize(
    "text", ["eq = 0", "lt = 5", "lte = 0", "gte = 0", "ne = 3", "between = [0, 2]"]
)
def test_absence_is_allowed_in_unless(text: str) -> None:
    found = read(f'when = {{ event = "a" }}\nunless = [{{ all = [{{ event = "b", {text} }}] }}]')
    assert isinstance(found.unless[0], AllOf)


@pytest.mark.parametrize(
    "text",
    [
        'event = "a", eq = 0',
        'event = "a", sum = "b", lte = 0.5',
        'metric = "logins", lt = 3',
        'score = { lt = 5 }, points = [{ event = "a", add = 1 }]',
        'event = "a", lt = { ratio = 1, of_trait = "limit" }',
    ],
)
def test_absence_is_allowed_with_a_clock(text: str) -> None:
    assert read(f"when = {{ {text} }}\nclock = true", METRICS).clock


def test_absence_of_users_and_inside_users_is_allowed_with_a_clock() -> None:
    leaves = '{ users = { event = "a" }, eq = 0 }, { users = { event = "a", lt = 2 } }'
    assert read(f'subject = "account"\nclock = true\nwhen.all = [{leaves}]').clock


@pytest.mark.parametrize(
    "text", ['max = "b", lt = 1', 'last = "b", eq = 0', 'sum = "b", gt = -0.0']
)
def test_a_comparison_that_0_does_not_meet_is_not_an_absence(text: str) -> None:
    assert leaf(f'event = "a", {text}')


def test_unless_may_be_empty() -> None:
    assert read('when = { event = "a" }\nunless = []').unless == ()
