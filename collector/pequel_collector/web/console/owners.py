"""Who a lead can be given to: the names that a form offers. Any other name can be typed too."""

from __future__ import annotations

from collections.abc import Mapping

from ...rules.language.definition import Catalogue
from .frame import Console, viewer

OFFERED = 200
"""Names that a form offers at most."""


def known_owners(console: Console) -> list[str]:
    """Whoever looks, then the members of teams, and those that definitions or leads name."""
    if not viewer().may("work"):
        return []
    with console.collector.store.reading() as tx:
        owners = tx.lead_owners(OFFERED)
    known = [viewer().actor, *_named_in(console.collector.catalogue), *owners]
    return list(dict.fromkeys(each for each in known if each.strip()))[:OFFERED]


def with_known_owner(console: Console, given: Mapping[str, str]) -> dict[str, str]:
    """The filters of a list, with the owner as it is written, where only the capitals differ."""
    wanted = given.get("owner")
    if wanted is None:
        return dict(given)
    with console.collector.store.reading() as tx:
        owners = [viewer().actor, *_named_in(console.collector.catalogue), *tx.lead_owners(OFFERED)]
    alike = [each for each in owners if each.casefold() == wanted.casefold()]
    owner = wanted if wanted in alike or not alike else alike[0]
    return {**given, "owner": owner}


def _named_in(catalogue: Catalogue) -> list[str]:
    """The people whom definitions, routes and teams name."""
    tables = catalogue.routing
    assigned = [route.assign for route in tables.routes]
    assigned += [step.assign for route in tables.routes for step in route.escalate]
    return [
        *(member for team in tables.teams for member in team.members),
        *(member for each in assigned for member in each.members),
        *(each.name for each in assigned if each.kind == "user"),
        *(each.owner for each in catalogue.definitions if each.owner is not None),
    ]
