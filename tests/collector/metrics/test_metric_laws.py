"""Whatever happens in whatever order: every metric is what a plain count over all facts gives."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oracle.history import History
from oracle.metrics import World, counted, subject_of
from pequel_collector.model import iso
from support.sales import DAY, START, Sales

PROJECT = """
holdout = 0.5
trial = "tried"
contraction = "downgraded"
churn = "cancelled"
key_events = ["{key}"]

[[pql]]
name = "keen"
when = {{ event = "used", gte = {least} }}
sla = "2d"

[[pql]]
name = "eager"
when = {{ event = "created" }}

[[pql]]
name = "team"
subject = "account"
when = {{ event = "used", gte = 2 }}
"""
DEFINITIONS = {"keen": "user", "eager": "user", "team": "account"}
NAMES = {
    "signup": "signed_up",
    "trial": "tried",
    "conversion": "subscribed",
    "churn": "cancelled",
    "priced": ("subscribed", "upgraded", "downgraded", "cancelled"),
}
HORIZON = 30 * DAY
END = 130

USERS = st.sampled_from(["ada", "bob", "eve", None])
VISITORS = st.sampled_from([None, None, "v1", "v2"])
ACCOUNTS = st.sampled_from([None, "acme", "globex"])
EVENTS = st.sampled_from(
    ["signed_up", "signed_up", "tried", "used", "used", "created", "subscribed", "upgraded",
     "downgraded", "cancelled"]
)  # fmt: skip
MONEY = st.fixed_dictionaries(
    {"mrr": st.sampled_from([0, 10, 10.5, 99.99, -5]), "currency": st.sampled_from(["EUR", "USD"])},
    optional={"term_months": st.sampled_from([1, 12])},
)
CONTEXTS = st.sampled_from(
    [{}, {}, {"campaign": {"source": "google"}}, {"campaign": {"source": "x"}}]
)
DAYS = st.integers(0, 120)

EVENT = st.tuples(st.just("event"), USERS, VISITORS, ACCOUNTS, EVENTS, DAYS, MONEY, CONTEXTS)
TWO = st.sampled_from(["ada", "bob"])

happenings = st.one_of(
    EVENT,
    EVENT,
    st.tuples(st.just("alias"), TWO, st.sampled_from(["eve", "bob"]), DAYS),
    st.tuples(
        st.just("group"), TWO, st.sampled_from([{"groupId": "acme"}, {"groupId": "globex"}]), DAYS
    ),
    st.tuples(
        st.just("identify"),
        TWO,
        st.sampled_from([{"plan": "pro"}, {"plan": "free", "country": "de"}]).map(
            lambda traits: {"traits": traits}
        ),
        DAYS,
    ),
    st.tuples(
        st.just("work"), st.integers(0, 5), st.sampled_from(["contact", "dismiss", "own", "win"])
    ),
    st.tuples(st.just("define"), st.sampled_from(["used", "created"]), st.integers(1, 2)),
    st.tuples(st.just("ask"), st.sampled_from(["signup_to_pql", "arpa"])),
)
stories = st.lists(happenings, min_size=8, max_size=30)


def project(key: str = "used", least: int = 1) -> str:
    return PROJECT.format(key=key, least=least)


class Product(Sales):
    """A product whose messages are kept, to be counted again."""

    def __init__(self, url: str) -> None:
        super().__init__(project(), url)
        self.messages: list[dict[str, Any]] = []
        self.dismissals: list[str] = []
        self.key = "used"

    def happen(self, kind: str, *what: Any) -> None:
        match kind, what:
            case "event", (user, visitor, account, name, day, money, context):
                if user or visitor or account:
                    self.say(
                        user, name, day, anonymousId=visitor, groupId=account, properties=money,
                        context=context,
                    )  # fmt: skip
            case "alias", (user, previous, day):
                if user != previous:
                    self.say(user, "", day, type="alias", previousId=previous)
            case "identify" | "group", (user, said, day):
                self.say(user, "", day, type=kind, **said)
            case "work", (place, step):
                self.step(place, step)
            case "define", (key, least):
                self.key = key
                self.collector.put_definitions(
                    '[project]\nsignup = "signed_up"\nconversion = "subscribed"\n'
                    'expansion = "upgraded"\n' + project(key, least)
                )
                while not (self.collector.backfill_some() or self).is_finished:  # type: ignore[union-attr]
                    pass
            case "ask", (name,):
                self.get(f"/metrics/{name}")

    def say(self, user: str | None, name: str, day: int, **parts: Any) -> None:
        self.tell(user, name, day * DAY, **parts)
        empty = {"anonymousId": None, "previousId": None, "groupId": None, "properties": {}}
        told = {"type": "track", "userId": user, "event": name, "context": {}, "traits": {}}
        where = {"messageId": f"m{self.told:05}", "time": START + day * DAY}
        self.messages.append({**empty, **told, **where, **parts})

    def step(self, place: int, step: str) -> None:
        if not (leads := sorted(self.leads(), key=lambda lead: lead["id"])):
            return
        lead = leads[place % len(leads)]
        if step == "contact":
            self.work(lead, contact={"channel": "email"})
        elif step == "own":
            self.work(lead, owner=f"rep{place % 2}")
        elif step == "win":
            self.work(lead, state="won")
        else:
            self.work(lead, state="dismissed", reason="too small")
            self.dismissals.append("too small")

    def world(self) -> World:
        facts = History(self.messages).facts
        leads = [lead for lead in self.leads(state="any") if "superseded" not in lead["flags"]]
        names = {**NAMES, "key_events": (self.key,)}
        spend = [("google", "EUR", "100"), ("x", "USD", "31.10")]
        return World(facts, leads, self.now, names, DEFINITIONS, spend, self.dismissals)


def tell(story: list[tuple[Any, ...]], url: str) -> None:
    """Let a story happen, and compare every metric with the plain count."""
    product = Product(url)
    try:
        for number, each in enumerate(story):
            product.at(END * DAY // 2 + number * DAY)
            product.happen(*each)
        product.at((END + 60) * DAY)
        spent = [
            {"channel": "Google", "day": "2026-03-05", "amount": "100", "currency": "EUR"},
            {"channel": "x", "day": "2026-03-06", "amount": 31.10, "currency": "usd"},
        ]
        assert product.call("POST", "/spend", json=spent).status_code == 200
        compare(product, product.world())
        assert product.verified() == []
    finally:
        product.collector.close()


def compare(product: Product, world: World) -> None:
    """Compare every metric."""

    def share(name: str, **query: Any) -> tuple[int, int, int]:
        return share_in(product.get(f"/metrics/{name}", **query))

    def length(name: str, **query: Any) -> tuple[Any, ...]:
        return duration_in(product.get(f"/metrics/{name}", **query))

    assert share("visitor_to_signup") == world.share(world.visitors(), HORIZON)
    for name in (None, *DEFINITIONS):
        query = {} if name is None else {"definition": name}
        assert share("signup_to_pql", **query) == world.share(world.signups(name), HORIZON)
        assert share("trial_to_pql", **query) == world.share(world.signups(name, "trial"), HORIZON)
        assert share("pql_to_customer", **query) == world.share(world.sales(name), 3 * HORIZON)
        assert length("time_to_pql", **query) == world.length(world.signups(name))
    assert length("time_to_value") == world.length(world.values())
    assert length("time_to_contact") == world.length(world.ends("contacted_at"))
    assert length("time_to_won") == world.length(world.ends("won_at"))
    assert share("sla_attainment") == world.in_time()
    assert product.get("/metrics/overlap")["pairs"] == world.overlaps()
    volume = product.get("/metrics/volume")
    assert volume["leads"] == len(world.leads)
    assert volume["states"] == counted(world.leads, lambda lead: lead["state"])
    assert product.get("/metrics/dismissal_reasons")["dismissals"] == len(world.dismissals)
    channels = {
        g["by"]["channel"]: g["leads"]
        for g in product.get("/metrics/volume", by="channel")["groups"]
    }
    assert channels == counted(world.leads, lambda lead: world.channel(subject_of(lead)))
    compare_leads(product, world)
    compare_money(product, world)


def compare_leads(product: Product, world: World) -> None:
    found = product.get("/metrics/lead_velocity")
    month, now, then = world.growth()
    assert (found["month"], found["numerator"], found["denominator"]) == (month, now - then, then)
    months = {each["month"]: each["leads"] for each in found["months"] if each["leads"]}
    assert months == world.by_month()
    found = product.get("/metrics/ageing")
    ages = [each["leads"] for each in found["ages"]]
    assert (found["open"], found["overdue"], ages) == world.ages()
    compare_funnel(product, world)
    compare_effect(product, world)
    compare_health(product, world)
    for by in ("plan", "country"):
        groups = product.get("/metrics/signup_to_pql", by=by)["groups"]
        numbers = {group["by"][by]: group["denominator"] + group["immature"] for group in groups}
        signed_up = [x for x in world.subjects(None) if world.signup(x) is not None]
        assert numbers == counted(signed_up, lambda subject, by=by: world.trait(subject, by))
    for by in ("owner", "partner", "definition"):
        groups = product.get("/metrics/volume", by=by)["groups"]
        numbers = {group["by"][by]: group["leads"] for group in groups}
        assert numbers == counted(world.leads, lambda lead, by=by: lead[by])
        parts = {key: [x for x in world.leads if x[by] == key] for key in numbers}
        for group in product.get("/metrics/time_to_contact", by=by)["groups"]:
            spans = world.ends("contacted_at", parts[group["by"][by]])
            assert duration_in(group) == world.length(spans)
        for group in product.get("/metrics/pql_to_customer", by=by)["groups"]:
            sold = [world.sale(x) for x in parts[group["by"][by]] if world.may_sell(x)]
            assert share_in(group) == world.share(sold, 3 * HORIZON)


def share_in(found: Any) -> tuple[int, int, int]:
    assert found["rate"] == (
        found["numerator"] / found["denominator"] if found["denominator"] else None
    )
    return found["numerator"], found["denominator"], found["immature"]


def duration_in(found: Any) -> tuple[Any, ...]:
    return found["median_seconds"], found["p90_seconds"], found["n"], found["censored"]


def compare_funnel(product: Product, world: World) -> None:
    stages = product.get("/metrics/funnel", **{"from": "2020-01-01"})["stages"]
    steps = zip(stages[1:], stages, strict=False)
    assert [(x["people"], before["people"], x["censored"]) for x, before in steps] == world.funnel()
    for stage, spans in zip(stages[1:], world.steps(), strict=True):
        assert duration_in(stage) == world.length(spans), stage["stage"]


def compare_effect(product: Product, world: World) -> None:
    effect = product.get("/metrics/contact_effect")
    arms = share_in(effect), share_in(effect["held_out"])
    assert list(arms) == world.effect(3 * HORIZON)
    if all(of for _, of, _ in arms):
        (a, m, _), (b, n, _) = arms
        low, high = effect["difference_interval"]
        assert effect["difference"] == a / m - b / n
        assert low <= effect["difference"] <= high
    else:
        assert (effect["difference"], effect["difference_interval"]) == (None, None)


def compare_health(product: Product, world: World) -> None:
    for each in product.get("/metrics/definition_health")["definitions"]:
        name = each["definition"]
        assert each["leads"] == len(world.of(name))
        signups, sold = each["signups"], each["conversion"]
        of_rate = ("numerator", "denominator", "immature")
        assert tuple(signups[x] for x in of_rate) == world.share(world.signups(name), HORIZON)
        assert tuple(sold[x] for x in of_rate) == world.share(world.sales(name), 3 * HORIZON)
        halves = [each["drift"][part]["denominator"] for part in ("older", "younger")]
        assert halves == [sold["denominator"] // 2, (sold["denominator"] + 1) // 2]
        assert each["overlap"] == [x for x in world.overlaps() if name in x["definitions"]]


def compare_money(product: Product, world: World) -> None:
    for since in (START, START + 60 * DAY):
        found = product.get("/metrics/mrr_expansion", **{"from": iso(since)})
        moved = world.moved(since)
        for name in ("starting", "new", "expansion", "contraction", "churn", "ending"):
            assert amounts(found[name]) == positive(moved[name]), name
    worth = world.worth()
    found = product.get("/metrics/ltv_per_account")
    assert amounts(found["total"]) == positive(
        {c: sum(each, Decimal(0)) for c, each in worth.items()}
    )
    assert found["customers_by_currency"] == {c: len(each) for c, each in worth.items()}
    assert amounts(found["amounts"]) == positive(
        {c: cents(sum(each, Decimal(0)) / len(each)) for c, each in worth.items()}
    )
    paying = [paid[-1] for paid in world.prices().values() if paid[-1][1]]
    found = product.get("/metrics/arpa")
    assert found["customers_by_currency"] == counted(paying, lambda price: price[2])
    assert product.get("/metrics/contract_term")["n"] == sum(
        1
        for paid in world.prices().values()
        for price in paid
        if price[3] == "subscribed" and price[4]
    )
    customers = world.new_customers()
    found = product.get("/metrics/cost_per_customer", by="channel")
    assert found["customers"] == len(customers)
    numbers = {g["by"]["channel"]: g["customers"] for g in found["groups"] if g["customers"]}
    assert numbers == counted(customers.values(), str)
    pqls = {subject_of(lead) for lead in world.leads}
    found = product.get("/metrics/cost_per_pql", by="channel")
    assert found["pqls"] == len(pqls)
    assert {g["by"]["channel"]: g["pqls"] for g in found["groups"] if g["pqls"]} == counted(
        pqls, world.channel
    )
    for group in [found, *found["groups"]]:
        spent = world.spent(group["by"]["channel"] if "by" in group else None)
        assert amounts(group["spend"]) == positive(spent)
        cost = {c: cents(amount / group["pqls"]) for c, amount in spent.items() if group["pqls"]}
        assert amounts(group["amounts"]) == positive(cost)
    compare_returns(product, world)


def compare_returns(product: Product, world: World) -> None:
    found = product.get("/metrics/roi", by="channel")["groups"]
    known = {group["by"]["channel"]: group for group in found}
    returns = world.returns()
    assert known.keys() == returns.keys()
    for channel, group in known.items():
        earned = {c: each[0] for c, each in returns[channel].items()}
        spent = {c: each[1] for c, each in returns[channel].items()}
        assert amounts(group["revenue"]) == positive(earned)
        assert amounts(group["spend"]) == positive(spent)
        for currency, ratio in group["ratios"].items():
            if not spent.get(currency):
                assert ratio is None
            else:
                exact = earned.get(currency, Decimal(0)) / spent[currency]
                assert abs(Decimal(ratio) - exact) <= Decimal("0.00005")


def amounts(shown: dict[str, str | None]) -> dict[str, Decimal]:
    return positive({c: Decimal(amount) for c, amount in shown.items() if amount is not None})


def cents(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_EVEN)


def positive(found: Any) -> dict[str, Decimal]:
    return {currency: amount for currency, amount in found.items() if amount}


@settings(max_examples=12, deadline=None)
@given(stories)
def test_every_metric_is_what_a_plain_count_gives(story: list[tuple[Any, ...]]) -> None:
    tell(story, "sqlite://")


@pytest.mark.postgres
@settings(max_examples=3, deadline=None)
@given(story=st.lists(happenings, min_size=20, max_size=30))
def test_on_postgresql_too(postgres_server: Any, story: list[tuple[Any, ...]]) -> None:
    with postgres_server.database() as url:
        tell(story, url)
