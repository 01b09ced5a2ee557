"""A definition reads to people as the sentence of its leads will, with the words of the labels."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings

from oracle.streams import WHOLE, catalogues
from oracle.toml import to_toml
from pequel_collector.rules.explain.description import description_of
from pequel_collector.rules.explain.vocabulary import Vocabulary
from pequel_collector.rules.parser.catalogue import read_catalogue

PROJECT = """
[project]
signup = "signed_up"
conversion = "paid"

[labels]
deal_won = { one = "closed a deal", many = "closed {n} deals" }
region = { one = "sales region" }
"""


def described(body: str, subject: str = "user", more: str = "") -> str:
    toml = f'{PROJECT}{more}\n[[pql]]\nname = "x"\nsubject = "{subject}"\n{body}\n'
    catalogue = read_catalogue(toml)
    return description_of(catalogue.definitions[-1], Vocabulary(catalogue))


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ('event = "deal_won"', "closed a deal"),
        ('event = "deal_won", gte = 3', "closed at least 3 deals"),
        ('event = "deal_won", gt = 3, within = "7d"', "closed more than 3 deals within 7 days"),
        ('event = "deal_won", between = [2, 5]', "closed 2 to 5 deals"),
        ('event = "deal_won", where = { region = "EU" }', "closed a deal with sales region EU"),
        ('event = "logged_in", gte = 3, of = "signup"', "logged in at least 3 times since sign-up"),
        ('event = "*", distinct = "@day", gte = 5', "was active on at least 5 different days"),
        ('event = "*", distinct = "@hour", gte = 1', "was active in at least 1 different hour"),
        ('event = ["team_made", "bug_found"], distinct = "@event", gte = "all"',
         "found a bug and made a team"),
        ('event = "played", distinct = "song", gte = 2', "played with at least 2 different songs"),
        ('event = "called", sum = "cost", gte = 9', "called with a total cost of at least 9"),
        ('event = "called", max = "seats", gte = 9', "called with at least 9 seats at once"),
        ('event = "deal_won", last = "stage", eq = "won"', "closed deals, most recently stage won"),
        ('trait = "seats", gte = 5', "has at least 5 seats"),
        ('trait = "plan", in = ["pro", "team"]', "has the plan pro or team"),
        ('trait = "is_admin", eq = true', "is admin"),
        ('trait = "is_admin", eq = false', "is not admin"),
        ('trait = "is_admin", ne = false', "is admin"),
        ('trait = "region", exists = true', "has a known sales region"),
        ('trait = "account.plan", eq = "free"', "belongs to an account that has the plan free"),
        ('trait = "plan", ne = "free", or_missing = true',
         "has the plan other than free (or no known plan)"),
    ],
)  # fmt: skip
def test_a_condition_reads_as(when: str, said: str) -> None:
    assert described(f"when = {{ {when} }}") == f"A user who {said}"


def test_an_account_has_people() -> None:
    people = 'when = { event = "*", distinct = "@user", gte = 5, within = "30d" }'
    assert described(people, "account") == (
        "An account that had at least 5 people who were active within 30 days"
    )
    share = 'when = { event = "*", distinct = "@user", gte = { ratio = 0.9, of_trait = "seats" } }'
    assert described(share, "account") == (
        "An account that had people who were active, at least 90% of their seats"
    )


def test_what_else_decides_is_said() -> None:
    body = """
    when.any = [{ event = "deal_won" }, { event = "called" }]
    unless = ["customer", "personal", { trait = "plan", eq = "team" }]
    requalify = { after_silence = "90d" }
    cooldown = "30d"
    on_change = "forward"
    """
    assert described(body, "account") == (
        "An account that closed a deal or called, except customers, accounts with a personal email "
        "address and accounts that have the plan team; again after 90 days without an event; "
        "not within 30 days after a lead was dismissed or lost; a changed definition counts only "
        "what happens after the change"
    )


BAD = re.compile(r"\bNone\b|\{n\}|  |\(\)|Decimal|Share\(|Comparison| ,|\n")


@settings(max_examples=200)
@given(catalogue=catalogues(WHOLE))
def test_every_definition_can_be_described(catalogue: dict[str, Any]) -> None:
    read = read_catalogue(to_toml(catalogue))
    for definition in read.definitions:
        text = description_of(definition, Vocabulary(read))
        assert not BAD.search(text), text
