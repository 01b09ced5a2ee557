"""The editor: mistakes at their place as you type, a dry run with names, and publishing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from flask import Blueprint, Response, request

from ...app.bootstrap import Collector
from ...audit.preview import Budget, Preview
from ...errors import BadRequest, Conflict, DefinitionError, NotFound, Unavailable
from ...lint.finding import ordered
from ...lint.linter import lint, names_that_hardly_arrive
from ...marking.active import BODY
from ...marking.backfill import Activation
from ...ports import By
from ...rules.explain.description import description_of
from ...rules.explain.vocabulary import Vocabulary
from ...rules.language.definition import Catalogue
from ...rules.language.sentence import describe
from ...rules.parser.catalogue import read_catalogue
from ...rules.parser.printer import to_toml
from ..api.definitions import changes_of
from ..api.preview import MAX_MESSAGES, MAX_WORK
from ..asked import arguments
from ..asked.bounds import messages_for
from ..definition_slots import EVALUATING, READING
from ..json import json_response
from .forms import again, form, required
from .frame import Console, done, needs, url, viewer
from .words import count

NAMES = 20
"""Leads of each effect that a dry run names."""

MAX_REASON = 500

NOTHING: Mapping[str, int] = {}

SHOWN = 100
"""Mistakes and findings that are shown."""


class Mark(NamedTuple):
    """Something to say about a place in the text."""

    line: int
    column: int
    level: str
    message: str


class EditorArguments(arguments.NoArguments):
    """The version of a definition to put in place of the one in force; without one, nothing."""

    definition = arguments.Text(load_default="")
    version = arguments.Number()


_EDITOR = EditorArguments()


class Earlier(NamedTuple):
    """A file with an earlier version of a definition in its place, if a place was found."""

    definition: str
    version: int
    text: str
    is_in_place: bool


class Sentence(NamedTuple):
    """A definition in words, for everybody, and in its exact form."""

    name: str
    text: str
    exact: str


class Checked(NamedTuple):
    """A text that was checked: what to say of it, and each definition in words."""

    marks: Sequence[Mark]
    sentences: Sequence[Sentence]
    catalogue: Catalogue | None

    @property
    def is_right(self) -> bool:
        """Whether it can be put in force."""
        return self.catalogue is not None


UNCHECKED = Checked((), (), None)
"""A text that nobody had the time to look at."""


def add(bp: Blueprint, console: Console) -> None:
    """The routes, over a console."""
    collector = console.collector
    may_send = collector.settings.is_for_alerts

    def same_text(status: int) -> Response:
        return _page(console, _text(), form().get("base", ""), status)

    @bp.get("/editor")
    def editor() -> Response:
        text = collector.catalogue.text
        given = arguments.read(request, _EDITOR)
        if given.get("version") is None:
            return _page(console, text, _digest(text))
        found = earlier(console, given["definition"], given["version"])
        reason = f"back to version {given['version']} of {given['definition']}"
        return _page(console, found.text, _digest(text), reason=reason, earlier=found)

    @bp.post("/editor/check")
    def check_text() -> Response:
        found = check(_text(), may_send, console.latest.counts())
        return json_response(
            {
                "is_right": found.is_right,
                "marks": [mark._asdict() for mark in found.marks],
                "sentences": [sentence._asdict() for sentence in found.sentences],
            }
        )

    @bp.post("/editor/preview")
    @again(same_text)
    def preview() -> Response:
        text, base = _text(), form().get("base", "")
        found = _preview(collector, _require_right(text, may_send))
        return _page(console, text, base, preview=found)

    @bp.post("/editor/publish")
    @needs("define")
    @again(same_text)
    def publish() -> Response:
        text, base = _text(), form().get("base", "")
        _require_right(text, may_send)
        _require_same(base, collector.catalogue.text)
        by = By(viewer().key.id, _reason())
        with READING.held():
            new = collector.put_definitions(text, by, viewer().actor)
        changes_of(collector, new)
        return done(url("console.definitions"), *_notice_of(new))


def check(
    text: str, may_send: Callable[[str], bool], arriving: Mapping[str, int] = NOTHING
) -> Checked:
    """What is wrong with a text, at its place, and how its definitions read.

    ``may_send`` says which environment variables alerts may send. ``arriving`` says how often
    which events arrive, which tells a slip.
    """
    try:
        with READING.held():
            catalogue = read_catalogue(text, BODY, may_send)
            findings = ordered(
                [
                    *lint(catalogue, BODY).findings,
                    *names_that_hardly_arrive(catalogue, arriving, BODY),
                ]
            )
    except DefinitionError as error:
        marks = [
            Mark(
                each.line,
                each.column,
                "error",
                f"{each.path}: found {each.found}, expected {each.expected}",
            )
            for each in error.problems[:SHOWN]
        ]
        return Checked(marks, (), None)
    found = [each for each in findings if each.accepted is None]
    marks = [
        Mark(each.line, each.column, each.level if each.level != "error" else "warning",
             f"{each.message} ({each.code})")
        for each in found[:SHOWN]
    ]  # fmt: skip
    return Checked(marks, sentences_of(catalogue), catalogue)


def earlier(console: Console, name: str, number: int) -> Earlier:
    """The file in force with an earlier version of a definition. Raises NotFound.

    The table is at the end of the file where that of today does not stand in one piece.
    """
    collector = console.collector
    today = collector.catalogue.named(name)
    with collector.store.reading() as tx:
        versions = {(each.name, each.version): each for each in tx.versions()}
    version = versions.get((name, number))
    if today is None or version is None:
        raise NotFound(f"there is no version {number} of {name[:100]!a} that can be put in place")
    own, text = version.text or to_toml(version.source), collector.catalogue.text
    if text.count(today.text) == 1:
        return Earlier(name, number, text.replace(today.text, own), is_in_place=True)
    return Earlier(name, number, f"{text.rstrip()}\n\n{own}\n", is_in_place=False)


def sentences_of(catalogue: Catalogue) -> list[Sentence]:
    """How each definition reads."""
    words = Vocabulary(catalogue)
    return [
        Sentence(each.name, description_of(each, words), describe(each))
        for each in catalogue.definitions
    ]


def _page(console: Console, text: str, base: str, status: int = 200, **values: Any) -> Response:
    known = {"preview": None, "earlier": None, "reason": form().get("reason", "")}
    try:
        checked = check(text, console.collector.settings.is_for_alerts, console.latest.counts())
    except Unavailable:  # too many check at once; the script asks again as somebody types
        checked = UNCHECKED
    given = {"text": text, "base": base, "checked": checked}
    return console.page("editor.html", status, **known | given | values)


def _require_right(text: str, may_send: Callable[[str], bool]) -> Catalogue:
    """The definitions of a text. Raises BadRequest for mistakes, which the page lists."""
    checked = check(text, may_send)
    if checked.catalogue is None:
        raise BadRequest("mend the mistakes first", field="text")
    return checked.catalogue


def _require_same(base: str, text: str) -> None:
    """Raises Conflict if other definitions are in force than those that an editor began with."""
    if base != _digest(text):
        raise Conflict(
            "somebody has published other definitions since you opened the editor: "
            "your text is still below: open the editor again, and make your change there"
        )


def _reason() -> str:
    """Why somebody changes the definitions. Raises BadRequest."""
    return required(form(), "reason", "why you change the definitions", MAX_REASON)


def _preview(collector: Collector, catalogue: Catalogue) -> Preview:
    instead = "and a dry run here evaluates {limit} at most: use `pequel preview`"
    messages = messages_for(catalogue, MAX_MESSAGES, MAX_WORK, instead)
    with EVALUATING.held():
        return collector.preview(catalogue, Budget(messages, NAMES))


def _notice_of(new: Activation) -> tuple[str, ...]:
    """The notice that says what publishing changed, with its values."""
    if new.changes:
        return "published", count(len(new.changes), "definition")
    if names := new.revision.names:
        first, *others = names
        more = others[0] if len(others) == 1 else f"{len(others)} others"
        return ("revised", f"{first} and {more}", "do") if others else ("revised", first, "does")
    return ("rewritten",) if new.revision.is_rewritten else ("unchanged",)


def _text() -> str:
    """The text of the form. Browsers end its lines with CR LF."""
    return form().get("text", "").replace("\r\n", "\n")


def _digest(text: str) -> str:
    """What names the text that an editor began with."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
