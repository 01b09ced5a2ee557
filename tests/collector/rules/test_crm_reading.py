"""What ``[[alert]]`` says of a CRM, and what is wrong with it."""

from __future__ import annotations

import pytest

from pequel_collector.errors import DefinitionError
from pequel_collector.rules.language.crm import Source
from pequel_collector.rules.parser.catalogue import read_catalogue

HUBSPOT = """
[[alert]]
name = "crm"
form = "hubspot"
on = ["qualified"]
token_env = "HUBSPOT_TOKEN"
stages = { new = "appointmentscheduled" }
"""


def problems(text: str) -> str:
    with pytest.raises(DefinitionError) as caught:
        read_catalogue(text)
    return str(caught.value)


def test_a_field_has_a_path_a_text_or_a_list_of_both() -> None:
    text = (
        HUBSPOT
        + 'properties = { a = "traits.x.y", b = { text = "B" }, c = ["title", { text = "C" }] }'
    )
    [alert] = read_catalogue(text).alerts
    assert alert.options["properties"] == {
        "a": (Source(("traits", "x.y")),),
        "b": (Source(text="B"),),
        "c": (Source(("title",)), Source(text="C")),
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('properties = { a = "trait.x" }', "a path into the lead"),
        ('properties = { a = "traits." }', "a path into the lead"),
        ("properties = { a = 1 }", 'a path such as "traits.name"'),
        ('properties = { "a b" = "title" }', "letters, digits and _"),
        ("properties = { a = [] }", "a list of 1 to 10 sources"),
        ("properties = { a = { text = 1 } }", "properties.a.text"),
        ("properties = 1", "a table"),
        ('owners = { ada = "" }', "a text that is not empty"),
        (f'owners = {{ ada = "{1001 * "x"}" }}', "a text of at most 1000 characters"),
        ("owners = { ada = 77 }", "owners.ada"),
        ('companies = "no"', "companies"),
        ('colour = "red"', "colour"),
    ],
)
def test_a_mistake_is_named(line: str, said: str) -> None:
    assert said in problems(HUBSPOT + line)


def test_too_many_fields_are_a_mistake() -> None:
    fields = ", ".join(f'f{n} = "title"' for n in range(101))
    assert "at most 100 fields" in problems(HUBSPOT + f"properties = {{ {fields} }}")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('token_env = "HUBSPOT_TOKEN"', "", "token_env"),
        ('stages = { new = "appointmentscheduled" }', "", "stages"),
        ("{ new =", "{ won =", 'no "new"'),
        ("{ new =", "{ fresh =", "stages.fresh"),
    ],
)
def test_a_form_says_what_it_needs(old: str, new: str, said: str) -> None:
    assert said in problems(HUBSPOT.replace(old, new))


def test_a_token_in_the_file_is_a_mistake_that_does_not_show_it() -> None:
    said = problems(HUBSPOT.replace("HUBSPOT_TOKEN", "pat-eu1-secret"))
    assert "environment variable" in said
    assert "expected the name" in said
