"""Which changes of leads the alerts in force send: a pure function of ledger entries.

A lead that was back-filled, or qualified longer ago than ``alert_max_age``, is not news: nobody is
alerted that it qualified. What happens to it afterwards is alerted. Nothing of a lead that is held
out is alerted. What a CRM has changed is not sent back to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from ..model import Lead
from ..ports import Change, Queued
from ..rules.language.alerts import EVENT_OF, MAX_AGE, Alert
from ..rules.language.crm import actor_of
from ..rules.language.lead_condition import LeadView, holds
from .holdout import is_held_out

BACKFILLED = "backfilled"


@dataclass(frozen=True, slots=True)
class AlertRules:
    """The alerts in force, and the age up to which a qualification is alerted (ms)."""

    alerts: Sequence[Alert] = ()
    max_age: int = MAX_AGE


NO_ALERTS = AlertRules()


def to_send(
    rules: AlertRules,
    changes: Iterable[Change],
    leads: Mapping[str, Lead],
    now: int,
    view: Callable[[Lead], LeadView],
) -> Iterator[Queued]:
    """What the alerts send of some ledger entries; ``leads`` are those that they name, by id.

    ``view`` gives what a condition sees of a lead. It is asked only where an alert has one.
    """
    views: dict[str, LeadView] = {}
    for change in changes:
        event, lead = EVENT_OF.get(change.what), leads.get(change.lead)
        if (
            event is None
            or lead is None
            or is_held_out(lead)
            or (event == "qualified" and not is_news(lead, rules, now))
        ):
            continue
        for alert in rules.alerts:
            if event not in alert.on or _comes_from(change, alert):
                continue
            if alert.when is not None:
                if lead.id not in views:
                    views[lead.id] = view(lead)
                if not holds(alert.when, views[lead.id]):
                    continue
            yield Queued(change.number, alert.name, change.lead, event, change.at, now)


def _comes_from(change: Change, alert: Alert) -> bool:
    """Whether a change was made by the CRM that an alert writes into. It is never sent back."""
    return alert.crm is not None and change.actor == actor_of(alert.crm)


def is_news(lead: Lead, rules: AlertRules, now: int) -> bool:
    """Whether people are alerted that a lead qualified."""
    return BACKFILLED not in lead.flags and now - lead.qualified_at <= rules.max_age


def delivery_id(change: int, alert: str, lead: str, at: int) -> str:
    """The id of a delivery: the same for every attempt, and for no other change or alert."""
    digest = blake2b(f"{change}\0{alert}\0{lead}\0{at}".encode("utf-8", "surrogatepass"))
    return f"msg_{change}_{digest.hexdigest()[:16]}"


def change_of(delivery_id: str) -> int | None:
    """The number of the ledger entry in an id; None if it is not the id of a delivery."""
    prefix, _, rest = delivery_id.partition("_")
    number, _, digest = rest.partition("_")
    is_id = prefix == "msg" and number.isascii() and number.isdigit() and len(digest) == 16
    return int(number) if is_id and len(number) <= 18 else None
