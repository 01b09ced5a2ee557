"""Figures of money: revenue of customers, contracts, and what PQLs and customers cost."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from decimal import Decimal
from statistics import fmean, median

from ...model import JSON, iso, kind_of
from ...ports import EARLIEST, MetricLead, ReadTransaction, RevenueEvent, Spend
from . import money
from .channels import DIRECT
from .figure import Asked, Group, Values
from .money import Price
from .segments import Key, key_of, trait_named

Customers = Mapping[str, list[Price]]

LAST_DAY = "9999-12-31"


class MoneyFigures:
    """The figures of money of one transaction; ``leads`` gives those of a question."""

    def __init__(self, tx: ReadTransaction, leads: Callable[[Asked], Sequence[MetricLead]]) -> None:
        self._tx, self._leads = tx, leads
        self._revenue: dict[int, list[RevenueEvent]] = {}
        self._prices: dict[int, tuple[Customers, int]] = {}

    def revenue(self, until: int) -> list[RevenueEvent]:
        """The events before a time that change revenue, read once."""
        if until not in self._revenue:
            self._revenue[until] = self._tx.revenue_events(until)
        return self._revenue[until]

    def prices(self, until: int) -> tuple[Customers, int]:
        """What each customer paid before a time; and how many events state no usable price."""
        if until not in self._prices:
            self._prices[until] = money.prices(self.revenue(until))
        return self._prices[until]

    def counted(self, asked: Asked) -> tuple[Values, list[Group]]:
        """The values of a question, and those of its segments."""
        if asked.metric.name == "roi":
            return self._returns(asked)
        if asked.metric.counts == "spend":
            return self._costs(asked)
        customers, unpriced = self.prices(asked.until)
        values = {**_revenue(asked, customers), "unpriced": unpriced}
        if asked.by is None:
            return values, []
        segments = self._segments(customers, asked.by)
        parted: defaultdict[Key, dict[str, list[Price]]] = defaultdict(dict)
        for customer, paid in customers.items():
            parted[segments[customer]][customer] = paid
        return values, [
            Group({asked.by: key[1]}, _revenue(asked, some)) for key, some in parted.items()
        ]

    def _segments(self, customers: Collection[str], by: str) -> dict[str, Key]:
        found: Mapping[str, JSON]
        if (trait := trait_named(by)) is None:
            found = self._tx.channels_of(customers)
        else:
            users = self._tx.ids_of([key for key in customers if kind_of(key) != "account"])
            ids = {key: users.get(key, [key]) for key in customers}
            traits = self._tx.traits(ids)
            found = {key: traits[key].get(trait) for key in customers}
        return {key: key_of(found.get(key), by) for key in customers}

    # -- what was spent --------------------------------------------------------------------

    def _costs(self, asked: Asked) -> tuple[Values, list[Group]]:
        numbers = self._pqls(asked) if asked.metric.name == "cost_per_pql" else self._new(asked)
        spent = self._tx.spend(*days_of(asked))
        values = _cost(spent, numbers.total(), asked)
        if asked.by is None:
            return values, []
        channels = sorted({*numbers, *(each.channel for each in spent)})
        return values, [
            Group(
                {"channel": name},
                _cost([s for s in spent if s.channel == name], numbers[name], asked),
            )
            for name in channels
        ]

    def _returns(self, asked: Asked) -> tuple[Values, list[Group]]:
        """What the new customers of the period are worth, and what was spent."""
        new = first_conversions(self.revenue(asked.until), asked.first)
        priced, unpriced = self.prices(asked.until)
        channels = self._tx.channels_of(new)
        sold: defaultdict[str, dict[str, list[Price]]] = defaultdict(dict)
        for customer in new:
            sold[channels.get(customer, DIRECT)][customer] = priced.get(customer, [])
        spent = self._tx.spend(*days_of(asked))
        everybody = {c: paid for some in sold.values() for c, paid in some.items()}
        values = {**_return(everybody, spent, asked), "unpriced": unpriced}
        if asked.by is None:
            return values, []
        names = sorted({*sold, *(each.channel for each in spent)})
        return values, [
            Group(
                {"channel": name},
                _return(sold.get(name, {}), [s for s in spent if s.channel == name], asked),
            )
            for name in names
        ]

    def _pqls(self, asked: Asked) -> Counter[str]:
        """How many subjects were marked, by channel."""
        channels = {x.subject: x.channel for x in self._leads(asked)}
        return Counter(channel or DIRECT for channel in channels.values())

    def _new(self, asked: Asked) -> Counter[str]:
        """How many customers first converted in the period, by channel."""
        new = first_conversions(self.revenue(asked.until), asked.first)
        channels = self._tx.channels_of(new)
        return Counter(channels.get(customer, DIRECT) for customer in new)


def first_conversions(events: Iterable[RevenueEvent], since: int) -> list[str]:
    """The customers whose first conversion was at a time or later."""
    firsts: dict[str, int] = {}
    for event in events:
        if event.role == "conversion":
            customer = money.customer_of(event)
            firsts[customer] = min(event.time, firsts.get(customer, event.time))
    return [customer for customer, time in firsts.items() if time >= since]


def days_of(asked: Asked) -> tuple[str, str]:
    """The first day of a period, and the day after its last one, in UTC."""
    first = "" if asked.first == EARLIEST else iso(asked.first)[:10]
    until = iso(asked.until)
    # A day that has begun counts as a whole.
    return first, until[:10] if until[11:] == "00:00:00.000Z" else until[:10] + "\x7f"


def _return(customers: Customers, spent: Iterable[Spend], asked: Asked) -> Values:
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for each in spent:
        totals[each.currency] += Decimal(each.amount)
    earned = money.sums(money.lifetime_values(customers.values(), asked.until))
    currencies = sorted({*totals, *earned})
    nothing = Decimal(0)
    return {
        "ratios": {c: money.ratio(earned.get(c, nothing), totals[c]) for c in currencies},
        "revenue": money.shown_all({c: earned.get(c, nothing) for c in currencies}),
        "spend": money.shown_all({c: totals[c] for c in currencies}),
        "customers": len(customers),
    }


def _cost(spent: Iterable[Spend], number: int, asked: Asked) -> Values:
    totals: defaultdict[str, Decimal] = defaultdict(Decimal)
    for each in spent:
        totals[each.currency] += Decimal(each.amount)
    name = "pqls" if asked.metric.name == "cost_per_pql" else "customers"
    return {
        "amounts": money.shown_all({c: money.divided(a, number) for c, a in totals.items()}),
        "spend": money.shown_all(totals),
        name: number,
    }


# -- revenue -------------------------------------------------------------------------------


def _revenue(asked: Asked, customers: Customers) -> Values:
    match asked.metric.name:
        case "mrr_expansion":
            return _expansion(customers, asked)
        case "ltv_per_account":
            return money.average(money.lifetime_values(customers.values(), asked.until), "total")
        case "arpa":
            return money.average(money.paying(customers.values(), asked.until), "mrr")
        case _:
            return _terms(customers, asked)


def _expansion(customers: Customers, asked: Asked) -> Values:
    found = money.movements(customers.values(), asked.first, asked.until)
    currencies = {*found.starting, *found.ending, *found.new, *found.churn, *found.expansion}
    rates = {
        currency: float(found.expansion[currency] / found.starting[currency])
        if found.starting[currency]
        else None
        for currency in sorted(currencies)
    }
    parts = ("starting", "new", "expansion", "contraction", "churn", "ending")
    whole = {
        part: money.shown_all({c: getattr(found, part)[c] for c in currencies}) for part in parts
    }
    return {"amounts": whole["expansion"], "rates": rates, **whole, "customers": len(customers)}


def _terms(customers: Customers, asked: Asked) -> Values:
    """The terms of the contracts that began in the period, and of the dearest quarter of them."""
    sold = [
        price
        for paid in customers.values()
        for price in paid
        if price.role == "conversion" and price.time >= asked.first and price.term_months
    ]
    by_currency: defaultdict[str, list[Price]] = defaultdict(list)
    for price in sold:
        by_currency[price.currency].append(price)
    return {
        **_months(sold),
        "high_value": {c: _dearest(by_currency[c]) for c in sorted(by_currency)},
        "customers": len(customers),
    }


def _dearest(sold: list[Price]) -> Values:
    sold.sort(key=lambda price: price.mrr, reverse=True)
    least = sold[(len(sold) - 1) // 4].mrr
    return {"from_mrr": money.shown(least), **_months([p for p in sold if p.mrr >= least])}


def _months(sold: Sequence[Price]) -> Values:
    terms = [price.term_months for price in sold if price.term_months is not None]
    return {
        "n": len(terms),
        "mean_months": fmean(terms) if terms else None,
        "median_months": float(median(terms)) if terms else None,
    }
