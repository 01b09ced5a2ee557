"""Definitions as plain sentences."""

from __future__ import annotations

import pytest

from pequel_collector.rules.definition import EventLeaf, TraitLeaf
from pequel_collector.rules.reader import read_catalogue
from pequel_collector.rules.sentence import describe, describe_leaf

SHARED = """
[project]
conversion = "paid"
[features]
basic = ["project_created", "task_assigned"]
[[pql]]
name = "x"
"""

SENTENCES = {
    'when = { event = "project_created" }': "a user who has project_created at least once",
    """
    within = "14d"
    of = "signup"
    when.all = [
      { event = "project_created",       distinct = "project_id", gte = 3 },
      { event = "integration_connected", distinct = "kind",       gte = 2 },
    ]
    unless = ["internal", "customer"]
    """: (
        "a user who has project_created with at least 3 different project_id and "
        "integration_connected with at least 2 different kind, both within 14 days of sign-up, "
        "unless internal or a customer"
    ),
    """
    of = "signup"
    when.all = [{ event = "a" }, { event = "b" }, { event = "c" }]
    """: "a user who has a at least once, b at least once and c at least once, all since sign-up",
    """
    subject = "account"
    when.any = [
      { event = "teammate_invited", distinct = "invitee", gte = 3 },
      { event = "*", distinct = "@user", gte = 5, within = "30d" },
    ]
    """: (
        "an account that has teammate_invited with at least 3 different invitee or "
        "any event by at least 5 different users within any 30 days"
    ),
    """
    subject = "account"
    when.all = [
      { event = "report_exported", within = "30d" },
      { trait = "employees", gte = 50 },
      { trait = "country",   in = ["US", "CA"] },
      { trait = "plan",      eq = "free" },
    ]
    """: (
        "an account that has report_exported at least once within any 30 days, "
        'whose employees is at least 50, whose country is one of "US" or "CA" '
        'and whose plan is "free"'
    ),
    """
    when.all = [
      { event = { feature = "basic" }, distinct = "@event", gte = "all" },
      { event = "trial_ended" },
    ]
    """: ("a user who has each of project_created and task_assigned and trial_ended at least once"),
    """
    when.any = [
      { event = "a" },
      { all = [{ trait = "b", eq = true }, { event = "c" }] },
    ]
    """: "a user who has a at least once or (whose b is true and who has c at least once)",
    """
    when = { event = "a" }
    unless = ["internal", { event = "b", eq = 0 }, { trait = "c", exists = false }]
    """: (
        "a user who has a at least once, "
        "unless internal, one who has no b or one whose c is missing"
    ),
    """
    when.all = [{ event = "a" }]
    within = "1d"
    """: "a user who has a at least once within any 1 day",
}

EVENT_LEAVES = {
    'event = "a", gte = 2': "a at least 2 times",
    'event = "a", gt = 1000': "a more than 1,000 times",
    'event = "a", eq = 1': "a exactly once",
    'event = "a", lt = 3': "a fewer than 3 times",
    'event = "a", lte = 1': "a at most once",
    'event = "a", lt = 1': "no a",
    'event = "a", ne = 3': "a other than 3 times",
    'event = "a", between = [1, 5]': "a between 1 and 5 times",
    'event = "a", within = "90m"': "a at least once within any 90 minutes",
    'event = "a", within = "48h", of = "signup"': "a at least once within 2 days of sign-up",
    'event = "a", within = "1h"': "a at least once within any 1 hour",
    'event = ["b", "a", "c*"]': "any of a, b or c* at least once",
    'event = "report_*"': "any report_* event at least once",
    'event = "Project Created"': '"Project Created" at least once',
    'event = "*", distinct = "@day"': "any event on at least 1 different day",
    'event = "*", distinct = "@hour", gte = 2': "any event in at least 2 different hours",
    'event = "*", distinct = "@minute", gte = "1h"': "any event in at least 60 different minutes",
    'event = ["a", "b", "c"], distinct = "@event", gte = 2': (
        "any of a, b or c with at least 2 different events"
    ),
    'event = "a", distinct = "b", eq = 0': "a with exactly 0 different b",
    'event = "a", where = { b = 1, c = { gte = 0.5, lt = "1k" }, d = { ne = "x", or_missing = true } }': (  # noqa: E501
        "a (where b is 1 and c is at least 0.5 and is less than 1,000 "
        'and d is not "x" or is missing) at least once'
    ),
}

TRAIT_LEAVES = {
    "gt = 1": "t is more than 1",
    'lte = "80%"': "t is at most 0.8",
    "between = [1, 2]": "t is between 1 and 2",
    'ne = "a"': 't is not "a"',
    'in = ["a", 1, true]': 't is one of "a", 1 or true',
    'in = ["a"]': 't is "a"',
    'not_in = ["a", "b"]': 't is none of "a" or "b"',
    'not_in = ["a"]': 't is not "a"',
    "exists = true": "t is known",
    "exists = false": "t is missing",
    'contains = "é"': 't contains "é"',
    'starts_with = "a"': 't starts with "a"',
    'ends_with = "a"': 't ends with "a"',
    "eq = [1, 0.5]": "t is [1, 0.5]",
    'eq = "a", or_missing = true': 't is "a" or is missing',
}


@pytest.mark.parametrize(("text", "sentence"), SENTENCES.items())
def test_a_definition_is_one_sentence(text: str, sentence: str) -> None:
    (definition,) = read_catalogue(SHARED + text).definitions
    assert describe(definition) == sentence


@pytest.mark.parametrize(("text", "phrase"), EVENT_LEAVES.items(), ids=EVENT_LEAVES)
def test_an_event_leaf_says_what_was_done_how_often_and_when(text: str, phrase: str) -> None:
    guarded = f'when = {{ event = "x" }}\nunless = [{{ {text} }}]'
    (leaf,) = read_catalogue(SHARED + guarded).definitions[0].unless
    assert isinstance(leaf, EventLeaf)
    assert describe_leaf(leaf) == phrase


@pytest.mark.parametrize(("text", "phrase"), TRAIT_LEAVES.items(), ids=TRAIT_LEAVES)
def test_a_trait_leaf_says_what_the_trait_is(text: str, phrase: str) -> None:
    leaf = read_catalogue(f'{SHARED}when = {{ trait = "t", {text} }}').definitions[0].when
    assert isinstance(leaf, TraitLeaf)
    assert describe_leaf(leaf) == phrase
