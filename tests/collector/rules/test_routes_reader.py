"""``[[route]]``, ``[[team]]``, ``[[partner]]``: read, or every mistake is named at its place."""

from __future__ import annotations

import pytest

from pequel_collector.errors import DefinitionError
from pequel_collector.rules.language.lead_condition import LeadView, holds
from pequel_collector.rules.language.routing import Assignment, Escalation, Hours
from pequel_collector.rules.parser.catalogue import read_catalogue

DEFINITIONS = """[[pql]]
name = "keen"
when = { event = "used", gte = 3 }
[[team]]
name = "dach"
members = ["ben", "eva"]
"""
DAY = 86_400_000
ROUTE = '[[route]]\nassign = "user:b"\n'
MANY = "when.any = [" + 100 * '{ kind = "new" },' + "]\n"


def problems(more: str) -> list[str]:
    with pytest.raises(DefinitionError) as caught:
        read_catalogue(DEFINITIONS + more)
    return [
        f"{p.line - DEFINITIONS.count(chr(10))}:{p.column} {p.path}: {p.found}; {p.expected}"
        for p in caught.value.problems
    ]


def test_a_route_is_read_with_its_escalation_and_hours() -> None:
    tables = read_catalogue(
        DEFINITIONS
        + """
[[partner]]
name = "north"
claim = "7d"
capacity = 5
[partner.hours]
timezone = "Europe/Berlin"
days = ["mon"]
from = "08:30"
to = "24:00"
holidays = "DE-BY"
[[route]]
when = { trait = "country", eq = "DE" }
assign = "partner:north"
sla = "4h"
escalate = [{ after = "1d", assign = "round_robin:dach" }, { after = "2d", assign = "team:x" }]
[[route]]
assign = "round_robin:kim,lea"
"""
    ).routing
    first, second = tables.routes
    assert (first.name, second.name) == ("route 1", "route 2")
    assert first.escalate == (
        Escalation(DAY, Assignment("round_robin", "dach", ("ben", "eva"))),
        Escalation(2 * DAY, Assignment("team", "x")),
    )
    assert second.assign == Assignment("round_robin", "kim,lea", ("kim", "lea"))
    [north] = tables.partners
    half_past_eight = (8 * 60 + 30) * 60_000
    hours = Hours("Europe/Berlin", frozenset({0}), half_past_eight, DAY, ("DE", "BY"))
    assert (north.claim, north.capacity, north.hours) == (7 * DAY, 5, hours)


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("[[route]]", '1:1 route[0]: no "assign"; the key "assign"'),
        ('[[route]]\nassign = "bob"', '2:10 route[0].assign: "bob"; whom to assign to'),
        ('[[route]]\nassign = "user: "', "2:10 route[0].assign:"),
        ('[[route]]\nassign = "round_robin:dac"', 'the unknown team "dac"'),
        ("[[route]]\nassign = 3", "2:10 route[0].assign: 3; a text"),
        ('[[partner]]\nname = "a/b"', '2:8 partner[0].name: "a/b"; a name of 1 to 128 printable'),
        ('[[partner]]\nname = " "', '2:8 partner[0].name: " "; a text that is not empty'),
        ('[[route]]\nassign = "partner:a/b"',
         '2:10 route[0].assign: "partner:a/b"; a name of 1 to 128 printable'),
        (ROUTE + 'escalate = { after = "1d", assign = "partner:a/b" }',
         "3:37 route[0].escalate.assign:"),
        (ROUTE + 'when = { partner = ["n", "a/b"] }', "3:26 route[0].when.partner[1]:"),
        (ROUTE + 'when = { trait = "x" }', "no comparison"),
        (ROUTE + "when = { gte = 3 }", '"gte" without them; "trait" or'),
        (ROUTE + 'when = { usage = "usd", gte = 3 }',
         '3:18 route[0].when.usage: "usd", which no definition counts; "used"'),
        (ROUTE + 'when = { definition = "ken" }', 'unknown definition "ken"; "keen"'),
        (ROUTE + 'when = { kind = ["old"] }', 'unknown kind "old"'),
        (ROUTE + "when = {}", "no test"),
        (ROUTE + 'when = [{ kind = "new" }]', "did you mean when.all?"),
        (ROUTE + 'when = { at_least = 3, of_these = [{ kind = "new" }] }',
         "a whole number from 1 to 1"),
        (ROUTE + "whenn = 1", 'the unknown key "whenn"; "when"'),
        (ROUTE + 'escalate = { after = "2d" }', 'no "assign"'),
        (ROUTE + "escalate = []", "a list of 1 to 10"),
        (2 * (ROUTE + 'name = "a"\n'), "a second time"),
        ('[[team]]\nname = "x"\nmembers = ["a", "a"]', "each member once"),
        ('[[team]]\nname = "x"\ncapacity = true', "a whole number from 1 to 1000000"),
        ('[[team]]\nname = "x"\nhours = { holidays = "DE-XX" }', "a part of it such as"),
        ('[[team]]\nname = "x"\nhours = { from = "25:00" }', "a time of day"),
        ('[[team]]\nname = "x"\nhours = { from = "18:00" }', "later than"),
        ('[[team]]\nname = "x"\nhours = { timezone = "Mars" }', "a time zone such as"),
        ('[[team]]\nname = "x"\nhours = { days = ["monday"] }', '"mon"'),
        ('[[partner]]\nclaim = "7d"', 'no "name"'),
        ("[route]\nassign = 1", "an array of tables"),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_at_its_place(more: str, expected: str) -> None:
    found = problems(more)
    assert len(found) == 1
    assert expected in found[0]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        (201 * ROUTE, "201 routes; at most 200 routes"),
        (5 * (ROUTE + MANY), "505 conditions; at most 500 conditions in all routes"),
    ],
    ids=["routes", "conditions"],
)
def test_the_work_for_a_lead_is_bounded(more: str, expected: str) -> None:
    assert [expected in found for found in problems(more)] == [True]


def condition(text: str) -> object:
    more = f"{ROUTE}when{text}"
    return read_catalogue(DEFINITIONS + more).routing.routes[0].when


LEAD = LeadView(
    "keen", "new", "high", "user", "acme",
    traits={"country": "DE", "email": "ada@acme.example", "seats": 3},
    account_traits={"country": "FR"}, usage={"used": [7]}, qualified={"keen", "other"},
)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (' = { trait = "country", eq = "DE" }', True),
        (' = { trait = "country", not_in = ["DE"] }', False),
        (' = { trait = "account.country", eq = "FR" }', True),
        (' = { trait = "@email_domain", eq = "acme.example" }', True),
        (' = { trait = "size", exists = false }', True),
        (' = { trait = "seats", gte = 3, or_missing = true }', True),
        (' = { usage = "used", between = [5, 7] }', True),
        (' = { usage = "used", gt = 7 }', False),
        (' = { definition = "keen", priority = ["high", "low"], subject = "user" }', True),
        (' = { definition = "keen", kind = "upgrade" }', False),
        (' = { account = ["acme", "globex"] }', True),
        (' = { pql = "keen" }', True),
        ('.any = [{ kind = "upgrade" }, { trait = "country", eq = "DE" }]', True),
        ('.all = [{ kind = "new" }, { trait = "country", eq = "FR" }]', False),
        (' = { at_least = 2, of_these = [{ kind = "new" }, { account = "x" }, { pql = "keen" }] }',
         True),
    ],
)  # fmt: skip
def test_a_condition_holds_or_does_not(text: str, expected: bool) -> None:
    assert holds(condition(text), LEAD) is expected  # type: ignore[arg-type]
