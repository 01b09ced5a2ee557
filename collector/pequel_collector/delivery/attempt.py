"""One attempt to deliver: read the lead, send it, say what came of it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from ..errors import NotFound
from ..leads.outbox import delivery_id
from ..model import JSON, iso
from ..ports import Change, Claimed, Store
from ..rules.language.alerts import Alert
from .forms import SENDERS
from .http import Http, Unreachable
from .records import Delivery, Gone, Misconfigured, Refused, Result, Retry, Sender
from .target import Forbidden
from .variables import check_variables

Show = Callable[[str], Mapping[str, JSON]]
"""A lead as the API shows it, by id. Raises NotFound."""

Link = Callable[[str], str | None]
"""The page of a lead in the console, by id."""

MAX_RESULT = 500
"""Characters of what came of an attempt that are kept."""

_log = logging.getLogger(__name__)


class Senders:
    """The sender of each alert, made when it is first needed and when the alert has changed.

    ``may_send`` says which environment variables an alert may send.
    """

    def __init__(self, environment: Mapping[str, str], may_send: Callable[[str], bool]) -> None:
        self._environment, self._may_send = environment, may_send
        self._made: dict[str, tuple[Alert, Sender]] = {}

    def of(self, alert: Alert) -> Sender:
        """The sender of an alert. Raises Misconfigured."""
        made = self._made.get(alert.name)
        if made is None or made[0] != alert:
            check_variables(alert.options, self._may_send)
            made = alert, SENDERS[alert.form](alert.options, self._environment)
            self._made[alert.name] = made
        return made[1]

    def problem(self, alert: Alert) -> str | None:
        """Why an alert cannot be sent as it is configured; None if it can."""
        try:
            self.of(alert)
        except Misconfigured as error:
            return str(error)
        return None


class Attempts:
    """Makes attempts, from any thread."""

    def __init__(self, store: Store, show: Show, http: Http, senders: Senders, link: Link) -> None:
        self._store, self._show, self._http = store, show, http
        self.senders, self._link = senders, link

    def make(self, alert: Alert, claimed: Claimed) -> Result | Gone:
        """Make the attempt that was claimed; what came of it."""
        try:
            delivery = self._delivery(claimed)
        except NotFound:
            return Gone()
        return self.send(alert, delivery)

    def send(self, alert: Alert, delivery: Delivery) -> Result:
        """Send a delivery; whatever goes wrong is a result."""
        try:
            return self.senders.of(alert).send(delivery, self._http)
        except Unreachable as error:
            return Retry(str(error), is_endpoint=True)
        except Misconfigured as error:
            return Retry(str(error), is_endpoint=True)
        except Forbidden as error:
            return Refused(str(error))
        except Exception as error:  # noqa: BLE001 - a mistake in one form must not stop the others
            _log.exception("the alert %s could not be sent", alert.name)
            return Retry(f"the collector failed: {type(error).__name__}", is_endpoint=True)

    def _delivery(self, claimed: Claimed) -> Delivery:
        lead = self._show(claimed.lead)
        with self._store.reading() as view:
            logged = view.changes_after(claimed.change - 1, 1)
            reference = view.reference(claimed.alert, claimed.lead)
        return Delivery(
            id=delivery_id(claimed.change, claimed.alert, claimed.lead, claimed.at),
            alert=claimed.alert,
            type=f"lead.{claimed.event}",
            at=claimed.at,
            lead=lead,
            route=lead.get("route"),
            attempt=claimed.attempt,
            change=_shown(logged[0]) if logged and logged[0].number == claimed.change else None,
            reference=reference,
            link=self._link(claimed.lead),
        )


def _shown(change: Change) -> dict[str, JSON]:
    return {
        "number": change.number,
        "what": change.what,
        "at": iso(change.at),
        "reason": change.reason,
        "actor": change.actor,
    }
