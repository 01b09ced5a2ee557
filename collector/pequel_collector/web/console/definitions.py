"""Definitions: each in words, who is nearly there, and how it has changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import unified_diff
from typing import NamedTuple

from flask import Blueprint, Response, request

from ...errors import NotFound
from ...ports import DefinitionEntry, LeadFilter
from ...queries.answers import DefinitionAnswer, Total
from ...queries.partner_view import definitions_for_partner
from ..asked import arguments
from . import figures
from .frame import Console, page_for, viewer

COUNTED = 1_000
"""Leads of a definition that are counted."""

NEAR = 20
"""Subjects of a page who are nearly there."""

LEADS = 10
"""Leads of a definition that its page lists."""

LOGGED = 50
"""Changes of a definition that its page lists."""


class Line(NamedTuple):
    """A line of a difference: ``kind`` is ``added``, ``removed`` or ``same``."""

    kind: str
    text: str


class Entry(NamedTuple):
    """An entry in the log of a definition, and how its version differs from the one before."""

    logged: DefinitionEntry
    lines: Sequence[Line]


class Open(NamedTuple):
    """The open leads of a definition: those that the inbox lists, and those that are snoozed."""

    listed: Total
    snoozed: Total


class DefinitionArguments(arguments.NoArguments):
    """The name of a definition."""

    name = arguments.Text(required=True)


class NearArguments(DefinitionArguments):
    """The name of a definition, and where the list goes on."""

    cursor = arguments.Cursor(load_default=None)


_DEFINITION, _NEAR = DefinitionArguments(), NearArguments()


def add(bp: Blueprint, console: Console) -> None:
    """The routes, over a console."""
    collector = console.collector

    def counted(name: str) -> Open:
        count, wanted = collector.queries.count_pqls, LeadFilter(definition=name, state="open")
        return Open(
            count(replace(wanted, snoozed=False), up_to=COUNTED),
            count(replace(wanted, snoozed=True), up_to=COUNTED),
        )

    @bp.get("/definitions")
    @page_for("leads")
    def definitions() -> Response:
        found = collector.queries.definitions()
        if viewer().key.partner is not None:
            said = definitions_for_partner(found)
            return console.page("partner/definitions.html", found=said)
        counts = {each.definition.name: counted(each.definition.name) for each in found.data}
        return console.page("definitions.html", found=found, counts=counts)

    @bp.get("/definition")
    def definition() -> Response:
        name = arguments.read(request, _DEFINITION)["name"]
        answer = _named(collector.queries.definitions().data, name)
        wanted = LeadFilter(definition=name, state="open", snoozed=False, sort="-marked_at")
        return console.page(
            "definition.html",
            answer=answer,
            leads=collector.queries.pqls(wanted, LEADS).data,
            open=counted(name),
            outlook=figures.outlook(console, name),
            history=history_of(answer),
        )

    @bp.get("/near")
    def near() -> Response:
        given = arguments.read(request, _NEAR)
        answer = _named(collector.queries.definitions().data, given["name"])
        page = collector.lists.near(given["name"], NEAR, given["cursor"])
        return console.page(
            "near.html", answer=answer, page=page, parts=console.parts[given["name"]]
        )


def history_of(answer: DefinitionAnswer) -> list[Entry]:
    """What changed a definition, the latest first, each with what it changed in the text.

    A version stands there each time that it came in force.
    """
    texts = {each.version.version: each.version.text for each in answer.versions}
    entries, before = [], None
    for logged in answer.log:
        lines: Sequence[Line] = ()
        if logged.changed is None and logged.version is not None:
            text = texts[logged.version]
            lines = _whole(text) if before is None else difference(before, text)
            before = text
        entries.append(Entry(logged, lines))
    return entries[: -LOGGED - 1 : -1]


def difference(before: str, after: str) -> list[Line]:
    """How a text differs from the one before, line by line, with what stands around it."""
    kinds = {"+": "added", "-": "removed", " ": "same"}
    found = unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=3)
    lines = [line for line in found if not line.startswith(("---", "+++", "@@"))]
    return [Line(kinds[line[:1]], line[1:]) for line in lines]


def _whole(text: str) -> list[Line]:
    return [Line("same", line) for line in text.splitlines()]


def _named(found: Sequence[DefinitionAnswer], name: str) -> DefinitionAnswer:
    """The definition of this name. Raises NotFound for one that is not in force."""
    for answer in found:
        if answer.definition.name == name:
            return answer
    raise NotFound(f"the definition {name[:100]!a} is not in force")
