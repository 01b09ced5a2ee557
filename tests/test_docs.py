"""The documentation is complete, and its examples work."""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import re
import shlex
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

import click
import pytest
from flask import Flask
from marshmallow import Schema
from msgspec.structs import fields

import pequel
import pequel.config
import pequel.testing
from pequel_collector import config, errors
from pequel_collector.access.keys import KINDS
from pequel_collector.app.bootstrap import open_collector
from pequel_collector.cli.commands import pequel as cli
from pequel_collector.config import SECRET, Settings
from pequel_collector.errors import DefinitionError, PequelError
from pequel_collector.importing.line import Line
from pequel_collector.importing.pequel import Pequel
from pequel_collector.ingest.event_log import events_of
from pequel_collector.model import LeadState
from pequel_collector.rules.explain.description import description_of
from pequel_collector.rules.explain.vocabulary import Vocabulary
from pequel_collector.rules.language import quantities
from pequel_collector.rules.language.definition import Catalogue
from pequel_collector.rules.parser import (
    catalogue,
    comparisons,
    conditions,
    leaves,
    project,
    references,
    scores,
    thresholds,
    windows,
)
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.rules.parser.conditions import CONDITIONS, GUARDS
from pequel_collector.store import open_store
from pequel_collector.web.answers import schemas
from pequel_collector.web.app import create_app
from pequel_collector.web.asked import arguments
from pequel_collector.web.paths import VIEWS
from pequel_collector.wire import decode
from pequel_collector.wire.event import Code, Envelope, Event, EventType
from pequel_collector.wire.normalise import normalise
from support.streams import NOW, collector_of

REPOSITORY = Path(__file__).resolve().parents[1]
DOCS = REPOSITORY / "docs"
INDEX = DOCS / "README.md"
SECTIONS = ["start", "guides", "reference"]
PAGES = [
    REPOSITORY / "README.md",
    *sorted(DOCS.glob("*.md")),
    *(file for section in SECTIONS for file in sorted((DOCS / section).glob("*.md"))),
]
NOTES = sorted((DOCS / "design").glob("*.md"))
TEXTS = [*PAGES, REPOSITORY / "CHANGELOG.md", REPOSITORY / "CONTRIBUTING.md", *NOTES]
WIDTH = 100

FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
READS = re.compile(r'^```toml\n([^`]*name *= "(\w+)"[^`]*)^```\n\nReads: \*(.+)\*$', re.MULTILINE)
COMMAND = re.compile(r"(?:^|[|(] ?|^\$ )(?:[A-Z_]+=\S+ )*pequel ([^|)#&]*)")
WRONG = re.compile(r"^```toml wrong\n([^`]*?)^```\n\n```text\n([^`]*?)^```$", re.MULTILINE)

# A part of a definition may use these names without defining them.
PROJECT = """\
[project]
signup     = "signed_up"
trial      = "trial_started"
conversion = "subscription_started"
"""


class Block(NamedTuple):
    """A block of code, and its place."""

    file: Path
    line: int
    language: str
    text: str


class Command(NamedTuple):
    """A command line on a page, and its place."""

    file: Path
    line: int
    words: list[str]


def page(name: str) -> str:
    """The text of a page, by its path below ``docs``."""
    return (DOCS / name).read_text()


def label(file: Path) -> str:
    """The path of a page in the repository."""
    return file.relative_to(REPOSITORY).as_posix()


def blocks() -> Iterator[Block]:
    """Every block of code on every page."""
    for file in PAGES:
        text = file.read_text()
        for found in FENCE.finditer(text):
            yield Block(file, text.count("\n", 0, found.start()) + 1, found[1], found[2])


def shown(name: str, language: str) -> list[str]:
    """The text of each block in a language on one page."""
    return [b.text for b in blocks() if (b.file, b.language) == (DOCS / name, language)]


def examples(language: str) -> list[Any]:
    """The blocks in a language, as cases."""
    return named(block for block in blocks() if block.language == language)


def named(found: Iterable[Block | Command]) -> list[Any]:
    """Cases, named by their place."""
    return [pytest.param(one, id=f"{label(one.file)}:{one.line}") for one in found]


def missing(words: Iterable[str], *pages: str) -> list[str]:
    """The words that do not stand as code in the text or the tables of these pages."""
    prose = "".join(FENCE.sub("", page(name)) for name in pages)
    spans = "\n".join(SPAN.findall(prose))
    return [word for word in dict.fromkeys(words) if not stands_in(word, spans)]


def stands_in(word: str, text: str) -> bool:
    """Whether a text has a word, not only as a part of another word."""
    return re.search(rf"(?<![\w@]){re.escape(word)}(?![\w/])", text) is not None


def row(*cells: str) -> str:
    """A row of a table."""
    return squeezed(f"| {' | '.join(cells)} |")


def rows(name: str) -> set[str]:
    """Every row of every table of a page."""
    return {squeezed(line) for line in page(name).splitlines() if line.startswith("|")}


def first_column(name: str, heading: str) -> set[str]:
    """The code in the first column of the table below a heading."""
    _, _, after = FENCE.sub("", page(name)).partition(f"# {heading}\n")
    section = re.split("^#", after, maxsplit=1, flags=re.MULTILINE)[0]
    table = re.search(r"(?:^\|.*\n)+", section, re.MULTILINE)
    first = [line.split(" | ")[0] for line in table[0].splitlines()] if table else []
    return {span.strip('"') for cells in first for span in SPAN.findall(cells)}


def settings_in(name: str) -> set[str]:
    """The rows about settings: those with a variable of the environment."""
    return {line for line in rows(name) if "`PEQUEL_" in line}


def squeezed(line: str) -> str:
    """A line with one blank where it has several."""
    return re.sub(" +", " ", line)


def cell(value: object) -> str:
    """A value as it stands in a table: as code, or not at all."""
    return "" if value == "" else f"`{value}`"


# -- examples ----------------------------------------------------------------------------------


def whole(text: str) -> Catalogue:
    """The catalogue of a snippet: one with tables works alone, one without is part of a [[pql]]."""
    if not re.search(r"^\[", text, re.MULTILINE):
        text = f'{PROJECT}[[pql]]\nname = "example"\n{text}'
    return read_catalogue(text)


def sentences() -> list[Any]:
    """Definitions and the sentences below them, as cases."""
    found = READS.findall(page("reference/definitions.md"))
    return [pytest.param(text, sentence, id=name) for text, name, sentence in found]


@pytest.fixture
def database(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    """The database of an empty store."""
    path = tmp_path / "pequel.db"
    open_store(f"sqlite:///{path}").close()
    connection = sqlite3.connect(path)
    yield connection
    connection.close()


class TestExamples:
    """Every example works when it is copied."""

    @pytest.mark.parametrize("block", examples("toml"))
    def test_definitions_can_be_read(self, block: Block) -> None:
        assert whole(block.text).text

    def test_every_sentence_is_tested(self) -> None:
        assert len(sentences()) == page("reference/definitions.md").count("\nReads: ")

    @pytest.mark.parametrize(("text", "sentence"), sentences())
    def test_the_sentence_below_a_definition_is_its_own(self, text: str, sentence: str) -> None:
        catalogue = whole(text)
        assert description_of(catalogue.definitions[-1], Vocabulary(catalogue)) == sentence

    def test_the_messages_for_mistakes_are_those_shown(self) -> None:
        [(text, problems)] = WRONG.findall(page("reference/definitions.md"))
        with pytest.raises(DefinitionError) as error:
            read_catalogue(text)
        assert str(error.value) == problems.rstrip()

    @pytest.mark.parametrize("block", examples("python"))
    def test_python_compiles(self, block: Block) -> None:
        compile(block.text, block.file.name, "exec")

    @pytest.mark.parametrize("block", examples("json"))
    def test_json_is_json(self, block: Block) -> None:
        assert json.loads(block.text)

    def test_a_batch_is_accepted(self) -> None:
        """The body that the wire format begins with."""
        batch = shown("reference/wire-format.md", "json")[0].encode()
        messages, rejected = normalise(decode.batch(batch), Settings(), NOW, str)
        assert ([m.type for m in messages], rejected) == (["identify", "track"], [])

    def test_lines_of_a_log_can_be_imported(self) -> None:
        lines = "".join(shown("guides/import.md", "json")).encode().splitlines()
        events = Envelope([events_of(Line(1, line), Pequel())[0] for line in lines])
        messages, rejected = normalise(events, Settings(), NOW, str)
        assert ([m.type for m in messages], rejected) == (["track", "identify"], [])

    @pytest.mark.parametrize("block", examples("sql"))
    def test_queries_run_on_the_store(self, block: Block, database: sqlite3.Connection) -> None:
        assert database.execute(block.text).fetchall() == []


class TestTheQuickstart:
    """`docs/start/quickstart.md`: its app, its definition and the answers that it shows."""

    def test_the_answers_are_those_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(pequel, "configure", lambda **_: None)
        settings = Settings(database="sqlite://", write_key="w", read_key="r")
        definitions = shown("start/quickstart.md", "toml")[0]
        clock = itertools.count(NOW).__next__
        collector = open_collector(settings, read_catalogue(definitions), clock=clock)
        asked = create_app(collector).test_client()
        browser = quickstart_app().test_client()
        answers = []
        for paths in (["", "/projects/p1", "/projects/p2"], ["/projects/p3"]):
            with pequel.testing.capture() as events:
                for path in paths:
                    browser.post(f"/users/u1{path}", data={"email": "ada@example.com"})
            batch = [event | {"timestamp": None} for event in events]  # that is, now
            asked.post("/v1/batch", json={"batch": batch}, headers={"X-Write-Key": "w"})
            answers.append(
                asked.get("/v1/users/u1/pql", headers={"Authorization": "Bearer r"}).json
            )
        collector.close()
        examples = [json.loads(text) for text in shown("start/quickstart.md", "json")]
        assert [steady(answer) for answer in answers] == [steady(example) for example in examples]


def steady(answer: object) -> object:
    """An answer without what differs each time: message ids, times, and the time that is left."""
    match answer:
        case dict():
            return {name: steady(value) for name, value in answer.items() if name != "time_left"}
        case list():
            return [steady(each) for each in answer]
        case str():
            return re.sub(r"^([0-9a-f-]{36}|\d{4}-\d\d-\d\dT.*Z)$", "", answer)
        case _:
            return answer


def quickstart_app() -> Flask:
    """The Flask app of the quickstart, run from the text of the page."""
    scope: dict[str, Any] = {"__name__": "quickstart"}
    exec(shown("start/quickstart.md", "python")[0], scope)  # noqa: S102 - it is our own
    app: Flask = scope["app"]
    return app


# -- command lines -----------------------------------------------------------------------------


def command_lines() -> Iterator[Command]:
    """Every use of ``pequel``: in the lines of a console, and in spans of code."""
    for file in PAGES:
        language = ""
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if line.startswith("```"):
                language = "" if language else line.removeprefix("```") or "text"
                continue
            parts = SPAN.findall(line) if not language else [line] * (language == "console")
            for words in (words for part in parts for words in COMMAND.findall(part)):
                yield Command(file, number, shlex.split(words))


def understood(command: click.Command, words: list[str]) -> click.Command:
    """The command that a command line runs. Raises where it does not take these words."""
    if isinstance(command, click.Group) and words and words[0] in command.commands:
        return understood(command.commands[words[0]], words[1:])
    _, left, _ = command.make_parser(click.Context(command)).parse_args(words)
    if left:
        raise click.UsageError(f"{command.name} does not take {left}")
    return command


def family(group: click.Group, *path: str) -> Iterator[str]:
    """The words that run each command."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from family(command, *path, name)
        else:
            yield " ".join((*path, name))


class TestCommandLines:
    """The pages show every command and option, and no others."""

    def test_there_are_some(self) -> None:
        assert {command.words[0] for command in command_lines()} > set(cli.commands)

    @pytest.mark.parametrize("command", named(command_lines()))
    def test_every_command_and_option_that_is_shown_exists(self, command: Command) -> None:
        assert understood(cli, command.words)

    @pytest.mark.parametrize("path", [*family(cli)])
    def test_every_command_is_shown_with_its_options(self, path: str) -> None:
        command = understood(cli, path.split())
        flags = [flag for option in command.params for flag in option.opts if flag[:2] == "--"]
        text = page("reference/cli.md")
        assert [words for words in (f"pequel {path}", *flags) if not stands_in(words, text)] == []


# -- links -------------------------------------------------------------------------------------


def anchors(file: Path) -> set[str]:
    """The fragments that lead to a heading of a page."""
    headings = HEADING.findall(FENCE.sub("", file.read_text()))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


class TestLinks:
    """Every link leads to a page and a heading that exist."""

    @pytest.mark.parametrize("file", TEXTS, ids=label)
    def test_every_relative_link_resolves(self, file: Path) -> None:
        broken = []
        for link in LINK.findall(FENCE.sub("", file.read_text())):
            path, _, fragment = link.partition("#")
            target = (file.parent / path).resolve() if path else file
            if link.startswith("http"):
                continue
            if not target.exists() or (fragment and fragment not in anchors(target)):
                broken.append(link)
        assert broken == []

    def test_the_readme_links_to_the_index(self) -> None:
        assert label(INDEX) in LINK.findall((REPOSITORY / "README.md").read_text())

    def test_the_index_links_to_every_page(self) -> None:
        links = {link.partition("#")[0] for link in LINK.findall(INDEX.read_text())}
        pages = {file.relative_to(DOCS).as_posix() for file in (*PAGES[1:], *NOTES)}
        assert pages - links == {"README.md"}


# -- layout ------------------------------------------------------------------------------------


def long_lines(text: str) -> list[str]:
    """The lines of prose that are too long to read in a terminal, link targets left out.

    Tables cannot be wrapped. A line that begins with "Reads:" is one sentence of the collector.
    """
    lines = LINK.sub("]", FENCE.sub("", text)).splitlines()
    return [line for line in lines if len(line) > WIDTH and not line.startswith(("|", "Reads:"))]


class TestLayout:
    """Pages can be read as plain text."""

    @pytest.mark.parametrize("file", TEXTS, ids=label)
    def test_prose_is_wrapped(self, file: Path) -> None:
        assert long_lines(file.read_text()) == []

    def test_a_long_line_of_prose_is_found(self) -> None:
        assert long_lines(f"short\n{'x' * 101}\n") == ["x" * 101]

    @pytest.mark.parametrize("start", ["```text\n{}\n```\n", "| {} |\n", "[page]({})\n"])
    def test_code_tables_and_links_may_be_long(self, start: str) -> None:
        assert long_lines(start.format("x" * 101)) == []


# -- completeness -----------------------------------------------------------------------------


def names_of(schema: type[Schema]) -> set[str]:
    """The fields of an answer as they are called in it."""
    return {field.data_key or name for name, field in schema().fields.items()}


TABLES: list[tuple[str, str, Iterable[str]]] = [
    ("reference/sdk.md", "Stats and drops", pequel.REASONS),
    ("reference/definitions.md", "`[project]`", project.PROJECT),
    ("reference/definitions.md", "`[[metric]]`", project.METRIC),
    ("reference/definitions.md", "`[[pql]]`", catalogue.DEFINITION),
    ("reference/definitions.md", "Conditions", CONDITIONS),
    ("reference/definitions.md", "Comparisons", comparisons.OPERATORS),
    ("reference/definitions.md", "`growth`", leaves.GROWTH),
    ("reference/definitions.md", "`score`", scores.SCORE),
    ("reference/definitions.md", "Guards", GUARDS),
    ("reference/wire-format.md", "Events", [field.encode_name for field in fields(Event)]),
    ("reference/wire-format.md", "Verdicts", get_args(Code)),
    ("reference/api.md", "`GET /v1/pqls`", [*arguments.LeadArguments().fields, "trait.NAME"]),
    ("reference/api.md", "A lead", names_of(schemas.Lead)),
    ("reference/cli.md", "Keys", KINDS),
]


@pytest.mark.parametrize(("name", "heading", "expected"), TABLES, ids=[t[1] for t in TABLES])
def test_a_table_lists_every_name_and_no_others(
    name: str, heading: str, expected: Iterable[str]
) -> None:
    assert first_column(name, heading) == set(expected)


class TestTheSdk:
    """`docs/reference/sdk.md`."""

    def test_every_public_name_is_there(self) -> None:
        assert missing(pequel.__all__, "reference/sdk.md") == []

    def test_the_settings_are_those_there_are(self) -> None:
        assert settings_in("reference/sdk.md") == {
            row(cell(s.name), cell(s.variable), cell(s.default), s.help)
            for s in pequel.config.SETTINGS
        }

    def test_every_argument_of_every_call_is_there(self) -> None:
        calls = [pequel.configure, pequel.Client, *vars(pequel.Client).values()]
        public = [call for call in calls if callable(call) and call.__name__[0] != "_"]
        names = {name for call in public for name in inspect.signature(call).parameters}
        assert missing(names - {"self"}, "reference/sdk.md") == []

    def test_every_count_and_verdict_is_there(self) -> None:
        verdicts = [verdict.name for verdict in pequel.Verdict]
        assert missing(verdicts, "reference/sdk.md") == []
        assert [name for name in pequel.Stats._fields if name not in page("reference/sdk.md")] == []


LEAVES = [
    leaves.EVENT,
    leaves.METRIC_LEAF,
    leaves.TRAIT,
    leaves.SEQUENCE,
    leaves.GROWTH,
    conditions.USERS,
    conditions.AT_LEAST,
    scores.SCORE,
    scores.EVENT_POINTS,
    scores.TRAIT_POINTS,
    references.PQL,
    thresholds.SHARE,
    comparisons.CONDITION,
]


class TestDefinitions:
    """`docs/reference/definitions.md`."""

    def test_every_table_of_the_file_is_there(self) -> None:
        assert missing(catalogue.FILE, "reference/definitions.md") == []

    def test_every_key_of_a_leaf_is_there(self) -> None:
        keys = [key for table in LEAVES for key in table]
        assert missing(keys, "reference/definitions.md") == []

    def test_every_word_for_what_is_distinct_and_every_anchor_is_there(self) -> None:
        words = [*leaves.DISTINCT, *windows.ANCHORS]
        assert missing(words, "reference/definitions.md") == []

    def test_every_unit_is_there(self) -> None:
        units = [*quantities._DURATIONS, *quantities._AMOUNTS]
        assert missing(units, "reference/definitions.md") == []

    def test_every_kind_of_lead_is_there(self) -> None:
        assert missing(arguments.KINDS, "reference/definitions.md") == []


class TestTheWire:
    """`docs/reference/wire-format.md`."""

    def test_every_type_of_event_is_there(self) -> None:
        assert missing(get_args(EventType), "reference/wire-format.md") == []

    def test_every_limit_is_there_with_its_default(self) -> None:
        text = page("reference/limits.md")
        limits = [s for s in config.SETTINGS if s.name.startswith("max_")]
        assert [s.name for s in limits if f"{s.default:,}" not in text] == []


class TestTheApi:
    """`docs/reference/api.md`, and what it shares with `docs/reference/wire-format.md`."""

    def test_every_path_is_there(self) -> None:
        """Events in on one page, questions on the other."""
        for rule in create_app(collector_of("")).url_map.iter_rules():
            pages = {"ingest": "reference/wire-format.md", "console": "guides/console.md"}
            name = pages.get(rule.endpoint.partition(".")[0], "reference/api.md")
            assert missing(paths(rule.rule), name) == []

    def test_every_state_is_there(self) -> None:
        assert missing(get_args(LeadState), "reference/api.md") == []

    def test_every_field_of_an_answer_is_there(self) -> None:
        """In the text, the tables or an example."""
        known = [one for one in vars(schemas).values() if is_schema(one)]
        names = {name for schema in known for name in names_of(schema)}
        assert [name for name in names if not stands_in(name, page("reference/api.md"))] == []

    def test_every_code_of_an_error_is_there(self) -> None:
        assert missing(error_codes(), "reference/api.md", "reference/wire-format.md") == []


def paths(rule: str) -> list[str]:
    """A path as the documentation writes it, with every view behind it."""
    path = re.sub("<[^>]+>", "{id}", rule)
    views = VIEWS["account" if "/accounts/" in rule else "user"]
    return [path, *(f"{path}/{view}" for view in views)] if "<rest:rest>" in rule else [path]


def is_schema(thing: object) -> bool:
    """Whether it is a class that describes an answer."""
    return isinstance(thing, type) and issubclass(thing, Schema) and thing is not Schema


def error_codes() -> set[str]:
    """The code of every error class, and every code given where an error is raised."""
    classes = [one for one in vars(errors).values() if isinstance(one, type)]
    kinds = {one.__name__: one.code for one in classes if issubclass(one, PequelError)}
    codes = set(kinds.values())
    for path in (REPOSITORY / "collector").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.Call) and called(call) in kinds:
                codes |= {str(one.value) for one in call.args[1:2] if isinstance(one, ast.Constant)}
    return codes


def called(call: ast.Call) -> str:
    """The name of what is called."""
    match call.func:
        case ast.Name(name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""


class TestTheCommandLine:
    """`docs/reference/cli.md`."""

    def test_the_settings_are_those_there_are(self) -> None:
        assert settings_in("reference/cli.md") == {
            row(option(s.name), cell(s.variable), cell(s.default), s.help) for s in config.SETTINGS
        }


def option(name: str) -> str:
    """The option of a setting, as it stands in a table."""
    return "" if name in SECRET else cell("--" + name.replace("_", "-"))


def columns(database: sqlite3.Connection, kind: str) -> dict[str, list[str]]:
    """The columns of each table, or of each view."""
    found = database.execute("SELECT name FROM sqlite_master WHERE type = ?", [kind]).fetchall()
    return {
        name: [column[1] for column in database.execute(f"PRAGMA table_info({name})")]
        for (name,) in found
        if not name.startswith(("sqlite_", "_sqlite_"))
    }


class TestTheStore:
    """`docs/reference/store.md`."""

    def test_every_table_and_column_is_there(self, database: sqlite3.Connection) -> None:
        for name, names in columns(database, "table").items():
            assert missing([name, *names], "reference/store.md") == []

    def test_every_view_for_people_is_there_with_its_columns(
        self, database: sqlite3.Connection
    ) -> None:
        views = columns(database, "view")
        assert first_column("reference/store.md", "Views") == views.keys() - {"current_trait"}
        for name in first_column("reference/store.md", "Views"):
            listed = " ".join(map(cell, views[name]))
            lines = rows("reference/store.md")
            assert [line for line in lines if f"`{name}` |" in line and listed in line]
