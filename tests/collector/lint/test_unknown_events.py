"""L26: an event that nothing uses, beside one with nearly its name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pequel_collector.insights.sample import Arrivals, Sample
from pequel_collector.lint.linter import names_that_hardly_arrive
from pequel_collector.lint.unknown_events import slips
from pequel_collector.rules.parser.catalogue import read_catalogue
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


def doubted(event: str, toml: str = "", **arriving: int) -> list[str]:
    """What is said of a definition of an event, where only names and numbers are known."""
    text = f'[[pql]]\nname = "it"\nwhen = {{ event = {event}, gte = 3 }}\n{toml}'
    counts = {name.replace("__", " "): number for name, number in arriving.items()}
    return [found.message for found in names_that_hardly_arrive(read_catalogue(text), counts)]


class TestASlipOfWhatArrives:
    def test_is_told_the_name_that_arrives_often(self) -> None:
        said = ["projekt_created does not arrive: did you mean project_created?"]
        assert doubted('"projekt_created"', Project__Created=1, project_created=16) == said

    def test_is_told_the_same_words_first(self) -> None:
        said = ["project_created does not arrive: did you mean projectCreated?"]
        assert doubted('"project_created"', projectCreated=10, projects_created=40) == said

    def test_is_told_a_name_of_the_file_before_another(self) -> None:
        said = ["projekt_created does not arrive: did you mean project_created?"]
        toml = '[project]\nkey_events = ["project_created"]\n'
        assert doubted('"projekt_created"', toml, projecd_created=20, project_created=4) == said


class TestARareNameWithAFrequentTwin:
    SAID = (
        "project_creatd was received once, and project_created 16 times: "
        "did you mean project_created?"
    )

    def test_is_doubted(self) -> None:
        assert doubted('"project_creatd"', project_creatd=1, project_created=16) == [self.SAID]

    def test_is_doubted_by_the_linter_with_data(self) -> None:
        sample = Sample(
            events={"project_creatd": Arrivals(1), NAME: Arrivals(16)},
            lasts={"project_creatd": 0, NAME: 0},
        )
        report = linted('[[pql]]\nname = "it"\nwhen = { event = "project_creatd" }\n', sample)
        found = [each.code for each in report.findings if each.message == self.SAID]
        assert found == ["L04"]

    @pytest.mark.parametrize(
        ("event", "toml", "arriving"),
        [
            ('"project_creatd"', "", {"project_creatd": 2, "project_created": 19}),
            ('["project_creatd", "project_created"]', "", {"project_creatd": 1, NAME: 99}),
            (
                '"project_creatd"',
                '[features]\nf = ["project_creatd"]\n',
                {"project_creatd": 1, NAME: 99},
            ),
            ('"step_1_done"', "", {"step_1_done": 1, "step_2_done": 99}),
            ('"variant_a_shown"', "", {"variant_a_shown": 1, "variant_b_shown": 99}),
            ('"project_created"', "", {"project_creatd": 1, NAME: 16}),
            ('"project_*"', "", {"project_creatd": 1, NAME: 16}),
        ],
    )  # fmt: skip
    def test_is_meant_otherwise(self, event: str, toml: str, arriving: dict[str, int]) -> None:
        assert doubted(event, toml, **arriving) == []
