"""L26: an event that nothing uses, beside one with nearly its name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.insights.sample import Arrivals, Sample
from pequel_collector.lint.unknown_events import slips
from support.samples import linted

NAME = "project_created"


def told(name: str, toml: str = "", count: int = 120) -> list[tuple[str, str]]:
    """What is said, and of which definition, where an event of a name comes so often."""
    first = f'[[pql]]\nname = "it"\nwhen = {{ event = "{NAME}", gte = 3 }}\n'
    sample = Sample(events={name: Arrivals(count), NAME: Arrivals(500)}, lasts={name: 0, NAME: 0})
    report = linted(first + toml, sample)
    return [(found.definition, found.message) for found in report.findings if found.code == "L26"]


def test_the_finding_names_both_and_how_often() -> None:
    assert told("projct_created") == [
        (
            "it",
            (
                "projct_created was received 120 times and no definition uses it, but it uses "
                "project_created: correct the name in your app, or list both"
            ),
        )
    ]


@pytest.mark.parametrize(
    "name",
    ["Project Created", "projectCreated", "project-created", "project_craeted", "project_creates"],
)
def test_a_slip_of_the_pen_is_one(name: str) -> None:
    assert len(told(name)) == 1


@pytest.mark.parametrize("name", ["project_deleted", "task_created", "project_recreated", "xyz"])
def test_another_word_is_none(name: str) -> None:
    assert told(name) == []


def test_numbered_steps_are_no_slips() -> None:
    toml = '[[pql]]\nname = "b"\nwhen = { event = "step_1_done", gte = 3 }\n'
    assert told("step_2_done", toml) == []


@pytest.mark.parametrize(
    "toml",
    [
        '[[pql]]\nname = "b"\nwhen = { event = "projct_created", gte = 3 }\n',
        '[[pql]]\nname = "b"\nwhen = { event = "projct_*", gte = 3 }\n',
        '[[metric]]\nname = "m"\nevent = "projct_created"\n',
        '[features]\nf = ["projct_created"]\n',
    ],
)
def test_an_event_that_the_file_uses_is_meant(toml: str) -> None:
    assert told("projct_created", toml) == []


@pytest.mark.parametrize(("count", "found"), [(19, 0), (20, 1)])
def test_nothing_is_concluded_from_fewer_than_20(count: int, found: int) -> None:
    assert len(told("projct_created", count=count)) == found


def test_it_stands_once_and_at_the_first_definition() -> None:
    again = f'[[pql]]\nname = "again"\nwhen = {{ event = "{NAME}", gte = 9 }}\n'
    assert [definition for definition, _ in told("projct_created", again)] == ["it"]


def test_a_definition_of_any_event_does_not_use_a_name() -> None:
    anything = '[[pql]]\nname = "any"\nwhen = { event = "*", gte = 9 }\n'
    assert len(told("projct_created", anything)) == 1


@given(st.from_regex(r"[a-z]{5,12}", fullmatch=True), st.data())
def test_a_name_without_one_letter_is_a_slip_of_it(name: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(name) - 1))
    assert slips(name) & slips(name[:place] + name[place + 1 :])
