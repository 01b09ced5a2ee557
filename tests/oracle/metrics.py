"""Every metric, counted from facts and leads in the plainest way, without tables that catch up."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import combinations, pairwise
from typing import Any

from .history import Fact, Subject
from .identity import Id

Lead = Mapping[str, Any]
"""A lead as the API answers it."""

Span = tuple[int, int | None]


@dataclass
class World:
    """What is known of a product at a time: its facts in order, the leads that stand, and spend."""

    facts: Sequence[Fact]
    leads: Sequence[Lead]
    now: int
    names: Mapping[str, Any]
    definitions: Mapping[str, str]
    spend: Sequence[tuple[str, str, str]] = ()
    dismissals: Sequence[str] = ()
    by_person: dict[Id, list[Fact]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for fact in self.facts:
            if fact.person is not None:
                self.by_person[fact.person].append(fact)

    # -- who did what when -------------------------------------------------------------------

    def first(self, facts: Iterable[Fact], *names: str) -> int | None:
        return min((f.time for f in facts if f.event in names), default=None)

    def of_account(self, account: str) -> list[Fact]:
        return [fact for fact in self.facts if fact.account == account]

    def signup(self, subject: Subject) -> int | None:
        kind, name = subject
        if kind == "user":
            return self.first(self.by_person["user", name], self.names["signup"])
        members = [fact for fact in self.of_account(name) if fact.user_id is not None]
        return self.signup(("user", str(members[0].user_id))) if members else None

    def converted(self, subject: Subject, account: str | None) -> int | None:
        kind, name = subject
        own = self.by_person["user", name] if kind == "user" else self.of_account(name)
        joint = [] if account is None else self.of_account(account)
        return self.first([*own, *joint], self.names["conversion"])

    def channel(self, subject: Subject) -> str:
        kind, name = subject
        if kind == "account":
            members = [fact for fact in self.of_account(name) if fact.user_id is not None]
            if not members:
                return "direct"
            subject = "user", str(members[0].user_id)
        touches = [f.context["campaign"]["source"] for f in self.by_person[subject] if f.context]
        return touches[0] if touches else "direct"

    def trait(self, user: Subject, name: str) -> Any:
        """The last value that a user was given."""
        told = [fact.traits[name] for fact in self.by_person[user] if name in fact.traits]
        return told[-1] if told else None

    def qualified(self, subject: Subject, definition: str | None) -> int | None:
        times = [
            at(lead, "qualified_at")
            for lead in self.leads
            if subject_of(lead) == subject and definition in (None, lead["definition"])
        ]
        return min((time for time in times if time is not None), default=None)

    # -- shares and times ----------------------------------------------------------------------

    def visitors(self) -> list[Span]:
        found = []
        for person, facts in self.by_person.items():
            signup = self.signup(person) if person[0] == "user" else None
            found.append((facts[0].time, signup))
        return found

    def subjects(self, definition: str | None) -> list[Subject]:
        if definition is None or self.definitions[definition] == "user":
            return [person for person in self.by_person if person[0] == "user"]
        return [("account", name) for name in {f.account for f in self.facts} if name is not None]

    def signups(self, definition: str | None, start: str = "signup") -> list[Span]:
        found = []
        for subject in self.subjects(definition):
            begun = self.signup(subject) if start == "signup" else self.trial(subject)
            if begun is not None:
                found.append((begun, self.qualified(subject, definition)))
        return found

    def trial(self, subject: Subject) -> int | None:
        kind, name = subject
        own = self.by_person["user", name] if kind == "user" else self.of_account(name)
        return self.first(own, self.names["trial"])

    def values(self) -> list[Span]:
        found = []
        for subject in self.subjects(None):
            begun = self.signup(subject)
            if begun is not None:
                facts = self.by_person["user", subject[1]]
                found.append((begun, self.first(facts, *self.names["key_events"])))
        return found

    def sales(self, definition: str | None) -> list[Span]:
        return [self.sale(lead) for lead in self.of(definition) if self.may_sell(lead)]

    def sale(self, lead: Lead) -> Span:
        marked = at(lead, "marked_at")
        assert marked is not None
        return marked, self.converted(subject_of(lead), lead["account"])

    def may_sell(self, lead: Lead) -> bool:
        """Whether its subject had not converted by the mark."""
        marked, converted = self.sale(lead)
        return converted is None or converted > marked

    def of(self, definition: str | None) -> list[Lead]:
        return [lead for lead in self.leads if definition in (None, lead["definition"])]

    def ends(self, name: str, leads: Sequence[Lead] | None = None) -> list[Span]:
        """From the mark to an end. Nobody is to contact who is held out."""
        return [
            (at(lead, "marked_at") or 0, at(lead, name))
            for lead in (self.leads if leads is None else leads)
            if name != "contacted_at" or "holdout" not in lead["flags"]
        ]

    def share(self, spans: Iterable[Span], horizon: int) -> tuple[int, int, int]:
        """Numerator, denominator, immature."""
        spans = list(spans)
        mature = [(start, end) for start, end in spans if start + horizon <= self.now]
        hits = [1 for start, end in mature if end is not None and end <= start + horizon]
        return len(hits), len(mature), len(spans) - len(mature)

    def length(self, spans: Iterable[Span]) -> tuple[float | None, float | None, int, int]:
        """Median, 90 % quantile, number, and how many have not arrived; by exact fractions."""
        spans = list(spans)
        ended = [(max(0, end - start), True) for start, end in spans if end is not None]
        waiting = [(max(0, self.now - start), False) for start, end in spans if end is None]
        every, left = ended + waiting, Fraction(1)
        found: dict[Fraction, float | None] = {Fraction(1, 2): None, Fraction(1, 10): None}
        for time in sorted({time for time, _ in ended}):
            arrive = sum(1 for each in ended if each[0] == time)
            left *= 1 - Fraction(arrive, sum(1 for each in every if each[0] >= time))
            for share, known in found.items():
                if known is None and left <= share:
                    found[share] = time / 1000
        median, p90 = found.values()
        return median, p90, len(spans), len(waiting)

    def funnel(self) -> list[tuple[int, int, int]]:
        """Of each step: who made it, who was there before, and who has not gone on."""
        counts = [len(spans) for spans in self.steps()]
        last = sum(end is not None for _, end in self.steps()[-1])
        return [(after, before, before - after) for before, after in pairwise([*counts, last])]

    def steps(self) -> list[list[Span]]:
        """Of each step of the funnel: when each person came to it, and when they went on."""
        steps: list[list[Span]] = [[], [], [], []]
        for person, facts in self.by_person.items():
            own = [lead for lead in self.leads if subject_of(lead) == person]
            times = [
                facts[0].time,
                self.signup(person) if person[0] == "user" else None,
                *(earliest(own, name) for name in ("qualified_at", "contacted_at", "won_at")),
            ]
            for step, (start, end) in zip(steps, pairwise(times), strict=True):
                if start is None:
                    break
                step.append((start, end))
        return steps

    def effect(self, horizon: int) -> list[tuple[int, int, int]]:
        """The conversion of the leads that may be contacted, and of those that are held out."""
        held = [lead for lead in self.leads if "holdout" in lead["flags"]]
        since = earliest(held, "marked_at")
        others = [
            lead
            for lead in self.leads
            if lead not in held and since is not None and (at(lead, "marked_at") or 0) >= since
        ]
        return [
            self.share([self.sale(lead) for lead in some if self.may_sell(lead)], horizon)
            for some in (others, held)
        ]

    # -- leads -----------------------------------------------------------------------------------

    def in_time(self) -> tuple[int, int, int]:
        kept = late = waiting = 0
        for lead in self.leads:
            due, contacted = at(lead, "due_at"), at(lead, "contacted_at")
            is_open = lead["state"] in ("new", "assigned", "contacted")
            if due is None or (contacted is None and not is_open) or "holdout" in lead["flags"]:
                continue
            if due > self.now:
                waiting += 1
            elif contacted is not None and contacted <= due:
                kept += 1
            else:
                late += 1
        return kept, kept + late, waiting

    def by_month(self) -> dict[str, int]:
        return counted(self.leads, lambda lead: str(lead["qualified_at"])[:7])

    def growth(self) -> tuple[str, int, int]:
        """The last whole month, the leads that qualified in it, and those of the month before."""
        now = datetime.fromtimestamp(self.now / 1000, UTC)
        month = now.year * 12 + now.month - 2
        names = [f"{each // 12:04}-{each % 12 + 1:02}" for each in (month, month - 1)]
        months = self.by_month()
        return names[0], months.get(names[0], 0), months.get(names[1], 0)

    def ages(self) -> tuple[int, int, list[int]]:
        """Open leads, those overdue, and how many are of which age."""
        waiting = [x for x in self.leads if x["state"] in ("new", "assigned", "contacted")]
        late = [
            x
            for x in waiting
            if x["contacted_at"] is None and (at(x, "due_at") or self.now + 1) <= self.now
        ]
        days = [(self.now - (at(x, "marked_at") or 0)) / 86_400_000 for x in waiting]
        edges = (float("-inf"), 1, 3, 7, 14, 30, float("inf"))
        ages = [sum(low <= day < high for day in days) for low, high in pairwise(edges)]
        return len(waiting), len(late), ages

    def new_customers(self) -> dict[str, str]:
        """Who ever converted, with the channel: an account, or a person without one."""
        found: dict[str, str] = {}
        for fact in self.facts:
            if fact.event != self.names["conversion"]:
                continue
            if fact.account:
                found[f"account {fact.account}"] = self.channel(("account", fact.account))
            elif fact.person is not None:
                found[f"person {fact.person}"] = self.channel(fact.person)
        return found

    def overlaps(self) -> list[dict[str, Any]]:
        marked: dict[str, set[str]] = defaultdict(set)
        for lead in self.leads:
            marked[lead["definition"]].add(lead["subject"]["id"])
        return [
            {
                "definitions": [a, b],
                "subjects": [len(marked[a]), len(marked[b])],
                "both": len(marked[a] & marked[b]),
                "share": len(marked[a] & marked[b]) / len(marked[a] | marked[b]),
            }
            for a, b in combinations(sorted(marked), 2)
            if self.definitions[a] == self.definitions[b]
        ]

    # -- money -----------------------------------------------------------------------------------

    def prices(self) -> dict[str, list[tuple[int, Decimal, str, str, int]]]:
        """What each customer pays from when on: time, price, currency, event and term."""
        found: dict[str, list[tuple[int, Decimal, str, str, int]]] = defaultdict(list)
        for fact in self.facts:
            if fact.event not in self.names["priced"] or (fact.account or fact.person) is None:
                continue
            who = f"account {fact.account}" if fact.account else f"person {fact.person}"
            money, before = fact.properties, found[who][-1] if found[who] else None
            if fact.event == self.names["churn"]:
                if before is not None:
                    found[who].append((fact.time, Decimal(0), before[2], fact.event, 0))
            elif "mrr" in money and money["mrr"] >= 0:
                price = Decimal(str(money["mrr"]))
                found[who].append(
                    (
                        fact.time,
                        price,
                        money["currency"],
                        str(fact.event),
                        money.get("term_months", 0),
                    )
                )
        return {who: paid for who, paid in found.items() if paid}

    def moved(self, since: int) -> dict[str, dict[str, Decimal]]:
        """The movements from a time on, by what they are and by currency."""
        found: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for paid in self.prices().values():
            for place, (time, price, currency, *_) in enumerate(paid):
                was = paid[place - 1][1:3] if place else (Decimal(0), currency)
                if time < since:
                    continue
                if was[1] != currency:
                    found["churn"][was[1]] += was[0]
                    was = Decimal(0), currency
                up = price - was[0]
                if up >= 0:
                    found["expansion" if was[0] else "new"][currency] += up
                else:
                    found["contraction" if price else "churn"][currency] -= up
            before = [each for each in paid if each[0] < since]
            for name, known in (("starting", before), ("ending", paid)):
                if known:
                    found[name][known[-1][2]] += known[-1][1]
        return found

    def returns(self) -> dict[str, dict[str, tuple[Decimal, Decimal]]]:
        """What was earned and spent, by channel and currency."""
        customers = self.new_customers()
        found: dict[str, dict[str, tuple[Decimal, Decimal]]] = {}
        for channel in {*customers.values(), *(name for name, _, _ in self.spend)}:
            earned = self.worth([who for who, came in customers.items() if came == channel])
            spent = self.spent(channel)
            found[channel] = {
                currency: (
                    sum(earned.get(currency, []), Decimal(0)),
                    spent.get(currency, Decimal(0)),
                )
                for currency in {*earned, *spent}
            }
        return found

    def spent(self, channel: str | None = None) -> dict[str, Decimal]:
        """What a channel cost, or all of them, by currency."""
        found: dict[str, Decimal] = defaultdict(Decimal)
        for name, currency, amount in self.spend:
            if channel in (None, name):
                found[currency] += Decimal(amount)
        return found

    def worth(self, customers: Sequence[str] | None = None) -> dict[str, list[Decimal]]:
        """The lifetime value of each customer, or of some of them, by currency."""
        found: dict[str, list[Decimal]] = defaultdict(list)
        prices = self.prices()
        chosen = prices if customers is None else [c for c in customers if c in prices]
        for paid in (prices[customer] for customer in chosen):
            total: dict[str, Decimal] = defaultdict(Decimal)
            for place, (time, price, currency, _, term) in enumerate(paid):
                if place + 1 < len(paid):
                    nxt = paid[place + 1]
                    months = whole_months(time, nxt[0]) + (nxt[3] == self.names["churn"])
                else:
                    months = max(term, whole_months(time, self.now + 1) + 1)
                total[currency] += price * months
            for currency, amount in total.items():
                if amount:
                    found[currency].append(amount)
        return found


def whole_months(start: int, end: int) -> int:
    """How often the day of the start came again, at its time."""
    day = datetime.fromtimestamp(start / 1000, UTC)
    last, count = datetime.fromtimestamp(end / 1000, UTC), 0
    while True:
        year, month = divmod(day.month + count, 12)
        place = (day.year + year, month + 1, day.day, day.time())
        if place > (last.year, last.month, last.day, last.time()):
            return count
        count += 1


def subject_of(lead: Lead) -> Subject:
    return lead["subject"]["kind"], lead["subject"]["id"]


def earliest(leads: Iterable[Lead], name: str) -> int | None:
    """The first time of some leads."""
    times = (at(lead, name) for lead in leads)
    return min((time for time in times if time is not None), default=None)


def at(lead: Lead, name: str) -> int | None:
    text = lead[name]
    return None if text is None else round(datetime.fromisoformat(text).timestamp() * 1000)


def counted(items: Iterable[Any], key: Callable[[Any], Any]) -> dict[Any, int]:
    found: dict[Any, int] = defaultdict(int)
    for item in items:
        found[key(item)] += 1
    return dict(found)
