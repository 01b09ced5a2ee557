"""The coverage table: everything that definitions need, and when it was last seen."""

from __future__ import annotations

import pytest

from pequel_collector.insights.sample import Arrivals, Property, Sample, SampledSubject
from pequel_collector.lint.coverage import Covered, coverage
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.answers import schemas

PROJECT = """
[project]
signup     = "signed_up"
trial      = "trial_started"
conversion = "paid"
internal   = { email_domain = ["ours.example"] }
"""
SAMPLE = Sample(
    until=90,
    events={
        "report_exported": Arrivals(5, properties={"format": Property(3, last=70)}),
        "report_shared": Arrivals(2, properties={"format": Property(2, last=60)}),
    },
    lasts={"report_exported": 90, "report_shared": 60, "signed_up": 8},
    users=(SampledSubject("u:1", traits={"plan": "free"}), SampledSubject("u:2")),
    accounts=(SampledSubject("g:1", traits={"size": {"people": 5}}),),
)
EXPORTED = ("event", "report_exported", None, 90, 5)


def rows(definition: str) -> list[tuple[str, str, str | None, int | None, int]]:
    """What is covered of one definition: kind, name, of what, last seen, how often."""
    toml = f'{PROJECT}[[pql]]\nname = "it"\n{definition}\n'
    return [
        (row.kind, row.name, row.of, row.last_seen, row.seen)
        for row in coverage(read_catalogue(toml), SAMPLE)
    ]


class TestEvents:
    @pytest.mark.parametrize(
        ("event", "expected"),
        [
            ('"report_exported"', [EXPORTED]),
            ('"report_*"', [("event", "report_*", None, 90, 7)]),
            ('"*"', [("event", "*", None, 90, 7)]),
            ('"report_printed"', [("event", "report_printed", None, None, 0)]),
            (
                '["report_shared", "report_exported"]',
                [EXPORTED, ("event", "report_shared", None, 60, 2)],
            ),
        ],
    )
    def test_are_shown_as_they_are_named(
        self, event: str, expected: list[tuple[str, str, str | None, int | None, int]]
    ) -> None:
        assert rows(f"when = {{ event = {event} }}") == expected

    def test_that_are_not_among_the_latest_have_their_time_all_the_same(self) -> None:
        assert rows('when = { event = "signed_up" }') == [("event", "signed_up", None, 8, 0)]

    def test_events_of_sequences_and_growth_count(self) -> None:
        steps = rows('when = { sequence = ["signed_up", "report_shared"], within = "7d" }')
        assert [name for _, name, *_ in steps] == ["signed_up", "report_shared"]
        assert rows('when = { event = "report_exported", growth = 2, over = "7d" }') == [EXPORTED]

    @pytest.mark.parametrize(
        ("anchor", "name"),
        [("signup", "signed_up"), ("trial", "trial_started"), ("first:app_opened", "app_opened")],
    )
    def test_that_a_window_begins_with_count(self, anchor: str, name: str) -> None:
        found = rows(f'when = {{ event = "report_exported", of = "{anchor}", within = "7d" }}')
        assert [row[1] for row in found] == ["report_exported", name]

    def test_are_there_once_however_often_they_are_named(self) -> None:
        when = 'when.all = [{ event = "report_exported" }, { event = "report_exported", gte = 2 }]'
        assert rows(when) == [EXPORTED]


class TestProperties:
    def test_stand_below_each_event_that_should_have_them(self) -> None:
        events = '["report_exported", "report_shared"]'
        assert rows(f'when = {{ event = {events}, where = {{ format = "pdf" }} }}') == [
            EXPORTED,
            ("property", "format", "report_exported", 70, 3),
            ("event", "report_shared", None, 60, 2),
            ("property", "format", "report_shared", 60, 2),
        ]

    def test_are_those_of_where_of_the_measure_and_of_the_parts(self) -> None:
        asked = 'where = { format = "pdf" }, sum = "bytes", per = "folder", gte = "1GB"'
        found = rows(f'when = {{ event = "report_exported", {asked} }}')
        assert [(name, last) for kind, name, _, last, _ in found if kind == "property"] == [
            ("format", 70),
            ("bytes", None),
            ("folder", None),
        ]

    def test_are_none_of_what_is_counted_without(self) -> None:
        assert rows('when = { event = "report_exported", distinct = "@day", gte = 2 }') == [
            EXPORTED
        ]


class TestTraits:
    @pytest.mark.parametrize(
        ("definition", "expected"),
        [
            ('when = { trait = "plan", eq = "pro" }', ("plan", "user", 1)),
            ('when = { trait = "account.size.people", gte = 5 }', ("size.people", "account", 1)),
            (
                'subject = "account"\nwhen = { users = { trait = "plan", eq = "pro" } }',
                ("plan", "user", 1),
            ),
            ('subject = "account"\nwhen = { trait = "plan", eq = "pro" }', ("plan", "account", 0)),
        ],
    )
    def test_are_counted_by_who_has_them(
        self, definition: str, expected: tuple[str, str, int]
    ) -> None:
        name, of, seen = expected
        assert rows(definition) == [("trait", name, of, None, seen)]

    def test_anchors_that_are_traits_are_not_events(self) -> None:
        when = 'when = { event = "report_exported", of = "trait:plan", within = "7d" }'
        assert rows(when) == [EXPORTED, ("trait", "plan", "user", None, 1)]


class TestScores:
    def test_need_all_that_gives_points_or_takes_them(self) -> None:
        found = rows(
            """
            [pql.when]
            score  = { gte = 5 }
            points = [
              { event = "report_exported", add = 5, where = { format = "pdf" } },
              { event = "report_deleted", add = -5 },
              { trait = "plan", eq = "free", add = 3 },
            ]
            """
        )
        assert [row[1] for row in found] == ["report_exported", "format", "report_deleted", "plan"]


class TestGuards:
    def test_need_what_they_name(self) -> None:
        found = rows('when = { event = "report_exported" }\nunless = [{ event = "report_shared" }]')
        assert found == [EXPORTED, ("event", "report_shared", None, 60, 2)]

    def test_that_have_a_name_need_what_the_project_says(self) -> None:
        found = rows('when = { event = "report_exported" }\nunless = ["internal", "customer"]')
        assert found[1:] == [
            ("event", "paid", None, None, 0),
            ("trait", "email", "user", None, 0),
        ]


def test_every_definition_has_rows_of_its_own_in_the_order_of_the_file() -> None:
    one = '[[pql]]\nname = "NAME"\nwhen = { event = "report_shared" }\n'
    read = read_catalogue(PROJECT + one.replace("NAME", "b") + one.replace("NAME", "a"))
    assert [row.definition for row in coverage(read, SAMPLE)] == ["b", "a"]


def test_a_row_as_plain_data_has_its_time_as_text() -> None:
    row = Covered("it", "event", "report_shared", None, 60, 2)
    assert schemas.Covered().dump(row) == {
        "definition": "it",
        "kind": "event",
        "name": "report_shared",
        "of": None,
        "last_seen": "1970-01-01T00:00:00.060Z",
        "seen": 2,
    }
