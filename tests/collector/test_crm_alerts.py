"""Leads on their way into a CRM, over collectors in this process, on both databases."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from pequel_collector.app.alerting import AlertSender
from pequel_collector.app.bootstrap import Collector, now, open_collector
from pequel_collector.config import Settings
from pequel_collector.delivery.records import Sent
from pequel_collector.marking.work import LeadChange
from pequel_collector.model import LeadPatch, Message, lead_id
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.api.alerts import show_lead
from standins.hubspot import TOKEN, HubSpot
from support.receivers import Receiver, until

HOUR = 3_600_000
LEAD = lead_id("keen", "u:ada", 1)
TEXT = """
[[pql]]
name = "keen"
when = { event = "used" }

[[alert]]
name = "crm"
form = "hubspot"
on = ["qualified", "assigned", "contacted", "won"]
token_env = "PEQUEL_HUBSPOT_TOKEN"
url = "%s"
stages = { new = "appointmentscheduled", contacted = "qualifiedtobuy", won = "closedwon" }
"""

Open = Callable[..., Collector]


@pytest.fixture
def hubspot() -> HubSpot:
    return HubSpot().ready()


@pytest.fixture
def receiver(hubspot: HubSpot) -> Iterator[Receiver]:
    with Receiver(hubspot).running() as running:
        yield running


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def open_one(
    store_url: str, receiver: Receiver, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> Open:
    """Opens collectors on one database; ``ahead`` puts a clock forward (ms)."""
    monkeypatch.setenv("PEQUEL_HUBSPOT_TOKEN", TOKEN)

    def open_one(ahead: int = 0) -> Collector:
        settings = Settings(database=store_url, allow_private_alerts=1)
        catalogue = read_catalogue(TEXT % receiver.url)
        collector = open_collector(settings, catalogue, clock=lambda: now() + ahead)
        stack.callback(collector.close)
        return collector

    return open_one


def start(collector: Collector, stack: ExitStack) -> AlertSender:
    sender = AlertSender(collector, show_lead(collector))
    sender.start()
    stack.callback(sender.stop)
    return sender


def used(user: str = "ada") -> Message:
    at = now()
    return Message(
        mid=f"{user}-{at}", subject=f"u:{user}", time=at, received=at, type="track", name="used"
    )


def work(collector: Collector, **patch: object) -> None:
    collector.intake.change(LEAD, LeadChange(LeadPatch(**patch), actor="ada"))  # type: ignore[arg-type]


def test_a_lead_goes_into_the_crm_and_its_deal_follows_it(
    open_one: Open, hubspot: HubSpot, stack: ExitStack
) -> None:
    collector = open_one()
    start(collector, stack)
    collector.intake.accept([used()])
    work(collector, owner="ada")
    work(collector, state="contacted")
    work(collector, state="won")
    until(lambda: [d["dealstage"] for d in hubspot.records["deals"].values()] == ["closedwon"])


def test_a_crash_between_creating_a_deal_and_recording_it_makes_no_second_one(
    open_one: Open, hubspot: HubSpot, stack: ExitStack
) -> None:
    """The first collector sends and dies. The second one finds a claim whose lease is over."""
    first = open_one()
    first.intake.accept([used()])
    [alert] = first.alerts.alerts()
    with first.store.writing() as tx:
        [claimed] = tx.claim_deliveries("crm", now(), now() + 1, 10)
    result = first.alerts.attempts(show_lead(first)).make(alert, claimed)
    assert isinstance(result, Sent)
    start(open_one(ahead=HOUR), stack)
    until(lambda: depth(first) == 0)
    assert len(hubspot.records["deals"]) == 1


def test_two_collectors_write_each_lead_once(
    open_one: Open, hubspot: HubSpot, stack: ExitStack
) -> None:
    collectors = [open_one(), open_one()]
    for each in collectors:
        start(each, stack)
    hubspot.limited, hubspot.limit_headers = 3, {"Retry-After": "0"}
    users = [f"user{n}" for n in range(20)]
    for number, user in enumerate(users):
        collectors[number % 2].intake.accept([used(user)])
    until(lambda: depth(collectors[0]) == 0, 60)
    deals = [deal["pequel_lead_id"] for deal in hubspot.records["deals"].values()]
    assert sorted(deals) == sorted(lead_id("keen", f"u:{user}", 1) for user in users)


def depth(collector: Collector) -> int:
    with collector.store.reading() as view:
        return sum(each.waiting for each in view.outbox())
