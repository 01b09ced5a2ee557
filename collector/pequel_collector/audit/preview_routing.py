"""Where the open leads would go by other routes, if they were new."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from ..leads.routing import Load, decide
from ..leads.view import Needs, needs_of, view_of
from ..model import Lead
from ..ports import LeadCursor, LeadFilter, ReadTransaction
from ..rules.language.definition import Catalogue

MAX_LEADS = 2_000
"""Open leads that are looked at, in the order of the list."""

AT_ONCE = 500


class RoutedGroup(NamedTuple):
    """How many open leads of a definition a route would assign; no route if none matches."""

    definition: str
    route: str | None
    assigned: str | None
    leads: int


def preview_routing(tx: ReadTransaction, catalogue: Catalogue, now: int) -> list[RoutedGroup]:
    """Where the open leads would go, by definition. Capacity is left out. Nothing is changed."""
    if not catalogue.routing.routes:
        return []
    needs = needs_of(route.when for route in catalogue.routing.routes)
    found: Counter[tuple[str, str | None, str | None]] = Counter()
    after: LeadCursor | None = None
    for _ in range(MAX_LEADS // AT_ONCE):
        page = tx.leads(LeadFilter(state="open", now=now), AT_ONCE, after)
        for lead, after in page:  # noqa: B007 - the last one continues the list
            found[_group(tx, lead, catalogue, needs)] += 1
        if len(page) < AT_ONCE:
            break
    return _in_order(catalogue, [RoutedGroup(*group, number) for group, number in found.items()])


def _in_order(catalogue: Catalogue, groups: list[RoutedGroup]) -> list[RoutedGroup]:
    """Groups in the order of the file; those without a definition or a route come last."""
    definitions = [definition.name for definition in catalogue.definitions]
    routes = [route.name for route in catalogue.routing.routes]

    def place(group: RoutedGroup) -> tuple[int, str, int]:
        return (
            _index(definitions, group.definition),
            group.definition,
            _index(routes, group.route),
        )

    return sorted(groups, key=place)


def _index(names: list[str], name: str | None) -> int:
    return len(names) if name is None or name not in names else names.index(name)


def _group(
    tx: ReadTransaction, lead: Lead, catalogue: Catalogue, needs: Needs
) -> tuple[str, str | None, str | None]:
    view = view_of(tx, lead, catalogue, needs, lambda key: tx.leads_of([key])[key])
    routed = decide(catalogue.routing, view, Load())
    if routed is None:
        return lead.definition, None, None
    return lead.definition, routed.name, routed.assigned
