"""``docs/reference/lint.md``: each rule finds its bad example, and nothing in the better one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pequel_collector.cli.commands import pequel
from pequel_collector.lint.linter import RULES, lint
from pequel_collector.model import parse_iso
from pequel_collector.rules.parser.catalogue import RULES as ACCEPTABLE
from pequel_collector.rules.parser.catalogue import read_catalogue
from support.samples import CAPACITY, STORIES, codes, linted
from support.streams import collector_of, messages_of, plain_event

DOCS = Path(__file__).resolve().parents[3] / "docs" / "reference"
PAGE, DEFINITIONS = (DOCS / "lint.md").read_text(), (DOCS / "definitions.md").read_text()
BLOCK = re.compile(r"^```toml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def section(code: str) -> str:
    """The section of a rule on the page."""
    _, _, after = PAGE.partition(f"\n### {code}: ")
    return re.split("^### ", after, maxsplit=1, flags=re.MULTILINE)[0]


def shown(code: str) -> list[str]:
    """The examples of a rule: the bad one, then the better one."""
    return BLOCK.findall(section(code))


@pytest.mark.parametrize("code", RULES)
class TestEveryRule:
    def test_has_a_bad_and_a_better_example(self, code: str) -> None:
        assert len(shown(code)) == 2

    def test_finds_the_bad_one(self, code: str) -> None:
        assert code in codes(linted(shown(code)[0], STORIES.get(code), CAPACITY))

    def test_finds_nothing_in_the_better_one(self, code: str) -> None:
        assert code not in codes(linted(shown(code)[1], STORIES.get(code), CAPACITY))

    def test_finds_nothing_without_the_data_that_it_needs(self, code: str) -> None:
        found = code in codes(linted(shown(code)[0]))
        assert found is not RULES[code].needs_data

    def test_is_in_the_table_with_its_level(self, code: str) -> None:
        title = re.split("\n", section(code), maxsplit=1)[0]
        anchor = f"#{code.lower()}-{title.replace(',', '').replace(' ', '-')}"
        assert f"| [{code}]({anchor}) | {RULES[code].level} |" in PAGE

    def test_says_whether_it_needs_data(self, code: str) -> None:
        assert section(code).partition("\n\n")[2].startswith("Needs data") is RULES[code].needs_data


@pytest.mark.parametrize("name", ["set_up", "first_result"])
def test_finds_nothing_in_what_the_page_on_definitions_recommends(name: str) -> None:
    [text] = [text for text in BLOCK.findall(DEFINITIONS) if f'= "{name}"\n' in text]
    assert {finding.code for finding in lint(read_catalogue(text)).findings} <= {"L27"}


def test_a_definition_can_accept_every_rule_and_nothing_else() -> None:
    assert tuple(RULES) == ACCEPTABLE


def test_the_first_example_of_the_page_prints_what_it_shows() -> None:
    report = lint(read_catalogue(BLOCK.findall(PAGE)[0]))
    printed = "\n".join([*map(str, report.findings), report.summary()])
    assert f"$ pequel lint\n{printed}\n" in PAGE


def test_the_example_that_accepts_a_finding_is_accepted() -> None:
    report = linted(BLOCK.findall(PAGE)[1])
    assert [f.code for f in report.findings if f.accepted] == ["L01"]
    assert report.count("error") == 0


COVERED = [
    ("2026-03-02T09:30:00Z", "u1", "report_shared"),
    ("2026-04-02T09:30:00Z", "u1", "report_shared"),
    ("2026-05-11T08:00:00Z", "u2", "signed_up"),
    *((f"2026-05-17T09:{minute}:00Z", "u2", "report_exported") for minute in range(11, 31)),
    ("2026-05-17T10:00:00Z", "u2", "logged_in"),
]
"""What was sent for the table that the page shows, besides an account with its employees."""


def test_the_coverage_that_the_page_shows_is_the_coverage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    example = PAGE.partition("\n## Coverage\n")[2]
    Path("pequel.toml").write_text(BLOCK.findall(example)[0])
    events = [
        plain_event(user, name, f"m{n}", parse_iso(time) or 0)
        for n, (time, user, name) in enumerate(COVERED)
    ]
    joined = plain_event("u1", "", "g", 0, type="group", groupId="acme")
    collector = collector_of("", "sqlite:///pequel.db")
    collector.ingest.accept(messages_of([joined | {"traits": {"employees": 80}}, *events]))
    collector.close()
    command = "lint --coverage --database sqlite:///pequel.db"
    output = CliRunner().invoke(pequel, command.split()).output
    assert f"$ pequel {command}\n{output}```" in example


EXAMPLES = [DOCS.parents[1] / "README.md", *sorted(DOCS.parent.rglob("*.md"))]
DEMO = DOCS.parents[1] / "collector" / "pequel_collector" / "cli" / "demo" / "pequel.toml"
RECIPES = DOCS.parent / "guides" / "definitions.md"


def whole_files() -> list[Any]:
    """Every TOML block that is a whole file, on any page but the one with bad examples."""
    found = [
        pytest.param(text, id=f"{page.name}-{number}")
        for page in EXAMPLES
        if page.name != "lint.md"
        for number, text in enumerate(BLOCK.findall(page.read_text()))
        if "[project]" in text and "[[pql]]" in text
    ]
    return [*found, pytest.param(DEMO.read_text(), id="demo")]


@pytest.mark.parametrize("text", whole_files())
def test_every_whole_file_that_is_shown_passes_strictly(text: str) -> None:
    report = lint(read_catalogue(text))
    assert report.count("error") + report.count("warning") == 0, report.findings


@pytest.mark.parametrize(
    "text", [text for text in BLOCK.findall(RECIPES.read_text()) if "[[pql]]" in text]
)
def test_no_recipe_has_an_error(text: str) -> None:
    report = linted(text)
    assert [str(f) for f in report.findings if f.level == "error" and not f.accepted] == []
