"""The hash of a definition: it changes with the meaning and with nothing else."""

from __future__ import annotations

import pytest

from pequel_collector.rules.parser.catalogue import read_catalogue

PROJECT = """
timezone = "UTC"
signup = "signed_up"
conversion = "paid"
trial = "trial_started"
key_events = ["a"]
internal = { email_domain = ["a.example", "b.example"], trait = { staff = true } }
"""

METRICS = """
[[metric]]
name = "volume"
event = "data"
sum = "bytes"
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
  { metric = "volume", gte = 0.5 },
  { score = { gte = 10 }, points = [{ event = "a", add = 5 }], of = "trial" },
  { pql = "other" },
]
requalify = { after_silence = "90d" }
cooldown = "30d"
expires = "10d"
unless = ["internal", "customer", { trait = "plan", in = ["gold", "silver"] }]
"""


OTHER = """
name = "other"
when = { event = "d" }
title = "Other"
"""


def digest(
    project: str = PROJECT,
    features: str = FEATURES,
    definition: str = DEFINITION,
    metrics: str = METRICS,
    other: str = OTHER,
) -> str:
    text = f"[project]\n{project}\n[features]\n{features}\n{metrics}\n[[pql]]\n{definition}"
    return read_catalogue(f"{text}\n[[pql]]\n{other}").definitions[0].hash


def changed(part: str, before: str, after: str) -> str:
    """The hash after one replacement in one of the parts."""
    parts = {
        "project": PROJECT,
        "features": FEATURES,
        "definition": DEFINITION,
        "metrics": METRICS,
        "other": OTHER,
    }
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
    ("definition", '"10d"', '"11d"'),
    ("definition", 'name = "x"', 'name = "x"\naccept = { L01 = "so" }\nclock = false'),
    ("definition", '"30d"', '"720h"'),
    ("definition", '{ metric = "volume", gte', '{ event = "data", sum = "bytes", gte'),
    ("metrics", 'sum = "bytes"', 'sum = "bytes"\nvalue_metric = true'),
    ("other", '"Other"', '"Another"'),
    ("project", 'key_events = ["a"]', ""),
    ("project", '"a.example", "b.example"', '"B.example", "a.example"'),
]

OTHER_MEANING = [
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
    ("definition", '"90d"', '"91d"'),
    ("definition", '"30d"', '"31d"'),
    ("definition", 'requalify = { after_silence = "90d" }', ""),
    ("definition", 'name = "x"', 'name = "x"\nclock = true'),
    ("definition", 'name = "x"', 'name = "x"\non_change = "forward"'),
    ("definition", "gte = 0.5", "gte = 0.50000000000000001"),
    ("definition", "gte = 10 }", "gt = 10 }"),
    ("definition", "add = 5", "add = 6"),
    ("definition", "add = 5", "add = 5, cap = 5"),
    ("definition", 'of = "trial"', 'of = "trial", half_life = "1d"'),
    ("definition", 'of = "trial"', 'of = "trial", from = "1d"'),
    ("definition", '{ event = "c", ', '{ event = "c", per = "p", '),
    ("metrics", 'sum = "bytes"', 'sum = "size"'),
    ("metrics", 'sum = "bytes"', 'sum = "bytes"\nwhere = { ok = true }'),
    ("other", '"d"', '"e"'),
    ("project", "trial_started", "trial_began"),
    ("features", '["a", "b"]', '["a", "b", "c"]'),
    ("project", "UTC", "Europe/Berlin"),
    ("project", "signed_up", "registered"),
    ("project", 'conversion = "paid"', 'conversion = "bought"'),
    ("project", "staff = true", "staff = 1"),
    ("project", ', "b.example"', ""),
]


@pytest.mark.parametrize(("part", "before", "after"), SAME_MEANING)
def test_equal_meaning_gives_an_equal_hash(part: str, before: str, after: str) -> None:
    assert changed(part, before, after) == digest()


@pytest.mark.parametrize(("part", "before", "after"), OTHER_MEANING)
def test_another_meaning_gives_another_hash(part: str, before: str, after: str) -> None:
    assert changed(part, before, after) != digest()


def test_the_same_of_an_account_means_something_else() -> None:
    user, account = ('name = "x"\nwhen = { event = "a" }\nsubject = ' + s for s in SUBJECTS)
    assert digest("", "", user) != digest("", "", account)


SUBJECTS = ('"user"', '"account"')
UNUSED = ["timezone = 'Asia/Tokyo'", "signup = 's'", "conversion = 'c'", "internal.trait.t = 1"]


@pytest.mark.parametrize("setting", UNUSED)
def test_unused_parts_of_the_project_do_not_change_the_hash(setting: str) -> None:
    plain = 'name = "x"\nwhen = { event = "a", distinct = "@minute" }'
    assert digest(project=setting, definition=plain) == digest("", "", plain)


@pytest.mark.parametrize(
    ("setting", "leaf"),
    [
        ("timezone = 'Asia/Tokyo'", 'event = "*", distinct = "@day", within = "7d"'),
        ("signup = 's'", 'event = "a", of = "signup"'),
        ("trial = 't'", 'event = "a", of = "trial"'),
    ],
)
def test_parts_used_inside_users_change_the_hash(setting: str, leaf: str) -> None:
    text = f'name = "x"\nsubject = "account"\nwhen = {{ users = {{ {leaf} }} }}'
    assert digest(setting, "", text) != digest("trial = 'u'", "", text)


def test_a_change_goes_through_all_that_name_it() -> None:
    first = 'name = "x"\nsubject = "account"\nwhen = { users = { pql = "second" } }'
    chain = 'name = "second"\nwhen = { pql = "third" }\n[[pql]]\nname = "third"\nwhen = '
    once, twice = (digest("", "", first, "", chain + f'{{ event = "a", gte = {n} }}') for n in "12")
    assert once != twice


def test_a_hash_is_the_same_in_every_release() -> None:
    """Stored versions carry these: another value here would replay every history."""
    assert digest() == "29aad3e7314fe1d0817b83bee0229537"
    assert (
        digest("", "", 'name = "x"\nwhen = { event = "a" }') == "67c0016b7b8d73aee6348c1bc18c0f45"
    )
