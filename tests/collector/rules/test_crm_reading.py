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
token_env = "PEQUEL_HUBSPOT_TOKEN"
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
        ('token_env = "PEQUEL_HUBSPOT_TOKEN"', "", "token_env"),
        ('stages = { new = "appointmentscheduled" }', "", "stages"),
        ("{ new =", "{ won =", 'no "new"'),
        ("{ new =", "{ fresh =", "stages.fresh"),
    ],
)
def test_a_form_says_what_it_needs(old: str, new: str, said: str) -> None:
    assert said in problems(HUBSPOT.replace(old, new))


def test_a_token_in_the_file_is_a_mistake_that_does_not_show_it() -> None:
    said = problems(HUBSPOT.replace("PEQUEL_HUBSPOT_TOKEN", "pat-eu1-secret"))
    assert "environment variable" in said
    assert "expected the name" in said


class TestTables:
    def test_a_crm_has_secrets_stages_and_owners(self) -> None:
        text = """
            [crm.hubspot]
            secret_env = "S"
            stages = { closedwon = "won" }
            owners = { 7 = "ada" }
        """
        found = read_catalogue(text).crms["hubspot"]
        assert found.secret_env == ("S",)
        assert found.stages == {"closedwon": "won"}
        assert found.owners == {"7": "ada"}
        assert found.actor == "crm:hubspot"

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("[crm.hubspot]", "secret_env"),
            ('[crm.HubSpot]\nsecret_env = "S"', "a name of a-z"),
            ('[crm.hubspot]\nsecret_env = "not a name"', "environment variable"),
            ('[crm.hubspot]\nsecret_env = "S"\nstages = { x = "voided" }', "crm.hubspot.stages.x"),
            ('[crm.hubspot]\nsecret_env = "S"\nstages = { x = 1 }', "crm.hubspot.stages.x"),
            ('[crm.hubspot]\nsecret_env = "S"\nstage = { x = "won" }', "stages"),
            ("crm = 1", "a table"),
        ],
    )
    def test_a_mistake_is_named(self, text: str, said: str) -> None:
        assert said in problems(text)

    def test_a_webhook_may_say_which_crm_it_writes_into(self) -> None:
        text = '[[alert]]\nname = "a"\non = ["won"]\nurl = "https://x.example/"\ncrm = "pipedrive"'
        [alert] = read_catalogue(text).alerts
        assert alert.crm == "pipedrive"
