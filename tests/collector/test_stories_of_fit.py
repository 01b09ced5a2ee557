"""Who people are and what they have: fit, intent, the trial, the account, and who is kept out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pequel_collector.model import iso
from pequel_collector.wire import decode
from pequel_collector.wire.normalise import normalise
from support.stories import DAY, HOUR, START, Story
from support.streams import NOW

# --- limits and gates -----------------------------------------------------------------------


def test_a_free_plan_runs_into_its_limit_or_into_a_gate() -> None:
    """Eight tenths of the storage of the plan; or a feature that it does not have."""
    story = Story("""
        [[pql]]
        name = "nearly_full"
        subject = "account"
        kind = "upgrade"
        when = { event = "stored", last = "bytes", gte = { ratio = 0.8, of_trait = "limit" } }
        [[pql]]
        name = "at_the_gate"
        when = { event = "gated_feature_hit", where = { plan = "free" } }
        """)
    story.group("u1", "acme", 0, limit=1_000)
    assert story.track("u1", "stored", 1, "acme", bytes=799) == []
    assert story.track("u1", "stored", 2, "acme", bytes=800) == ["nearly_full"]
    assert story.track("u2", "gated_feature_hit", 3, plan="pro") == []
    assert story.track("u2", "gated_feature_hit", 4, plan="free") == ["at_the_gate"]


def test_paying_accounts_have_definitions_of_their_own() -> None:
    """One for expansion and one for another product, both only for who has bought."""
    story = Story("""
        [[pql]]
        name = "more_seats"
        subject = "account"
        kind = "expansion"
        when.all = [
          { event = "subscription_started" },
          { event = "*", distinct = "@user", gte = 2, within = "30d" },
        ]
        [[pql]]
        name = "add_on"
        subject = "account"
        kind = "cross_sell"
        when.all = [{ trait = "plan", eq = "pro" }, { event = "add_on_viewed", gte = 2 }]
        """)
    story.group("u1", "acme", 0, plan="pro")
    assert story.track("u1", "add_on_viewed", 1, "acme") == []
    assert story.track("u2", "add_on_viewed", 2, "acme") == ["add_on"]
    assert story.track("u1", "subscription_started", 3, "acme") == ["more_seats"]
    kinds = {lead["definition"]: lead["kind"] for lead in story.leads()}
    assert kinds == {"more_seats": "expansion", "add_on": "cross_sell"}


# --- the trial ------------------------------------------------------------------------------


def test_some_mark_the_start_of_a_trial_and_some_its_end() -> None:
    """Both can be said; that a sign-up says little is the linter's business."""
    story = Story("""
        [[pql]]
        name = "any_trial"
        when = { event = "trial_started" }
        [[pql]]
        name = "finished_trial"
        when = { event = "trial_completed", of = "trial", within = "30d" }
        """)
    assert story.track("u1", "trial_completed", 0) == []
    assert story.track("u2", "trial_started", 0) == ["any_trial"]
    assert story.track("u2", "trial_completed", 30 * DAY - 1) == ["finished_trial"]


# --- ready and able -------------------------------------------------------------------------


def test_ready_and_able_are_two_parts_and_progress_tells_which_is_missing() -> None:
    """Use is there, budget and size are not; sales adds them, and that is the moment."""
    story = Story("""
        [[pql]]
        name = "ready_and_able"
        when.all = [
          { event = "report_exported", gte = 2 },
          { trait = "budget", gte = 10000 },
          { trait = "stage", in = ["sql", "opportunity"] },
        ]
        """)
    for n in range(2):
        story.track("u1", "report_exported", n)
    [progress] = story.status("user", "u1")["progress"]
    assert [leaf["holds"] for leaf in progress["leaves"]] == [True, False, False]
    assert story.identify("u1", DAY, stage="sql") == []
    assert story.identify("u1", 2 * DAY, budget=10_000) == ["ready_and_able"]


def test_a_marketing_definition_asks_for_visits_forms_and_size() -> None:
    """Page views of one name, a form, and a trait of the account, in one definition of a user."""
    story = Story("""
        [[pql]]
        name = "marketing"
        when.all = [
          { event = "page", where = { name = "Pricing" }, gte = 2, within = "30d" },
          { event = "form_submitted" },
          { trait = "account.employees", gte = 50 },
        ]
        """)
    story.group("u1", "acme", 0, employees=50)
    for n, name in enumerate(["Pricing", "Home", "Pricing"], 1):
        assert story.tell("page", "u1", n, event="page", properties={"name": name}) == []
    assert story.track("u1", "form_submitted", DAY) == ["marketing"]


@pytest.mark.parametrize(
    ("traits", "marked"),
    [
        ({"industry": "fintech", "role": "Head of Data"}, True),
        ({"industry": "health", "role": "Head of Care"}, True),
        ({"industry": "retail", "role": "Head of Data"}, False),
        ({"industry": "fintech", "role": "Student"}, False),
        ({"role": "Head of Data"}, False),
    ],
)
def test_industry_and_persona_are_traits(traits: dict[str, str], marked: bool) -> None:
    """One of a list, and a text that begins with some words."""
    story = Story("""
        [[pql]]
        name = "persona"
        when.all = [
          { trait = "industry", in = ["fintech", "health"] },
          { trait = "role", starts_with = "Head of" },
        ]
        """)
    assert story.identify("u1", 0, **traits) == (["persona"] if marked else [])


def test_looking_at_prices_and_inviting_an_admin_are_buying_signals() -> None:
    """Several views of the prices within a week, or an invitation to who decides."""
    story = Story("""
        [[pql]]
        name = "intent"
        when.any = [
          { event = ["pricing_viewed", "plan_page_viewed"], gte = 3, within = "7d" },
          { event = "teammate_invited", where = { role = { in = ["admin", "billing"] } } },
        ]
        """)
    assert story.track("u1", "pricing_viewed", 0) == []
    assert story.track("u1", "plan_page_viewed", DAY) == []
    assert story.track("u1", "pricing_viewed", 7 * DAY) == [], "the first was seven days ago"
    assert story.track("u1", "plan_page_viewed", 7 * DAY + 1) == ["intent"]
    assert story.track("u2", "teammate_invited", 0, role="editor") == []
    assert story.track("u2", "teammate_invited", 1, role="admin") == ["intent"]


# --- partners, and things that are no software ----------------------------------------------


def test_the_end_user_of_a_partner_has_built_it_into_the_daily_work() -> None:
    """The account carries its partner; integration and frequency make the lead."""
    story = Story("""
        [[pql]]
        name = "of_a_partner"
        subject = "account"
        when.all = [
          { trait = "partner", exists = true },
          { event = "integration_connected" },
          { event = "*", distinct = "@day", gte = 3, within = "7d" },
        ]
        """)
    story.group("u1", "acme", 0, partner="northwind")
    story.track("u1", "integration_connected", HOUR, "acme")
    assert story.track("u1", "synced", DAY, "acme") == []
    assert story.track("u1", "synced", 2 * DAY, "acme") == ["of_a_partner"]
    [lead] = story.leads()
    assert lead["traits"]["partner"] == "northwind"


def received(story: Story, *events: dict[str, Any]) -> list[str]:
    """Events as any program may post them, without the SDK; who is marked."""
    envelope = decode.batch(json.dumps({"batch": events}).encode())
    ids = iter(range(1_000))
    now = story.collector.clock()
    messages, rejected = normalise(
        envelope, story.collector.settings, now, lambda: f"{story.told}-{next(ids)}"
    )
    story.told += 1
    assert not rejected
    receipt = story.collector.ingest.accept(messages)
    return [lead.definition for lead in receipt.qualified]


def test_a_sample_part_that_passed_its_test_in_a_prototype_is_a_lead() -> None:
    """A fact of the factory, posted as plain JSON; the outcome is a property."""
    story = Story("""
        [[pql]]
        name = "sample_worked"
        subject = "account"
        when = { event = "prototype_tested", where = { outcome = "passed" } }
        """)
    tested = {"type": "track", "userId": "lab-7", "event": "prototype_tested"}
    failed = {"outcome": "failed", "part": "A-113"}
    passed = {"outcome": "passed", "part": "A-113"}
    assert received(story, {**tested, "groupId": 4711, "properties": failed}) == []
    assert received(story, {**tested, "groupId": 4711, "properties": passed}) == ["sample_worked"]
    assert story.leads()[0]["subject"] == {"kind": "account", "id": "4711"}


def test_a_phone_whose_clock_is_wrong_does_not_qualify_at_the_wrong_time() -> None:
    """The clock is three days ahead, and says so by the time at which it sent."""
    story = Story('[[pql]]\nname = "activated"\nwhen = { event = "project_created" }')
    made = {
        "type": "track",
        "userId": "u1",
        "event": "project_created",
        "timestamp": iso(NOW + 3 * DAY - HOUR),
        "sentAt": iso(NOW + 3 * DAY),
        "context": {"library": {"name": "analytics-android"}, "locale": "de-DE"},
    }
    assert received(story, made) == ["activated"]
    assert story.leads()[0]["qualified_at"] == iso(NOW - HOUR)


# --- what a lead carries, and who is none ---------------------------------------------------


def test_a_lead_carries_what_was_done_with_its_values() -> None:
    """The brief of a conversation: a sentence, each leaf with numbers and events, the traits."""
    story = Story("""
        [[pql]]
        name = "brief"
        when.all = [
          { event = "data_processed", sum = "bytes", gte = 100 },
          { event = "integration_connected", distinct = "kind", gte = 2 },
        ]
        """)
    story.identify("u1", 0, country="DE", plan="free")
    story.track("u1", "data_processed", 1, bytes=60)
    story.track("u1", "integration_connected", 2, kind="slack")
    story.track("u1", "integration_connected", 3, kind="github")
    assert story.track("u1", "data_processed", 4, bytes=70) == ["brief"]
    [lead] = story.leads()
    volume, connected = lead["evidence"]["leaves"]
    assert (volume["observed"], volume["needed"]) == (130, 100)
    assert [(e["message_id"], e["properties"]) for e in volume["events"]] == [
        ("m00005", {"bytes": 70}),
        ("m00002", {"bytes": 60}),
    ]
    assert [e["message_id"] for e in connected["events"]] == ["m00004", "m00003"]
    assert (connected["observed"], connected["more_events"]) == (2, 0)
    assert lead["traits"] == {"country": "DE", "plan": "free"}
    assert lead["evidence"]["sentence"] == (
        "processed data with a total of 130 bytes (100 bytes needed) "
        "and connected 2 different integrations by kind (2 needed)"
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("pro", "pro"),
        ('say "hi"', 'say "hi"'),
        ("", '""'),
        (" ", '""'),
        (True, "yes"),
        (False, "no"),
        (1.5, "1.5"),
        ({"a": [True, None, "é"]}, '{"a": [true, null, "é"]}'),
        (["x", 2], "x, 2"),
        (2_000_000, "2,000,000"),
    ],
)
def test_a_sentence_shows_values_as_people_write_them(value: Any, shown: str) -> None:
    story = Story("""
        [[pql]]
        name = "known"
        when.all = [{ trait = "t", exists = true }, { event = "set", last = "to", exists = true }]
        """)
    story.identify("u1", 0, t=value)
    assert story.track("u1", "set", 1, to=value) == ["known"]
    [lead] = story.leads()
    assert lead["evidence"]["sentence"] == f"t is {shown} and set, most recently to {shown}"


def test_there_is_no_lead_without_evidence() -> None:
    """Not live, not after a late fact, not after a merge of two users."""
    story = Story("""
        [[pql]]
        name = "keen"
        when = { event = "used", gte = 2 }
        [[pql]]
        name = "team"
        subject = "account"
        when = { users = { event = "used" }, gte = 2 }
        """)
    story.track("u1", "used", HOUR, "acme")
    story.track("u2", "used", 2 * HOUR, "acme")
    story.track("u1", "used", 0, "acme")
    story.tell("alias", "u3", 3 * HOUR, previousId="u1")
    leads = story.leads()
    assert {(lead["definition"], lead["subject"]["id"]) for lead in leads} == {
        ("keen", "u3"),
        ("team", "acme"),
    }
    for lead in leads:
        assert lead["evidence"]["sentence"]
        assert all(leaf["observed"] is not None for leaf in lead["evidence"]["leaves"])


def test_who_has_no_need_is_kept_out_by_a_guard_and_let_in_when_it_ends() -> None:
    """Students, and whoever complained in the last week."""
    story = Story("""
        [[pql]]
        name = "keen"
        when = { event = "used", gte = 2 }
        unless = [{ trait = "kind", eq = "student" }, { event = "complained", within = "7d" }]
        """)
    story.identify("u1", 0, kind="student")
    story.track("u2", "complained", 0)
    for user in ("u1", "u2"):
        assert [story.track(user, "used", n) for n in (1, 2)] == [[], []]
    assert story.status("user", "u1")["progress"][0]["progress"] == 1
    assert len(story.status("user", "u1")["progress"][0]["blocked_by"]) == 1
    assert story.identify("u1", DAY, kind="employee") == ["keen"]
    assert story.track("u2", "opened", 7 * DAY) == ["keen"]


def test_the_same_words_for_everybody_whatever_the_order_of_the_news() -> None:
    """A fact that was late restates when; the lead and its id stay."""
    story = Story('[[pql]]\nname = "keen"\nwhen = { event = "used", gte = 2 }')
    story.track("u1", "used", 2 * DAY)
    assert story.track("u1", "used", 3 * DAY) == ["keen"]
    [before] = story.leads()
    assert story.track("u1", "used", DAY) == [], "it is a lead already"
    [after] = story.leads()
    assert after["id"] == before["id"]
    assert (before["qualified_at"], after["qualified_at"]) == (
        iso(START + 3 * DAY),
        iso(START + 2 * DAY),
    )
    assert "restated" in after["flags"]


def test_when_two_users_turn_out_to_be_one_only_what_the_one_has_done_counts() -> None:
    """Taken together they signed up long before, so what looked quick was not."""
    story = Story("""
        [[pql]]
        name = "quick"
        when = { event = "project_created", within = "1d", of = "signup" }
        """)
    story.track("old", "signed_up", 0)
    story.track("new", "signed_up", 9 * DAY)
    assert story.track("new", "project_created", 9 * DAY) == ["quick"]
    story.tell("alias", "old", 10 * DAY, previousId="new")
    assert story.leads() == []
    assert story.status("user", "new")["is_pql"] is False
