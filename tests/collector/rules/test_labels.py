"""Labels, and what else a file says that decides no mark: read, kept and printed back."""

from __future__ import annotations

from pequel_collector.rules.engine.evaluator import Evaluator
from pequel_collector.rules.language.definition import Label
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.rules.parser.printer import to_file
from pequel_collector.rules.parser.toml import parse

LABELS = """
[labels]
project_created = { one = "created a project", many = "created {n} projects" }
seats = { kind = "seat" }
"""


def test_labels_are_words_for_events_and_properties() -> None:
    assert read_catalogue(LABELS).labels == {
        "project_created": Label("created a project", "created {n} projects"),
        "seats": Label(kind="seat"),
    }


def test_labels_and_words_about_people_change_no_version_and_no_history() -> None:
    plain = '[[pql]]\nname = "x"\nwhen = { event = "a" }\nunless = ["internal"]\n'
    project = '[project]\nperson_traits = ["name", "role"]\n'
    one, other = read_catalogue(plain), read_catalogue(project + LABELS + plain)
    assert one.definitions[0].hash == other.definitions[0].hash
    assert Evaluator("user", one).version == Evaluator("user", other).version
    assert other.project.person_traits == ("name", "role")


def test_an_event_of_expansion_changes_the_history_but_no_version() -> None:
    """The conversions of a subject are part of its state."""
    plain = '[[pql]]\nname = "x"\nwhen = { event = "a" }\n'
    versions = set()
    hashes = set()
    for name in ("upgraded", "seat_added"):
        found = read_catalogue(f'[project]\nexpansion = "{name}"\n' + plain)
        hashes.add(found.definitions[0].hash)
        versions.add(Evaluator("user", found).version)
    assert (len(hashes), len(versions)) == (1, 2)


def test_labels_and_the_project_are_printed_as_they_were_read() -> None:
    shared = """\
[project]
expansion = "upgraded"
person_traits = ["name", "role"]
personal_domains = ["hey.example"]
internal = { email_domain = ["ours.example"] }
"""
    found = read_catalogue(shared + LABELS)
    again = read_catalogue(to_file(parse(found.text).data, ()))
    assert (again.project, again.labels) == (found.project, found.labels)
