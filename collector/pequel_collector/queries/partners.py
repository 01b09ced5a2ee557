"""What a partner has won, and what there is for partners to win."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal, NamedTuple, get_args

from ..model import Clock, Lead
from ..ports import PartnerLeads, Store, WonAmount
from ..rules.language.quantities import DAY
from ..rules.language.values import EXACT
from .cursors import decode_time_cursor, encode, list_id
from .masking import masked, masked_subject

By = Literal["country", "plan", "definition", "kind"]
BYS: tuple[By, ...] = get_args(By)

SMALLEST_GROUP = 5
"""Subjects in a group that is shown: in a smaller one, somebody could be recognised."""

MAX_COUNTED = 100_000
"""Leads that are counted for the potential: the latest."""

AGES = {"30d": 30 * DAY, "90d": 90 * DAY, "365d": 365 * DAY}
"""How old a lead of the potential may be (ms). Of any two ages, the difference would show when each
single lead was marked."""

USUAL_AGE = "90d"
"""The age, unless somebody asks for another one."""

ALWAYS = -(2**62), 2**62


@dataclass(frozen=True, slots=True)
class PartnerTotals:
    """How many leads a partner has and had, and what those that it won are worth by currency."""

    leads: int
    open: int
    claimed: int
    contacted: int
    won: int
    lost: int
    amounts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PartnerLedger:
    """A page of the leads that a partner has won, and its totals."""

    partner: str
    data: list[Lead]
    totals: PartnerTotals
    next_cursor: str | None


class Group(NamedTuple):
    """How many subjects of a group have an open lead, in whole fives: 41 is 40."""

    name: str
    pqls: int


@dataclass(frozen=True, slots=True)
class Potential:
    """Groups of subjects with open leads, the largest first; how many groups were too small."""

    by: By
    data: list[Group]
    suppressed_groups: int
    smallest_group: int = SMALLEST_GROUP


class Partners:
    """The questions about partners, over one store."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store, self._clock = store, clock

    def ledger(
        self,
        partner: str,
        limit: int,
        cursor: str | None = None,
        since: int | None = None,
        until: int | None = None,
    ) -> PartnerLedger:
        """The leads that a partner has won, earliest first, and its totals. Raises BadRequest."""
        of = list_id("partner ledger", partner, since, until)
        after = decode_time_cursor(of, cursor)
        first, last = ALWAYS[0] if since is None else since, ALWAYS[1] if until is None else until
        with self._store.reading() as tx:
            found = tx.won_by_partner(partner, first, last, limit + 1, after)
            states, amounts = tx.leads_of_partner(partner), tx.won_amounts(partner, first, last)
        more = found[limit - 1] if len(found) > limit else None
        place = None if more is None else encode(of, more.won_at, more.id)
        shown = [as_partners_see(lead) for lead in found[:limit]]
        return PartnerLedger(partner, shown, totals_of(states, amounts), place)

    def potential(self, by: By, age: str = USUAL_AGE) -> Potential:
        """How many subjects have an open lead, by a region or a segment, without small groups.

        Leads count from the day after they were marked, in UTC: who asks all the time does not see
        them come one by one.
        """
        today = self._clock() // DAY * DAY
        with self._store.reading() as tx:
            found = tx.potential(by, today - AGES[age], today, MAX_COUNTED)
        return potential_of(by, found)


def as_partners_see(lead: Lead) -> Lead:
    """A won lead; without a claim, an id that is an e-mail address is masked."""
    if lead.claimed_at is not None:
        return lead
    account = None if lead.account is None else str(masked(lead.account))
    return replace(lead, subject=masked_subject(lead.subject), account=account)


def totals_of(states: Iterable[PartnerLeads], amounts: Iterable[WonAmount]) -> PartnerTotals:
    """The totals of a partner, from how many leads are in each state, and from what was won."""
    by_state = {each.state: each for each in states}
    counted = {state: each.leads for state, each in by_state.items()}
    won = list(amounts)
    return PartnerTotals(
        leads=sum(counted.values()),
        open=sum(counted.get(state, 0) for state in ("new", "assigned", "contacted")),
        claimed=sum(each.claimed for each in by_state.values()),
        contacted=sum(each.contacted for each in by_state.values()),
        won=sum(each.number for each in won),
        lost=counted.get("lost", 0),
        amounts=amounts_of(won),
    )


def amounts_of(won: Iterable[WonAmount]) -> dict[str, str]:
    """The sums of amounts by currency, exactly; the currency of an amount without one is empty."""
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for currency, amount, number in won:
        if amount is not None:
            product = EXACT.multiply(Decimal(amount), Decimal(number))
            sums[currency or ""] = EXACT.add(sums[currency or ""], product)
    return {currency: format(total, "f") for currency, total in sorted(sums.items())}


def potential_of(by: By, found: Mapping[str | None, int]) -> Potential:
    """The groups that are large enough, the largest first. Who has no group is in none.

    Numbers are rounded down. So no difference of two answers counts fewer than a whole group: not
    that of today and yesterday, nor that of all kinds and all countries.
    """
    rounded = ((name, number // SMALLEST_GROUP * SMALLEST_GROUP) for name, number in found.items())
    named = [Group(name, number) for name, number in rounded if name is not None]
    shown = [group for group in named if group.pqls]
    ordered = sorted(shown, key=lambda group: (-group.pqls, group.name))
    return Potential(by, ordered, len(named) - len(shown))
