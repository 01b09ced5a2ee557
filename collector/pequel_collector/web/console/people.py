"""Users and accounts: search, one of them, why they are no lead yet, and who uses a feature."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from flask import Blueprint, Response, request

from ...errors import BadRequest, NotFound
from ...lint.unknown_events import slips_in
from ...model import JSON, Kind, Stored, id_of
from ...ports import LeadFilter, ReadTransaction
from ...queries.adoption import AdoptionFilter
from ...queries.answers import LeadAnswer, ListedSubject, PeoplePage, Status
from ...queries.directory import person_traits
from ...rules.language.definition import Catalogue, leaves_of
from ..api.queries import storable
from ..api.subject_export import subjects_as
from ..asked import arguments
from .frame import Console
from .leads import given_filters
from .progress import PartsMet, parts_met
from .timeline import days_of, happened
from .uncounted import Uncounted, uncounted

PAGE = 50
"""Users or accounts of a page."""

LATEST = 100
"""Messages of a page of a timeline."""


VOIDED = 20
"""Voided leads of a subject that its page names."""

KNOWN = 6
"""Traits of an account that a list shows."""


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
        return _subject_page(console, "user")

    @bp.get("/account")
    def account() -> Response:
        return _subject_page(console, "account")

    @bp.get("/feature")
    def feature() -> Response:
        read = arguments.read(request, _FEATURE)
        used = {} if read.get("used") is None else {"used": read["used"]}
        wanted = AdoptionFilter(read["name"], **used)
        page = collector.lists.adoption(wanted, PAGE, read["cursor"])
        return console.page("feature.html", page=page, used=read.get("used"))


def _subject_page(console: Console, kind: Kind) -> Response:
    """The page of a user or an account."""
    collector = console.collector
    read = arguments.read(request, _SUBJECT)
    identifier = storable(kind, read["id"])
    profile = collector.queries.profile(kind, identifier)
    pql = collector.queries.status(kind, identifier)
    latest = collector.queries.timeline(kind, identifier, LATEST, read["cursor"])
    likely = slips_in(profile.event_counts, collector.catalogue)
    key_events = collector.catalogue.project.key_events
    return console.page(
        "subject.html",
        kind=kind,
        id=identifier,
        profile=profile,
        pql=pql,
        voided=_voided(console, pql.key),
        met=_parts_met(collector.catalogue, pql),
        uncounted=_uncounted(collector.catalogue, pql, latest.data),
        likely=likely,
        days=days_of(happened(latest.data, key_events, likely=likely)),
        next_cursor=latest.next_cursor,
        is_first=read["cursor"] is None,
        people=_people(console, identifier) if kind == "account" else None,
        leads_of_people=_leads_of_people(console, identifier) if kind == "account" else {},
        parts=console.parts,
        titles={each.name: each.title for each in collector.catalogue.definitions},
    )


def _uncounted(
    catalogue: Catalogue, pql: Status, latest: Sequence[Stored]
) -> dict[str, list[list[Uncounted]]]:
    """Which of the latest messages each leaf of a definition passes over, by its name."""
    return {
        each["definition"]: [
            uncounted(leaf, shown, latest)
            for leaf, shown in zip(leaves_of(found.when), each["leaves"], strict=False)
        ]
        for each in pql.progress
        if (found := catalogue.named(each["definition"]))
    }


def _parts_met(catalogue: Catalogue, pql: Status) -> dict[str, PartsMet | None]:
    """How many parts of each definition are met, by its name; None for one of a single part."""
    return {
        each["definition"]: parts_met(found.when, each["leaves"])
        for each in pql.progress
        if (found := catalogue.named(each["definition"]))
    }


def _list_page(console: Console, kind: Kind) -> Response:
    """Users or accounts, those seen last first, or those that a search finds."""
    collector, given = console.collector, given_filters()
    read = _read(given)
    traits = read.get(arguments.TRAIT, {})
    page = collector.lists.subjects(kind, read["q"], read["limit"], read["cursor"], traits)
    accounts = [id_of(each.key) for each in page.data] if kind == "account" else []
    with collector.store.reading() as tx:
        of_people = tx.open_leads_of_people(accounts, collector.clock())
        known = _known_of(tx, kind, page.data)
    lists = {"page": page, "of_people": of_people, "traits": traits, "known": known}
    return console.page("subjects.html", kind=kind, given=given, **lists)


def _known_of(
    tx: ReadTransaction, kind: Kind, shown: Sequence[ListedSubject]
) -> dict[str, Mapping[str, JSON]]:
    """What is known of each, by key: what describes a person; the first traits of an account.

    The traits that the list has for an account are those of a person, as in the API.
    """
    if kind == "user":
        return {each.key: each.traits for each in shown}
    found = tx.traits({each.key: [each.key] for each in shown})
    return {key: dict(islice(sorted(traits.items()), KNOWN)) for key, traits in found.items()}


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
