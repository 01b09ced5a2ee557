"""The definitions that the documentation prints, and what each of them means."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from pequel_collector.rules.language.definition import (
    AllOf,
    AnyOf,
    AtLeast,
    Comparison,
    Condition,
    Customer,
    Definition,
    EventLeaf,
    EventPattern,
    EventPoints,
    GrowthLeaf,
    Internal,
    PqlLeaf,
    ScoreLeaf,
    SequenceLeaf,
    Share,
    TraitLeaf,
    TraitPath,
    TraitPoints,
    UsersLeaf,
    Window,
)
from pequel_collector.rules.language.quantities import DAY, HOUR
from pequel_collector.rules.parser.catalogue import read_catalogue

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

[[metric]]
name  = "bytes_in"
event = "data_processed"
sum   = "bytes"
value_metric = true

[[pql]]
"""


def count(*names: str, path: str = "when", **rest: Any) -> EventLeaf:
    return EventLeaf(EventPattern(frozenset(names)), path=path, **{"comparison": gte(1), **rest})


def pattern(*names: str) -> EventPattern:
    return EventPattern(frozenset(names))


def count_any(path: str = "when", **rest: Any) -> EventLeaf:
    return EventLeaf(EventPattern(any=True), path=path, **rest)


def trait(name: str, comparison: Comparison, path: str) -> TraitLeaf:
    return TraitLeaf(Condition(name, (comparison,)), path=path)


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
                measure="distinct",
                value="friend_id",
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
                        measure="distinct",
                        value="project_id",
                        comparison=gte(3),
                        window=FORTNIGHT,
                        path="when.all[0]",
                    ),
                    count(
                        "integration_connected",
                        measure="distinct",
                        value="kind",
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
        name = "heavy_data"
        subject = "account"
        when = { metric = "bytes_in", gte = "10GB", within = "30d" }
        """,
        Definition(
            "heavy_data",
            count(
                "data_processed",
                measure="sum",
                value="bytes",
                comparison=gte(10**10),
                window=MONTH,
                metric="bytes_in",
            ),
            "account",
        ),
    ),
    (
        """
        name = "habit"
        when = { event = "*", distinct = "@day", gte = 5, within = "7d" }
        """,
        Definition(
            "habit",
            count_any(measure="distinct", value="@day", comparison=gte(5), window=Window(7 * DAY)),
        ),
    ),
    (
        """
        name = "time_spent"
        when = { event = "*", distinct = "@minute", gte = "2h", within = "14d", of = "signup" }
        """,
        Definition(
            "time_spent",
            count_any(measure="distinct", value="@minute", comparison=gte(120), window=FORTNIGHT),
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
                        measure="distinct",
                        value="invitee",
                        comparison=gte(3),
                        path="when.any[0]",
                    ),
                    count_any(
                        measure="distinct",
                        value="@user",
                        comparison=gte(5),
                        window=MONTH,
                        path="when.any[1]",
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
        name = "heating_up"
        subject = "account"
        [pql.when]
        score     = { gte = 60 }
        half_life = "14d"
        points = [
          { event = "project_created",  add = 5,  cap = 30 },
          { event = "teammate_invited", add = 10, cap = 40 },
          { trait = "employees",  gte = 200,       add = 20 },
          { trait = "email_kind", eq = "personal", add = -30 },
        ]
        """,
        Definition(
            "heating_up",
            ScoreLeaf(
                (
                    EventPoints(pattern("project_created"), 5, cap=30),
                    EventPoints(pattern("teammate_invited"), 10, cap=40),
                    TraitPoints(Condition("employees", (gte(200),)), 20),
                    TraitPoints(Condition("email_kind", (Comparison("eq", "personal"),)), -30),
                ),
                gte(60),
                14 * DAY,
                path="when",
            ),
            "account",
        ),
    ),
    (
        """
        name = "import_then_share"
        when = { sequence = ["file_imported", "report_shared"], within = "1h" }
        """,
        Definition(
            "import_then_share",
            SequenceLeaf(
                (pattern("file_imported"), pattern("report_shared")),
                window=Window(HOUR),
                path="when",
            ),
        ),
    ),
    (
        """
        name = "surging"
        subject = "account"
        when = { event = "api_called", growth = 2.0, over = "7d", base = 50 }
        """,
        Definition(
            "surging", GrowthLeaf(pattern("api_called"), 2, 7 * DAY, 50, path="when"), "account"
        ),
    ),
    (
        """
        name = "outgrowing_plan"
        subject = "account"
        kind = "upgrade"
        when = { event = "storage_measured", last = "bytes", gte = { ratio = 0.8, of_trait = "storage_limit_bytes" } }
        """,  # noqa: E501
        Definition(
            "outgrowing_plan",
            count(
                "storage_measured",
                measure="last",
                value="bytes",
                comparison=Comparison(
                    "gte", Share(Decimal("0.8"), TraitPath("storage_limit_bytes"))
                ),
            ),
            "account",
            kind="upgrade",
        ),
    ),
    (
        """
        name = "interested"
        [pql.when]
        at_least = 2
        of_these = [
          { event = "content_downloaded", within = "30d" },
          { event = "support_contacted",  within = "30d" },
          { event = "pricing_viewed", gte = 2, within = "7d" },
        ]
        """,
        Definition(
            "interested",
            AtLeast(
                2,
                (
                    count("content_downloaded", window=MONTH, path="when.of_these[0]"),
                    count("support_contacted", window=MONTH, path="when.of_these[1]"),
                    count(
                        "pricing_viewed",
                        comparison=gte(2),
                        window=Window(7 * DAY),
                        path="when.of_these[2]",
                    ),
                ),
            ),
        ),
    ),
    (
        """
        name = "three_people_rely_on_it"
        subject = "account"
        kind = "expansion"
        when = { users = { event = "report_exported", gte = 2, within = "30d" }, gte = 3 }
        """,
        Definition(
            "three_people_rely_on_it",
            UsersLeaf(
                count("report_exported", comparison=gte(2), window=MONTH, path="when.users"),
                gte(3),
                "when",
            ),
            "account",
            kind="expansion",
        ),
    ),
    (
        """
        name = "ready_for_enterprise"
        subject = "account"
        when.all = [ { pql = "team_talks" }, { trait = "employees", gte = 200 } ]
        """,
        Definition(
            "ready_for_enterprise",
            AllOf(
                (
                    PqlLeaf("team_talks", "when.all[0]"),
                    trait("employees", gte(200), "when.all[1]"),
                )
            ),
            "account",
        ),
    ),
    (
        """
        name = "came_back"
        when      = { event = "project_created", gte = 3, within = "14d" }
        requalify = { after_silence = "90d" }
        cooldown  = "30d"
        expires   = "30d"
        """,
        Definition(
            "came_back",
            count("project_created", comparison=gte(3), window=Window(14 * DAY)),
            after_silence=90 * DAY,
            cooldown=30 * DAY,
            expires=30 * DAY,
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
                        measure="distinct",
                        value="@event",
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
                measure="distinct",
                value="design_id",
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
    others = text if expected.name == "team_talks" else f"{text}\n[[pql]]\n{EXAMPLES[2][0]}"
    found = read_catalogue(SHARED + others).definitions[0]
    assert replace(found, hash="") == expected


def test_all_of_them_stand_in_one_file() -> None:
    text = SHARED + "[[pql]]".join(text for text, _ in EXAMPLES)
    names = [definition.name for definition in read_catalogue(text).definitions]
    assert names == [definition.name for _, definition in EXAMPLES]
