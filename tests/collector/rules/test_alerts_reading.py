"""``[[alert]]`` in a definitions file: what is read, and what is said of mistakes."""

from __future__ import annotations

from typing import Any

import pytest

from pequel_collector.errors import DefinitionError
from pequel_collector.rules.language.alerts import EVENTS, MAX_AGE, Alert
from pequel_collector.rules.parser.catalogue import read_catalogue

START = '[[alert]]\nname = "sales"\non = ["won"]\n'
URL = 'url = "https://example.com/hook"\n'


def alert(text: str) -> Alert:
    [found] = read_catalogue(text).alerts
    return found


def problem(text: str) -> Any:
    with pytest.raises(DefinitionError) as raised:
        read_catalogue(text)
    [found] = raised.value.problems
    return found


@pytest.mark.parametrize(
    ("when", "path", "expected"),
    [
        (f'{{ trait = "a", contains = {["x"] * 101} }}', "contains", "at most 100 values"),
        (f"{{ account = {['x'] * 101} }}", "account", "at most 100 values"),
        (f'{{ trait = "a", in = ["{"x" * 257}"] }}', "in[0]", "a text of at most 256 characters"),
        (f'{{ account = "{"x" * 257}" }}', "account", "a text of at most 256 characters"),
    ],
)
@pytest.mark.parametrize("table", ["alert", "route"])
def test_what_a_condition_compares_with_is_bounded(
    table: str, when: str, path: str, expected: str
) -> None:
    start = START + URL if table == "alert" else '[[route]]\nassign = "user:ben"\n'
    found = problem(f"{start}when = {when}")
    assert expected in str(found)
    assert f"{table}[0].when.{path}" in str(found)


def test_the_conditions_of_all_alerts_are_bounded() -> None:
    listed = ", ".join(['{ account = "x" }'] * 100)
    alerts = (
        START.replace("sales", f"a{number}") + URL + f"when = {{ any = [{listed}] }}\n"
        for number in range(5)
    )
    assert "505 conditions" in str(problem("".join(alerts)))


class TestReading:
    def test_a_webhook_is_the_default(self) -> None:
        found = alert(START + URL + 'secret_env = "SECRET"')
        assert found == Alert(
            "sales",
            ("won",),
            options={"url": "https://example.com/hook", "secret_env": ("SECRET",)},
        )

    def test_every_word_of_on_is_known_also_as_the_body_has_it(self) -> None:
        words = ", ".join(f'"lead.{word}"' for word in EVENTS)
        assert alert(f'[[alert]]\nname = "a"\non = [{words}]\n{URL}').on == tuple(EVENTS)

    def test_several_secrets_and_headers(self) -> None:
        options = alert(
            START + URL + 'secret_env = ["A", "B"]\nheaders_env = { X-Key = "C" }'
        ).options
        assert options["secret_env"] == ("A", "B")
        assert options["headers_env"] == {"X-Key": "C"}

    def test_a_condition_on_the_lead(self) -> None:
        text = '[[pql]]\nname = "keen"\nwhen = { event = "used" }\n' + START + URL
        assert alert(text + 'when = { definition = "keen" }').when is not None

    @pytest.mark.parametrize(
        ("form", "keys"),
        [
            ("slack", 'url_env = "SLACK"'),
            ("post", 'url_env = "URL"\ntemplate = "{{ lead.title }}"\ncontent_type = "text/plain"'),
            ("email", 'to = "a@example.com"\nfrom = "b@example.com"\nsubject = "{{ type }}"'),
            ("email", 'to = ["a@example.com", "c@example.com"]\nsmtp_env = "MAIL"'),
        ],
    )
    def test_the_forms(self, form: str, keys: str) -> None:
        assert alert(f'{START}form = "{form}"\n{keys}').form == form

    def test_the_greatest_age_of_a_qualification(self) -> None:
        assert read_catalogue("").project.alert_max_age == MAX_AGE
        assert read_catalogue('[project]\nalert_max_age = "2h"').project.alert_max_age == 7_200_000

    def test_an_alert_changes_no_definition(self) -> None:
        text = '[[pql]]\nname = "keen"\nwhen = { event = "used" }\n'
        [before], [after] = (
            read_catalogue(each).definitions
            for each in (text, '[project]\nalert_max_age = "2h"\n' + text + START + URL)
        )
        assert before.hash == after.hash


MISTAKES = [
    (START, (1, 1), 'no "url"', 'the key "url" or "url_env"'),
    (START + URL + 'url_env = "X"', (1, 1), "both", 'either "url" or "url_env"'),
    ("[[alert]]\n" + URL + 'on = ["won"]', (1, 1), 'no "name"', 'the key "name"'),
    ('[[alert]]\nname = "a"\n' + URL, (1, 1), 'no "on"', 'the key "on"'),
    ('[[alert]]\nname = "a"\non = ["wonn"]\n' + URL, (3, 7), '"wonn"', None),
    ('[[alert]]\nname = "a"\non = "won"\n' + URL, (3, 6), '"won"', None),
    ('[[alert]]\nname = "a"\non = []\n' + URL, (3, 6), "an empty list", None),
    (START + URL + 'form = "slak"', (5, 8), '"slak"', '"slack"'),
    (START + 'url = "ftp://example.com"', (4, 7), '"ftp://example.com"', None),
    (START + URL + 'secret_env = "whsec_abc/+="', (5, 14), "something else", None),
    (START + URL + 'headers_env = { "a b" = "X" }', (5, 17), '"a b"', None),
    (START + URL + 'headers_env = { Host = "X" }', (5, 17), '"Host"', None),
    (START + URL + 'to = "a@example.com"', (5, 1), 'the unknown key "to"', None),
    (START + 'form = "email"', (1, 1), 'no "to"', 'the key "to"'),
    (START + 'form = "email"\nto = "nobody"', (5, 6), '"nobody"', None),
    (START + 'form = "post"\n' + URL, (1, 1), 'no "template"', None),
    (START + 'form = "post"\n' + URL + 'template = "{{ lead"', (6, 12), '"{{ lead"', None),
    (START + URL + 'when = { definition = "other" }', (5, 23), None, None),
    (START + URL + START + URL, (6, 8), '"sales" a second time', None),
    ('alert = "x"', (1, 9), '"x"', "an array of tables, each headed by [[alert]]"),
]


@pytest.mark.parametrize(("text", "place", "found", "expected"), MISTAKES)
def test_a_mistake_is_named_with_its_place(
    text: str, place: tuple[int, int], found: str | None, expected: str | None
) -> None:
    said = problem(text)
    assert (said.line, said.column) == place
    assert found is None or said.found == found
    assert expected is None or expected in said.expected


def test_a_secret_that_is_written_in_place_of_its_variable_is_not_shown() -> None:
    assert "whsec_abc" not in str(problem(START + URL + 'secret_env = "whsec_abc/+="'))


def test_there_may_be_fifty_alerts_and_no_more() -> None:
    each = '[[alert]]\nname = "a{}"\non = ["won"]\n' + URL
    assert len(read_catalogue("".join(each.format(n) for n in range(50))).alerts) == 50
    assert problem("".join(each.format(n) for n in range(51))).expected == "at most 50 alerts"
