"""Mistakes in a definitions file: where each is, what stood there, and what was expected.

The cases are data. A ``▸`` in a text marks the place where the problem must be reported, and is
taken out before the text is read.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

from pequel_collector.errors import DefinitionError, Problem
from pequel_collector.rules.reader import DEFINITION, read_catalogue
from pequel_collector.rules.reader_later import LATER

MARK = "▸"
OPERATORS = (
    'one of "gte", "gt", "lte", "lt", "eq", "ne", "between", '
    '"in", "not_in", "exists", "contains", "starts_with", "ends_with"'
)
COUNTED = 'one of "gte", "gt", "lte", "lt", "eq", "ne", "between"'
NODES = 'one of "event", "trait", "all", "any"'
DURATION = 'a duration such as "7d"'
DURATION_UNITS = f"{DURATION}, with one of the units s m h d w"
QUANTITY_UNITS = (
    'a number or a quantity such as "10GB", '
    "with one of the units k M G B kB MB GB TB KiB MiB GiB TiB %"
)
PAIR = "a list of two numbers, the lower one first"
EVENT_FORMS = 'an event name, a list of names, "prefix*", "*" or { feature = "…" }'
NO_ABSENCE = 'a comparison that 0 does not meet: absence is allowed only in "unless"'


class Mistake(NamedTuple):
    """A text with marks, and what is said at each of them."""

    path: str
    text: str
    found: str
    expected: str


FILES = [
    Mistake("toml", "[project]\nsignup = ▸signed_up", "a mistake: Invalid value", "valid TOML"),
    Mistake("projct", "[▸projct]", 'the unknown key "projct"', '"project"'),
    Mistake("project", "project = ▸3", "3", "a table"),
    Mistake("project.sign", '[project]\n▸sign = "a"', 'the unknown key "sign"', '"signup"'),
    Mistake("project.signup", "[project]\nsignup = ▸5", "5", "a text that is not empty"),
    Mistake("project.trial", '[project]\ntrial = ▸" "', '" "', "a text that is not empty"),
    Mistake(
        "project.timezone",
        '[project]\ntimezone = ▸"Europe/Berln"',
        'the unknown time zone "Europe/Berln"',
        '"Europe/Berlin"',
    ),
    Mistake(
        "project.timezone",
        '[project]\ntimezone = ▸"../UTC"',
        'the unknown time zone "../UTC"',
        'a time zone such as "Europe/Berlin"',
    ),
    Mistake(
        "project.timezone",
        '[project]\ntimezone = ▸"Europe"',
        'the unknown time zone "Europe"',
        'a time zone such as "Europe/Berlin"',
    ),
    Mistake("project.key_events", '[project]\nkey_events = ▸"a"', '"a"', "a list of event names"),
    Mistake(
        "project.internal.email_domain[0]",
        '[project]\ninternal.email_domain = [▸"@us.example"]',
        '"@us.example"',
        'a domain such as "example.com"',
    ),
    Mistake(
        "project.internal.trait.age",
        "[project]\ninternal = { trait = { age = ▸{ gte = 3 } } }",
        "{ gte = 3 }",
        "a value or a list of values",
    ),
    Mistake("features.basic", "[features]\nbasic = ▸[]", "an empty list", "a list of event names"),
    Mistake(
        "features.basic[1]",
        '[features]\nbasic = ["a", ▸5]',
        "5",
        "a text that is not empty",
    ),
    Mistake(
        "pql[0].when.where.b",
        '[[pql]]\nname = "x"\n[pql.when]\nevent = "a"\n▸[pql.when.where.b]',
        "no comparison",
        f"a comparison: {OPERATORS}",
    ),
    Mistake("pql", "▸[pql]", "a table", "an array of tables, each headed by [[pql]]"),
    Mistake("pql[0]", "pql = [▸5]", "5", "a table"),
    Mistake("pql[0]", '▸[[pql]]\nwhen = { event = "a" }', 'no "name"', 'the key "name"'),
    Mistake("pql[0]", '▸[[pql]]\nname = "x"', 'no "when"', 'the key "when"'),
    Mistake(
        "pql[0].name",
        '[[pql]]\nname = ▸"a\\u0000b"\nwhen = { event = "a" }',
        '"a\\u0000b"',
        "a name of at most 128 printable characters",
    ),
    Mistake(
        "pql[1].name",
        '[[pql]]\nname = "x"\nwhen = { event = "a" }\n[[pql]]\nname = ▸"x"\nwhen = { event = "b" }',
        '"x" a second time',
        "a name of its own: line 2 has it",
    ),
]

KEYS = [
    Mistake("windin", '▸windin = "7d"', 'the unknown key "windin"', '"within"'),
    Mistake(
        "colour",
        '▸colour = "red"',
        'the unknown key "colour"',
        "one of " + ", ".join(f'"{key}"' for key in DEFINITION),
    ),
    Mistake("subject", 'subject = ▸"acount"', '"acount"', '"account"'),
    Mistake("subject", 'subject = ▸"company"', '"company"', 'one of "user", "account"'),
    Mistake("subject", "subject = ▸true", "true", 'one of "user", "account"'),
    Mistake("kind", 'kind = ▸"crosssell"', '"crosssell"', '"cross_sell"'),
    Mistake("priority", 'priority = ▸"urgent"', '"urgent"', 'one of "high", "normal", "low"'),
    Mistake("on_change", 'on_change = ▸"forward"', '"forward"', '"retroactive"'),
    Mistake("title", "title = ▸1979-05-27", "1979-05-27", "a text that is not empty"),
    Mistake("within", "within = ▸7", "7", DURATION),
    Mistake(
        "within", 'within = ▸"7 days"', '"7 days"', f'{DURATION_UNITS} (did you mean "7d"?)'
    ),
    Mistake("sla", 'sla = ▸"1.5h"', '"1.5h"', 'a whole number before the unit "h"'),
    Mistake("sla", 'sla = ▸"0h"', '"0h"', "a duration above zero and of at most 100 years"),
    Mistake("of", 'of = ▸"sign-up"', 'the unknown anchor "sign-up"', '"signup"'),
    Mistake("unless", 'unless = ▸"internal"', '"internal"',
            'a list of "internal", "customer" and conditions'),
    Mistake("unless[0]", 'unless = [▸"intern"]', 'the unknown guard "intern"', '"internal"'),
    Mistake("unless[1]", 'unless = ["internal", ▸"customer"]', '"customer"',
            'a conversion event: set "conversion" in [project]'),
    Mistake("unless[0].trait", 'unless = [{ event = "a", ▸trait = "b" }]',
            'both "event" and "trait"', "only one of them in a table"),
]  # fmt: skip

NODE_MISTAKES = [
    Mistake("when", '▸"a"', '"a"', "a table"),
    Mistake("when", "▸{}", "a table with none of them", NODES),
    Mistake("when", "▸{ gte = 3 }", "a table with none of them", NODES),
    Mistake("when.evnt", '{ ▸evnt = "a" }', 'the unknown key "evnt"', '"event"'),
    Mistake("when.any", '{ all = [{ event = "a" }], ▸any = [{ event = "b" }] }',
            'both "all" and "any"', "only one of them in a table"),
    Mistake("when.within", '{ all = [{ event = "a" }], ▸within = "7d" }',
            'the unknown key "within"', '"all"'),
    Mistake("when.all", "{ all = ▸[] }", "an empty list", "a list of conditions"),
    Mistake("when.any", '{ any = ▸{ event = "a" } }', '{ event = "a" }', "a list of conditions"),
    Mistake("when.all[1]", '{ all = [{ event = "a" }, ▸"b"] }', '"b"', "a table"),
    # events
    Mistake("when.event", "{ event = ▸5 }", "5", EVENT_FORMS),
    Mistake("when.event", '{ event = ▸"" }', '""', "a text that is not empty"),
    Mistake("when.event", "{ event = ▸[] }", "an empty list", "a list of event names"),
    Mistake("when.event[1]", '{ event = ["a", ▸true] }', "true", "a text that is not empty"),
    Mistake("when.event", "{ event = ▸{} }", 'no "feature"', 'the key "feature"'),
    Mistake("when.event.feature", '{ event = { feature = ▸"basics" } }',
            'the unknown feature "basics"', '"basic"'),
    Mistake("when.event.featur", '{ event = { feature = "basic", ▸featur = 1 } }',
            'the unknown key "featur"', '"feature"'),
    Mistake("when.wihtin", '{ event = "a", ▸wihtin = "7d" }',
            'the unknown key "wihtin"', '"within"'),
    Mistake("when.distinct", '{ event = "a", distinct = ▸"@dya" }', '"@dya"', '"@day"'),
    Mistake("when.distinct", '{ event = "a", distinct = ▸["b"] }', '["b"]',
            "a text that is not empty"),
    Mistake("when.of", '{ event = "a", of = ▸"birthday" }',
            'the unknown anchor "birthday"', '"signup"'),
    Mistake("when.within", '{ event = "a", within = ▸"7x" }', '"7x"', DURATION_UNITS),
    Mistake("when.within", '{ event = "*", distinct = "@day", within = ▸"36h" }',
            "a window of 2160 minutes", 'a rolling window of whole days, as "@day" needs'),
    # thresholds of counts
    Mistake("when.gte", '{ event = "a", gte = ▸-1 }', "-1", "a whole number, 0 or more"),
    Mistake("when.gte", '{ event = "a", gte = ▸2.5 }', "2.5", "a whole number, 0 or more"),
    Mistake("when.gte", '{ event = "a", gte = ▸"80%" }', '"80%"', "a whole number, 0 or more"),
    Mistake("when.gte", '{ event = "a", gte = ▸nan }', "nan", "a finite number"),
    Mistake("when.gte", '{ event = "a", gte = ▸-inf }', "-inf", "a finite number"),
    Mistake("when.gte", '{ event = "a", gte = ▸1e400 }', "1e400", "a finite number"),
    Mistake("when.gte", '{ event = "a", gte = ▸true }', "true", "a number"),
    Mistake("when.gte", '{ event = "a", gte = ▸"3" }', '"3"', QUANTITY_UNITS),
    Mistake("when.gte", '{ event = "a", gte = ▸"1K" }', '"1K"',
            f'{QUANTITY_UNITS} (did you mean "1k"?)'),
    Mistake("when.gte", '{ event = "a", gte = ▸"2h" }', '"2h"', QUANTITY_UNITS),
    Mistake("when.gte", '{ event = "*", distinct = "@day", gte = ▸"2h" }', '"2h"',
            'a whole number of days, as "@day" counts them'),
    Mistake("when.gte", '{ event = "*", distinct = "@minute", gte = ▸"2 hours" }', '"2 hours"',
            f'{DURATION_UNITS} (did you mean "2h"?)'),
    Mistake("when.gte", '{ event = ["a", "b"], gte = ▸"all" }', '"all"',
            'a number; "all" is for distinct = "@event" over a list or a feature'),
    Mistake("when.gte", '{ event = "a*", distinct = "@event", gte = ▸"all" }', '"all"',
            'a number; "all" is for distinct = "@event" over a list or a feature'),
    Mistake("when.gte", '{ event = ["a", "b*"], distinct = "@event", gte = ▸"all" }', '"all"',
            'a number; "all" is for distinct = "@event" over a list or a feature'),
    Mistake("when.between", '{ event = "a", between = ▸5 }', "5", PAIR),
    Mistake("when.between", '{ event = "a", between = ▸[1] }', "[1]", PAIR),
    Mistake("when.between", '{ event = "a", between = ▸[5, 1] }', "[5, 1]", PAIR),
    Mistake("when.between[1]", '{ event = "a", between = [1, ▸-5] }', "-5",
            "a whole number, 0 or more"),
    Mistake("when.lt", '{ event = "a", gte = 1, ▸lt = 5 }', '"lt" beside "gte"',
            'one comparison; "between" has two ends'),
    Mistake("when.contains", '{ event = "a", ▸contains = "b" }', '"contains" of a count', COUNTED),
    # absence
    Mistake("when.lt", '{ event = "a", lt = ▸5 }', "lt = 5", NO_ABSENCE),
    Mistake("when.lte", '{ event = "a", lte = ▸5 }', "lte = 5", NO_ABSENCE),
    Mistake("when.eq", '{ event = "a", eq = ▸0 }', "eq = 0", NO_ABSENCE),
    Mistake("when.gte", '{ event = "a", gte = ▸0 }', "gte = 0", NO_ABSENCE),
    Mistake("when.ne", '{ event = "a", ne = ▸2 }', "ne = 2", NO_ABSENCE),
    Mistake("when.between", '{ event = "a", between = ▸[0, 2] }', "between = [0, 2]", NO_ABSENCE),
    # conditions
    Mistake("when.where", '{ event = "a", where = ▸"b" }', '"b"', "a table"),
    Mistake("when.where", '{ event = "a", where = ▸{} }', "an empty table",
            "a property and what it must be"),
    Mistake("when.where.b", '{ event = "a", where = { b = ▸[] } }', "an empty list",
            "a list of values"),
    Mistake("when.where.b", '{ event = "a", where = { b = ▸{} } }', "no comparison",
            f"a comparison: {OPERATORS}"),
    Mistake("when.where.b", '{ event = "a", where = { b = ▸{ or_missing = true } } }',
            "no comparison", f"a comparison: {OPERATORS}"),
    Mistake("when.where.b.gtee", '{ event = "a", where = { b = { ▸gtee = 3 } } }',
            'the unknown operator "gtee"', '"gte"'),
    Mistake("when.where.b.c", '{ event = "a", where = { b.gte = 3, b.▸c = 3 } }',
            'the unknown operator "c"', f'{OPERATORS}, "or_missing"'),
    Mistake("when.where.b", '{ event = "a", where = { b = ▸1979-05-27 } }',
            "the date 1979-05-27", "a text, a number, true or false"),
    Mistake("when.where.b.in[1]", '{ event = "a", where = { b = { in = [1, ▸inf] } } }', "inf",
            "a finite number"),
    Mistake("when.where.b.exists", '{ event = "a", where = { b = { exists = ▸1 } } }', "1",
            "true or false"),
    Mistake('when.where."b c".starts_with', '{ event = "a", where = { "b c".starts_with = ▸1 } }',
            "1", "a text that is not empty"),
    # traits
    Mistake("when.trait", "{ trait = ▸5, eq = 1 }", "5", "a text that is not empty"),
    Mistake("when", '▸{ trait = "b" }', "no comparison", f"a comparison: {OPERATORS}"),
    Mistake("when.lt", '{ trait = "b", gt = 1, ▸lt = 5 }', '"lt" beside "gt"',
            'one comparison; "between" has two ends'),
    Mistake("when.gte", '{ trait = "b", gte = ▸"10gb" }', '"10gb"',
            f'{QUANTITY_UNITS} (did you mean "10GB"?)'),
    Mistake("when.in", '{ trait = "b", in = ▸"c" }', '"c"', "a list of values"),
    Mistake("when.within", '{ trait = "b", eq = 1, ▸within = "7d" }', 'the unknown key "within"',
            f'one of "trait", {OPERATORS.removeprefix("one of ")}, "or_missing"'),
]  # fmt: skip

# Where each of the words that are for a later release would stand; ``WORD`` is the word.
PLACES = {
    "file": "▸WORD = []",
    "definition": '[[pql]]\nname = "x"\nwhen = { event = "a" }\n▸WORD = "7d"',
    "measure": '[[pql]]\nname = "x"\nwhen.all = [{ event = "a" }, { gte = 3, ▸WORD = "a" }]',
    "event": '[[pql]]\nname = "x"\nwhen = { event = "a", gte = 0.5, ▸WORD = "b" }',
    "threshold": '[[pql]]\nname = "x"\nwhen = { event = "a", gte = { ▸WORD = 0.8 } }',
    "anchor": '[[pql]]\nname = "x"\nwhen = { event = "a", of = ▸"WORD" }',
    "trait": '[[pql]]\nname = "x"\nwhen = { trait = ▸"WORD", eq = 1 }',
}


def marked(text: str) -> tuple[str, int, int]:
    """The text without its mark, and the line and column of that."""
    before, _, after = text.partition(MARK)
    line = before.count("\n") + 1
    return before + after, line, len(before) - (before.rfind("\n") + 1) + 1


def problems(text: str) -> list[Problem]:
    with pytest.raises(DefinitionError) as caught:
        read_catalogue(text, "product.toml")
    return caught.value.problems


def check(mistake: Mistake, text: str, path: str) -> None:
    text, line, column = marked(text)
    (problem,) = problems(text)
    assert str(problem) == (
        f"product.toml:{line}:{column}: {path}: found {mistake.found}, expected {mistake.expected}"
    )


@pytest.mark.parametrize("mistake", FILES, ids=[m.text.replace("\n", " ") for m in FILES])
def test_a_mistake_in_the_file_is_said_where_it_is(mistake: Mistake) -> None:
    check(mistake, mistake.text, mistake.path)


@pytest.mark.parametrize("mistake", KEYS, ids=[m.text for m in KEYS])
def test_a_mistake_in_a_definition_is_said_where_it_is(mistake: Mistake) -> None:
    text = f'[[pql]]\nname = "x"\n{mistake.text}\nwhen = {{ event = "a" }}'
    check(mistake, text, f"pql[0].{mistake.path}")


@pytest.mark.parametrize("mistake", NODE_MISTAKES, ids=[m.text for m in NODE_MISTAKES])
def test_a_mistake_in_a_condition_is_said_where_it_is(mistake: Mistake) -> None:
    text = f'[features]\nbasic = ["a"]\n\n[[pql]]\nname = "x"\nwhen = {mistake.text}'
    check(mistake, text, f"pql[0].{mistake.path}")


@pytest.mark.parametrize(
    ("place", "word"), [(place, word) for place in LATER for word in sorted(LATER[place])]
)
def test_a_word_of_a_later_release_is_said_to_be_one(place: str, word: str) -> None:
    whole = word + "x" if word[-1] in ":." else word
    text, line, column = marked(PLACES[place].replace("WORD", whole))
    (problem,) = problems(text)
    assert problem.found == f'"{whole}", which is not in this release'
    assert (problem.line, problem.column) == (line, column)


# -- several at once -----------------------------------------------------------------------

MANY = """
[project]
timezone = ▸"Mars/Olympus"
conversion = "paid"

[features]
basic = ["a", ▸""]

▸[[pql]]
subject = ▸"group"
within = ▸7
sla = ▸"4"
when.all = [
  { event = "a", distinct = ▸"@dau", gte = "2h", within = ▸"d" },
  { event = { feature = "basic" }, gte = ▸-1, where = { b = { ▸is = 1 }, c = ▸[] } },
  { trait = ▸"", gte = ▸[] },
  { all = [{ any = [{ event = ▸7, gt = ▸nan }] }] },
]
unless = [▸"inside", "customer", ▸1, { event = "b", eq = ▸0.5 }]

▸[[pql]]
name = "y"
▸wen = { event = "a" }
"""


def test_every_mistake_is_found_at_once_in_the_order_of_the_text() -> None:
    text, expected = MANY, []
    while MARK in text:
        text, line, column = marked(text)
        expected.append((line, column))
    assert [(problem.line, problem.column) for problem in problems(text)] == expected


def test_what_depends_on_a_mistake_is_not_held_against_the_file() -> None:
    """A broken feature is known, and a threshold of nobody knows what is not judged."""
    text = """
    features.basic = [5]
    pql = [
      { name = "x", when = { event = { feature = "basic" }, distinct = "@dya", gte = "2h" } },
    ]
    """
    assert [problem.found for problem in problems(text)] == ["5", '"@dya"']


def test_a_long_text_is_cut_where_it_is_shown() -> None:
    (problem,) = problems(f'[project]\ntimezone = "{"a" * 10_000}"')
    assert problem.found == 'the unknown time zone "' + "a" * 59 + '…"'


def test_the_problems_are_plain_data_for_an_answer() -> None:
    with pytest.raises(DefinitionError) as caught:
        read_catalogue("pql = 5", "product.toml")
    assert json.loads(json.dumps(caught.value.details)) == {
        "problems": [
            {
                "expected": "an array of tables, each headed by [[pql]]",
                "found": "5",
                "path": "pql",
                "file": "product.toml",
                "line": 1,
                "column": 7,
            }
        ]
    }


def test_the_file_is_pequel_toml_unless_it_is_named() -> None:
    with pytest.raises(DefinitionError, match=r"^pequel\.toml:1:7: pql: found 5, expected "):
        read_catalogue("pql = 5")
