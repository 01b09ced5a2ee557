"""Users and accounts: search, one of them, why they are no lead yet, and who uses a feature."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flask import Blueprint, Response, request

from ...errors import BadRequest, NotFound
from ...model import Kind, id_of
from ...ports import LeadFilter
from ...queries.adoption import AdoptionFilter
from ...queries.answers import LeadAnswer, PeoplePage
from ...queries.directory import person_traits
from ..api.queries import storable
from ..api.subject_export import subjects_as
from ..asked import arguments
from .frame import Console
from .leads import given_filters
from .timeline import days_of, happened

PAGE = 50
"""Users or accounts of a page."""

LATEST = 100
"""Messages of a page of a timeline."""


VOIDED = 20
"""Voided leads of a subject that its page names."""


class SubjectsArguments(arguments.SubjectArguments):
    """The list of users or accounts."""

    limit = arguments.ShortLimit(load_default=PAGE)


class SubjectArguments(arguments.NoArguments):
    """A user or an account, and where its timeline goes on."""

    id = arguments.Text(required=True)
    cursor = arguments.Cursor(load_default=None)


class FeatureArguments(arguments.NoArguments):
    """A feature, or an event; those who have used it, or have not."""

    name = arguments.Text(required=True)
    used = arguments.Flag()
    cursor = arguments.Cursor(load_default=None)


_SUBJECTS = SubjectsArguments(exclude=("format",))
_SUBJECT, _FEATURE = SubjectArguments(), FeatureArguments()


def add(bp: Blueprint, console: Console) -> None:
    """The routes, over a console."""
    collector = console.collector

    def one(kind: Kind) -> Response:
        read = arguments.read(request, _SUBJECT)
        identifier = storable(kind, read["id"])
        profile = collector.queries.profile(kind, identifier)
        pql = collector.queries.status(kind, identifier)
        latest = collector.queries.timeline(kind, identifier, LATEST, read["cursor"])
        return console.page(
            "subject.html",
            kind=kind,
            id=identifier,
            profile=profile,
            pql=pql,
            voided=_voided(console, pql.key),
            days=days_of(happened(latest.data, collector.catalogue.project.key_events)),
            next_cursor=latest.next_cursor,
            is_first=read["cursor"] is None,
            people=_people(console, identifier) if kind == "account" else None,
            leads_of_people=_leads_of_people(console, identifier) if kind == "account" else {},
            parts=console.parts,
            titles={each.name: each.title for each in collector.catalogue.definitions},
        )

    @bp.get("/users")
    def users() -> Response:
        return _list_page(console, "user")

    @bp.get("/accounts")
    def accounts() -> Response:
        return _list_page(console, "account")

    @bp.get("/users.csv")
    def users_csv() -> Response:
        return _csv_of(console, "user")

    @bp.get("/accounts.csv")
    def accounts_csv() -> Response:
        return _csv_of(console, "account")

    @bp.get("/user")
    def user() -> Response:
        return one("user")

    @bp.get("/account")
    def account() -> Response:
        return one("account")

    @bp.get("/feature")
    def feature() -> Response:
        read = arguments.read(request, _FEATURE)
        used = {} if read.get("used") is None else {"used": read["used"]}
        wanted = AdoptionFilter(read["name"], **used)
        page = collector.lists.adoption(wanted, PAGE, read["cursor"])
        return console.page("feature.html", page=page, used=read.get("used"))


def _list_page(console: Console, kind: Kind) -> Response:
    """Users or accounts, those seen last first, or those that a search finds."""
    collector, given = console.collector, given_filters()
    read = _read(given)
    traits = read.get(arguments.TRAIT, {})
    page = collector.lists.subjects(kind, read["q"], read["limit"], read["cursor"], traits)
    accounts = [id_of(each.key) for each in page.data] if kind == "account" else []
    with collector.store.reading() as tx:
        of_people = tx.open_leads_of_people(accounts, collector.clock())
    lists = {"page": page, "of_people": of_people, "traits": traits}
    return console.page("subjects.html", kind=kind, given=given, **lists)


def _csv_of(console: Console, kind: Kind) -> Response:
    """The whole of such a list as CSV."""
    given = given_filters()
    given.pop("cursor", None)
    read, collector = _read(given), console.collector
    found = collector.lists.all_subjects(kind, read["q"], read.get(arguments.TRAIT, {}))
    return subjects_as("csv", kind, found, person_traits(collector.catalogue))


def _read(given: Mapping[str, str]) -> dict[str, Any]:
    return arguments.read_values({name: [text] for name, text in given.items()}, _SUBJECTS)


def _voided(console: Console, subject: str) -> list[LeadAnswer]:
    """The voided leads of a user or an account, the latest first."""
    wanted = LeadFilter(subject=subject, state="voided", sort="-marked_at")
    return list(console.collector.queries.pqls(wanted, VOIDED).data)


def _leads_of_people(console: Console, account: str) -> dict[str, list[LeadAnswer]]:
    """The open leads of the people of an account, by user; the first of the list of leads."""
    wanted = LeadFilter(account=account, subject_kind="user", state="open")
    found: dict[str, list[LeadAnswer]] = {}
    for answer in console.collector.queries.pqls(wanted, PAGE).data:
        found.setdefault(id_of(answer.lead.subject), []).append(answer)
    return found


def _people(console: Console, account: str) -> PeoplePage | None:
    """The people of an account; None for one with too many, or without messages of its own."""
    try:
        return console.collector.lists.people(account, PAGE, None)
    except (BadRequest, NotFound):
        return None
