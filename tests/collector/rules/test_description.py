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


HALF_THE_SEATS = '{ ratio = 0.5, of_trait = "seats" }'


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
        ('trait = "plan", in = ["pro", "team"]', "whose plan is pro or team"),
        ('trait = "is_admin", eq = true', "is admin"),
        ('trait = "is_admin", eq = false', "is not admin"),
        ('trait = "is_admin", ne = false', "is admin"),
        ('trait = "region", exists = true', "has a known sales region"),
        ('trait = "account.plan", eq = "free"', "belongs to an account whose plan is free"),
        ('trait = "plan", ne = "free", or_missing = true',
         "whose plan is other than free or unknown"),
    ],
)  # fmt: skip
def test_a_condition_reads_as(when: str, said: str) -> None:
    subject = "A user" if said.startswith("whose") else "A user who"
    assert described(f"when = {{ {when} }}") == f"{subject} {said}"


def test_an_account_has_people() -> None:
    people = 'when = { event = "*", distinct = "@user", gte = 5, within = "30d" }'
    assert described(people, "account") == (
        "An account that had at least 5 active people within 30 days"
    )
    share = 'when = { event = "*", distinct = "@user", gte = { ratio = 0.9, of_trait = "seats" } }'
    assert described(share, "account") == (
        "An account that had enough active people to fill at least 90% of its seats"
    )


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ('users = { trait = "role", eq = "admin" }, gte = 2',
         "has at least 2 people whose role is admin"),
        ('users = { event = "called" }, gte = 1', "has at least 1 person who called"),
        ('event = "called", distinct = "@user", gte = 2', "had at least 2 people who called"),
        (f'event = "called", distinct = "@user", gt = {HALF_THE_SEATS}, within = "7d"',
         "had enough people who called within 7 days to fill more than 50% of its seats"),
        ('event = "space_measured", last = "bytes", gt = { ratio = 0.8, of_trait = "room_bytes" }',
         "uses more than 80% of its room"),
        (f'event = "space_measured", last = "seats_left", gte = {HALF_THE_SEATS}',
         "measured spaces, most recently seats left at least 50% of their seats"),
        ('event = "*", distinct = "@minute", gte = "90m"',
         "was active for at least 1 hour 30 minutes in total"),
        ('event = "called", distinct = "@minute", gte = 3',
         "called in at least 3 different minutes"),
        ('event = "called", growth = 2, over = "7d", base = 5',
         "called at least twice as often in 7 days as in the 7 days before, which had at least 5"),
        ('event = "called", growth = 3, over = "1d", base = 5',
         "called at least 3 times as often in 1 day as in the 1 day before, which had at least 5"),
        ('event = "*", distinct = "@minute", gt = 61',
         "was active for more than 1 hour 1 minute in total"),
        ('trait = "domain", ends_with = [".edu", ".uk"]', "whose domain ends with .edu or .uk"),
    ],
)  # fmt: skip
def test_a_condition_of_an_account_reads_as(when: str, said: str) -> None:
    account = "An account" if said.startswith("whose") else "An account that"
    assert described(f"when = {{ {when} }}", "account") == f"{account} {said}"


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ('sequence = ["called", "deal_won"], within = "1h"',
         "called and then closed a deal within 1 hour"),
        ('sequence = ["called", "met", "deal_won"], within = "1h"',
         "called, then met and then closed a deal, all within 1 hour"),
    ],
)  # fmt: skip
def test_steps_read_as(when: str, said: str) -> None:
    assert described(f"when = {{ {when} }}") == f"A user who {said}"


def test_traits_among_other_parts_read_as_whose() -> None:
    """They come last, because nothing that somebody did can go on after *whose*."""
    body = """
    when.all = [
      { trait = "plan", in = ["free", "pro"] }, { event = "called" },
      { trait = "seats", gte = 5 }, { trait = "city", ne = "Rome" },
    ]
    """
    assert described(body) == (
        "A user who called and has at least 5 seats, and whose plan is free or pro, "
        "and whose city is other than Rome"
    )


def test_the_details_of_a_score_come_last() -> None:
    body = """
    unless = ["customer"]
    cooldown = "30d"
    when.score = { gte = 10 }
    when.within = "30d"
    when.points = [
      { event = "deal_won", add = 5, cap = 20 }, { event = "*", add = 1 },
      { event = "called", add = 2 }, { event = "task_closed", add = 3 },
      { trait = "plan", eq = "free", add = -4 }, { trait = "seats", gte = 5, add = 6 },
    ]
    """
    assert described(body) == (
        "A user who reached a score of at least 10 within 30 days, except customers: 5 points for "
        "each deal closed (20 at most), 1 point for each action, 2 points for each time they "
        "called, 3 points for each task closed, 4 points less if their plan is free, 6 points if "
        "they have at least 5 seats; not within 30 days after a lead was dismissed or lost"
    )


def test_a_score_among_other_parts_has_its_details_between_brackets() -> None:
    body = """
    when.all = [
      { score = { gte = 10 }, points = [{ event = "task_closed", add = 5 }] }, { event = "called" },
    ]
    """
    assert described(body) == (
        "A user who reached a score of at least 10 (5 points for each task closed) and called"
    )


@pytest.mark.parametrize(
    ("first", "said"),
    [
        ('when = { event = "deal_won", gte = 3 }', "closed at least 3 deals (“First”)"),
        ('subject = "account"\nwhen = { event = "deal_won" }',
         "belongs to an account that closed a deal (“First”)"),
        ('when.any = [{ event = "called" }, { event = "met" }]',
         "was already qualified as “First” (called or met)"),
        ("when.any = [" + ", ".join(f'{{ event = "thing{n}_made" }}' for n in range(30)) + "]",
         "was already qualified as “First”"),
    ],
)  # fmt: skip
def test_another_definition_is_told_by_what_it_asks(first: str, said: str) -> None:
    more = f'[[pql]]\nname = "first"\n{first}\n'
    assert described('when = { pql = "first" }', more=more) == f"A user who {said}"


def test_of_a_chain_of_definitions_the_next_one_is_told() -> None:
    more = """
    [[pql]]
    name = "first"
    when = { event = "called" }

    [[pql]]
    name = "second"
    when.all = [{ pql = "first" }, { event = "met" }]
    """
    assert described('when = { pql = "second" }', more=more) == (
        "A user who was already qualified as “Second” (was already qualified as “First” and met)"
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
        "address and accounts whose plan is team; again after 90 days without an event; "
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
