"""Mistakes in a definitions file: the place of each, what was found, and what was expected.

The cases are data. A ``▸`` in a text marks the place where the problem must be reported, and is
taken out before the text is read.
"""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest

from pequel_collector.errors import DefinitionError, Problem
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.rules.parser.references import MAX_CIRCLES

MARK = "▸"
OPERATORS = (
    'one of "gte", "gt", "lte", "lt", "eq", "ne", "between", '
    '"in", "not_in", "exists", "contains", "starts_with", "ends_with"'
)
COUNTED = 'one of "gte", "gt", "lte", "lt", "eq", "ne", "between"'
LEAVES = '"event", "metric", "trait", "users", "sequence", "growth", "score", "pql"'
NODES = f'one of {LEAVES}, "all", "any", "at_least"'
ANCHORS = 'one of "signup", "trial", "first:EVENT", "trait:NAME"'
DURATION = 'a duration such as "7d"'
NO_MONTHS = '(months have no fixed length: did you mean "30d"?)'
DURATION_UNITS = f"{DURATION}, with one of the units s m h d w"
QUANTITY_UNITS = (
    'a number or a quantity such as "10GB", '
    "with one of the units k M G B kB MB GB TB KiB MiB GiB TiB %"
)
PAIR = "a list of two numbers, the lower one first"
EVENT_FORMS = 'an event name, a list of names, "prefix*", "*" or { feature = "…" }'
NO_ABSENCE = (
    'a comparison that 0 does not meet: absence is allowed only in "unless", or with clock = true'
)
NEAR_COLOUR = 'one of "clock", "cooldown", "owner", "of", "sla"'
NEAR_FROM = 'one of "priority", "of", "name", "owner", "clock"'
NEAR_C = 'one of "contains", "starts_with", "or_missing", "not_in", "ne"'
ONE_STAR = 'a name with one star at most, at its end, such as "project_*"'
NO_DATE = 'dates are compared by "gte", "gt", "lte", "lt" and "between"'
WITH_NUMBER = 'words with one {n} for the number, such as "created {n} projects"'
A_DATE = "a date in ISO 8601, such as 2026-03-01 or 2026-03-01T10:00:00Z"
PAIR_OF_VALUES = "a list of two numbers or two dates, the lower one first"
NO_CIRCLE = "a definition that does not depend on this one"


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
    Mistake(
        "project.conversion",
        '[project]\nconversion = ▸"paid_*"',
        '"paid_*"',
        "the name of one event, without a star",
    ),
    Mistake("project.signup", '[project]\nsignup = ▸"*_up"', '"*_up"', ONE_STAR),
    Mistake("project.key_events[0]", '[project]\nkey_events = [▸"a*b"]', '"a*b"', ONE_STAR),
    Mistake("features.basic[0]", '[features]\nbasic = [▸"*a"]', '"*a"', ONE_STAR),
    Mistake(
        "project.personal_domains[0]",
        '[project]\npersonal_domains = [▸"me@hey.example"]',
        '"me@hey.example"',
        'a domain such as "example.com"',
    ),
    Mistake(
        "project.person_traits", '[project]\nperson_traits = ▸"role"', '"role"', "a list of names"
    ),
    Mistake("labels.a", '[labels]\na = ▸"created"', '"created"', "a table"),
    Mistake("labels.a", "[labels]\na = ▸{}", "an empty table", 'one of "one", "many", "kind"'),
    Mistake(
        "labels.a.many",
        '[labels]\na = { many = ▸"created projects" }',
        '"created projects"',
        WITH_NUMBER,
    ),
    Mistake("labels.a.many", '[labels]\na = { many = ▸"{n} of {m}" }', '"{n} of {m}"', WITH_NUMBER),
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
    Mistake("metric", "▸[metric]", "a table", "an array of tables, each headed by [[metric]]"),
    Mistake("metric[0]", '▸[[metric]]\nevent = "a"', 'no "name"', 'the key "name"'),
    Mistake("metric[0]", '▸[[metric]]\nname = "m"', 'no "event"', 'the key "event"'),
    Mistake(
        "metric[0].max",
        '[[metric]]\nname = "m"\nevent = "a"\nsum = "b"\n▸max = "c"',
        '"max" beside "sum"',
        'at most one of "distinct", "sum", "min", "max", "last"',
    ),
    Mistake(
        "metric[0].within",
        '[[metric]]\nname = "m"\nevent = "a"\n▸within = "7d"',
        'the unknown key "within"',
        'one of "name", "event", "where", "distinct", "sum", "min", "max", "last", "value_metric"',
    ),
    Mistake(
        "metric[1].name",
        '[[metric]]\nname = "m"\nevent = "a"\n[[metric]]\nname = ▸"m"\nevent = "b"',
        '"m" a second time',
        "a name of its own: line 2 has it",
    ),
    Mistake(
        "metric[0].where.n.gte",
        '[[metric]]\nname = "m"\nevent = "a"\nwhere.n.gte = ▸{ ratio = 1, of_trait = "b" }',
        '{ ratio = 1, of_trait = "b" }',
        "a number",
    ),
    Mistake("persona", "persona = ▸5", "5", "an array of tables, each headed by [[persona]]"),
    Mistake("persona[0]", '▸[[persona]]\ngoal = "a"', 'no "name"', 'the key "name"'),
    Mistake("persona[0].name", "[[persona]]\nname = ▸5", "5", "a text that is not empty"),
    Mistake(
        "persona[0].a.b[0]",
        '[[persona]]\nname = "p"\na.b = [▸nan]',
        "nan",
        "a finite number",
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
        NEAR_COLOUR,
    ),
    Mistake("subject", 'subject = ▸"acount"', '"acount"', '"account"'),
    Mistake("subject", 'subject = ▸"company"', '"company"', 'one of "user", "account"'),
    Mistake("subject", "subject = ▸true", "true", 'one of "user", "account"'),
    Mistake("kind", 'kind = ▸"crosssell"', '"crosssell"', '"cross_sell"'),
    Mistake("priority", 'priority = ▸"urgent"', '"urgent"', 'one of "high", "normal", "low"'),
    Mistake("on_change", 'on_change = ▸"backward"', '"backward"',
            'one of "retroactive", "forward"'),
    Mistake("requalify", 'requalify = ▸"90d"', '"90d"', "a table"),
    Mistake("requalify", "requalify = ▸{}", 'no "after_silence"', 'the key "after_silence"'),
    Mistake("requalify.after", 'requalify = { after_silence = "1d", ▸after = 1 }',
            'the unknown key "after"', '"after_silence"'),
    Mistake("cooldown", "cooldown = ▸30", "30", DURATION),
    Mistake("expires", 'expires = ▸"0d"', '"0d"', "a duration above zero and of at most 100 years"),
    Mistake("clock", 'clock = ▸"yes"', '"yes"', "true or false"),
    Mistake("accept", 'accept = ▸["L01"]', '["L01"]', "a table"),
    Mistake("accept.L98", 'accept = { L01 = "known", ▸L98 = "so" }', 'the unknown rule "L98"',
            '"L29"'),
    Mistake("accept.L02", 'accept = { L02 = ▸"" }', '""', "a text that is not empty"),
    Mistake("title", "title = ▸1979-05-27", "1979-05-27", "a text that is not empty"),
    Mistake("within", "within = ▸7", "7", DURATION),
    Mistake(
        "within", 'within = ▸"7 days"', '"7 days"', f'{DURATION_UNITS} (did you mean "7d"?)'
    ),
    Mistake("sla", 'sla = ▸"1.5h"', '"1.5h"', 'a whole number before the unit "h"'),
    Mistake("sla", 'sla = ▸"0h"', '"0h"', "a duration above zero and of at most 100 years"),
    Mistake("from", '▸from = "1d"', 'the unknown key "from"', NEAR_FROM),
    Mistake("of", 'of = ▸"trial"', '"trial"', 'a trial event: set "trial" in [project]'),
    Mistake("of", 'of = ▸"first:"', '"first:"', 'the name of an event after "first:"'),
    Mistake("of", 'of = ▸"trait: "', '"trait: "', 'the name of a trait after "trait:"'),
    Mistake("of", 'of = ▸"trait:account."', '"trait:account."',
            'the name of a trait after "account."'),
    Mistake("of", 'of = ▸"sign-up"', 'the unknown anchor "sign-up"', '"signup"'),
    Mistake("unless", 'unless = ▸"internal"', '"internal"',
            'a list of "internal", "customer", "personal" and conditions'),
    Mistake("of", 'of = ▸"first:*_created"', '"first:*_created"', ONE_STAR),
    Mistake("of", 'of = ▸"trait:@mail_domain"', 'the unknown trait "@mail_domain"',
            '"@email_domain"'),
    Mistake("within", 'within = ▸"1mo"', '"1mo"', f"{DURATION_UNITS} {NO_MONTHS}"),
    Mistake("within", 'within = ▸"1M"', '"1M"', f"{DURATION_UNITS} {NO_MONTHS}"),
    Mistake("within", 'within = ▸"1 month"', '"1 month"', f"{DURATION_UNITS} {NO_MONTHS}"),
    Mistake("within", 'within = ▸"2y"', '"2y"',
            f'{DURATION_UNITS} (years have no fixed length: did you mean "730d"?)'),
    Mistake("exclude", '▸exclude = ["internal"]', 'the unknown key "exclude"', '"unless"'),
    Mistake("unless[0]", 'unless = [▸"intern"]', 'the unknown guard "intern"', '"internal"'),
    Mistake("unless[1]", 'unless = ["internal", ▸"customer"]', '"customer"',
            'a conversion event: set "conversion" in [project]'),
    Mistake("unless[0].trait", 'unless = [{ event = "a", ▸trait = "b" }]',
            'both "event" and "trait"', "only one of them in a table"),
]  # fmt: skip

NODE_MISTAKES = [
    Mistake("when", '▸"a"', '"a"', "a table"),
    Mistake("when", '▸[{ event = "a" }]', '[{ event = "a" }]',
            "a table (did you mean when.all?)"),
    Mistake("when.any[0]", '{ any = [▸[{ event = "a" }]] }', '[{ event = "a" }]',
            "a table (did you mean { all = […] }?)"),
    Mistake("when.count", '{ event = "a", ▸count = 3 }', 'the unknown key "count"', '"gte"'),
    Mistake("when.min", '{ event = "a", min = ▸3 }', "3", 'a property (did you mean "gte"?)'),
    Mistake("when.max", '{ event = "a", max = ▸3 }', "3", 'a property (did you mean "lte"?)'),
    Mistake("when.max", '{ trait = "a", ▸max = 3, gt = 1 }', 'the unknown key "max"', '"lte"'),
    Mistake("when.at_most", '{ event = "a", ▸at_most = 3 }', 'the unknown key "at_most"', '"lte"'),
    Mistake("when.at_least", '{ event = "a", ▸at_least = 3 }',
            '"at_least" beside "event"', '"gte"'),
    Mistake("when.at_least", '{ ▸at_least = 3, event = "a" }',
            '"at_least" beside "event"', '"gte"'),
    Mistake("when.where.a.min", '{ event = "a", where = { a = { ▸min = 3, gt = 1 } } }',
            'the unknown operator "min"', '"gte"'),
    Mistake("when.all", '{ event = "a", ▸all = [] }', 'both "event" and "all"',
            "only one of them in a table"),
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
            'the unknown anchor "birthday"', ANCHORS),
    Mistake("when.within", '{ event = "a", within = ▸"7x" }', '"7x"', DURATION_UNITS),
    Mistake("when.within", '{ event = "*", distinct = "@day", within = ▸"36h" }',
            "a window of 2160 minutes", 'a rolling window of whole days, as "@day" needs'),
    Mistake("when.event", '{ event = ▸"*_created" }', '"*_created"', ONE_STAR),
    Mistake("when.event", '{ event = ▸"a*b" }', '"a*b"', ONE_STAR),
    Mistake("when.event", '{ event = ▸"**" }', '"**"', ONE_STAR),
    Mistake("when.event[1]", '{ event = ["a", ▸"a**"] }', '"a**"', ONE_STAR),
    Mistake("when.sequence[0]", '{ sequence = [▸"*a", "b"] }', '"*a"', ONE_STAR),
    Mistake("when.event", '{ event = ▸"a*b", growth = 2, over = "7d" }', '"a*b"', ONE_STAR),
    Mistake("when.points[0].event",
            '{ score = { gte = 1 }, points = [{ event = ▸"*a", add = 1 }] }', '"*a"', ONE_STAR),
    # words of other tools
    Mistake("when.and", '{ ▸and = [{ event = "a" }] }', 'the unknown key "and"', '"all"'),
    Mistake("when.or", '{ ▸or = [{ event = "a" }] }', 'the unknown key "or"', '"any"'),
    Mistake("when.not", '{ ▸not = { event = "a" } }', 'the unknown key "not"',
            'what must not hold in "unless", beside "when"'),
    Mistake("when.unique", '{ event = "a", ▸unique = "b" }', 'the unknown key "unique"',
            '"distinct"'),
    Mistake("when.window", '{ event = "a", ▸window = "7d" }', 'the unknown key "window"',
            '"within"'),
    Mistake("when.groupBy", '{ event = "a", ▸groupBy = "b" }', 'the unknown key "groupBy"',
            '"per"'),
    Mistake("when.filters", '{ event = "a", ▸filters = { b = 1 } }', 'the unknown key "filters"',
            '"where"'),
    Mistake("when.where.b.like", '{ event = "a", where = { b = { ▸like = "c" } } }',
            'the unknown operator "like"', '"contains"'),
    Mistake("when.where.b.not", '{ event = "a", where = { b = { ▸not = "c" } } }',
            'the unknown operator "not"', '"ne"'),
    Mistake("when.of_trait", '{ event = "a", last = "b", gte = 0.8, ▸of_trait = "c" }',
            'the unknown key "of_trait"', 'gte = { ratio = 0.8, of_trait = "c" }'),
    Mistake("when.distinct", '{ event = "a", distinct = ▸"@month" }', '"@month"',
            'one of "@day", "@hour", "@minute", "@user", "@event"'),
    # dates
    Mistake("when.gte", '{ event = "a", gte = ▸2026-03-01 }', "2026-03-01", "a number"),
    Mistake("when.gte", '{ trait = "b", gte = ▸"2026-02-30" }', '"2026-02-30"', A_DATE),
    Mistake("when.gte", '{ trait = "b", gte = ▸"01.03.2026" }', '"01.03.2026"', A_DATE),
    Mistake("when.between", '{ trait = "b", between = ▸[2026-03-02, 2026-03-01] }',
            "[2026-03-02, 2026-03-01]", PAIR_OF_VALUES),
    Mistake("when.between", '{ trait = "b", between = ▸[1, 2026-03-01] }', "[1, 2026-03-01]",
            PAIR_OF_VALUES),
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
    # sums, largest and latest values
    Mistake("when.max", '{ event = "a", sum = "b", ▸max = "c", gte = 1 }', '"max" beside "sum"',
            'at most one of "distinct", "sum", "min", "max", "last"'),
    Mistake("when.sum", '{ event = "a", sum = ▸"@day", gte = 1 }', '"@day"', "a property"),
    Mistake("when.per", '{ event = "a", per = ▸"@user" }', '"@user"', "a property"),
    Mistake("when", '▸{ event = "a", sum = "b" }', "no comparison", f"a comparison: {COUNTED}"),
    Mistake("when", '▸{ event = "a", max = "b" }', "no comparison", f"a comparison: {COUNTED}"),
    Mistake("when", '▸{ event = "a", last = "b" }', "no comparison", f"a comparison: {OPERATORS}"),
    Mistake("when.contains", '{ event = "a", sum = "b", ▸contains = 1 }', '"contains" of a sum',
            COUNTED),
    Mistake("when.exists", '{ event = "a", max = "b", ▸exists = true }',
            '"exists" of a largest value', COUNTED),
    Mistake("when.eq", '{ event = "a", max = "b", eq = ▸"c" }', '"c"', QUANTITY_UNITS),
    Mistake("when.lt", '{ event = "a", sum = "b", lt = ▸0.5 }', "lt = 0.5", NO_ABSENCE),
    Mistake("when.gte", '{ event = "a", sum = "b", gte = ▸-1 }', "gte = -1", NO_ABSENCE),
    Mistake("when.or_missing", '{ event = "a", sum = "b", gt = 1, ▸or_missing = true }',
            '"or_missing" of a sum',
            'one of "min", "max", "last" beside it: nothing else of events can be missing'),
    # shares
    Mistake("when.gte.ratio", '{ event = "a", gte = { ratio = ▸0, of_trait = "b" } }', "0",
            "a number above 0"),
    Mistake("when.gte", '{ event = "a", gte = ▸{ ratio = 0.5 } }', 'no "of_trait"',
            'the key "of_trait"'),
    Mistake("when.gte.of_trait", '{ event = "a", gte = { ratio = 1, of_trait = ▸"account." } }',
            '"account."', 'the name of a trait after "account."'),
    Mistake("when.gte.of", '{ event = "a", gte = { ratio = 1, of_trait = "b", ▸of = 1 } }',
            'the unknown key "of"', 'one of "ratio", "of_trait"'),
    Mistake("when.eq", '{ event = "a", eq = ▸{ ratio = 1, of_trait = "b" } }',
            '{ ratio = 1, of_trait = "b" }', "a number"),
    Mistake("when.lt", '{ event = "a", lt = ▸{ ratio = 1, of_trait = "b" } }',
            'lt = { ratio = 1, of_trait = "b" }', NO_ABSENCE),
    Mistake("when.between",
            '{ trait = "a", between = ▸[{ ratio = 2, of_trait = "b" }, '
            '{ ratio = 1, of_trait = "b" }] }',
            '[{ ratio = 2, of_trait = "b" }, { ratio = 1, of_trait = "b"…', PAIR_OF_VALUES),
    Mistake("when.where.c.gte", '{ event = "a", where = { c = { gte = ▸{ ratio = 1 } } } }',
            "{ ratio = 1 }", "a number"),
    # windows
    Mistake("when.from", '{ event = "a", ▸from = "1d" }', '"from" without "of"',
            'also "of": what it is that long before or after'),
    Mistake("when.from", '{ event = "a", within = "2d", ▸from = "1d" }', '"from" without "of"',
            'also "of": what it is that long before or after'),
    Mistake("when.from", '{ event = "a", of = "signup", from = ▸3 }', "3", DURATION),
    Mistake("when.from", '{ event = "a", of = "signup", from = ▸"-36601d" }', '"-36601d"',
            "a duration of at most 100 years"),
    Mistake("when.of", '{ event = "a", of = ▸"trial" }', '"trial"',
            'a trial event: set "trial" in [project]'),
    # metrics
    Mistake("when.metric", '{ metric = ▸"volum", gte = 1 }', 'the unknown metric "volum"',
            '"volume"'),
    Mistake("when", '▸{ metric = "volume" }', "no comparison", f"a comparison: {COUNTED}"),
    Mistake("when.gte", '{ metric = "logins", gte = ▸0.5 }', "0.5", "a whole number, 0 or more"),
    Mistake("when.sum", '{ metric = "volume", ▸sum = "n", gte = 1 }', 'the unknown key "sum"',
            'one of "metric", "where", "per", "within", "of", "from", "gte", "or_missing"'),
    Mistake("when.within", '{ metric = "days", within = ▸"36h" }', "a window of 2160 minutes",
            'a rolling window of whole days, as "@day" needs'),
    # sequences
    Mistake("when.sequence", '{ sequence = ▸["a"] }', '["a"]', "a list of at least two steps"),
    Mistake("when.sequence", '{ sequence = ▸"a" }', '"a"', "a list of at least two steps"),
    Mistake("when.sequence[1]", '{ sequence = ["a", ▸7] }', "7", EVENT_FORMS),
    Mistake("when.gte", '{ sequence = ["a", "b"], ▸gte = 2 }', 'the unknown key "gte"',
            'one of "sequence", "where", "within", "of", "from"'),
    # growth
    Mistake("when", '▸{ event = "a", growth = 2 }', 'no "over"', 'the key "over"'),
    Mistake("when", '▸{ growth = 2, over = "7d" }', 'no "event"', 'the key "event"'),
    Mistake("when.growth", '{ event = "a", growth = ▸0, over = "7d" }', "0", "a number above 0"),
    Mistake("when.base", '{ event = "a", growth = 2, over = "7d", base = ▸0 }', "0",
            "a whole number, 1 or more"),
    Mistake("when.within", '{ event = "a", growth = 2, over = "7d", ▸within = "7d" }',
            'the unknown key "within"', 'one of "event", "growth", "over", "base", "where"'),
    # scores
    Mistake("when.score", '{ score = ▸60, points = [{ event = "a", add = 1 }] }', "60",
            "a table with one comparison, such as { gte = 60 }"),
    Mistake("when.score", '{ score = ▸{}, points = [{ event = "a", add = 1 }] }', "no comparison",
            f"a comparison: {COUNTED}"),
    Mistake("when.score.gt",
            '{ score = { gte = 1, ▸gt = 2 }, points = [{ event = "a", add = 1 }] }',
            '"gt" beside "gte"', 'one comparison; "between" has two ends'),
    Mistake("when.score.in", '{ score = { ▸in = [1] }, points = [{ event = "a", add = 1 }] }',
            '"in" of a score', COUNTED),
    Mistake("when.score.of", '{ score = { ▸of = 1 }, points = [{ event = "a", add = 1 }] }',
            'the unknown operator "of"', 'one of "not_in", "contains", "starts_with", "ne", "lte"'),
    Mistake("when.score.lt", '{ score = { lt = ▸5 }, points = [{ event = "a", add = 1 }] }',
            "lt = 5", NO_ABSENCE),
    Mistake("when", "▸{ score = { gte = 1 } }", 'no "points"', 'the key "points"'),
    Mistake("when.points", "{ score = { gte = 1 }, points = ▸[] }", "an empty list",
            "a list of points"),
    Mistake("when.points[0]", "{ score = { gte = 1 }, points = [▸{ add = 5 }] }",
            "a table with neither", 'points for an "event", or for a "trait"'),
    Mistake("when.points[0].trait",
            '{ score = { gte = 1 }, points = [{ event = "a", ▸trait = "b", add = 5 }] }',
            'both "event" and "trait"', "only one of them in a table"),
    Mistake("when.points[0]", '{ score = { gte = 1 }, points = [▸{ event = "a" }] }', 'no "add"',
            'the key "add"'),
    Mistake("when.points[0]", '{ score = { gte = 1 }, points = [▸{ trait = "a", add = 1 }] }',
            "no comparison", f"a comparison: {OPERATORS}"),
    Mistake("when.points[0].cap",
            '{ score = { gte = 1 }, points = [{ trait = "a", eq = 1, add = 1, ▸cap = 5 }] }',
            'the unknown key "cap"', 'one of "trait", "add", "gte", "or_missing"'),
    # some of several
    Mistake("when.at_least", '{ at_least = ▸3, of_these = [{ event = "a" }, { event = "b" }] }',
            "3", "a whole number from 1 to 2"),
    Mistake("when.at_least", '{ at_least = ▸true, of_these = [{ event = "a" }] }', "true",
            "a whole number from 1 to 1"),
    Mistake("when", "▸{ at_least = 1 }", 'no "of_these"', 'the key "of_these"'),
    Mistake("when", '▸{ of_these = [{ event = "a" }] }', 'no "at_least"', 'the key "at_least"'),
    # other definitions
    Mistake("when.pql", '{ pql = ▸"of_user" }', 'the unknown definition "of_user"', '"of_users"'),
    Mistake("when.gte", '{ pql = "of_users", ▸gte = 2 }', 'the unknown key "gte"', '"pql"'),
    Mistake("when.pql", '{ pql = ▸"x" }', 'a circle: "x" names "x"', NO_CIRCLE),
    Mistake("when.users", '{ ▸users = { event = "a" } }', '"users"',
            'a leaf about one user: "users" is for definitions with subject = "account"'),
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
            'the unknown operator "c"', NEAR_C),
    Mistake("when.where.b", '{ event = "a", where = { b = ▸1979-05-27 } }',
            "the date 1979-05-27", f"a text, a number, true or false; {NO_DATE}"),
    Mistake("when.where.b.in[1]", '{ event = "a", where = { b = { in = [1, ▸inf] } } }', "inf",
            "a finite number"),
    Mistake("when.where.b.exists", '{ event = "a", where = { b = { exists = ▸1 } } }', "1",
            "true or false"),
    Mistake('when.where."b c".starts_with', '{ event = "a", where = { "b c".starts_with = ▸1 } }',
            "1", "a text that is not empty"),
    Mistake("when.where.b.ends_with", '{ event = "a", where = { b = { ends_with = ▸"" } } }',
            '""', "a text that is not empty"),
    Mistake("when.where.b.ends_with", '{ event = "a", where = { b = { ends_with = ▸[] } } }',
            "an empty list", "a list of texts"),
    Mistake("when.where.b.ends_with[1]",
            '{ event = "a", where = { b = { ends_with = ["c", ▸1] } } }', "1",
            "a text that is not empty"),
    # traits
    Mistake("when.trait", '{ trait = ▸"@email", exists = true }', 'the unknown trait "@email"',
            '"@email_domain"'),
    Mistake("when.trait", "{ trait = ▸5, eq = 1 }", "5", "a text that is not empty"),
    Mistake("when", '▸{ trait = "b" }', "no comparison", f"a comparison: {OPERATORS}"),
    Mistake("when.lt", '{ trait = "b", gt = 1, ▸lt = 5 }', '"lt" beside "gt"',
            'one comparison; "between" has two ends'),
    Mistake("when.gte", '{ trait = "b", gte = ▸"10gb" }', '"10gb"',
            f'{QUANTITY_UNITS} (did you mean "10GB"?)'),
    Mistake("when.in", '{ trait = "b", in = ▸"c" }', '"c"', "a list of values"),
    Mistake("when.within", '{ trait = "b", eq = 1, ▸within = "7d" }', 'the unknown key "within"',
            'one of "trait", "gte", "or_missing"'),
]  # fmt: skip

ACCOUNT_MISTAKES = [
    Mistake("when.users", "{ users = ▸5 }", "5", "a table"),
    Mistake("when.users.all", '{ users = { ▸all = [{ event = "a" }] } }', 'the combinator "all"',
            f"one leaf: one of {LEAVES}"),
    Mistake("when.users.users", '{ users = { ▸users = { event = "a" } } }', '"users"',
            'a leaf about one user: "users" is for definitions with subject = "account"'),
    Mistake("when.gte", '{ users = { event = "a" }, gte = ▸0.5 }', "0.5",
            "a whole number, 0 or more"),
    Mistake("when.lt", '{ users = { event = "a" }, lt = ▸3 }', "lt = 3", NO_ABSENCE),
    Mistake("when.users.lt", '{ users = { event = "a", lt = ▸3 } }', "lt = 3", NO_ABSENCE),
    Mistake("when.within", '{ users = { pql = "of_users" }, ▸within = "7d" }', '"within"',
            'no window: the leaf inside "users" looks at none'),
    Mistake("when.where", '{ users = { event = "a" }, ▸where = { b = 1 } }',
            'the unknown key "where"',
            'one of "users", "within", "of", "from", "gte"'),
    Mistake("when.pql", '{ pql = ▸"of_users" }', '"of_users", a definition for users',
            "a definition for accounts, or a count of its users: "
            'users = { pql = "of_users" }'),
    Mistake("when.users.pql", '{ users = { pql = ▸"of_accounts" } }',
            '"of_accounts", a definition for accounts',
            'a definition for users, as this is about one of the "users"'),
]  # fmt: skip

SHARED = """
[features]
basic = ["a"]

[[metric]]
name = "volume"
event = "*"
sum = "n"

[[metric]]
name = "logins"
event = "login"

[[metric]]
name = "days"
event = "*"
distinct = "@day"

[[pql]]
name = "x"
"""

OTHERS = """
[[pql]]
name = "of_users"
when = { event = "a" }

[[pql]]
name = "of_accounts"
subject = "account"
when = { event = "a" }
"""


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
def test_a_mistake_in_the_file_is_reported_at_its_place(mistake: Mistake) -> None:
    check(mistake, mistake.text, mistake.path)


@pytest.mark.parametrize("mistake", KEYS, ids=[m.text for m in KEYS])
def test_a_mistake_in_a_definition_is_reported_at_its_place(mistake: Mistake) -> None:
    text = f'[[pql]]\nname = "x"\n{mistake.text}\nwhen = {{ event = "a" }}'
    check(mistake, text, f"pql[0].{mistake.path}")


@pytest.mark.parametrize("mistake", NODE_MISTAKES, ids=[m.text for m in NODE_MISTAKES])
def test_a_mistake_in_a_condition_is_reported_at_its_place(mistake: Mistake) -> None:
    check(mistake, f"{SHARED}when = {mistake.text}{OTHERS}", f"pql[0].{mistake.path}")


@pytest.mark.parametrize("mistake", ACCOUNT_MISTAKES, ids=[m.text for m in ACCOUNT_MISTAKES])
def test_a_mistake_in_a_condition_of_an_account_is_reported_at_its_place(mistake: Mistake) -> None:
    text = f'{SHARED}subject = "account"\nwhen = {mistake.text}{OTHERS}'
    check(mistake, text, f"pql[0].{mistake.path}")


# -- circles -------------------------------------------------------------------------------


def named(name: str, leaf: str, subject: str = "user") -> str:
    return f'[[pql]]\nname = "{name}"\nsubject = "{subject}"\nwhen = {leaf}\n'


def test_a_circle_is_reported_once_at_its_first_definition_with_all_names() -> None:
    text = (
        named("z", '{ pql = "b" }')
        + named("b", '{ any = [{ event = "e" }, { pql = "c" }] }')
        + named("c", '{ event = "e" }')
        + 'unless = [{ pql = "a" }]\n'
        + named("a", '{ pql = "b" }')
    )
    (problem,) = problems(text)
    assert problem.path == "pql[1].when.any[1].pql"
    assert problem.found == 'a circle: "b" names "c" names "a" names "b"'


def test_of_many_circles_the_first_are_reported() -> None:
    text = "".join(
        named(f"a{n}", f'{{ pql = "b{n}" }}') + named(f"b{n}", f'{{ pql = "a{n}" }}')
        for n in range(60)
    )
    assert len(problems(text)) == MAX_CIRCLES


def test_of_a_long_circle_the_first_names_are_shown() -> None:
    text = "".join(named(f"p{n}", f'{{ pql = "p{(n + 1) % 100}" }}') for n in range(100))
    (problem,) = problems(text)
    assert problem.found.startswith('a circle: "p0" names "p1" names "p2"')
    assert problem.found.endswith('"p18" names … names "p0"')


def test_a_circle_may_lead_through_the_users_of_an_account() -> None:
    text = named("of_account", '{ users = { pql = "of_user" } }', "account")
    (problem,) = problems(text + named("of_user", '{ pql = "of_account" }'))
    assert problem.path == "pql[0].when.users.pql"
    assert problem.found == 'a circle: "of_account" names "of_user" names "of_account"'


def test_every_circle_is_reported() -> None:
    text = "".join(named(name, f'{{ pql = "{name}" }}') for name in ("a", "b"))
    found = [problem.found for problem in problems(text)]
    assert found == ['a circle: "a" names "a"', 'a circle: "b" names "b"']


def test_a_long_chain_is_no_circle() -> None:
    chain = [named(f"d{n}", f'{{ pql = "d{n + 1}" }}') for n in range(2000)]
    found = read_catalogue("".join([*chain, named("d2000", '{ event = "e" }')])).definitions
    assert len({definition.hash for definition in found}) == 2001


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


def test_a_part_that_depends_on_a_mistake_is_not_reported_too() -> None:
    """A broken feature is known, and a threshold of nobody knows what is not judged."""
    text = """
    project = { trial = 5, conversion = 6 }
    features.basic = [7]
    metric = [{ name = "m", event = "e", sum = 8 }]
    pql = [
      { name = "x", when = { event = { feature = "basic" }, distinct = "@dya", gte = "2h" } },
      { name = "y", when = { event = { feature = "basic" }, distinct = "@event", gte = "all" } },
      { name = "z", when = { metric = "m", gte = 0.5 }, unless = ["customer"] },
      { name = "v", when = { event = "a", of = "trial", from = "1d" } },
      { name = "w", of = 9, when = { event = "a", from = "1d" } },
      { name = "s", subject = 10, when = { users = { pql = "u" } } },
      { name = "t", clock = 11, when = { event = "a", lt = 3 } },
      { name = "u", when = 12 },
    ]
    """
    found = [problem.found for problem in problems(text)]
    assert found == ["5", "6", "7", "8", '"@dya"', "9", "10", "11", "12"]


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
