"""The editor: mistakes at their place as you type, a dry run with names, and publishing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from flask import Blueprint, Response

from ...app.bootstrap import Collector
from ...audit.preview import Budget, Preview
from ...errors import BadRequest, Conflict, DefinitionError
from ...lint.linter import lint
from ...marking.active import BODY
from ...ports import By
from ...rules.explain.description import description_of
from ...rules.explain.vocabulary import Vocabulary
from ...rules.language.definition import Catalogue
from ...rules.language.sentence import describe
from ...rules.parser.catalogue import read_catalogue
from ..api.definitions import changes_of
from ..api.preview import MAX_MESSAGES, MAX_WORK
from ..asked.bounds import messages_for
from ..definition_slots import EVALUATING, READING
from ..json import json_response
from . import changes
from .frame import Console, done, form, needs, url, viewer
from .words import count

NAMES = 20
"""Leads of each effect that a dry run names."""

MAX_REASON = 500

SHOWN = 100
"""Mistakes and findings that are shown."""


class Mark(NamedTuple):
    """Something to say about a place in the text."""

    line: int
    column: int
    level: str
    message: str


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


def add(bp: Blueprint, console: Console) -> None:
    """The routes, over a console."""
    collector = console.collector
    may_send = collector.settings.is_for_alerts

    @bp.get("/editor")
    def editor() -> Response:
        text = collector.catalogue.text
        return _page(console, text, _digest(text))

    @bp.post("/editor/check")
    def check_text() -> Response:
        found = check(_text(), may_send)
        return json_response(
            {
                "is_right": found.is_right,
                "marks": [mark._asdict() for mark in found.marks],
                "sentences": [sentence._asdict() for sentence in found.sentences],
            }
        )

    @bp.post("/editor/preview")
    def preview() -> Response:
        text, base = _text(), form().get("base", "")
        checked = check(text, may_send)
        if checked.catalogue is None:
            return _page(console, text, base, 400, mistake="Mend the mistakes first.")
        return _page(console, text, base, preview=_preview(collector, checked.catalogue))

    @bp.post("/editor/publish")
    @needs("define")
    def publish() -> Response:
        text, base = _text(), form().get("base", "")
        if not check(text, may_send).is_right:
            return _page(console, text, base, 400, mistake="Mend the mistakes first.")
        _require_same(base, collector.catalogue.text)
        by = By(viewer().key.id, _reason())
        with READING.held():
            new = collector.put_definitions(text, by, viewer().actor)
        changes_of(collector, new)
        if not new.changes:
            return done(url("console.definitions"), "unchanged")
        return done(url("console.definitions"), "published", count(len(new.changes), "definition"))


def check(text: str, may_send: Callable[[str], bool]) -> Checked:
    """What is wrong with a text, at its place, and how its definitions read."""
    try:
        with READING.held():
            catalogue = read_catalogue(text, BODY, may_send)
            report = lint(catalogue, BODY)
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
    found = [each for each in report.findings if each.accepted is None]
    marks = [
        Mark(each.line, each.column, each.level if each.level != "error" else "warning",
             f"{each.message} ({each.code})")
        for each in found[:SHOWN]
    ]  # fmt: skip
    return Checked(marks, sentences_of(catalogue), catalogue)


def sentences_of(catalogue: Catalogue) -> list[Sentence]:
    """How each definition reads."""
    words = Vocabulary(catalogue)
    return [
        Sentence(each.name, description_of(each, words), describe(each))
        for each in catalogue.definitions
    ]


def _page(console: Console, text: str, base: str, status: int = 200, **values: Any) -> Response:
    known = {"preview": None, "mistake": "", "reason": form().get("reason", "")}
    given = {
        "text": text,
        "base": base,
        "checked": check(text, console.collector.settings.is_for_alerts),
    }
    return console.page("editor.html", status, **known | given | values)


def _require_same(base: str, text: str) -> None:
    """Raises Conflict if other definitions are in force than those that an editor began with."""
    if base != _digest(text):
        raise Conflict(
            "somebody has published other definitions since you opened the editor: "
            "open it again, and make your change there"
        )


def _reason() -> str:
    """Why somebody changes the definitions. Raises BadRequest."""
    reason = changes.required(form(), "reason", "why you change the definitions")
    if len(reason) > MAX_REASON:
        raise BadRequest(f"reason: found {len(reason)} characters, expected {MAX_REASON}")
    return reason


def _preview(collector: Collector, catalogue: Catalogue) -> Preview:
    instead = "and a dry run here evaluates {limit} at most: use `pequel preview`"
    messages = messages_for(catalogue, MAX_MESSAGES, MAX_WORK, instead)
    with EVALUATING.held():
        return collector.preview(catalogue, Budget(messages, NAMES))


def _text() -> str:
    """The text of the form. Browsers end its lines with CR LF."""
    return form().get("text", "").replace("\r\n", "\n")


def _digest(text: str) -> str:
    """What names the text that an editor began with."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]
