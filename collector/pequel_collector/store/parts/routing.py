"""What routing, partners and deadlines need of a store; ``ports`` documents the methods."""

from __future__ import annotations

from collections.abc import Mapping

from ...model import Lead
from ...ports import Change, PartnerLeads, WonAmount
from .. import rows
from ..encoding import decode, escape, unescape
from ..session import Session
from . import routing_statements as sql


class RoutingReads:
    """The methods of a read transaction."""

    _session: Session

    def routed_counts(self, week: int) -> dict[str, int]:
        found = self._session.run(sql.ROUTED_COUNTS, week=week)
        return {unescape(name): int(number) for name, number in found}

    def last_of_teams(self) -> dict[str, str]:
        found = self._session.run(sql.LAST_OF_TEAMS)
        return {unescape(team): unescape(member) for team, member in found}

    def leads_to_check(self, until: int, limit: int) -> list[Lead]:
        found = self._session.run(sql.LEADS_TO_CHECK, until=until, limit=limit)
        return [rows.to_lead(row) for row in found]

    def changes_of_partner(self, partner: str, number: int, limit: int) -> list[Change]:
        values = {"partner": partner, "number": number, "limit": limit}
        found = self._session.run(sql.CHANGES_OF_PARTNER, **values)
        return [rows.to_change(row)._replace(partner=partner) for row in found]

    def lead_of_partner(self, partner: str, lead_id: str) -> Lead | None:
        found = self._session.run(sql.LEAD_OF_PARTNER, partner=partner, id=escape(lead_id))
        return rows.to_lead(found[0]) if found else None

    def changes_shown_to(self, partner: str, lead_id: str, limit: int) -> list[Change]:
        values = {"partner": partner, "lead": lead_id, "limit": limit}
        found = self._session.run(sql.LATEST_SHOWN_TO_PARTNER, **values)
        return [rows.to_change(row) for row in reversed(found)]

    def count_changes_shown_to(self, partner: str, lead_id: str) -> int:
        found = self._session.run(sql.COUNT_SHOWN_TO_PARTNER, partner=partner, lead=lead_id)
        return int(found[0][0])

    def place_of_change(self, partner: str, lead_id: str, number: int) -> int:
        values = {"partner": partner, "lead": lead_id, "number": number}
        return int(self._session.run(sql.COUNT_UP_TO_CHANGE, **values)[0][0])

    def change_at_place(self, partner: str, lead_id: str, place: int) -> int | None:
        values = {"partner": partner, "lead": escape(lead_id), "before": place - 1}
        found = self._session.run(sql.NTH_CHANGE, **values)
        return int(found[0][0]) if found else None

    def won_by_partner(
        self, partner: str, since: int, until: int, limit: int, after: tuple[int, str] | None = None
    ) -> list[Lead]:
        time, id_ = after or (since, "")
        values = {"partner": partner, "since": since, "until": until, "limit": limit}
        found = self._session.run(sql.WON_BY_PARTNER, **values, time=time, id=id_)
        return [rows.to_lead(row) for row in found]

    def won_amounts(self, partner: str, since: int, until: int) -> list[WonAmount]:
        values = {"partner": partner, "since": since, "until": until}
        found = self._session.run(sql.WON_AMOUNTS, **values)
        return [WonAmount(currency, amount, int(number)) for currency, amount, number in found]

    def leads_of_partner(self, partner: str) -> list[PartnerLeads]:
        found = self._session.run(sql.LEADS_BY_STATE, partner=partner)
        return [PartnerLeads(state, *map(int, numbers)) for state, *numbers in found]

    def potential(self, by: str, since: int, until: int, limit: int) -> dict[str | None, int]:
        statement = sql.POTENTIAL[by]
        found = self._session.run(statement, since=since, until=until, limit=limit)
        return {_group(by, value): int(number) for value, number in found}


class RoutingWrites:
    """The methods of a write transaction."""

    _session: Session

    def count_routed(self, week: int, numbers: Mapping[str, int]) -> None:
        added = [(week, escape(name), number) for name, number in sorted(numbers.items())]
        self._session.insert(sql.COUNT_ROUTED, added)

    def set_last_of_teams(self, members: Mapping[str, str]) -> None:
        found = [(escape(team), escape(member)) for team, member in sorted(members.items())]
        self._session.insert(sql.SET_LAST_OF_TEAMS, found)


def _group(by: str, value: str | None) -> str | None:
    """The name of a group: a trait is stored as JSON, and counts where it is a text."""
    if value is None or by not in sql.TRAITS:
        return None if value is None else unescape(value)
    found = decode(value)
    return found if isinstance(found, str) else value
