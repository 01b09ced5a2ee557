"""The definitions that product teams tell each other, told as facts and marks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from pequel_collector.ports import LeadFilter
from support.api import Api
from support.stories import DAY, HOUR, MINUTE, START, Story
from support.streams import messages_of, plain_event

SET_UP = """
[[pql]]
name = "set_up"
within = "14d"
of = "signup"
when.all = [
  { event = "project_created",       distinct = "project_id", gte = 3 },
  { event = "integration_connected", distinct = "kind",       gte = 2 },
]
unless = ["internal", "customer"]
"""


def tell_set_up(story: Story, user: str = "u1") -> list[str]:
    """The story of a user who does all that ``set_up`` asks for; what the last step marks."""
    story.track(user, "signed_up", 0)
    for day, project in enumerate(["p1", "p2", "p3"], 1):
        story.track(user, "project_created", day * DAY, project_id=project)
    story.track(user, "integration_connected", 4 * DAY, kind="slack")
    return story.track(user, "integration_connected", 5 * DAY, kind="github")


def test_three_projects_and_two_integrations_within_14_days_mark_at_the_last_of_them() -> None:
    """The acknowledgement of the completing action carries the mark, with its evidence."""
    story = Story(SET_UP)
    assert tell_set_up(story) == ["set_up"]
    status = story.status("user", "u1")
    assert status["is_pql"] is True
    [lead] = status["leads"]
    assert lead["qualified_at"] == "2026-03-06T00:00:00.000Z"
    projects, integrations = lead["evidence"]["leaves"]
    assert (projects["observed"], projects["needed"]) == (3, 3)
    assert integrations["events"] == [
        {
            "message_id": "m00006",
            "time": "2026-03-06T00:00:00.000Z",
            "user": "u1",
            "properties": {"kind": "github"},
        },
        {
            "message_id": "m00005",
            "time": "2026-03-05T00:00:00.000Z",
            "user": "u1",
            "properties": {"kind": "slack"},
        },
    ]
    assert projects["window"] == {
        "from": "2026-03-01T00:00:00.000Z",
        "to": "2026-03-15T00:00:00.000Z",
    }
    assert lead["evidence"]["sentence"] == (
        "created 3 different projects (3 needed) and connected 2 different integrations by kind "
        "(2 needed) in the first 5 days after sign-up (14 allowed)"
    )


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([("project_created", 1, "p1")] * 3, "the same project three times is one project"),
        ([("project_created", 14, p) for p in ("p1", "p2", "p3")], "day 14 is outside"),
        ([("project_created", -1, p) for p in ("p1", "p2", "p3")], "before sign-up is outside"),
    ],
)
def test_what_only_looks_like_three_projects_does_not_mark(
    steps: list[tuple[str, int, str]], why: str
) -> None:
    """Repeats and events outside of the window do not count."""
    story = Story(SET_UP)
    story.track("u1", "signed_up", 0)
    for event, day, project in steps:
        story.track("u1", event, day * DAY, project_id=project)
    story.track("u1", "integration_connected", 1 * DAY, kind="slack")
    assert story.track("u1", "integration_connected", 2 * DAY, kind="github") == [], why


def test_why_not_yet_is_told_leaf_by_leaf() -> None:
    """Progress: what was observed, what is missing, and the least of ``all`` overall."""
    story = Story(SET_UP)
    story.track("u1", "signed_up", 0)
    story.track("u1", "project_created", DAY, project_id="p1")
    [progress] = story.status("user", "u1")["progress"]
    assert progress["progress"] == 0
    projects, integrations = progress["leaves"]
    assert (projects["observed"], projects["needed"], projects["missing"]) == (1, 3, 2)
    assert (integrations["observed"], integrations["missing"]) == (0, 2)


def test_an_employee_and_a_customer_are_no_leads() -> None:
    """One word in ``unless`` keeps each of them out, and progress says so."""
    story = Story(SET_UP)
    story.tell("identify", "u1", 0, traits={"email": "eve@OurCompany.example"})
    story.track("u2", "subscription_started", HOUR)
    assert tell_set_up(story, "u1") == []
    assert tell_set_up(story, "u2") == []
    assert story.status("user", "u1")["progress"][0]["blocked_by"] == ["internal"]
    assert story.status("user", "u2")["progress"][0]["blocked_by"] == ["customer"]


def test_a_member_of_a_customer_account_is_no_lead() -> None:
    """``customer`` also asks about the account."""
    story = Story(SET_UP)
    story.tell("group", "u1", 0, groupId="acme")
    story.track("boss", "subscription_started", HOUR, account="acme")
    assert tell_set_up(story, "u1") == []


def test_a_conversion_that_arrives_late_voids_the_lead_that_it_forbids() -> None:
    """The account had bought before its member qualified; the fact was only late."""
    story = Story(SET_UP)
    story.tell("group", "u1", 0, groupId="acme")
    assert tell_set_up(story, "u1") == ["set_up"]
    story.track("boss", "subscription_started", HOUR, account="acme")
    status = story.status("user", "u1")
    assert (status["is_pql"], status["leads"]) == (False, [])


def test_one_key_action_is_enough_where_the_team_says_so() -> None:
    """The smallest definition: one event, at least once."""
    story = Story('[[pql]]\nname = "activated"\nwhen = { event = "project_created" }')
    assert story.track("u1", "project_created", 0) == ["activated"]
    assert story.track("u1", "project_created", HOUR) == [], "a lead is opened once"


def test_being_busy_or_signing_up_is_not_being_qualified() -> None:
    """A very active user who never does the key action stays unmarked; so does a sign-up."""
    story = Story(SET_UP)
    assert story.track("u1", "signed_up", 0) == []
    marked = [story.track("u1", "page_opened", step * MINUTE) for step in range(500)]
    assert not any(marked)
    assert story.status("user", "u1")["is_pql"] is False


def test_seven_friends_in_ten_days_and_not_six() -> None:
    """A distinct count since sign-up."""
    story = Story(
        '[[pql]]\nname = "seven_friends"\nwhen = { event = "friend_added", '
        'distinct = "friend_id", gte = 7, within = "10d", of = "signup" }'
    )
    story.track("u1", "signed_up", 0)
    marks = [story.track("u1", "friend_added", n * DAY, friend_id=n) for n in range(1, 8)]
    assert marks == [[]] * 6 + [["seven_friends"]]


def test_an_account_reaches_two_thousand_messages_whoever_writes_them() -> None:
    """The account is the subject; its user shows the lead as inherited."""
    story = Story(
        '[[pql]]\nname = "team_talks"\nsubject = "account"\n'
        'when = { event = "message_sent", gte = 2000 }'
    )
    sent = messages_of(_messages(2000))
    assert story.collector.ingest.accept(sent[:1999]).qualified == ()
    [lead] = story.collector.ingest.accept(sent[1999:]).qualified
    assert (lead.subject, lead.qualified_at) == ("g:acme", START + 1999)
    inherited = story.status("user", "u3")
    assert inherited["is_pql"] is True
    assert [lead["via"] for lead in inherited["leads"]] == ["account"]


def _messages(count: int) -> Iterable[dict[str, Any]]:
    for n in range(count):
        yield plain_event(f"u{n % 7}", "message_sent", f"m{n}", START + n, groupId="acme")


def test_over_one_hundred_is_more_than_one_hundred() -> None:
    """``gt`` is strict: 100 do not mark, 101 do."""
    story = Story(
        '[[pql]]\nname = "conversations"\nsubject = "account"\n'
        'when = { event = "conversation_started", gt = 100 }'
    )
    marks = [
        story.track("u1", "conversation_started", n * MINUTE, account="drifting")
        for n in range(1, 102)
    ]
    assert marks[99] == []
    assert marks[100] == ["conversations"]


def test_fit_and_use_must_hold_at_the_same_time() -> None:
    """Traits of the account and one real use; a trait change can be the moment."""
    story = Story("""
        [[pql]]
        name = "fit_and_used"
        subject = "account"
        when.all = [
          { event = "report_exported", within = "30d" },
          { trait = "employees", gte = 50 },
          { trait = "country", in = ["US", "DE"] },
          { trait = "plan", eq = "free" },
        ]
        """)
    fit = {"employees": 50, "country": "DE"}
    story.tell("group", "u1", 0, groupId="acme", traits={**fit, "plan": "pro"})
    assert story.track("u1", "report_exported", DAY) == []
    downgrade = {"groupId": "acme", "traits": {"plan": "free"}}
    assert story.tell("group", "u1", 2 * DAY, **downgrade) == ["fit_and_used"]
    assert story.status("account", "acme")["leads"][0]["traits"]["plan"] == "free"


def test_a_team_spreads_by_users_and_habits_form_by_days() -> None:
    """Distinct users of the account, distinct days of a user, distinct features."""
    story = Story("""
        [[pql]]
        name = "team_spread"
        subject = "account"
        when = { event = "*", distinct = "@user", gte = 3, within = "30d" }
        [[pql]]
        name = "habit"
        when = { event = "*", distinct = "@day", gte = 3, within = "7d" }
        [[pql]]
        name = "explored"
        when = { event = { feature = "basic" }, distinct = "@event", gte = "all" }
        """)
    assert story.track("u1", "project_created", 0, account="acme") == []
    assert story.track("u2", "task_assigned", HOUR, account="acme") == []
    assert story.track("u3", "comment_added", 2 * HOUR, account="acme") == ["team_spread"]
    assert story.track("u1", "task_assigned", DAY) == []
    assert story.track("u1", "comment_added", 2 * DAY) == ["explored", "habit"]


def test_a_raised_hand_is_a_lead_at_once_with_its_own_clock() -> None:
    """High priority comes first in the list, and says until when somebody must have answered."""
    story = Story("""
        [[pql]]
        name = "activated"
        when = { event = "project_created" }
        [[pql]]
        name = "hand_raised"
        when = { event = "contact_sales_clicked" }
        priority = "high"
        sla = "4h"
        """)
    story.track("u1", "contact_sales_clicked", 0)
    story.track("u2", "project_created", 0)
    first, second = Api(story.collector).pqls(LeadFilter(), 10)["data"]
    assert (first["definition"], second["definition"]) == ("hand_raised", "activated")
    assert first["priority"] == "high"
    assert first["due_at"] is not None
    assert second["due_at"] is None


def test_a_message_sent_twice_counts_once_at_any_age() -> None:
    """The first copy stored wins, content and time."""
    story = Story('[[pql]]\nname = "twice"\nwhen = { event = "project_created", gte = 2 }')
    story.track("u1", "project_created", 0)
    story.told = 0
    assert story.track("u1", "project_created", 400 * DAY) == []
    assert story.status("user", "u1")["progress"][0]["leaves"][0]["observed"] == 1


def test_a_late_group_call_takes_a_conversion_to_another_account() -> None:
    """The customer was another account all along, so the colleague who was kept out is a lead."""
    story = Story("""
        [[pql]]
        name = "keen"
        when = { event = "used" }
        unless = ["customer"]
        """)
    story.tell("group", "u1", HOUR, groupId="acme")
    story.tell("group", "u2", HOUR, groupId="acme")
    story.track("u1", "subscription_started", 5 * HOUR)
    assert story.track("u2", "used", 6 * HOUR) == []
    assert story.tell("group", "u1", 3 * HOUR, groupId="brix") == ["keen"]
    assert story.status("user", "u2")["leads"][0]["qualified_at"] == "2026-03-01T06:00:00.000Z"


def test_a_count_may_fall_into_its_bounds_as_events_leave_the_window() -> None:
    """Exactly two within seven days: the third has left when something else happens."""
    story = Story('[[pql]]\nname = "steady"\nwhen = { event = "used", eq = 2, within = "7d" }')
    story.track("u1", "used", 0)
    both = [plain_event("u1", "used", f"x{n}", START + DAY) for n in range(2)]
    assert story.collector.ingest.accept(messages_of(both)).qualified == ()
    assert story.track("u1", "looked", 7 * DAY + HOUR) == ["steady"]


def test_a_lead_knows_the_account_that_its_user_was_last_seen_in() -> None:
    """Also where that was said by an event that no definition names."""
    story = Story('[[pql]]\nname = "activated"\nwhen = { event = "project_created" }')
    story.track("u1", "looked_around", HOUR, account="beta")
    story.track("u1", "project_created", 2 * HOUR)
    [lead] = Api(story.collector).pqls(LeadFilter(account="beta"), 10)["data"]
    assert lead["account"] == "beta"


def test_a_value_that_comes_again_is_as_recent_as_its_last_time() -> None:
    """Of the values seen, those that were last seen longest ago are the ones to forget."""
    story = Story(
        '[[pql]]\nname = "varied"\n'
        'when = { event = "used", distinct = "kind", gte = 2, within = "3d" }'
    )
    marks = [
        story.track("u1", "used", day * DAY, kind=kind)
        for day, kind in [(0, "a"), (4, "b"), (8, "a"), (9, "c")]
    ]
    assert marks == [[], [], [], ["varied"]]
