"""The definitions that the documentation prints, and what each of them means."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pequel_collector.rules.definition import (
    AllOf,
    AnyOf,
    Comparison,
    Condition,
    Customer,
    Definition,
    EventLeaf,
    EventPattern,
    Internal,
    TraitLeaf,
    Window,
)
from pequel_collector.rules.quantities import DAY, HOUR
from pequel_collector.rules.reader import read_catalogue

SHARED = """
[project]
timezone   = "UTC"
signup     = "signed_up"
trial      = "trial_started"
conversion = "subscription_started"
key_events = ["project_created", "integration_connected"]
internal   = { email_domain = ["ourcompany.example"], trait = { is_employee = true } }

[features]
basic    = ["project_created", "task_assigned"]
advanced = ["sso_configured", "api_called"]

[[pql]]
"""


def count(*names: str, path: str = "when", **rest: Any) -> EventLeaf:
    return EventLeaf(EventPattern(frozenset(names)), path=path, **{"comparison": gte(1), **rest})


def count_any(path: str = "when", **rest: Any) -> EventLeaf:
    return EventLeaf(EventPattern(any=True), path=path, **rest)


def trait(name: str, comparison: Comparison, path: str) -> TraitLeaf:
    return TraitLeaf(Condition(name, (comparison,)), path)


def gte(number: int) -> Comparison:
    return Comparison("gte", number)


FORTNIGHT = Window(14 * DAY, "signup")
MONTH = Window(30 * DAY)

EXAMPLES = [
    (
        """
        name = "activated"
        when = { event = "project_created" }
        """,
        Definition("activated", count("project_created")),
    ),
    (
        """
        name = "seven_friends"
        when = { event = "friend_added", distinct = "friend_id", gte = 7, within = "10d", of = "signup" }
        """,  # noqa: E501
        Definition(
            "seven_friends",
            count(
                "friend_added",
                distinct="friend_id",
                comparison=gte(7),
                window=Window(10 * DAY, "signup"),
            ),
        ),
    ),
    (
        """
        name = "team_talks"
        subject = "account"
        when = { event = "message_sent", gte = 2000 }
        """,
        Definition("team_talks", count("message_sent", comparison=gte(2000)), "account"),
    ),
    (
        """
        name = "conversations"
        subject = "account"
        when = { event = "conversation_started", gt = 100 }
        """,
        Definition(
            "conversations",
            count("conversation_started", comparison=Comparison("gt", 100)),
            "account",
        ),
    ),
    (
        """
        name = "set_up"
        within = "14d"
        of = "signup"
        when.all = [
          { event = "project_created",       distinct = "project_id", gte = 3 },
          { event = "integration_connected", distinct = "kind",       gte = 2 },
        ]
        unless = ["internal", "customer"]
        """,
        Definition(
            "set_up",
            AllOf(
                (
                    count(
                        "project_created",
                        distinct="project_id",
                        comparison=gte(3),
                        window=FORTNIGHT,
                        path="when.all[0]",
                    ),
                    count(
                        "integration_connected",
                        distinct="kind",
                        comparison=gte(2),
                        window=FORTNIGHT,
                        path="when.all[1]",
                    ),
                )
            ),
            unless=(Internal(), Customer()),
        ),
    ),
    (
        """
        name = "habit"
        when = { event = "*", distinct = "@day", gte = 5, within = "7d" }
        """,
        Definition("habit", count_any(distinct="@day", comparison=gte(5), window=Window(7 * DAY))),
    ),
    (
        """
        name = "time_spent"
        when = { event = "*", distinct = "@minute", gte = "2h", within = "14d", of = "signup" }
        """,
        Definition(
            "time_spent", count_any(distinct="@minute", comparison=gte(120), window=FORTNIGHT)
        ),
    ),
    (
        """
        name = "team_spread"
        subject = "account"
        when.any = [
          { event = "teammate_invited", distinct = "invitee", gte = 3 },
          { event = "*", distinct = "@user", gte = 5, within = "30d" },
        ]
        """,
        Definition(
            "team_spread",
            AnyOf(
                (
                    count(
                        "teammate_invited",
                        distinct="invitee",
                        comparison=gte(3),
                        path="when.any[0]",
                    ),
                    count_any(
                        distinct="@user", comparison=gte(5), window=MONTH, path="when.any[1]"
                    ),
                )
            ),
            "account",
        ),
    ),
    (
        """
        name = "fit_and_used"
        subject = "account"
        when.all = [
          { event = "report_exported", within = "30d" },
          { trait = "employees", gte = 50 },
          { trait = "country",   in = ["US", "CA", "GB", "DE"] },
          { trait = "plan",      eq = "free" },
        ]
        """,
        Definition(
            "fit_and_used",
            AllOf(
                (
                    count("report_exported", window=MONTH, path="when.all[0]"),
                    trait("employees", gte(50), "when.all[1]"),
                    trait("country", Comparison("in", ("US", "CA", "GB", "DE")), "when.all[2]"),
                    trait("plan", Comparison("eq", "free"), "when.all[3]"),
                )
            ),
            "account",
        ),
    ),
    (
        """
        name = "whole_app_tried"
        when.all = [
          { event = { feature = "basic" }, distinct = "@event", gte = "all" },
          { event = "trial_ended" },
        ]
        """,
        Definition(
            "whole_app_tried",
            AllOf(
                (
                    count(
                        "project_created",
                        "task_assigned",
                        distinct="@event",
                        comparison=gte(2),
                        path="when.all[0]",
                    ),
                    count("trial_ended", path="when.all[1]"),
                )
            ),
        ),
    ),
    (
        """
        name = "complex_designs"
        when = { event = "design_saved", distinct = "design_id", where = { parts = { gte = 20 } }, gte = 3, within = "30d" }
        """,  # noqa: E501
        Definition(
            "complex_designs",
            count(
                "design_saved",
                distinct="design_id",
                where=(Condition("parts", (gte(20),)),),
                comparison=gte(3),
                window=MONTH,
            ),
        ),
    ),
    (
        """
        name = "hand_raised"
        when = { event = "contact_sales_clicked" }
        priority = "high"
        sla = "4h"
        """,
        Definition("hand_raised", count("contact_sales_clicked"), priority="high", sla=4 * HOUR),
    ),
]


@pytest.mark.parametrize(("text", "expected"), EXAMPLES, ids=[d.name for _, d in EXAMPLES])
def test_a_printed_definition_means_what_it_says(text: str, expected: Definition) -> None:
    (found,) = read_catalogue(SHARED + text).definitions
    assert replace(found, hash="") == expected


def test_all_of_them_stand_in_one_file() -> None:
    text = SHARED + "[[pql]]".join(text for text, _ in EXAMPLES)
    names = [definition.name for definition in read_catalogue(text).definitions]
    assert names == [definition.name for _, definition in EXAMPLES]
