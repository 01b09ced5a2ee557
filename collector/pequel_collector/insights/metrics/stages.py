"""What becomes of those who reach a stage, such as MQL or SQL, beside what becomes of PQLs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from ...model import JSON, account_key
from ...ports import MetricLead, RevenueEvent, StageReached
from . import money
from .figure import Values, of_rate
from .health import may_convert
from .money import Price
from .rates import rate, standing
from .segments import Key, key_of

PQL = "pql"
"""The name that the leads have among the stages."""


class Start(NamedTuple):
    """When a subject reached a stage, when it converted, and the subjects that may pay for it."""

    reached: int
    converted: int | None
    payers: tuple[str, ...]


def starts_of(
    reached: Iterable[StageReached], leads: Iterable[MetricLead]
) -> dict[Key, list[Start]]:
    """Those who reached each stage and were no customers then; the leads are a stage too.

    The first lead of a subject in time does not stand for the others: each counts, as in
    ``pql_to_customer``.
    """
    found: defaultdict[Key, list[Start]] = defaultdict(list)
    for each in reached:
        if each.converted is None or each.converted > each.time:
            start = Start(each.time, each.converted, (each.subject,))
            found[key_of(each.stage, "stage")].append(start)
    for lead in filter(may_convert, leads):
        account = () if lead.account is None else (account_key(lead.account),)
        start = Start(lead.marked_at, lead.converted, (lead.subject, *account))
        found[key_of(PQL, "stage")].append(start)
    return dict(found)


def customers_of(events: Iterable[RevenueEvent]) -> dict[str, set[str]]:
    """The customers that each person or account pays as."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for event in events:
        customer = money.customer_of(event)
        found[event.subject].add(customer)
        found[customer].add(customer)
    return dict(found)


def values_of(
    starts: Sequence[Start],
    horizon: int,
    now: int,
    worth: Mapping[str, Sequence[tuple[str, Decimal]]],
    customers: Mapping[str, set[str]],
) -> Values:
    """The share who converted in time, and what those are worth. ``worth`` is by customer."""
    arrived = [
        each for each in starts if standing((each.reached, each.converted), horizon, now) == "in"
    ]
    paying = {c for each in arrived for payer in each.payers for c in customers.get(payer, ())}
    amounts: defaultdict[str, list[Decimal]] = defaultdict(list)
    for customer in paying:
        for currency, amount in worth.get(customer, ()):
            amounts[currency].append(amount)
    return {
        **of_rate(rate(((each.reached, each.converted) for each in starts), horizon, now)),
        **money.average(amounts, "total"),
    }


def worth_of(
    customers: Mapping[str, list[Price]], until: int
) -> dict[str, list[tuple[str, Decimal]]]:
    """The lifetime value of each customer, in each currency."""
    return {
        customer: [
            (currency, amount)
            for currency, amounts in money.lifetime_values([paid], until).items()
            for amount in amounts
        ]
        for customer, paid in customers.items()
    }


def first_stages(found: Mapping[Key, Sequence[Start]]) -> list[Start]:
    """The first stage of others that each subject reached: one start for each subject."""
    firsts: dict[str, Start] = {}
    pql: JSON = key_of(PQL, "stage")
    for key, starts in found.items():
        for start in () if key == pql else starts:
            known = firsts.get(start.payers[0])
            if known is None or start.reached < known.reached:
                firsts[start.payers[0]] = start
    return list(firsts.values())
