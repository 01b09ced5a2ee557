"""Alerts with their deliveries, and routes with who gets what: settings that definitions make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from flask import Blueprint, Response

from ...errors import Unavailable
from ...ports import By, DeliveryFilter
from ...queries.metrics import Question
from ...queries.partners import PartnerTotals
from ...rules.language.lead_sentence import describe_condition
from ...rules.language.routing import Route
from ..api.alerts import DeliveryArguments, outcome_of, said
from ..asked import arguments
from ..openapi.examples import LEAD as SAMPLE
from .forms import again, form, optional, required
from .frame import Console, done, needs, url, viewer
from .leads import given_filters
from .words import count

PAGE = 50
"""Deliveries of a page."""

MAX_NAME = 512
"""Characters of the name of an alert, or of the id of a delivery."""


class ShortDeliveryArguments(DeliveryArguments):
    """The list of deliveries."""

    limit = arguments.ShortLimit(load_default=PAGE)


class RouteInWords(NamedTuple):
    """A route in words."""

    route: Route
    condition: str


class Load(NamedTuple):
    """The open leads of somebody."""

    name: str
    open: int
    overdue: int


_DELIVERIES = ShortDeliveryArguments()


def add(bp: Blueprint, console: Console) -> None:
    """The routes, over a console."""
    collector = console.collector
    desk = collector.alerts

    def page(status: int = 200, result: Mapping[str, str] | None = None) -> Response:
        given = given_filters()
        read = arguments.read_values({n: [text] for n, text in given.items()}, _DELIVERIES)
        wanted = DeliveryFilter(read.get("alert"), read.get("state"), read.get("lead"))
        return console.page(
            "settings/alerts.html",
            status,
            alerts=desk.listed(),
            deliveries=desk.deliveries(wanted, read["limit"], read["cursor"]),
            given=given,
            result=result,
        )

    @bp.get("/alerts")
    def alerts() -> Response:
        return page()

    @bp.post("/alerts/test")
    @needs("alert")
    @again(page)
    def test_alert() -> Response:
        name = required(form(), "alert", "the name of an alert", MAX_NAME)
        delivery, result = desk.test(name, SAMPLE)
        outcome = outcome_of(result)
        return page(result={"alert": delivery.alert, "outcome": outcome, "said": said(result)})

    @bp.post("/alerts/redeliver")
    @needs("alert")
    @again(page)
    def redeliver() -> Response:
        by = By(viewer().key.id)
        back = url("console.alerts")
        if name := optional(form(), "alert", MAX_NAME):
            number = desk.redeliver_dead(name, by)
            return done(back, "redelivered", count(number, "delivery", "deliveries"))
        desk.redeliver(required(form(), "delivery", "the id of a delivery", MAX_NAME), by)
        return done(back, "redelivered", "the delivery")

    @bp.get("/routes")
    def routes() -> Response:
        tables = collector.catalogue.routing
        names = dict.fromkeys([p.name for p in tables.partners] + _keyed(console))
        return console.page(
            "settings/routes.html",
            routes=[RouteInWords(each, describe_condition(each.when)) for each in tables.routes],
            teams=tables.teams,
            partners={name: _totals(console, name) for name in names},
            settings_of={each.name: each for each in tables.partners},
            loads=_loads(console),
        )


def _keyed(console: Console) -> list[str]:
    """The partners that have a key."""
    keys = console.collector.keys.listed()
    return [key.partner for key in keys if key.partner and key.revoked_at is None]


def _totals(console: Console, partner: str) -> PartnerTotals:
    return console.collector.partners.ledger(partner, 1).totals


def _loads(console: Console) -> list[Load] | None:
    """The open leads by owner; None while they are being counted."""
    try:
        figure = console.collector.metrics.metric("ageing", Question(by="owner"))
    except Unavailable:
        return None
    found = [_load(each.by, each.values) for each in figure.groups]
    return [load for load in found if load.open]


def _load(by: Mapping[str, Any], values: Mapping[str, Any]) -> Load:
    return Load(by["owner"] or "nobody yet", values["open"], values["overdue"])
