"""What a lead carries besides its evidence: title, play, the account, the trial, the features."""

from __future__ import annotations

from typing import Any

import pytest

from pequel_collector.marking.evaluators import active_evaluators
from pequel_collector.marking.versions import VersionWords
from pequel_collector.queries.briefs import with_users
from pequel_collector.web.answers import schemas
from pequel_collector.web.asked.lead_body import lead_change
from support.stories import DAY, HOUR, Story

KEEN = """
[[pql]]
name = "keen_user"
{title}
when = {{ event = "project_created" }}
"""
ACCOUNTS = '[[pql]]\nname = "other"\nsubject = "account"\nwhen = { event = "never_sent" }\n'


def lead_of(story: Story) -> dict[str, Any]:
    [lead] = story.leads()
    return lead


def words_of(lead: dict[str, Any]) -> tuple[Any, ...]:
    return lead["title"], lead["play"], lead["description"]


def words(story: Story) -> VersionWords:
    with story.collector.store.reading() as tx:
        return active_evaluators(tx).words


def versions(story: Story) -> list[tuple[str, int]]:
    with story.collector.store.reading() as tx:
        return [(each.name, each.version) for each in tx.versions()]


@pytest.mark.parametrize(
    ("words", "title", "play"),
    [
        ("", "Keen user", None),
        ('title = "Very keen"\nplay = "offer a call"', "Very keen", "offer a call"),
    ],
)
def test_title_and_play_are_those_of_the_definition(
    words: str, title: str, play: str | None
) -> None:
    story = Story(KEEN.format(title=words))
    story.track("u1", "project_created", 0)
    lead = lead_of(story)
    assert (lead["title"], lead["play"]) == (title, play)
    assert lead["description"] == "A user who created a project"


def test_a_lead_of_a_removed_definition_keeps_its_words() -> None:
    story = Story(KEEN.format(title='title = "Very keen"'))
    story.track("u1", "project_created", 0)
    story.collector.put_definitions("")
    assert words_of(lead_of(story)) == ("Very keen", None, "A user who created a project")


def test_a_lead_of_an_older_version_says_what_that_version_asks() -> None:
    story = Story(KEEN.format(title='title = "Keen"\nplay = "call"'))
    story.track("u1", "project_created", 0)
    id_ = lead_of(story)["id"]
    change = lead_change({"state": "assigned", "owner": "ben"}, story.collector.clock(), "mia")
    story.collector.intake.change(id_, change)
    later = KEEN.format(title='title = "Keener"\nplay = "write"')
    story.collector.put_definitions(later.replace("project_created", "teammate_invited"))
    lead = lead_of(story)
    assert lead["version"] == 1
    assert words_of(lead) == ("Keener", "write", "A user who created a project")
    assert story.collector.queries.pql(id_).brief.description == lead["description"]


def test_an_older_version_is_read_with_the_definitions_that_it_named() -> None:
    named = '[[pql]]\nname = "base"\nwhen = {{ event = "{}" }}\n'
    naming = '[[pql]]\nname = "both"\nwhen = {{ all = [{{ pql = "base" }}, {{ event = "{}" }}] }}\n'
    story = Story(named.format("a") + naming.format("b"))
    first = words(story).of("both", 1).description
    story.collector.put_definitions(named.format("c") + naming.format("d"))
    assert words(story).of("both", 2).description != first
    assert words(story).of("both", 1).description == first


def test_a_version_that_cannot_be_read_as_it_was_meant_has_no_sentence() -> None:
    """A version remembers the metric that it names, but not what the metric counted."""
    metric = '[[metric]]\nname = "m"\nevent = "{}"\n'
    pql = '[[pql]]\nname = "p"\nwhen = {{ metric = "m", gte = {} }}\n'
    story = Story(metric.format("a") + pql.format(2))
    story.collector.put_definitions(metric.format("b") + pql.format(3))
    latest = max(number for name, number in versions(story) if name == "p")
    assert words(story).of("p", latest).description is not None
    assert words(story).of("p", 1) == ("P", None, None)
    assert words(story).of("p", 99) == ("P", None, None)
    assert words(story).of("never_there", 1) == ("Never there", None, None)


def test_the_traits_of_the_account_come_with_the_lead_of_a_user() -> None:
    story = Story(KEEN.format(title=""))
    story.group("u1", "acme", 0, employees=120)
    story.identify("u1", 1, plan="free")
    story.track("u1", "project_created", 2)
    lead = lead_of(story)
    assert (lead["account"], lead["account_traits"]) == ("acme", {"employees": 120})
    assert lead["traits"] == {"plan": "free"}


def test_the_trial_of_a_user_began_with_the_first_trial_event() -> None:
    """Also where no definition reads it."""
    story = Story(KEEN.format(title=""))
    story.track("u1", "trial_started", 0)
    story.track("u1", "trial_started", DAY)
    story.track("u1", "project_created", 2 * DAY)
    assert lead_of(story)["trial"] == {
        "started_at": "2026-03-01T00:00:00.000Z",
        "ends_at": None,
        "days_left": None,
    }


def test_the_trial_of_the_account_stands_for_that_of_a_user_without_one() -> None:
    story = Story(KEEN.format(title="") + ACCOUNTS)
    story.track("u2", "trial_started", HOUR, "acme")
    story.track("u1", "project_created", DAY, "acme")
    assert lead_of(story)["trial"]["started_at"] == "2026-03-01T01:00:00.000Z"


def test_the_end_of_a_trial_is_a_trait_and_the_days_left_are_counted_to_now() -> None:
    story = Story(KEEN.format(title=""))
    now = story.collector.clock()
    story.identify("u1", 0, trial_ends_at=now + 3 * DAY + HOUR)
    story.track("u1", "project_created", 1)
    assert lead_of(story)["trial"]["days_left"] == 4
    story.identify("u1", 2, trial_ends_at=now - DAY)
    assert lead_of(story)["trial"]["days_left"] == 0
    story.identify("u1", 3, trial_ends_at="soon")
    trial = lead_of(story)["trial"]
    assert (trial["ends_at"], trial["days_left"]) == (None, None)


def test_a_single_lead_and_a_profile_say_which_features_were_used() -> None:
    story = Story(KEEN.format(title=""))
    story.track("u1", "project_created", 0)
    story.track("u1", "task_assigned", 1)
    used = [
        {
            "name": "basic",
            "used": True,
            "used_events": ["project_created", "task_assigned"],
            "unused_events": ["comment_added"],
        }
    ]
    lead = lead_of(story)
    assert "features" not in lead
    found: Any = schemas.LEAD.dump(story.collector.queries.pql(lead["id"]))
    assert found["features"] == used
    profile: Any = schemas.PROFILES["user"].dump(story.collector.queries.profile("user", "u1"))
    assert profile["features"] == used


def test_evidence_of_an_earlier_release_still_shows() -> None:
    old = {"sentence": "2 × used (2 needed)", "leaves": [{"events": ["m1"], "observed": 2}]}
    assert with_users(old, "u:u1") == {
        "sentence": "2 × used (2 needed)",
        "leaves": [
            {
                "events": [{"message_id": "m1", "time": None, "user": "u1", "properties": {}}],
                "observed": 2,
                "more_events": 0,
            }
        ],
    }


def test_the_events_of_an_account_name_their_users() -> None:
    story = Story('[[pql]]\nname = "x"\nsubject = "account"\nwhen = { event = "used", gte = 2 }\n')
    story.track("u1", "used", 0, "acme")
    story.track("u2", "used", 1, "acme")
    [leaf] = lead_of(story)["evidence"]["leaves"]
    assert [event["user"] for event in leaf["events"]] == ["u2", "u1"]


def test_of_many_events_the_latest_twenty_are_shown_with_the_number_of_the_others() -> None:
    story = Story('[[pql]]\nname = "x"\nwhen = { event = "used", gte = 25, where.n.gte = 0 }\n')
    for n in range(25):
        story.track("u1", "used", n, n=n, other="unread", text="x" * 999)
    [leaf] = lead_of(story)["evidence"]["leaves"]
    assert [event["properties"] for event in leaf["events"]] == [{"n": n} for n in range(24, 4, -1)]
    assert leaf["more_events"] == 5


def test_a_long_property_is_cut_off_in_evidence() -> None:
    story = Story('[[pql]]\nname = "x"\nwhen = { event = "used", where.text.exists = true }\n')
    story.track("u1", "used", 0, text="x" * 999)
    [leaf] = lead_of(story)["evidence"]["leaves"]
    assert leaf["events"][0]["properties"] == {"text": "x" * 199 + "…"}
