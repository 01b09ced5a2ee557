"""Alerts from an event to the receiver, over a collector in this process, on both databases."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from random import Random
from threading import Event

import pytest

from pequel_collector.app.alerting import AlertSender
from pequel_collector.app.alerts import AlertDesk, DeliveryAnswer
from pequel_collector.app.bootstrap import Collector, now, open_collector
from pequel_collector.app.jobs import Housekeeper
from pequel_collector.audit.verify import verify
from pequel_collector.config import Settings
from pequel_collector.delivery.attempt import Attempts
from pequel_collector.delivery.dispatcher import Dispatcher
from pequel_collector.delivery.http import Http
from pequel_collector.errors import NotFound
from pequel_collector.marking.work import LeadChange
from pequel_collector.model import LeadPatch, Message, lead_id
from pequel_collector.ports import CLI, Attempted, DeliveryFilter, Queued, StoredDelivery
from pequel_collector.rules.parser.catalogue import read_catalogue
from pequel_collector.web.api.alerts import show_lead
from support.receivers import OK, Receiver, Reply, Taken, until

DAY = 86_400_000
DEFINITIONS = """
[[pql]]
name = "keen"
when = { event = "used" }
"""
ALERT = """
[[alert]]
name = "sales"
on = ["qualified", "assigned", "won", "voided"]
url = "%s/hook"
"""

Open = Callable[..., Collector]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver().running() as running:
        yield running


@pytest.fixture
def open_one(store_url: str, receiver: Receiver) -> Iterator[Open]:
    """Opens collectors on one database."""
    with ExitStack() as stack:

        def open_one(text: str | None = None) -> Collector:
            settings = Settings(database=store_url, allow_private_alerts=1)
            text = DEFINITIONS + ALERT % receiver.url if text is None else text
            collector = open_collector(settings, read_catalogue(text))
            stack.callback(collector.close)
            return collector

        yield open_one


@pytest.fixture
def run(receiver: Receiver) -> Iterator[Callable[[Collector], AlertSender]]:
    """Starts the thread that sends the alerts of a collector."""
    with ExitStack() as stack:

        def run(collector: Collector) -> AlertSender:
            sender = AlertSender(collector, show_lead(collector))
            sender.start()
            stack.callback(sender.stop)
            return sender

        yield run


def used(user: str, at: int | None = None) -> Message:
    time = at or now()
    return Message(
        mid=f"{user}-{time}",
        subject=f"u:{user}",
        time=time,
        received=now(),
        type="track",
        name="used",
    )


def deliveries(collector: Collector) -> list[StoredDelivery]:
    with collector.store.reading() as view:
        return view.deliveries(DeliveryFilter(), 100_000)


def told(receiver: Receiver) -> list[tuple[str, str]]:
    return [(t.json["type"], t.json["data"]["lead"]["subject"]["id"]) for t in receiver.taken]


class TestWhatIsQueued:
    def test_a_mark_and_its_delivery_are_one_transaction(self, open_one: Open) -> None:
        collector = open_one()
        collector.intake.accept([used("ada")])
        [found] = deliveries(collector)
        assert (found.alert, found.event, found.state) == ("sales", "qualified", "waiting")
        assert found.lead == lead_id("keen", "u:ada", 1)

    def test_what_people_do_is_queued_in_its_order(self, open_one: Open) -> None:
        collector = open_one()
        collector.intake.accept([used("ada")])
        lead = lead_id("keen", "u:ada", 1)
        collector.intake.change(lead, LeadChange(LeadPatch(state="assigned"), actor="eve"))
        collector.intake.change(lead, LeadChange(LeadPatch(state="contacted"), actor="eve"))
        collector.desk.change(lead, LeadChange(LeadPatch(state="won"), actor="eve"))
        assert [d.event for d in reversed(deliveries(collector))] == [
            "qualified",
            "assigned",
            "won",
        ]

    def test_a_project_without_alerts_writes_nothing(self, open_one: Open) -> None:
        collector = open_one(DEFINITIONS)
        collector.intake.accept([used("ada")])
        assert deliveries(collector) == []

    def test_nobody_is_alerted_of_leads_that_a_new_definition_finds(
        self, open_one: Open, receiver: Receiver
    ) -> None:
        collector = open_one(ALERT % receiver.url)
        collector.intake.accept([used("ada")])
        collector.put_definitions(DEFINITIONS + ALERT % receiver.url)
        while not collector.backfill_some().is_finished:  # type: ignore[union-attr]
            pass
        with collector.store.reading() as view:
            assert view.totals()["leads"] == 1
        assert deliveries(collector) == []

    def test_nobody_is_alerted_of_a_lead_that_qualified_long_ago(self, open_one: Open) -> None:
        collector = open_one()
        collector.ingest.accept([used("ada", now() - 3 * DAY - 60_000)])
        collector.ingest.accept([used("bob", now() - 3 * DAY + 60_000)])
        assert [d.lead for d in deliveries(collector)] == [lead_id("keen", "u:bob", 1)]

    def test_another_process_follows_alerts_that_were_changed(
        self, open_one: Open, receiver: Receiver
    ) -> None:
        one, other = open_one(DEFINITIONS), open_one(DEFINITIONS)
        one.put_definitions(DEFINITIONS + ALERT % receiver.url)
        other.intake.accept([used("ada")])
        assert len(deliveries(other)) == 1
        one.put_definitions(DEFINITIONS)
        other.intake.accept([used("bob")])
        assert len(deliveries(other)) == 1

    def test_only_leads_for_which_the_condition_holds(
        self, open_one: Open, receiver: Receiver
    ) -> None:
        condition = 'when = { trait = "country", eq = "DE" }'
        collector = open_one(DEFINITIONS + ALERT % receiver.url + condition)
        at = now()
        for user, country in (("ada", "DE"), ("bob", "FR")):
            traits = Message(
                mid=f"t-{user}", subject=f"u:{user}", time=at - 5, received=at, type="identify",
                traits={"country": country},
            )  # fmt: skip
            collector.ingest.accept([traits, used(user, at)])
        assert [d.lead for d in deliveries(collector)] == [lead_id("keen", "u:ada", 1)]


class TestSending:
    def test_a_commit_wakes_the_sender_and_changes_arrive_in_order(
        self, open_one: Open, run: Callable[[Collector], AlertSender], receiver: Receiver
    ) -> None:
        collector = open_one()
        run(collector)
        collector.intake.accept([used("ada")])
        lead = lead_id("keen", "u:ada", 1)
        collector.intake.change(lead, LeadChange(LeadPatch(state="assigned"), actor="eve"))
        until(lambda: len(receiver.taken) == 2)
        assert told(receiver) == [("lead.qualified", "ada"), ("lead.assigned", "ada")]
        first, second = receiver.taken
        assert first.json["data"]["lead"] == {
            **second.json["data"]["lead"], **{
                key: first.json["data"]["lead"][key]
                for key in ("state", "owner", "history", "holds_now")
            },
        }  # fmt: skip
        assert second.json["data"]["change"]["actor"] == "eve"
        until(lambda: {d.state for d in deliveries(collector)} == {"sent"})

    def test_a_lead_that_is_gone_is_dropped(
        self, open_one: Open, run: Callable[[Collector], AlertSender], receiver: Receiver
    ) -> None:
        collector = open_one()
        with collector.store.writing() as tx:
            tx.queue_deliveries([Queued(7, "sales", "nobody", "won", now(), now())])
        run(collector)
        until(lambda: deliveries(collector)[0].state == "dropped")
        assert receiver.taken == []

    def test_an_alert_to_a_private_address_is_dead_at_once(
        self, store_url: str, receiver: Receiver
    ) -> None:
        text = DEFINITIONS + ALERT % receiver.url
        collector = open_collector(Settings(database=store_url), read_catalogue(text))
        sender = AlertSender(collector, show_lead(collector))
        sender.start()
        try:
            collector.intake.accept([used("ada")])
            until(lambda: deliveries(collector)[0].state == "dead")
            assert "127.0.0.1, which is not public" in (deliveries(collector)[0].result or "")
            assert receiver.connections == 0
        finally:
            sender.stop()
            collector.close()

    def test_a_redelivery_has_the_id_of_the_first_attempt(
        self, open_one: Open, run: Callable[[Collector], AlertSender], receiver: Receiver
    ) -> None:
        receiver.behaviour = lambda _: Reply(410)
        collector = open_one()
        run(collector)
        collector.intake.accept([used("ada")])
        until(lambda: deliveries(collector)[0].state == "dead")
        receiver.behaviour = lambda _: OK
        assert collector.alerts.redeliver_dead("sales", CLI) == 1
        until(lambda: deliveries(collector)[0].state == "sent")
        assert len({t.id for t in receiver.taken}) == 1
        assert len(receiver.taken) == 2


class TestOldDeliveries:
    @pytest.fixture
    def aged(
        self, store_url: str, receiver: Receiver, run: Callable[[Collector], AlertSender]
    ) -> Iterator[Collector]:
        """A collector that has sent two deliveries 31 days ago, and one that is dead."""
        ahead = [0]
        receiver.behaviour = lambda t: Reply(410) if "bob" in t.body.decode() else OK
        collector = open_collector(
            Settings(database=store_url, allow_private_alerts=1),
            read_catalogue(DEFINITIONS + ALERT % receiver.url),
            clock=lambda: now() + ahead[0],
        )
        sender = run(collector)
        self.first = [used("ada"), used("bob"), used("cy")]
        collector.intake.accept(self.first)
        until(lambda: sorted(d.state for d in deliveries(collector)) == ["dead", "sent", "sent"])
        sender.stop()
        ahead[0] = 31 * DAY
        yield collector
        collector.close()

    def housekeep(self, collector: Collector) -> None:
        keeper = Housekeeper(collector, lambda _: None, lambda _: None)
        while keeper.run_once():
            pass

    def test_those_that_were_sent_are_removed_and_the_dead_stay(self, aged: Collector) -> None:
        self.housekeep(aged)
        assert [d.state for d in deliveries(aged)] == ["dead"]

    def test_those_of_the_last_thirty_days_stay(self, open_one: Open) -> None:
        collector = open_one()
        collector.intake.accept([used("ada")])
        with collector.store.writing() as tx:
            [claimed] = tx.claim_deliveries("sales", now(), now() + 1, 1)
            key = Attempted(claimed.change, "sales", claimed.lead, 1)
            tx.end_delivery(key, "sent", now() - 29 * DAY, "200 OK")
        self.housekeep(collector)
        assert [d.state for d in deliveries(collector)] == ["sent"]

    @pytest.mark.parametrize(
        "change",
        [
            'when = { event = "used", gte = 2 }',
            'when.any = [{ event = "used" }, { event = "other" }]',
        ],
        ids=["withdraws and restores", "keeps"],
    )
    def test_nothing_makes_a_removed_delivery_again(
        self,
        aged: Collector,
        receiver: Receiver,
        run: Callable[[Collector], AlertSender],
        change: str,
    ) -> None:
        """Neither a back-fill, nor late and repeated events, nor verify."""
        self.housekeep(aged)
        text = DEFINITIONS + ALERT % receiver.url
        for each in (text.replace('when = { event = "used" }', change), text):
            aged.put_definitions(each)
            self.housekeep(aged)
        aged.intake.accept([used("ada", now() - DAY), used("cy", now() - DAY), *self.first])
        found: list[object] = []
        verify(aged.store, aged.clock, found.append)
        assert found == []
        run(aged)
        until(lambda: not any(d.state == "waiting" for d in deliveries(aged)))
        assert [d.state for d in deliveries(aged) if d.event == "qualified"] == ["dead"]
        qualified = [who for type_, who in told(receiver) if type_ == "lead.qualified"]
        assert sorted(qualified) == ["ada", "bob", "cy"]

    def test_one_that_was_removed_cannot_be_sent_again(self, aged: Collector) -> None:
        sent = next(
            answer.id
            for answer in aged.alerts.deliveries(DeliveryFilter(), 10).data
            if answer.delivery.state == "sent"
        )
        self.housekeep(aged)
        with pytest.raises(NotFound):
            aged.alerts.redeliver(sent, CLI)


class Chaos:
    """Fails, hangs, resets and takes without saying so, at random, for a number of requests."""

    def __init__(self, requests: int, seed: int) -> None:
        self._left, self._chance = requests, Random(seed)

    def __call__(self, taken: Taken) -> Reply | None:
        if self._left <= 0:
            return OK
        self._left -= 1
        replies = [
            OK, OK, Reply(503), Reply(500), Reply(404), Reply(302, {"Location": "/"}), None,
            Reply(429, {"Retry-After": "40"}), Reply(twice=True), Reply(delay=0.05),
        ]  # fmt: skip
        if self._chance.random() < 0.01:
            return Reply(delay=0.5)
        return self._chance.choice(replies)


LEADS, CHANGES, REFUSED = 60, 5, {7, 77, 177}
"""Each change of a lead is a transaction of its own. With 400 leads it takes a minute."""


class TwoCollectors:
    """Two collectors on one database, whose clocks run ahead together, and one bad endpoint."""

    def __init__(self, url: str, stack: ExitStack) -> None:
        self.started, self.ahead, self.refused = now(), 0, REFUSED
        self.chaos = Chaos(LEADS * CHANGES * 3 // 2, seed=5)
        self.receiver = stack.enter_context(Receiver(self._behave).running())
        text = DEFINITIONS + '[[alert]]\nname = "sales"\non = ["qualified", "snoozed"]\n'
        catalogue = read_catalogue(text + f'url = "{self.receiver.url}"\n')
        self.woken = Event()
        self.collectors = [
            open_collector(Settings(database=url), catalogue, self.clock) for _ in range(2)
        ]
        self.dispatchers = [self._dispatcher(n, each) for n, each in enumerate(self.collectors)]
        for opened in (*self.collectors, *self.dispatchers):
            stack.callback(opened.close)

    def clock(self) -> int:
        return now() + self.ahead

    def change_leads(self) -> None:
        """Every lead qualifies, and is then snoozed again and again."""
        one = self.collectors[0]
        one.ingest.accept([used(f"u{n}", self.started) for n in range(LEADS)])
        for round_ in range(1, CHANGES):
            until_then = self.started + round_ * DAY
            asked = LeadChange(LeadPatch(snoozed_until=until_then), actor="eve")
            for n in range(LEADS):
                one.desk.change(lead_id("keen", f"u:u{n}", 1), asked)

    def send_all(self) -> None:
        while any(answer.waiting for answer in self.collectors[0].alerts.listed()):
            for dispatcher in self.dispatchers:
                dispatcher.run_once()
            self.woken.wait(0.01)
            self.woken.clear()
            self.ahead += 1_000

    def _behave(self, taken: Taken) -> Reply | None:
        number = taken.json["data"]["change"]["number"]
        return Reply(410) if number in self.refused else self.chaos(taken)

    def _dispatcher(self, number: int, collector: Collector) -> Dispatcher:
        http = Http(allow_private=True, deadline=0.25)
        desk, chance = collector.alerts, Random(number).random
        make = Attempts(
            collector.store, lambda id_: {"id": id_}, http, desk.senders, lambda _: None
        ).make
        return Dispatcher(
            collector.store, desk.alerts, make, self.clock, chance, wake=self.woken.set
        )


@pytest.mark.slow
def test_a_bad_endpoint_gets_each_change_under_one_id_in_order_from_two_collectors(
    postgres_url: str,
) -> None:
    with ExitStack() as stack:
        two = TwoCollectors(postgres_url, stack)
        two.change_leads()
        two.send_all()
        found = log_of(two.collectors[0].alerts)
        first = list(two.receiver.taken)
        two.refused = set()
        assert two.collectors[0].alerts.redeliver_dead("sales", CLI) == len(REFUSED)
        two.send_all()
        assert {a.delivery.state for a in log_of(two.collectors[0].alerts)} == {"sent"}
    again = [request.id for request in two.receiver.taken[len(first) :]]
    dead = {a.id for a in found if a.delivery.state == "dead"}
    assert set(again) == dead
    taken = Counter(request.id for request in first)
    assert taken.keys() == {answer.id for answer in found}
    assert len(taken) == LEADS * CHANGES < taken.total()
    assert {a.delivery.change for a in found if a.delivery.state == "dead"} == REFUSED
    assert {a.delivery.state for a in found} == {"sent", "dead"}
    by_lead: dict[str, list[int]] = defaultdict(list)
    for request in first:
        data = request.json["data"]
        by_lead[data["lead"]["id"]].append(data["change"]["number"])
    assert all(numbers == sorted(numbers) for numbers in by_lead.values())


def log_of(desk: AlertDesk) -> list[DeliveryAnswer]:
    """Every delivery, through every page of the log."""
    page = desk.deliveries(DeliveryFilter(), 100)
    found = list(page.data)
    while page.next_cursor is not None:
        page = desk.deliveries(DeliveryFilter(), 100, page.next_cursor)
        found += page.data
    return found
