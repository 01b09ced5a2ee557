"""What the linter says of routes is never wrong of any lead: L28 and L29."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from pequel_collector.lint.linter import lint
from pequel_collector.lint.routes import can_match, implies
from pequel_collector.rules.language.definition import Comparison, Condition
from pequel_collector.rules.language.lead_condition import (
    FieldIs,
    LeadCondition,
    LeadView,
    QualifiedFor,
    Several,
    TraitIs,
    UsageIs,
    holds,
)
from pequel_collector.rules.language.routing import Assignment, Route
from pequel_collector.rules.parser.catalogue import read_catalogue

KEEN = read_catalogue('[[pql]]\nname = "keen"\nwhen = { event = "used" }\n').definitions[0]
WORDS = st.lists(st.sampled_from(["x", "y", "z"]), min_size=1, max_size=3, unique=True).map(tuple)
comparisons = st.one_of(
    st.builds(Comparison, st.just("in"), WORDS),
    st.builds(
        Comparison, st.sampled_from(["eq", "ne", "starts_with"]), st.sampled_from(["x", "y"])
    ),
    st.builds(Comparison, st.sampled_from(["gte", "lt"]), st.integers(0, 2)),
    st.builds(Comparison, st.just("exists"), st.booleans()),
)
tests = st.builds(
    Condition, st.sampled_from(["a", "b"]), st.tuples(comparisons), st.booleans()
)  # fmt: skip
leaves = st.one_of(
    st.builds(FieldIs, st.sampled_from(["account", "kind"]), WORDS),
    st.builds(FieldIs, st.just("kind"), st.just(("new",))),
    st.builds(QualifiedFor, WORDS),
    st.builds(TraitIs, tests, st.booleans()),
    st.builds(UsageIs, tests.map(lambda t: Condition("used", t.comparisons, t.or_missing))),
)


def several(parts: st.SearchStrategy[LeadCondition]) -> st.SearchStrategy[LeadCondition]:
    return st.lists(parts, min_size=1, max_size=3).flatmap(
        lambda listed: st.builds(Several, st.integers(1, len(listed)), st.just(tuple(listed)))
    )


conditions = st.recursive(leaves, several, max_leaves=6)
VALUES: st.SearchStrategy[Any] = st.sampled_from(["x", "y", "z", 0, 1, 2])
traits = st.dictionaries(st.sampled_from(["a", "b"]), VALUES)
leads = st.builds(
    LeadView, st.just("keen"), st.just("new"), st.just("normal"), st.just("user"),
    account=st.sampled_from([None, "x", "y"]), traits=traits, account_traits=traits,
    usage=st.one_of(st.just({}), st.lists(st.integers(0, 2)).map(lambda found: {"used": found})),
    qualified=st.sets(st.sampled_from(["keen", "x", "y"])),
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(conditions, conditions, leads)
def test_a_route_that_is_shadowed_gets_no_lead(
    narrow: LeadCondition, wide: LeadCondition, lead: LeadView
) -> None:
    if implies(narrow, wide) and holds(narrow, lead):
        assert holds(wide, lead)


@settings(max_examples=300, deadline=None)
@given(conditions, leads)
def test_a_route_that_never_matches_gets_no_lead(when: LeadCondition, lead: LeadView) -> None:
    if not can_match(Route("r", Assignment("user", "ben"), when), KEEN):
        assert not holds(when, lead)


def found(*routes: str) -> list[tuple[str, str]]:
    text = '[[pql]]\nname = "keen"\nwhen = { event = "used" }\n' + "".join(
        f"[[route]]\n{route}\n" for route in routes
    )
    findings = lint(read_catalogue(text)).findings
    return [(f.code, f.definition) for f in findings if f.code in ("L28", "L29")]


def test_a_route_that_can_be_full_shadows_nothing() -> None:
    team = '[[team]]\nname = "t"\nmembers = ["ben", "eva"]\ncapacity = 3'
    assert found(f'assign = "round_robin:t"\n{team}', 'assign = "user:kim"') == []
    assert found('assign = "team:t"', 'assign = "user:kim"') == [("L29", "route 2")]


def test_two_values_of_a_trait_at_once_never_match() -> None:
    both = 'when.all = [{ trait = "c", eq = "DE" }, { trait = "c", in = ["FR"] }]'
    assert found(f'name = "r"\n{both}\nassign = "user:b"') == [("L28", "route r")]


def test_a_route_for_its_leads_is_a_follow_up() -> None:
    text = '[[pql]]\nname = "keen"\nwhen = { event = "used" }\n[[route]]\nassign = "user:b"\n'
    assert "L17" not in [f.code for f in lint(read_catalogue(text)).findings]
