"""The facts that make each recipe of the cookbook qualify, told one after the other."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pequel_collector.rules.explain.description import description_of
from pequel_collector.rules.explain.vocabulary import Vocabulary
from pequel_collector.rules.parser.catalogue import read_catalogue

from .stories import DAY, HOUR, MINUTE, Story

PAGE = Path(__file__).parents[2] / "docs/guides/cookbook.md"
_RECIPE = re.compile(
    r"^## (.+?)\n.*?```toml\n(.*?)```\n\n\*(.*?)\.\*\n\n> (.*?)\n\n", re.DOTALL | re.MULTILINE
)

SHARED = """
[project]
signup     = "signed_up"
trial      = "trial_started"
conversion = "subscription_started"
"""

Tell = Callable[[Story], Any]


def recipes() -> list[tuple[str, str, str, str]]:
    """The title, the definitions, their description and a lead's sentence, for each recipe."""
    return [
        (title, text, " ".join(description.split()), " ".join(said.replace("\n> ", "\n").split()))
        for title, text, description, said in _RECIPE.findall(PAGE.read_text())
    ]


def description_in(text: str) -> str:
    """The description of the last definition in a recipe."""
    catalogue = read_catalogue(text if "[project]" in text else SHARED + text)
    return description_of(catalogue.definitions[-1], Vocabulary(catalogue))


def sentence_of(text: str) -> str:
    """The sentence of the lead of the last definition in a recipe."""
    toml = text if "[project]" in text else SHARED + text
    name = read_catalogue(toml).definitions[-1].name
    story = Story.of_file(toml)
    TELLERS[name](story)
    [lead] = [lead for lead in story.leads() if lead["definition"] == name]
    return str(lead["evidence"]["sentence"])


def _friends(story: Story) -> None:
    story.track("u1", "signed_up", 0)
    for n in range(7):
        story.track("u1", "friend_added", (n + 1) * DAY, friend_id=f"f{n}")


def _messages(story: Story) -> None:
    for n in range(2_000):
        story.track(f"u{n % 3}", "message_sent", n * MINUTE, "acme")


def _set_up(story: Story) -> None:
    story.track("u1", "signed_up", 0)
    for n in range(3):
        story.track("u1", "project_created", n * DAY, project_id=f"p{n}")
    story.track("u1", "integration_connected", 4 * DAY, kind="slack")
    story.track("u1", "integration_connected", 8 * DAY + HOUR, kind="github")


def _habit(story: Story) -> None:
    story.track("u1", "project_created", 0)
    for n in range(1, 5):
        story.track("u1", "task_completed", n * DAY)


def _active_minutes(story: Story) -> None:
    story.track("u1", "signed_up", 0)
    for n in range(1, 121):
        story.track("u1", "page_scrolled", DAY + n * MINUTE)


def _songs(story: Story) -> None:
    for n in range(10):
        story.track("u1", "song_played", n * MINUTE, session_id="s1")


def _import(story: Story) -> None:
    story.track("u1", "file_imported", 0)
    story.track("u1", "report_shared", 40 * MINUTE)


def _surging(story: Story) -> None:
    for n in range(50):
        story.track("u1", "api_called", n * MINUTE, "acme")
    for n in range(100):
        story.track("u1", "api_called", 8 * DAY + n * MINUTE, "acme")


def _storage(story: Story) -> None:
    story.group("u1", "acme", 0, storage_limit_bytes=10_000_000_000)
    story.track("u1", "storage_measured", DAY, "acme", bytes=8_400_000_000)


def _seats(story: Story) -> None:
    story.group("u1", "acme", 0, seats=10)
    for n in range(9):
        story.track(f"u{n}", "task_completed", n * HOUR, "acme")


def _data(story: Story) -> None:
    for n in range(4):
        story.track("u1", "data_processed", n * DAY, "acme", bytes=3_000_000_000)


def _spread(story: Story) -> None:
    for n in range(3):
        story.track("u1", "teammate_invited", n * DAY, "acme", invitee=f"i{n}")


def _rely(story: Story) -> None:
    for n in range(6):
        story.track(f"u{n % 3}", "report_exported", n * DAY, "acme")


def _fit(story: Story) -> None:
    story.group("u1", "acme", 0, employees=120, country="DE", plan="free")
    story.track("u1", "report_exported", DAY, "acme")


def _interested(story: Story) -> None:
    story.track("u1", "content_downloaded", 0)
    story.track("u1", "pricing_viewed", DAY)
    story.track("u1", "pricing_viewed", 2 * DAY)


def _heat(story: Story) -> None:
    story.group("u1", "acme", 0, employees=450)
    for n in range(6):
        story.track("u1", "project_created", n * MINUTE, "acme")
    for n in range(2):
        story.track("u1", "teammate_invited", HOUR + n * MINUTE, "acme")


def _enterprise(story: Story) -> None:
    _messages(story)
    story.group("u1", "acme", 3 * DAY, employees=250)


def _whole(story: Story) -> None:
    story.track("u1", "trial_started", 0)
    for n, event in enumerate(["project_created", "task_assigned", "comment_added"]):
        story.track("u1", event, (2 * n + 1) * DAY)


def _success(story: Story) -> None:
    story.track("u1", "signed_up", 0)
    for n in range(2):
        story.track("u1", "report_exported", (n + 1) * DAY, status="success")


TELLERS: dict[str, Tell] = {
    "activated": lambda story: story.track("u1", "project_created", 0),
    "seven_friends": _friends,
    "team_talks": _messages,
    "set_up": _set_up,
    "hand_raised": lambda story: story.track("u1", "contact_sales_clicked", 0),
    "first_result": _success,
    "habit": _habit,
    "time_spent": _active_minutes,
    "long_session": _songs,
    "import_then_share": _import,
    "surging": _surging,
    "outgrowing_plan": _storage,
    "seats_nearly_full": _seats,
    "heavy_data": _data,
    "team_spread": _spread,
    "three_people_rely_on_it": _rely,
    "fit_and_used": _fit,
    "interested": _interested,
    "heating_up": _heat,
    "ready_for_enterprise": _enterprise,
    "whole_product_tried": _whole,
}
