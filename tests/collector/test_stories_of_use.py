"""What people do with a product, and which of it makes a lead."""

from __future__ import annotations

import pytest

from pequel_collector.model import iso
from pequel_collector.rules.parser.catalogue import read_catalogue
from support.stories import DAY, HOUR, MINUTE, PROJECT, START, Story
from support.streams import refresh


def pql(name: str, when: str, *more: str) -> str:
    """A definition with one condition, in one line each."""
    return "\n".join(["[[pql]]", f'name = "{name}"', f"when = {when}", *more, ""])


# --- time, habit, breadth -------------------------------------------------------------------


def test_time_spent_is_minutes_in_which_something_was_done() -> None:
    """Three active minutes; an afternoon between two clicks is two."""
    story = Story(pql("engaged", '{ event = "*", distinct = "@minute", gte = "3m" }'))
    assert story.track("idle", "opened", 0) == []
    assert story.track("idle", "opened", 5 * HOUR) == []
    assert [story.track("busy", "opened", n * MINUTE) for n in range(3)][-1] == ["engaged"]


def test_the_length_of_one_session_is_counted_within_that_session() -> None:
    """Time on the site: active minutes that share a session."""
    session = '{ event = "page", distinct = "@minute", per = "session", gte = 3 }'
    story = Story(pql("long_session", session))
    for n, name in enumerate(["a", "a", "b", "b"]):
        viewed = {"name": "Home", "session": name}
        assert story.tell("page", "u1", n * MINUTE, event="page", properties=viewed) == []
    ended = story.tell("page", "u1", 9 * MINUTE, event="page", properties={"session": "b"})
    assert ended == ["long_session"]


def test_time_and_breadth_together_show_effort() -> None:
    """Two days and two different features, at the same moment."""
    story = Story("""
        [[pql]]
        name = "invested"
        when.all = [
          { event = "*", distinct = "@day", gte = 2, within = "7d" },
          { event = { feature = "basic" }, distinct = "@event", gte = 2 },
        ]
        """)
    assert story.track("u1", "project_created", 0) == []
    assert story.track("u1", "project_created", DAY) == []
    assert story.track("u1", "task_assigned", DAY + HOUR) == ["invested"]


def test_a_pattern_is_an_order_a_rhythm_or_a_rise() -> None:
    """Sequence, regularity and growth are three different definitions of intent."""
    story = Story(
        pql("in_order", '{ sequence = ["file_imported", "report_shared"], within = "1h" }')
        + pql("regular", '{ event = "*", distinct = "@day", gte = 3, within = "7d" }')
        + pql("rising", '{ event = "api_called", growth = 2.0, over = "1d", base = 1 }')
    )
    story.track("ada", "file_imported", 0)
    assert story.track("ada", "report_shared", HOUR - 1) == ["in_order"]
    assert [story.track("bob", "opened", day * DAY) for day in range(3)][-1] == ["regular"]
    story.track("cy", "api_called", 0)
    assert story.track("cy", "api_called", DAY) == []
    assert story.track("cy", "api_called", DAY + 1) == ["rising"]


def test_how_fast_a_team_takes_it_up_is_growth_and_the_time_to_the_mark() -> None:
    """The mark has the moment of the event, so the time since sign-up can be told."""
    story = Story("""
        [[pql]]
        name = "taken_up"
        subject = "account"
        when = { event = "used", growth = 3.0, over = "7d", base = 2 }
        """)
    for n in range(2):
        story.track("u1", "used", n * HOUR, account="acme")
    marks = [story.track("u2", "used", 7 * DAY + n * HOUR, account="acme") for n in range(2, 8)]
    assert marks == [[]] * 5 + [["taken_up"]]
    assert story.leads()[0]["qualified_at"] == "2026-03-08T07:00:00.000Z"


# --- features -------------------------------------------------------------------------------


def test_adopting_a_feature_is_doing_it_with_different_things() -> None:
    """Three different dashboards, not one dashboard opened three times."""
    story = Story(pql("adopted", '{ event = "dashboard_built", distinct = "id", gte = 3 }'))
    for n in range(3):
        assert story.track("u1", "dashboard_built", n, id="d1") == []
    assert story.track("u1", "dashboard_built", 4, id="d2") == []
    assert story.track("u1", "dashboard_built", 5, id="d3") == ["adopted"]


def test_looking_around_and_getting_things_done_are_both_needed() -> None:
    """Different features, and certain tasks completed."""
    story = Story("""
        [[pql]]
        name = "explored_and_done"
        when.all = [
          { event = { feature = "basic" }, distinct = "@event", gte = 2 },
          { event = "task_completed", where = { status = "success" }, gte = 2 },
        ]
        """)
    story.track("u1", "project_created", 0)
    story.track("u1", "task_assigned", 1)
    assert story.track("u1", "task_completed", 2, status="success") == []
    assert story.track("u1", "task_completed", 3, status="failed") == []
    assert story.track("u1", "task_completed", 4, status="success") == ["explored_and_done"]


def test_the_whole_app_and_then_the_end_of_the_trial() -> None:
    """Every feature of the list and the end; either of them may come last."""
    story = Story("""
        [[pql]]
        name = "tried_it_all"
        when.all = [
          { event = { feature = "basic" }, distinct = "@event", gte = "all" },
          { event = "trial_ended" },
        ]
        """)
    for n, name in enumerate(["project_created", "task_assigned", "comment_added"]):
        assert story.track("u1", name, n) == []
    assert story.track("u1", "trial_ended", 14 * DAY) == ["tried_it_all"]
    assert story.track("u2", "trial_ended", 14 * DAY) == []


def test_all_the_basics_and_wanting_more() -> None:
    """The basics are used up, and then a limit or the prompt to upgrade is met."""
    story = Story("""
        [[pql]]
        name = "wants_more"
        [pql.when]
        all = [
          { event = { feature = "basic" }, distinct = "@event", gte = "all" },
          { any = [{ event = "limit_hit" }, { event = "upgrade_prompt_clicked" }] },
        ]
        """)
    assert story.track("u1", "limit_hit", 0) == []
    for n, name in enumerate(["project_created", "task_assigned"], 1):
        assert story.track("u1", name, n) == []
    assert story.track("u1", "comment_added", 3) == ["wants_more"]


def test_advanced_features_again_and_again_during_the_trial() -> None:
    """Counted from the start of the trial, while the plan is still the trial's."""
    story = Story("""
        [[pql]]
        name = "advanced_in_trial"
        when.all = [
          { event = "advanced_*", gte = 3, within = "14d", of = "trial" },
          { trait = "plan", eq = "trial" },
        ]
        """)
    for user, plan in [("u1", "trial"), ("u2", "free")]:
        story.identify(user, 0, plan=plan)
        story.track(user, "trial_started", 0)
    assert story.track("u1", "advanced_search", 0) == []
    assert story.track("u1", "advanced_export", DAY) == []
    assert story.track("u1", "advanced_search", 14 * DAY - 1) == ["advanced_in_trial"]
    assert [story.track("u2", "advanced_search", n) for n in range(4)] == [[]] * 4


def test_several_complex_designs_are_designs_of_twenty_parts() -> None:
    """A threshold on a property of what was saved, and different designs."""
    complex_ = (
        '{ event = "design_saved", distinct = "id", where = { parts = { gte = 20 } }, gte = 3 }'
    )
    story = Story(pql("complex_designs", complex_))
    assert story.track("u1", "design_saved", 0, id="a", parts=20) == []
    assert story.track("u1", "design_saved", 1, id="b", parts=19) == []
    assert story.track("u1", "design_saved", 2, id="c", parts=200) == []
    assert story.track("u1", "design_saved", 3, id="b", parts=21) == ["complex_designs"]


# --- amounts, results, counts of this and that ----------------------------------------------


def test_the_volume_of_data_has_a_unit() -> None:
    """A sum of bytes against 10 GB; a byte less is not enough."""
    story = Story(pql("heavy", '{ event = "data_processed", sum = "bytes", gte = "10GB" }'))
    assert story.track("u1", "data_processed", 0, bytes=9_999_999_999) == []
    assert story.track("u1", "data_processed", 1, bytes=1) == ["heavy"]


def test_the_value_metric_is_declared_once_and_used_by_name() -> None:
    """What is charged for: a definition rests on it, and another on its share of the limit."""
    story = Story("""
        [[metric]]
        name = "seats"
        event = "seat_taken"
        distinct = "email"
        value_metric = true
        [[pql]]
        name = "growing"
        subject = "account"
        when = { metric = "seats", gte = 2 }
        [[pql]]
        name = "nearly_full"
        subject = "account"
        kind = "upgrade"
        when = { metric = "seats", gte = { ratio = 0.75, of_trait = "seat_limit" } }
        """)
    story.group("u1", "acme", 0, seat_limit=4)
    assert story.track("u1", "seat_taken", 1, "acme", email="a@x.example") == []
    assert story.track("u1", "seat_taken", 2, "acme", email="b@x.example") == ["growing"]
    assert story.track("u1", "seat_taken", 3, "acme", email="c@x.example") == ["nearly_full"]


def test_a_problem_solved_is_an_event_with_its_outcome() -> None:
    """Only what succeeded counts."""
    solved = '{ event = "report_run", where = { status = "success", rows = { gt = 0 } } }'
    story = Story(pql("got_value", solved))
    assert story.track("u1", "report_run", 0, status="error", rows=5) == []
    assert story.track("u1", "report_run", 1, status="success", rows=0) == []
    assert story.track("u1", "report_run", 2, status="success", rows=1) == ["got_value"]


@pytest.mark.parametrize(
    ("event", "distinct", "values"),
    [
        ("form_completed", None, [{}, {}, {}]),
        ("invitation_sent", "invitee", [{"invitee": each} for each in "aabc"]),
        ("file_downloaded", "file", [{"file": each} for each in "xyyz"]),
        ("query_run", None, [{"rows": each} for each in (1, 2, 3)]),
    ],
)
def test_forms_invitations_files_and_any_other_use_are_counted(
    event: str, distinct: str | None, values: list[dict[str, str]]
) -> None:
    """Three of them; of people and files, three different ones."""
    by = f'distinct = "{distinct}", ' if distinct else ""
    story = Story(pql("enough", f'{{ event = "{event}", {by}gte = 3 }}'))
    marks = [story.track("u1", event, n, **each) for n, each in enumerate(values)]
    assert marks == [[]] * (len(values) - 1) + [["enough"]]


def test_downloads_and_support_come_from_other_systems_by_the_same_door() -> None:
    """Any two of three, whatever system told of them."""
    story = Story("""
        [[pql]]
        name = "interested"
        when = { at_least = 2, of_these = [
          { event = "content_downloaded" },
          { event = "support_contacted" },
          { event = "webinar_seen" },
        ] }
        """)
    from_help_desk = {"source": "helpdesk", "ticket": 17}
    assert story.track("u1", "support_contacted", 0, None, **from_help_desk) == []
    assert story.track("u1", "support_contacted", 1, None, **from_help_desk) == []
    assert story.track("u1", "content_downloaded", 2, None, source="website") == ["interested"]


def test_a_score_weighs_what_was_done() -> None:
    """Much of what is worth little is worth no more than its cap."""
    story = Story("""
        [[pql]]
        name = "warm"
        [pql.when]
        score = { gte = 20 }
        points = [
          { event = "page", add = 1, cap = 5 },
          { event = "project_created", add = 10 },
          { trait = "role", eq = "admin", add = 5 },
        ]
        """)
    views = [story.tell("page", "u1", n, event="page") for n in range(50)]
    assert not any(views)
    assert story.track("u1", "project_created", 60) == []
    assert story.identify("u1", 61, role="admin") == ["warm"]
    assert story.leads()[0]["evidence"]["leaves"][0]["points"] == [
        {"of": "page", "points": 5},
        {"of": "project_created", "points": 10},
        {"of": "role", "points": 5},
    ]


# --- again, and otherwise -------------------------------------------------------------------


def test_who_comes_back_after_a_silence_is_a_lead_again() -> None:
    """The second lead is another one; the first stays."""
    story = Story(
        pql("back", '{ event = "used", gte = 2 }', 'requalify = { after_silence = "90d" }')
    )
    assert [story.track("u1", "used", n) for n in (0, 1)][-1] == ["back"]
    assert story.track("u1", "used", 90 * DAY) == []
    assert story.track("u1", "used", 90 * DAY + 1) == []
    assert story.track("u1", "used", 180 * DAY + 1) == []
    assert story.track("u1", "used", 180 * DAY + 2) == ["back"]
    assert sorted(lead["cycle"] for lead in story.leads()) == [1, 2]


def test_a_definition_changes_as_the_product_matures_and_both_are_compared_on_one_history() -> None:
    """The looser version finds who was missing; each lead says under which version it stands."""
    story = Story(pql("keen", '{ event = "used", gte = 3 }'))
    for user, times in (("u1", 3), ("u2", 2)):
        for n in range(times):
            story.track(user, "used", n)
    assert [lead["subject"]["id"] for lead in story.leads()] == ["u1"]
    looser = read_catalogue(PROJECT + pql("keen", '{ event = "used", gte = 2 }'))
    refresh(story.collector.store, looser, story.collector.clock)
    [found] = [lead for lead in story.leads() if lead["subject"]["id"] == "u2"]
    assert (found["version"], found["flags"]) == (2, ["backfilled"])
    assert found["qualified_at"] == iso(START + 1)


def test_a_definition_may_rest_on_the_core_of_the_offer_and_on_another_definition() -> None:
    """An account that talks, and is large: the second waits for the first."""
    story = Story("""
        [[pql]]
        name = "talks"
        subject = "account"
        when = { event = "message_sent", gte = 3 }
        [[pql]]
        name = "large_and_talks"
        subject = "account"
        when.all = [{ pql = "talks" }, { trait = "employees", gte = 200 }]
        """)
    story.group("u1", "acme", 0, employees=500)
    marks = [story.track("u1", "message_sent", n, "acme") for n in range(1, 4)]
    assert marks == [[], [], ["large_and_talks", "talks"]]
