"""What customers pay: recurring revenue from the events that change it, in each currency.

An event states what a customer pays a month from its time on. A customer is the account that the
event fell to, else the person. Amounts are exact, and are never converted or added up over
currencies.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Context, Decimal
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from ...model import JSON, account_key
from ...ports import RevenueEvent

Amounts = dict[str, Decimal]

NOTHING = Decimal(0)

_EXACT = Context(prec=60)
_CENT = Decimal("0.01")
_RATIO = Decimal("0.0001")


class Price(NamedTuple):
    """What a customer pays a month from a time on; nothing after they left."""

    time: int
    mrr: Decimal
    currency: str
    role: str
    term_months: int | None = None


@dataclass(slots=True)
class Movements:
    """How recurring revenue changed in a period, by currency."""

    starting: Amounts = field(default_factory=lambda: defaultdict(Decimal))
    new: Amounts = field(default_factory=lambda: defaultdict(Decimal))
    expansion: Amounts = field(default_factory=lambda: defaultdict(Decimal))
    contraction: Amounts = field(default_factory=lambda: defaultdict(Decimal))
    churn: Amounts = field(default_factory=lambda: defaultdict(Decimal))
    ending: Amounts = field(default_factory=lambda: defaultdict(Decimal))


def customer_of(event: RevenueEvent) -> str:
    """The key of who pays: the account that the event fell to, else the person."""
    return event.subject if event.account is None else account_key(event.account)


def prices(events: Iterable[RevenueEvent]) -> tuple[dict[str, list[Price]], int]:
    """What each customer paid over time; and how many events state no usable price.

    An event without a currency is in that of the customer's price before.
    """
    by_customer: defaultdict[str, list[RevenueEvent]] = defaultdict(list)
    for event in events:
        by_customer[customer_of(event)].append(event)
    found: dict[str, list[Price]] = {}
    unpriced = 0
    for customer, each in by_customer.items():
        each.sort(key=attrgetter("time", "position", "mid"))
        priced = list(_prices(each))
        unpriced += len(each) - len(priced)
        if priced:
            found[customer] = priced
    return found, unpriced


def _prices(events: Iterable[RevenueEvent]) -> Iterator[Price]:
    currency: str | None = None
    for event in events:
        if event.role == "churn":
            if currency is not None:
                yield Price(event.time, NOTHING, currency, event.role)
            continue
        currency = event.currency or currency
        if event.mrr is not None and currency is not None:
            yield Price(event.time, Decimal(event.mrr), currency, event.role, event.term_months)


def movements(customers: Iterable[list[Price]], since: int, until: int) -> Movements:
    """What changed in [since, until), from one price of a customer to the next."""
    found = Movements()
    for paid in customers:
        for before, after in pairwise([None, *(p for p in paid if p.time < until)]):
            if after is not None and after.time >= since:
                _move(found, before, after)
        for amounts, at in ((found.starting, since), (found.ending, until)):
            if (last := price_at(paid, at)) is not None and last.mrr:
                amounts[last.currency] += last.mrr
    return found


def _move(found: Movements, before: Price | None, after: Price) -> None:
    was = NOTHING if before is None else before.mrr
    if before is not None and before.currency != after.currency:
        _add(found.churn, before.currency, was)
        was = NOTHING
    change = after.mrr - was
    if change > 0:
        _add(found.expansion if was else found.new, after.currency, change)
    else:
        _add(found.contraction if after.mrr else found.churn, after.currency, -change)


def _add(amounts: Amounts, currency: str, amount: Decimal) -> None:
    if amount:
        amounts[currency] += amount


def price_at(paid: Iterable[Price], time: int) -> Price | None:
    """The last price before a time."""
    last = None
    for price in paid:
        if price.time >= time:
            break
        last = price
    return last


def paying(customers: Iterable[list[Price]], at: int) -> dict[str, list[Decimal]]:
    """What each paying customer pays a month just before a time, by currency."""
    found: defaultdict[str, list[Decimal]] = defaultdict(list)
    for paid in customers:
        last = price_at(paid, at)
        if last is not None and last.mrr:
            found[last.currency].append(last.mrr)
    return dict(found)


def lifetime_values(customers: Iterable[list[Price]], at: int) -> dict[str, list[Decimal]]:
    """What each customer has paid and is bound to pay, by currency, as known just before a time.

    A month is paid when it begins, and the price that is in force at least for its contract term.
    """
    found: defaultdict[str, list[Decimal]] = defaultdict(list)
    for paid in customers:
        worth: Amounts = defaultdict(Decimal)
        known = [price for price in paid if price.time < at]
        for price, after in pairwise([*known, None]):
            if price is not None:
                worth[price.currency] += price.mrr * _months(price, after, at)
        for currency, amount in worth.items():
            if amount:
                found[currency].append(amount)
    return dict(found)


def _months(price: Price, after: Price | None, at: int) -> int:
    """The months that a price is paid for. A month that a later price ends is paid at that one."""
    if after is None:
        return max(price.term_months or 0, full_months(price.time, at) + 1)
    whole = full_months(price.time, after.time)
    return whole + 1 if after.role == "churn" else whole


def full_months(start: int, end: int) -> int:
    """The calendar months, in UTC, that have passed from one time to another."""
    first, last = (datetime.fromtimestamp(time / 1000, UTC) for time in (start, end))
    months = (last.year - first.year) * 12 + last.month - first.month
    begun = (first.day, first.time()) > (last.day, last.time())
    return max(0, months - begun)


def sums(amounts: Mapping[str, Iterable[Decimal]]) -> Amounts:
    """The sum of each currency."""
    return {currency: sum(each, NOTHING) for currency, each in amounts.items()}


def average(amounts: Mapping[str, list[Decimal]], total: str) -> dict[str, JSON]:
    """The average of each currency, with what it is of and of how many customers."""
    found = sums(amounts)
    return {
        "amounts": shown_all({c: divided(found[c], len(amounts[c])) for c in found}),
        total: shown_all(found),
        "customers_by_currency": {c: len(amounts[c]) for c in sorted(amounts)},
        "customers": sum(map(len, amounts.values())),
    }


def ratio(amount: Decimal, of: Decimal) -> str | None:
    """An amount ÷ another one as text, to four decimals, half to even; None for nothing."""
    if not of:
        return None
    return format(_EXACT.divide(amount, of).quantize(_RATIO, ROUND_HALF_EVEN, _EXACT), "f")


def divided(amount: Decimal, by: int) -> Decimal | None:
    """An amount ÷ a number, to the cent, half to even; None for nothing."""
    if not by:
        return None
    return _EXACT.divide(amount, Decimal(by)).quantize(_CENT, ROUND_HALF_EVEN, _EXACT)


def shown(amount: Decimal | None) -> str | None:
    """An amount as text, exact, with two decimals at least; None for none."""
    if amount is None:
        return None
    exponent = amount.normalize(_EXACT).as_tuple().exponent
    is_fine = isinstance(exponent, int) and exponent < -2
    return format(
        amount.normalize(_EXACT) if is_fine else amount.quantize(_CENT, context=_EXACT), "f"
    )


def shown_all(amounts: Mapping[str, Decimal | None]) -> dict[str, str | None]:
    """Amounts as text, by currency."""
    return {currency: shown(amounts[currency]) for currency in sorted(amounts)}
