"""The hash of a definition: it changes with the meaning and with nothing else."""

from __future__ import annotations

import pytest

from pequel_collector.rules.reader import read_catalogue

PROJECT = """
timezone = "UTC"
signup = "signed_up"
conversion = "paid"
trial = "trial_started"
key_events = ["a"]
internal = { email_domain = ["a.example", "b.example"], trait = { staff = true } }
"""

FEATURES = """
basic = ["a", "b"]
other = ["c"]
"""

DEFINITION = """
name = "x"
within = "14d"
of = "signup"
when.all = [
  { event = { feature = "basic" }, where = { p = 1, q = { gte = 2, lt = 10 } } },
  { event = "c", distinct = "@day", gte = 3, within = "7d" },
]
unless = ["internal", "customer", { trait = "plan", in = ["gold", "silver"] }]
"""


def digest(project: str = PROJECT, features: str = FEATURES, definition: str = DEFINITION) -> str:
    text = f"[project]\n{project}\n[features]\n{features}\n[[pql]]\n{definition}"
    return read_catalogue(text).definitions[0].hash


def changed(part: str, before: str, after: str) -> str:
    """The hash after one replacement in one of the three parts."""
    parts = {"project": PROJECT, "features": FEATURES, "definition": DEFINITION}
    assert before in parts[part]
    return digest(**{part: parts[part].replace(before, after)})


SAME_MEANING = [
    ("definition", 'name = "x"', 'name = "y"'),
    ("definition", 'name = "x"', 'name = "x"\ntitle = "X"\nkind = "nudge"\nowner = "ada"'),
    ("definition", 'name = "x"', 'name = "x"\npriority = "high"\nsla = "4h"\nplay = "call"'),
    ("definition", 'name = "x"', 'name = "x"\non_change = "retroactive"'),
    ("definition", 'name = "x"', 'name = "x"\nsubject = "user" # by default'),
    ("definition", '"14d"', '"2w"'),
    ("definition", "p = 1, q", "p = 1.0, q"),
    ("definition", "p = 1, q", "p = { eq = 1 }, q"),
    ("definition", "p = 1, q = { gte = 2, lt = 10 }", "q = { lt = 10, gte = 2 }, p = 1"),
    ("definition", '{ feature = "basic" }', '["b", "a"]'),
    ("features", '["a", "b"]', '["b", "a"]'),
    ("features", '["c"]', '["d"]'),
    ("project", "trial_started", "trial_began"),
    ("project", 'key_events = ["a"]', ""),
    ("project", '"a.example", "b.example"', '"B.example", "a.example"'),
]

OTHER_MEANING = [
    ("definition", 'name = "x"', 'name = "x"\nsubject = "account"'),
    ("definition", '"14d"', '"15d"'),
    ("definition", 'of = "signup"', ""),
    ("definition", "when.all", "when.any"),
    ("definition", "p = 1", "p = true"),
    ("definition", "p = 1", 'p = "1"'),
    ("definition", "p = 1", "p = 1.5"),
    ("definition", "p = 1", "p = [1]"),
    ("definition", "p = 1", "p = { eq = [1] }"),
    ("definition", "p = 1", "p = { ne = 1 }"),
    ("definition", "p = 1", "p = { eq = 1, or_missing = true }"),
    ("definition", "p = 1", "r = 1"),
    ("definition", '"@day"', '"@hour"'),
    ("definition", "gte = 3", "gt = 3"),
    ("definition", '"c"', '"c*"'),
    ("definition", '"customer", ', ""),
    ("features", '["a", "b"]', '["a", "b", "c"]'),
    ("project", "UTC", "Europe/Berlin"),
    ("project", "signed_up", "registered"),
    ("project", 'conversion = "paid"', 'conversion = "bought"'),
    ("project", "staff = true", "staff = 1"),
    ("project", ', "b.example"', ""),
]


@pytest.mark.parametrize(("part", "before", "after"), SAME_MEANING)
def test_what_means_the_same_has_the_same_hash(part: str, before: str, after: str) -> None:
    assert changed(part, before, after) == digest()


@pytest.mark.parametrize(("part", "before", "after"), OTHER_MEANING)
def test_what_means_something_else_has_another_hash(part: str, before: str, after: str) -> None:
    assert changed(part, before, after) != digest()


UNUSED = ["timezone = 'Asia/Tokyo'", "signup = 's'", "conversion = 'c'", "internal.trait.t = 1"]


@pytest.mark.parametrize("setting", UNUSED)
def test_what_a_definition_does_not_use_is_not_in_its_hash(setting: str) -> None:
    plain = 'name = "x"\nwhen = { event = "a", distinct = "@minute" }'
    assert digest(project=setting, definition=plain) == digest("", "", plain)


def test_a_hash_is_the_same_in_every_release() -> None:
    """Stored versions carry these: another value here would replay every history."""
    assert digest() == "86bfb994f1c23c772e640b53aa2f363f"
    assert (
        digest("", "", 'name = "x"\nwhen = { event = "a" }') == "002318a73acb6d7bd1a27da4c6c4bb49"
    )
