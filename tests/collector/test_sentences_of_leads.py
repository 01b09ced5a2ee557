"""The sentence of a lead: every measure in plain English, with and without labels."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings

from oracle.streams import WHOLE, catalogues, streams
from oracle.toml import to_toml
from pequel_collector.ports import LeadFilter
from support.cookbook import description_in, recipes, sentence_of
from support.stories import DAY, MINUTE, Story
from support.streams import collector_of, messages_of

Steps = list[tuple[Any, ...]]


def told(condition: str, steps: Steps, more: str = "", subject: str = "user") -> str:
    """The sentence of the lead of a condition after some steps: an event, its day, properties.

    A step of a dict sets traits first.
    """
    story = Story(f'[[pql]]\nname = "x"\nsubject = "{subject}"\n{condition}\n{more}')
    for step in steps:
        match step:
            case (dict() as traits,) if subject == "user":
                story.identify("u1", 0, **traits)
            case (dict() as traits,):
                story.group("u1", "acme", 0, **traits)
            case (str() as event, day):
                story.track("u1", event, int(day * DAY), "acme")
            case (str() as event, day, properties):
                story.track("u1", event, int(day * DAY), "acme", **properties)
            case (str() as user, event, day, properties):
                story.track(user, event, int(day * DAY), "acme", **properties)
    [lead] = [lead for lead in story.leads() if lead["definition"] == "x"]
    return str(lead["evidence"]["sentence"])


def times(event: str, count: int, **properties: Any) -> Steps:
    return [(event, n / 10, properties) for n in range(count)]


SIGNED_UP: Steps = [("signed_up", 0)]

SENTENCES: list[tuple[str, Steps, str]] = [
    # counts and comparisons
    ('when = { event = "project_created" }', times("project_created", 1), "created a project"),
    (
        'when = { event = "project_created", gte = 3 }',
        times("project_created", 3),
        "created 3 projects (3 needed)",
    ),
    (
        'when = { event = "project_created", gt = 3 }',
        times("project_created", 4),
        "created 4 projects (4 needed)",
    ),
    (
        'when = { event = "project_created", eq = 2 }',
        times("project_created", 2),
        "created 2 projects",
    ),
    (
        'when = { event = "project_created", between = [2, 4] }',
        times("project_created", 2),
        "created 2 projects (2 to 4 needed)",
    ),
    (
        'when = { event = ["a_opened", "b_made"], gte = 2 }',
        times("b_made", 2),
        "opened an a or made a b 2 times (2 needed)",
    ),
    (
        'when = { event = { feature = "basic" }, gte = 2 }',
        times("task_assigned", 2),
        "used basic features 2 times (2 needed)",
    ),
    ('when = { event = "app_*", gte = 2 }', times("app_x", 2), "did 2 things in app (2 needed)"),
    ('when = { event = "*", gte = 2 }', times("x", 2), "did 2 things (2 needed)"),
    # where
    (
        'when = { event = "report_exported", gte = 2, where = { status = "success" } }',
        times("report_exported", 2, status="success"),
        "exported 2 reports with status success (2 needed)",
    ),
    (
        'when = { event = "design_saved", where = { parts = { gte = 20 }, public = true } }',
        times("design_saved", 1, parts=25, public=True),
        "saved a design with parts at least 20 that were public",
    ),
    (
        'when = { event = "design_saved", where.kind = ["a", "b"], where.note.exists = false }',
        times("design_saved", 1, kind="b"),
        "saved a design with kind a or b without note",
    ),
    (
        'when = { event = "song_played", gte = 2, per = "session_id" }',
        times("song_played", 2, session_id="s"),
        "played 2 songs within one session (2 needed)",
    ),
    # windows
    (
        'when = { event = "project_created", gte = 2, within = "7d" }',
        times("project_created", 2),
        "created 2 projects (2 needed) in the last 7 days",
    ),
    (
        'when = { event = "project_created", within = "14d", of = "signup" }',
        [*SIGNED_UP, ("project_created", 8.5)],
        "created a project in the first 9 days after sign-up (14 allowed)",
    ),
    (
        'when = { event = "project_created", within = "36h", of = "signup" }',
        [*SIGNED_UP, ("project_created", 0.3)],
        "created a project in the first 8 hours after sign-up (36 allowed)",
    ),
    (
        'when = { event = "project_created", of = "signup" }',
        [*SIGNED_UP, ("project_created", 8.5)],
        "created a project since sign-up",
    ),
    (
        'when = { event = "b_made", of = "first:a_made", from = "-2d", within = "7d" }',
        [("a_made", 0), ("b_made", 1)],
        "made a b between 2 days before and 7 days after the first time they made an a",
    ),
    (
        'when = { event = "task_closed", of = "trait:renews_at", within = "7d" }',
        [({"renews_at": "2026-03-02"},), ("task_closed", 1.5)],
        "closed a task in the first day after the date “renews at” (7 days allowed)",
    ),
    (
        'within = "7d"\nwhen.all = [{ event = "a_made" }, { event = "b_made" }]',
        [("a_made", 0), ("b_made", 1)],
        "made an a and made a b in the last 7 days",
    ),
    (
        'when.all = [{ event = "a_made", within = "7d" }, { event = "b_made" }]',
        [("a_made", 0), ("b_made", 1)],
        "made an a in the last 7 days, and made a b",
    ),
    # distinct
    (
        'when = { event = "project_created", distinct = "project_id", gte = 2 }',
        [("project_created", n, {"project_id": n}) for n in range(2)],
        "created 2 different projects (2 needed)",
    ),
    (
        'when = { event = "integration_connected", distinct = "kind", gte = 2 }',
        [("integration_connected", n, {"kind": n}) for n in range(2)],
        "connected 2 different integrations by kind (2 needed)",
    ),
    (
        'when = { event = "login", distinct = "city", gte = 2 }',
        [("login", n, {"city": n}) for n in range(2)],
        "logged in with 2 different cities (2 needed)",
    ),
    (
        'when = { event = "*", distinct = "@day", gte = 2, within = "7d" }',
        [("x", n) for n in range(2)],
        "was active on 2 different days (2 needed) in the last 7 days",
    ),
    (
        'when = { event = "report_exported", distinct = "@hour", gte = 2, within = "7d" }',
        [("report_exported", n) for n in range(2)],
        "exported reports in 2 different hours (2 needed) in the last 7 days",
    ),
    (
        'when = { event = { feature = "basic" }, distinct = "@event", gte = "all" }',
        [(name, 0) for name in ("project_created", "task_assigned", "comment_added")],
        "added a comment, created a project and assigned a task",
    ),
    # other measures
    (
        'when = { event = "data_processed", sum = "bytes", gte = "10GB" }',
        times("data_processed", 4, bytes=3 * 10**9),
        "processed data with a total of 12 GB (10 GB needed)",
    ),
    (
        'when = { event = "order_placed", sum = "amount", gt = 100 }',
        times("order_placed", 2, amount=60.5),
        "placed orders with a total amount of 121 (more than 100 needed)",
    ),
    (
        'when = { event = "design_saved", max = "parts", gte = 20 }',
        times("design_saved", 1, parts=25),
        "saved designs with up to 25 parts (20 needed)",
    ),
    (
        'when = { event = "file_uploaded", min = "size_bytes", lte = 2000 }',
        times("file_uploaded", 1, size_bytes=1500),
        "uploaded files with a smallest size of 1.5 kB (at most 2 kB allowed)",
    ),
    (
        'when = { event = "theme_changed", last = "theme", eq = "dark" }',
        times("theme_changed", 1, theme="dark"),
        "changed themes, most recently theme dark",
    ),
    # traits
    (
        'when.all = [{ event = "x" }, { trait = "plan", eq = "free" }]',
        [({"plan": "free"},), ("x", 1)],
        "did x and plan is free",
    ),
    (
        'when.all = [{ event = "x" }, { trait = "employees", gte = 50 }]',
        [({"employees": 1200},), ("x", 1)],
        "did x and has 1,200 employees (50 needed)",
    ),
    (
        'when.all = [{ event = "x" }, { trait = "is_admin", eq = true }]',
        [({"is_admin": True},), ("x", 1)],
        "did x and is admin",
    ),
    (
        'when.all = [{ event = "x" }, { trait = "phone", exists = false }]',
        [("x", 1)],
        "did x and phone is unknown",
    ),
    # sequences, growth, scores
    (
        'when = { sequence = ["file_imported", "report_shared"], within = "1h" }',
        [("file_imported", 0), ("report_shared", 40 * MINUTE / DAY)],
        "imported a file and then shared a report within 40 minutes (1 hour allowed)",
    ),
    (
        'when = { event = "api_called", growth = 2.0, over = "7d", base = 2 }',
        [("api_called", 0), ("api_called", 0.1), *[("api_called", 8 + n / 10) for n in range(5)]][
            :6
        ],
        (
            "called the API 4 times in the last 7 days, twice as often as in the 7 days before (2)"
        ),
    ),
    (
        (
            "when = { score = { gte = 30 }, points = ["
            '{ event = "project_created", add = 10 }, { trait = "plan", eq = "pro", add = 10 }] }'
        ),
        [({"plan": "pro"},), *times("project_created", 2)],
        "reached 30 points (30 needed; 20 for “created projects”, 10 for plan)",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "steps", "expected"), SENTENCES)
def test_a_sentence_without_labels(condition: str, steps: Steps, expected: str) -> None:
    assert told(condition, steps) == expected


OF_ACCOUNTS: list[tuple[str, Steps, str]] = [
    (
        'when = { event = "project_created", gte = { ratio = 0.8, of_trait = "limit" } }',
        [({"limit": 5},), *times("project_created", 4)],
        "created 4 projects, 80% of their limit of 5 (80% needed)",
    ),
    (
        (
            'when = { event = "storage_measured", last = "bytes", '
            'gt = { ratio = 0.8, of_trait = "storage_limit_bytes" } }'
        ),
        [({"storage_limit_bytes": 10**10},), ("storage_measured", 1, {"bytes": 84 * 10**8})],
        "uses 8.4 GB of its 10 GB storage limit (84%)",
    ),
    (
        (
            'when = { event = "seats_counted", last = "used", within = "7d", '
            'gte = { ratio = 0.8, of_trait = "seats" } }'
        ),
        [({"seats": 10},), ("seats_counted", 1, {"used": 9})],
        "uses 9 of its 10 seats (90%) in the last 7 days",
    ),
    (
        (
            'when = { event = "space_measured", last = "bytes_left", '
            'gte = { ratio = 0.8, of_trait = "limit" } }'
        ),
        [({"limit": 10},), ("space_measured", 1, {"bytes_left": 9})],
        "measured spaces, most recently bytes left 9, 90% of their limit of 10 (80% needed)",
    ),
    (
        (
            'when = { event = "report_exported", distinct = "@user", within = "7d", '
            'gte = { ratio = 0.5, of_trait = "limit" } }'
        ),
        [({"limit": 4},), *[(f"u{n}", "report_exported", 1, {}) for n in range(2)]],
        "had 2 people who exported a report in the last 7 days, 50% of its limit of 4",
    ),
    (
        'when = { event = "*", distinct = "@minute", gte = "2m", within = "7d" }',
        [("x", n) for n in range(2)],
        "was active for 2 minutes in total (2 minutes needed) in the last 7 days",
    ),
    (
        'when = { event = "*", distinct = "@user", gte = 2, within = "30d" }',
        [("u1", "x", 0, {}), ("u2", "x", 1, {})],
        "had 2 active people (2 needed) in the last 30 days",
    ),
    (
        'when = { users = { event = "report_exported", gte = 2, within = "30d" }, gte = 2 }',
        [(f"u{n % 2}", "report_exported", n, {}) for n in range(4)],
        "has 2 people (2 needed) who each exported at least 2 reports in the last 30 days",
    ),
    (
        'when = { users = { event = "report_exported" }, gte = 1 }',
        [("u1", "report_exported", 0, {})],
        "has 1 person who exported a report",
    ),
    (
        'when = { users = { event = "report_exported", last = "pages", gte = 3 }, gte = 1 }',
        [("u1", "report_exported", 0, {"pages": 3})],
        "has 1 person who exported reports, most recently at least 3 pages",
    ),
]


@pytest.mark.parametrize(("condition", "steps", "expected"), OF_ACCOUNTS)
def test_a_sentence_of_an_account(condition: str, steps: Steps, expected: str) -> None:
    assert told(condition, steps, subject="account") == expected


LABELS = """
[labels]
project_created = { one = "started a board", many = "started {n} boards" }
integration_connected = { one = "linked a tool", many = "linked {n} tools", kind = "tool" }
job_ran = { one = "ran the nightly job" }
sky_lifted = { many = "lifted the sky {n} times" }
n_seats = { kind = "seat" }
"""


@pytest.mark.parametrize(
    ("condition", "steps", "expected"),
    [
        (
            'when = { event = "project_created" }',
            times("project_created", 1),
            "started a board",
        ),
        (
            'when = { event = "project_created", distinct = "project_id", gte = 2 }',
            [("project_created", n, {"project_id": n}) for n in range(2)],
            "started 2 boards (2 needed)",
        ),
        (
            'when = { event = "integration_connected", distinct = "kind", gte = 2 }',
            [("integration_connected", n, {"kind": n}) for n in range(2)],
            "linked 2 tools (2 needed)",
        ),
        (
            'when = { event = "job_ran", gte = 2 }',
            times("job_ran", 2),
            "ran the nightly job 2 times (2 needed)",
        ),
        (
            'when = { event = "sky_lifted", gte = 2 }',
            times("sky_lifted", 2),
            "lifted the sky 2 times (2 needed)",
        ),
        (
            'when = { event = "seats_changed", last = "n_seats", gte = 2 }',
            times("seats_changed", 1, n_seats=2),
            "changed seats, most recently seat 2 (2 needed)",
        ),
    ],
)
def test_a_sentence_with_labels(condition: str, steps: Steps, expected: str) -> None:
    assert told(condition, steps, LABELS) == expected


@pytest.mark.parametrize(
    ("asked", "points", "said"),
    [
        ("gte = 10.5", 10.6, "reached 11 points (10.5 needed; 11 for “closed tasks”)"),
        (
            "between = [9, 10.8]",
            10.6,
            "reached 10.6 points (9 to 10.8 needed; 11 for “closed tasks”)",
        ),
        ("gte = 0.2", 0.3, "reached 0.3 points (0.2 needed; 0.3 for “closed tasks”)"),
    ],
)
def test_points_are_whole_where_that_stays_true(asked: str, points: float, said: str) -> None:
    of = f'points = [{{ event = "task_closed", add = {points} }}]'
    assert told(f"when = {{ score = {{ {asked} }}, {of} }}", [("task_closed", 0)]) == said


def test_a_definition_is_named_by_its_title() -> None:
    first = '[[pql]]\nname = "team_talks"\n{}when = {{ event = "x" }}\n'
    for title, expected in (("", "Team talks"), ('title = "The team talks"\n', "The team talks")):
        said = told('when = { pql = "team_talks" }', [("x", 0)], first.format(title))
        assert said == f"did x (“{expected}”)"


def test_silence_is_said() -> None:
    told_ = told(
        'clock = true\nwhen.all = [{ event = "task_closed", eq = 0, within = "7d" }, '
        '{ event = "project_created" }]',
        [("project_created", 0), ("x", 8)],
    )
    assert told_ == "closed no tasks in the last 7 days, and created a project"


@pytest.mark.parametrize(("title", "text", "description", "said"), recipes())
def test_the_sentences_of_the_cookbook_are_real(
    title: str, text: str, description: str, said: str
) -> None:
    assert description_in(text) == description, title
    assert sentence_of(text) == said, title


def test_the_cookbook_has_twenty_recipes() -> None:
    assert len(recipes()) >= 20


BAD = re.compile(r"\bNone\b|\{n\}|  |\(\)|Decimal|Share\(| ,|\b\w+_\w+\b")
VALUES = re.compile(r"[“\"].*?[”\"]|pql_\d|u\d")


@given(catalogues(WHOLE), streams(max_size=20))
@settings(max_examples=25, deadline=None)
def test_every_lead_has_a_sentence_of_words(catalogue: Any, stream: list[Any]) -> None:
    """No names of the program, nothing unfilled, no doubled blank."""
    collector = collector_of(to_toml(catalogue))
    collector.ingest.accept(messages_of(stream))
    with collector.store.reading() as tx:
        leads = [lead for lead, _ in tx.leads(LeadFilter(), 1_000)]
    for lead in leads:
        said = lead.evidence["sentence"]
        assert said == said.strip() != ""
        assert not BAD.search(VALUES.sub("Q", said)), said
        for leaf in lead.evidence["leaves"]:
            assert len(leaf["events"]) <= 20
            assert [e["time"] for e in leaf["events"]] == sorted(
                (e["time"] for e in leaf["events"]), reverse=True
            )
