"""Definitions as plain sentences."""

from __future__ import annotations

from typing import cast

import pytest

from pequel_collector.rules.language.definition import EventLeaf, Leaf, TraitLeaf
from pequel_collector.rules.language.sentence import describe, describe_leaf
from pequel_collector.rules.parser.catalogue import read_catalogue

SHARED = """
[project]
conversion = "paid"
trial = "trial_started"
[features]
basic = ["project_created", "task_assigned"]
[[pql]]
name = "x"
"""

SENTENCES = {
    'when = { event = "project_created" }': "A user who did project_created at least once",
    """
    within = "14d"
    of = "signup"
    when.all = [
      { event = "project_created",       distinct = "project_id", gte = 3 },
      { event = "integration_connected", distinct = "kind",       gte = 2 },
    ]
    unless = ["internal", "customer"]
    """: (
        "A user who did project_created with at least 3 different project_id and "
        "integration_connected with at least 2 different kind, both within 14 days of sign-up, "
        "except internal users and customers"
    ),
    """
    of = "signup"
    when.all = [{ event = "a" }, { event = "b" }, { event = "c" }]
    """: ("A user who did a at least once, b at least once and c at least once, all since sign-up"),
    """
    subject = "account"
    when.any = [
      { event = "teammate_invited", distinct = "invitee", gte = 3 },
      { event = "*", distinct = "@user", gte = 5, within = "30d" },
    ]
    """: (
        "An account that did teammate_invited with at least 3 different invitee or any event "
        "with at least 5 different users within any 30 days"
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
        "An account that did report_exported at least once within any 30 days, whose employees "
        'is at least 50, whose country is one of "US" or "CA" and whose plan is "free"'
    ),
    """
    when.all = [
      { event = { feature = "basic" }, distinct = "@event", gte = "all" },
      { event = "trial_ended" },
    ]
    """: ("A user who did each of project_created and task_assigned and trial_ended at least once"),
    """
    when.any = [
      { event = "a" },
      { all = [{ trait = "b", eq = true }, { event = "c" }] },
    ]
    """: ("A user who did a at least once or (whose b is true and who did c at least once)"),
    """
    when = { event = "a" }
    unless = ["internal", { event = "b", eq = 0 }, { trait = "c", exists = false }]
    """: (
        "A user who did a at least once, except internal users, users who did not do b and "
        "users whose c is missing"
    ),
    """
    when.all = [{ event = "a" }]
    within = "1d"
    """: "A user who did a at least once within any 1 day",
    """
    when.any = [{ sequence = ["a", "b"], within = "1h" }, { event = "c" }, { pql = "x2" }]
    """: (
        "A user who did a followed by b (less than 1 hour from first to last), who did c at "
        "least once or who qualified as x2"
    ),
    """
    subject = "account"
    when.all = [{ users = { event = "a" }, gte = 3 }, { event = "b" }]
    """: (
        "An account (with at least 3 members who did a at least once) and that did b at least once"
    ),
    """
    subject = "account"
    when = { users = { trait = "role", eq = "admin" } }
    """: 'An account with at least 1 member whose role is "admin"',
    """
    subject = "account"
    when = { users = { event = "a", gte = 2, within = "30d" } }
    """: ("An account with at least 1 member who did a at least 2 times within any 30 days"),
    """
    when = { at_least = 2, of_these = [{ event = "a", within = "7d" }, { event = "b" }, { event = "c", gte = 2 }] }
    """: (  # noqa: E501
        "A user who did at least 2 of these: a at least once within any 7 days, b at least "
        "once and c at least 2 times"
    ),
    """
    when = { at_least = 1, of_these = [{ event = "a" }, { trait = "account.plan", eq = "free" }] }
    """: (
        "A user matching at least 1 of these: (who did a at least once) and (whose "
        'account.plan is "free")'
    ),
    """
    when = { event = "a", within = "7d", eq = 0 }
    clock = true
    requalify = { after_silence = "90d" }
    cooldown = "30d"
    on_change = "forward"
    """: (
        "A user who did not do a within any 7 days; can qualify as time passes, without a new "
        "event; can qualify again after 90 days without an event; not within 30 days after a "
        "lead was dismissed or lost; a changed definition counts only what happens after the "
        "change"
    ),
}

OTHERS = """
[[pql]]
name = "x2"
when = { event = "a" }
"""

LEAVES = {
    'event = "a", growth = 2.0, over = "7d", base = 50, where = { b = 1 }': (
        "a (where b is 1) at least 2 times as often in the last 7 days "
        "as in the 7 days before (at least 50 then)"
    ),
    'sequence = ["a", ["b", "c*"], "*"], where = { d = 1 }': (
        "a followed by (any of b or c*) followed by any event (each where d is 1)"
    ),
    'sequence = ["a", "b"], within = "1d", of = "trial"': (
        "a followed by b within 1 day of the start of the trial"
    ),
    'score = { gte = 1 }, points = [{ event = "a", add = 2.5 }]': (
        "a score of at least 1 (2.5 for each a)"
    ),
    """
    score = { lt = 1 }, half_life = "14d", within = "30d", points = [
      { event = ["a", "b"], add = 5, cap = 30, where = { c = 1 } },
      { event = "*", add = 1 },
      { trait = "account.size", gte = 200, add = 20 },
      { trait = "kind", ne = "x", or_missing = true, add = -30 },
    ]
    """: (
        "a score of less than 1 (5 for each (any of a or b) (where c is 1) up to 30, "
        "1 for each event, 20 while account.size is at least 200 and "
        '-30 while kind is not "x" or is missing; points for events halve every 14 days) '
        "within any 30 days"
    ),
    'pql = "x2"': "qualified as x2",
}

EVENT_LEAVES = {
    'event = "a", sum = "b", gte = "10GB"': "a with b adding up to at least 10,000,000,000",
    'event = "a", sum = "b", lt = 0.5': "a with b adding up to less than 0.5",
    'event = "a", min = "b", gte = 3, or_missing = true': (
        "a where the smallest b is at least 3 or is missing"
    ),
    'event = "a", max = "b", lt = 3': "a where the largest b is less than 3",
    'event = "a", last = "b", eq = "x", or_missing = true': (
        'a where the latest b is "x" or is missing'
    ),
    'event = "a", last = "b", gte = { ratio = "80%", of_trait = "account.limit" }': (
        "a where the latest b is at least 0.8 × account.limit"
    ),
    'event = "a", gte = { ratio = 0.5, of_trait = "b c" }': 'a at least 0.5 × "b c" times',
    'event = "a", gte = 10, per = "session", within = "1d"': (
        "a at least 10 times with the same session within any 1 day"
    ),
    'event = "a", eq = 0, per = "b"': "a exactly 0 times with the same b",
    'event = "a", of = "trial"': "a at least once since the start of the trial",
    'event = "a", of = "first:Project Created"': (
        'a at least once since the first "Project Created"'
    ),
    'event = "a", of = "first:report_*"': "a at least once since the first report_* event",
    'event = "a", of = "first:*"': "a at least once since the first event",
    'event = "a", of = "trait:renews", within = "2d"': (
        "a at least once within 2 days of the date in renews"
    ),
    'event = "a", of = "signup", from = "3h", within = "2d"': (
        "a at least once from 3 hours to 2 days after sign-up"
    ),
    'event = "a", of = "signup", from = "-7d"': ("a at least once from 7 days before sign-up on"),
    'event = "a", of = "signup", from = "-7d", within = "1d"': (
        "a at least once from 7 days before to 1 day after sign-up"
    ),
    'event = "event"': '"event" at least once',
    'event = "a", gte = 2': "a at least 2 times",
    'event = "a", gt = 1000': "a more than 1,000 times",
    'event = "a", eq = 1': "a exactly once",
    'event = "a", lt = 3': "a fewer than 3 times",
    'event = "a", lte = 1': "a at most once",
    'event = "a", lt = 1': "no a",
    'event = "*", eq = 0': "no event",
    'event = "a*", eq = 0': "no a* event",
    'event = ["a", "b"], eq = 0': "none of a or b",
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
    'ends_with = ["a", " "]': 't ends with "a" or " "',
    'starts_with = ["a", "b"]': 't starts with "a" or "b"',
    'contains = ["a", 1, true]': 't contains "a", 1 or true',
    'contains = ["a"]': 't contains "a"',
    "eq = [1, 0.5]": "t is [1, 0.5]",
    'eq = "a", or_missing = true': 't is "a" or is missing',
}


def test_a_derived_trait_stands_without_quotes() -> None:
    text = 'when = { trait = "account.@email_domain", eq = "a.example" }'
    definition = read_catalogue(SHARED + text).definitions[0]
    assert describe(definition) == 'A user whose account.@email_domain is "a.example"'


@pytest.mark.parametrize(("kind", "who"), [("user", "A user who"), ("account", "An account that")])
def test_the_guard_of_personal_addresses_is_in_the_sentence(kind: str, who: str) -> None:
    text = f'subject = "{kind}"\nwhen = {{ event = "a" }}\nunless = ["internal", "personal"]'
    assert describe(read_catalogue(SHARED + text).definitions[0]) == (
        f"{who} did a at least once, "
        f"except internal {kind}s and {kind}s with a personal email address"
    )


def test_a_part_of_the_context_is_named_by_its_path() -> None:
    text = 'when = { event = "a", where = { context.campaign.source = "ads" } }'
    definition = read_catalogue(SHARED + text).definitions[0]
    assert describe(definition) == (
        'A user who did a (where context.campaign.source is "ads") at least once'
    )


@pytest.mark.parametrize(("text", "sentence"), SENTENCES.items())
def test_a_definition_is_one_sentence(text: str, sentence: str) -> None:
    definition = read_catalogue(SHARED + text + OTHERS).definitions[0]
    assert describe(definition) == sentence


@pytest.mark.parametrize(("text", "phrase"), LEAVES.items(), ids=LEAVES)
def test_a_leaf_says_all_that_it_asks_for(text: str, phrase: str) -> None:
    guarded = f'when = {{ event = "x" }}\nunless = [{{ {" ".join(text.split())} }}]{OTHERS}'
    (leaf,) = read_catalogue(SHARED + guarded).definitions[0].unless
    assert describe_leaf(cast("Leaf", leaf)) == phrase


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
