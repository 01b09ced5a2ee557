"""The inbox: leads by priority, with filters in the address and saved views."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from flask import Blueprint, Response, request

from ...access.sessions import Viewer
from ...ports import LeadFilter, SavedView
from ...queries.answers import Total
from ...queries.lead_tests import LeadTests
from ...queries.queries import Queries
from ..api.lead_export import as_csv
from ..api.queries import page_slot, tests_in
from ..asked import arguments
from . import changes
from .frame import Console, page_for, url, viewer
from .owners import known_owners, with_known_owner

COUNTED = 1_000
"""Leads that the number of a tab counts."""

PAGE = 25
"""Leads of a page."""

EMPTY = {
    "Open": "No open leads",
    "New": "No new leads",
    "Mine": "You have no open leads",
    "Overdue": "Nothing is overdue",
    "Snoozed": "Nothing is snoozed",
    "Dismissed": "Nothing was dismissed",
}
"""What a tab without leads says."""

OF_TAB = ("state", "owner", "overdue", "snoozed")
"""The parameters that a tab sets."""

SORTS = {
    "priority": "priority",
    "-marked_at": "newest first",
    "marked_at": "oldest first",
    "due_at": "due first",
}


class InboxArguments(arguments.LeadArguments):
    """The filters of the list of leads, as the API has them."""

    limit = arguments.Limit(load_default=PAGE)


_ARGUMENTS = InboxArguments()


class Tab(NamedTuple):
    """A part of the inbox: its name, its parameters, and how many leads it has.

    ``total`` is None where counting takes too much work.
    """

    name: str
    query: Mapping[str, str]
    is_here: bool
    total: Total | None

    @property
    def number(self) -> str:
        """How many leads there are, for people."""
        return "" if self.total is None else _number(self.total)


def add(bp: Blueprint, console: Console) -> None:
    """The routes, over a console."""
    collector = console.collector

    @bp.get("/")
    @page_for("leads")
    def inbox() -> Response:
        return list_page(console, _asked_for(console))

    @bp.get("/leads.csv")
    @page_for("leads")
    def leads_csv() -> Response:
        given = {name: text for name, text in _asked_for(console).items() if name != "cursor"}
        wanted, tests, _, _ = filters_in(given)
        return as_csv(collector.queries.all_pqls(wanted, tests, viewer().key.partner))


def list_page(
    console: Console,
    given: Mapping[str, str],
    status: int = 200,
    result: Mapping[str, Any] | None = None,
) -> Response:
    """The list of leads with these filters. ``result`` is what a form did, where not all worked."""
    queries, catalogue = console.collector.queries, console.collector.catalogue
    wanted, tests, limit, cursor = filters_in(given)
    with page_slot(limit):
        found = queries.pqls(wanted, limit, cursor, tests, viewer().key.partner)
        tabs = _tabs(queries, given, viewer())
        return console.page(
            "leads.html",
            status,
            leads=found.data,
            next_cursor=found.next_cursor,
            given=given,
            result=result,
            tabs=tabs,
            laid_aside=_laid_aside(queries, wanted, tests, viewer().key.partner),
            voided=_voided(queries, given, wanted, tests),
            views=_views(console) if viewer().may("read") else [],
            definitions=[each.name for each in catalogue.definitions],
            sorts=SORTS,
            snoozes=changes.SNOOZES,
            reasons=changes.REASONS,
            owners=known_owners(console),
            once=secrets.token_hex(8),
            empty=_empty(given, tabs),
            is_empty=not given and not found.data and tabs[-1].number == "0",
            address=url("console.inbox", **given),
        )


def _asked_for(console: Console) -> dict[str, str]:
    """The filters of the address, as whoever looks may use them."""
    given = given_filters()
    return with_known_owner(console, given) if viewer().may("read") else given


def given_filters() -> dict[str, str]:
    """The parameters of the address that are filled in. Raises BadRequest for one given twice."""
    given = request.args.to_dict(flat=False)
    filled = {name: [text for text in texts if text.strip()] for name, texts in given.items()}
    for name, texts in filled.items():
        if len(texts) > 1:
            raise arguments.mistake(name[:200], f"{len(texts)} values", "one")
    return {name: texts[0] for name, texts in filled.items() if texts}


def filters_in(given: Mapping[str, str]) -> tuple[LeadFilter, LeadTests, int, str | None]:
    """The filter, the tests, the limit and the cursor that parameters ask for."""
    read: dict[str, Any] = arguments.read_values(
        {name: [text] for name, text in given.items()}, _ARGUMENTS
    )
    limit, cursor = read.pop("limit"), read.pop("cursor")
    for name in ("format", "count"):
        read.pop(name, None)
    tests = tests_in(read)
    state = None if read["state"] == "any" else read["state"]
    # Who snoozes a lead does not want to see it until then, unless they look for it.
    looks_for_it = any(given.get(name) for name in ("snoozed", "q", "account"))
    if not looks_for_it and read["state"] != "any":
        read["snoozed"] = False
    return LeadFilter(**read | {"state": state}), tests, limit, cursor


def _tabs(queries: Queries, given: Mapping[str, str], viewer: Viewer) -> list[Tab]:
    """The tabs, each with the filters that stay."""
    kept = {name: text for name, text in given.items() if name not in (*OF_TAB, "cursor")}
    set_ = {name: text for name, text in given.items() if name in OF_TAB}
    tabs: Sequence[tuple[str, dict[str, str]]] = (
        ("Open", {}),
        ("New", {"state": "new"}),
        ("Mine", {"owner": viewer.actor}),
        ("Overdue", {"overdue": "true"}),
        ("Snoozed", {"snoozed": "true"}),
        ("Dismissed", {"state": "dismissed"}),
        ("All", {"state": "any"}),
    )
    partner = viewer.key.partner
    return [
        Tab(name, kept | own, set_ == own, _total_of(queries, kept | own, partner))
        for name, own in tabs
        if partner is None or name != "Mine"
    ]


def _empty(given: Mapping[str, str], tabs: Sequence[Tab]) -> str | None:
    """What a list without leads says; None if it may be for want of other filters."""
    is_filtered = any(name not in (*OF_TAB, "sort") for name in given)
    return None if is_filtered else next((EMPTY.get(tab.name) for tab in tabs if tab.is_here), None)


def _total_of(queries: Queries, given: Mapping[str, str], partner: str | None) -> Total | None:
    """How many leads there are; None where counting takes too much work."""
    wanted, tests, _, _ = filters_in(given)
    return None if tests else queries.count_pqls(wanted, partner=partner, up_to=COUNTED)


def _number(total: Total) -> str:
    return f"{total.total:,}" + ("" if total.is_exact else "+")


def _laid_aside(
    queries: Queries, wanted: LeadFilter, tests: LeadTests, partner: str | None
) -> Total | None:
    """The snoozed leads that this list leaves out; None for a list that leaves out none."""
    if wanted.snoozed is not False or wanted.overdue or tests:
        return None
    return queries.count_pqls(replace(wanted, snoozed=True), partner=partner, up_to=COUNTED)


def _voided(
    queries: Queries, given: Mapping[str, str], wanted: LeadFilter, tests: LeadTests
) -> Total | None:
    """The voided leads that a list of all leaves out; None for other lists, and for a search."""
    if given.get("state") != "any" or tests or viewer().key.partner is not None:
        return None
    return queries.count_pqls(replace(wanted, state="voided"), up_to=COUNTED)


def _views(console: Console) -> list[SavedView]:
    with console.collector.store.reading() as tx:
        return tx.saved_views()
