"""What the console tells somebody whose first user is no lead yet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.console.progress import PartsMet, parts_met

from .conftest import Clock, text_of

DEFINITIONS = """
[[pql]]
name = "set_up"
when.all = [
  { event = "project_created", distinct = "project_id", gte = 3 },
  { event = "integration_connected", distinct = "kind", gte = 2 },
]

[[pql]]
name = "activated"
when = { event = "reported", gte = 4 }
"""


@pytest.fixture
def collector(clock: Clock) -> Iterator[Collector]:
    settings = Settings(
        database="sqlite://", write_key="write-key", read_key="read-key", admin_key="admin-key"
    )
    with closing(open_collector(settings, read_catalogue(DEFINITIONS), clock)) as collector:
        yield collector


def project(number: str, user: str = "zoe") -> dict[str, Any]:
    return {"userId": user, "event": "project_created", "properties": {"project_id": number}}


class TestProgress:
    def test_is_the_number_of_conditions_that_are_met(self, admin: Any, send: Any) -> None:
        send(*map(project, "123"))
        for path in ("/user?id=zoe", "/near?name=set_up"):
            admin.get(path)
            assert "1 of 2 conditions met" in text_of(admin.page), path
            assert '<meter min="0" max="2" value="1"' in admin.page, path

    def test_of_one_condition_is_how_far_it_is(self, admin: Any, send: Any) -> None:
        send({"userId": "zoe", "event": "reported"})
        for path in ("/user?id=zoe", "/near?name=activated"):
            admin.get(path)
            assert '<meter min="0" max="1" value="0.25"' in admin.page, path

    def test_of_nobody_says_who_was_looked_at(self, admin: Any, send: Any) -> None:
        send({"userId": "zoe", "event": "other"})
        admin.get("/near?name=set_up")
        assert "Of 1 user seen last, nobody who has no lead of it has done" in text_of(admin.page)


@pytest.mark.parametrize(
    ("when", "held", "expected"),
    [
        ('when = { event = "a" }', [False], None),
        ('when.any = [{ event = "a" }, { event = "b" }]', [False, False], None),
        ('when.all = [{ event = "a" }, { event = "b" }]', [True, False], PartsMet(1, 2)),
        (
            'when.all = [{ any = [{ event = "a" }, { event = "b" }] }, { event = "c" }]',
            [False, True, False],
            PartsMet(1, 2),
        ),
        (
            'when = { at_least = 2, of_these = [{ event = "a" }, { event = "b" }, { event = "c" }] }',
            [False, False, True],
            PartsMet(1, 2),
        ),
    ],
)
def test_parts_are_met_as_the_definition_says(
    when: str, held: list[bool], expected: PartsMet | None
) -> None:
    [definition] = read_catalogue(f'[[pql]]\nname = "d"\n{when}').definitions
    assert parts_met(definition.when, [{"holds": each} for each in held]) == expected
