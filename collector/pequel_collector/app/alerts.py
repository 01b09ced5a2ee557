"""What people ask of alerts: which there are, what became of deliveries, send one again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ..config import Settings
from ..delivery.attempt import Attempts, Link, Senders, Show
from ..delivery.http import Http
from ..delivery.records import Delivery, Result
from ..errors import BadRequest, Conflict, NotFound
from ..leads.outbox import change_of, delivery_id
from ..model import JSON, Clock, lead_id
from ..ports import (
    AuditEntry,
    By,
    DeliveryFilter,
    DeliveryPlace,
    OutboxDepth,
    Store,
    StoredDelivery,
)
from ..queries.answers import Page
from ..queries.cursors import decode_time_cursor, encode, list_id
from ..rules.language.alerts import Alert

AT_ONCE = 100
"""Deliveries that one transaction lets wait again."""

REMOVED_AT_ONCE = 500
"""Old deliveries that one transaction removes."""

DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class AlertAnswer:
    """An alert, and how it does. ``alert`` is None for one that only deliveries still name.

    ``problem`` says why it cannot be sent as it is configured.
    """

    name: str
    alert: Alert | None
    waiting: int = 0
    oldest_waiting_at: int | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class DeliveryAnswer:
    """A delivery with its id."""

    delivery: StoredDelivery

    @property
    def id(self) -> str:
        """The ``webhook-id`` of each of its attempts."""
        found = self.delivery
        return delivery_id(found.change, found.alert, found.lead, found.at)


class AlertDesk:
    """Alerts and their deliveries, over one store. ``alerts`` gives those in force."""

    def __init__(
        self,
        store: Store,
        alerts: Callable[[], tuple[Alert, ...]],
        clock: Clock,
        settings: Settings,
        environment: Mapping[str, str],
    ) -> None:
        self._store, self.alerts, self._clock = store, alerts, clock
        self.senders = Senders(environment, settings.is_for_alerts)
        self.http = http_of(settings)
        self._kept_for = settings.keep_deliveries * DAY
        self.link = link_of(settings)

    def attempts(self, show: Show) -> Attempts:
        """Makes attempts; ``show`` gives a lead as the API shows it."""
        return Attempts(self._store, show, self.http, self.senders, self.link)

    def listed(self) -> list[AlertAnswer]:
        """The alerts in force, then those that only deliveries which wait still name."""
        with self._store.reading() as view:
            depths = {depth.alert: depth for depth in view.outbox()}
        known = [self._answer(alert, depths.pop(alert.name, None)) for alert in self.alerts()]
        gone = [AlertAnswer(d.alert, None, d.waiting, d.oldest) for d in depths.values()]
        return known + sorted(gone, key=lambda answer: answer.name)

    def _answer(self, alert: Alert, depth: OutboxDepth | None) -> AlertAnswer:
        waiting, oldest = (depth.waiting, depth.oldest) if depth else (0, None)
        return AlertAnswer(alert.name, alert, waiting, oldest, self.senders.problem(alert))

    def deliveries(
        self, wanted: DeliveryFilter, limit: int, cursor: str | None = None
    ) -> Page[DeliveryAnswer]:
        """Deliveries, latest change first. Raises BadRequest for a cursor of another list."""
        of = list_id("deliveries", *wanted)
        place = decode_time_cursor(of, cursor)
        after = None if place is None else DeliveryPlace(*place)
        with self._store.reading() as view:
            found = view.deliveries(wanted, limit + 1, after)
        last = found[limit - 1] if len(found) > limit else None
        data = [DeliveryAnswer(each) for each in found[:limit]]
        return Page(data, last and encode(of, last.change, last.alert))

    def redeliver(self, id_: str, by: By) -> DeliveryAnswer:
        """Let one delivery wait again, under its id. Raises NotFound, and Conflict if it waits."""
        with self._store.writing() as tx:
            change = change_of(id_)
            found = [] if change is None else tx.deliveries_of_change(change)
            delivery = next((each for each in found if DeliveryAnswer(each).id == id_), None)
            if delivery is None:
                raise NotFound(f"there is no delivery {id_[:80]!a}")
            if not tx.redeliver(delivery, self._clock()):
                raise Conflict("the delivery waits to be sent already", "delivery_waits")
            tx.add_audit(AuditEntry(self._clock(), "redelivered", by, {"delivery": id_}))
            again = tx.deliveries_of_change(delivery.change)
        return DeliveryAnswer(next(each for each in again if each.alert == delivery.alert))

    def redeliver_dead(self, alert: str, by: By) -> int:
        """Let every dead delivery of an alert wait again; how many there were."""
        total, wanted = 0, DeliveryFilter(alert, "dead")
        while True:
            with self._store.writing() as tx:
                dead = tx.deliveries(wanted, AT_ONCE)
                # The earliest first, so that those of one lead keep their order.
                again = sum(tx.redeliver(each, self._clock()) for each in reversed(dead))
                total += again
                if len(dead) < AT_ONCE:
                    about = {"alert": alert, "deliveries": total}
                    tx.add_audit(AuditEntry(self._clock(), "redelivered", by, about))
                    return total

    def remove_old(self) -> bool:
        """Remove some deliveries that ended long ago; whether there may be more."""
        before = self._clock() - self._kept_for
        with self._store.reading() as view:
            oldest = view.oldest_ended_delivery()
        if not self._kept_for or oldest is None or oldest >= before:
            return False
        with self._store.writing() as tx:
            return tx.remove_deliveries(before, REMOVED_AT_ONCE) == REMOVED_AT_ONCE

    def test(self, name: str, lead: Mapping[str, JSON]) -> tuple[Delivery, Result]:
        """Send a made-up lead by an alert, once; what came of it. Raises NotFound, BadRequest."""
        alert = named(self.alerts(), name)
        if (problem := self.senders.problem(alert)) is not None:
            raise BadRequest(f"the alert {name} cannot be sent: {problem}", "misconfigured")
        delivery = sample(alert, lead, self._clock(), self.link(str(lead["id"])))

        def show(_: str) -> Mapping[str, JSON]:
            return lead

        return delivery, self.attempts(show).send(alert, delivery)


def named(alerts: tuple[Alert, ...], name: str) -> Alert:
    """The alert of a name. Raises NotFound."""
    found = next((alert for alert in alerts if alert.name == name), None)
    if found is None:
        known = ", ".join(alert.name for alert in alerts) or "none"
        raise NotFound(f"there is no alert {name[:80]!a}; there are: {known}")
    return found


def sample(alert: Alert, lead: Mapping[str, JSON], now: int, link: str | None) -> Delivery:
    """A delivery of a made-up lead."""
    identifier = f"msg_test_{lead_id(alert.name, str(now), 0)[:16]}"
    return Delivery(
        id=identifier,
        alert=alert.name,
        type=f"lead.{alert.on[0]}",
        at=now,
        lead=lead,
        route=lead.get("route"),
        link=link,
        is_test=True,
    )


def http_of(settings: Settings) -> Http:
    """The client that alerts use."""
    return Http(allow_private=bool(settings.allow_private_alerts))


def link_of(settings: Settings) -> Link:
    """The page of a lead in the console, if it is known where people open the console."""
    base = settings.public_url.rstrip("/")
    return lambda lead: f"{base}/leads/{lead}" if base else None
