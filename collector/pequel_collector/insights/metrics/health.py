"""Whether a definition is any good, and what contact does: from the leads that it gave."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

from ...model import JSON, Stored, iso
from ...ports import MetricLead, ReadTransaction
from ...rules.language.analysis import patterns_of
from ...rules.language.definition import Catalogue, Definition, EventPattern
from ...rules.language.quantities import DAY
from ..interval import difference
from .figure import Asked, Values, of_rate
from .lead_figures import dismissal_reasons, marked_by, overlap
from .rates import Rate, rate

LATEST = 5_000
"""Messages among which the last event of a name is looked for."""


def may_convert(lead: MetricLead) -> bool:
    """Whether its subject was no customer yet when the lead was marked."""
    return lead.converted is None or lead.converted > lead.marked_at


def conversion(leads: Iterable[MetricLead], horizon: int, now: int) -> Rate:
    """The share of leads whose subject became a customer within the horizon."""
    spans = ((lead.marked_at, lead.converted) for lead in leads if may_convert(lead))
    return rate(spans, horizon, now)


def contact_effect(leads: Sequence[MetricLead], horizon: int, now: int) -> Values:
    """Conversion of the leads that may be contacted, and of those held out.

    Leads from before the first held-out one are left out: then nobody was held out.
    """
    since = min((lead.marked_at for lead in leads if lead.is_held_out), default=None)
    arms = [
        conversion(
            (
                x
                for x in leads
                if since is not None and x.marked_at >= since and x.is_held_out == is_held
            ),
            horizon,
            now,
        )
        for is_held in (False, True)
    ]
    return {
        **of_rate(arms[0]),
        "held_out": of_rate(arms[1]),
        **_change(arms[0], arms[1]),
    }


def _change(new: Rate, old: Rate) -> Values:
    """The difference of two shares, and its interval; null where one of them is of nothing."""
    interval = difference(new[:2], old[:2])
    known = new.rate is not None and old.rate is not None
    return {
        "difference": (new.rate or 0) - (old.rate or 0) if known else None,
        "difference_interval": None if interval is None else list(interval),
    }


class Health:
    """The health of definitions in a period, from the leads of that period."""

    def __init__(
        self, tx: ReadTransaction, asked: Asked, leads: Sequence[MetricLead], now: int
    ) -> None:
        self._tx, self._asked, self._now = tx, asked, now
        self._leads: defaultdict[str, list[MetricLead]] = defaultdict(list)
        for lead in leads:
            self._leads[lead.definition].append(lead)
        self._marked = marked_by(leads)
        self._dismissals = tx.dismissals(asked.first, asked.until)
        self._lasts = last_events(tx.latest(LATEST))

    def of(self, definition: Definition, version: int, signups: Values) -> dict[str, JSON]:
        """The health of one definition; ``signups`` is the share of sign-ups that it marked."""
        name, asked = definition.name, self._asked
        leads = sorted(
            self._leads[name],
            key=attrgetter("marked_at", "id"),
        )
        reasons = [reason for named, reason in self._dismissals if named == name]
        flags = self._tx.lead_flags(name, asked.first, asked.until)
        return {
            "definition": name,
            "version": version,
            "leads": len(leads),
            "leads_per_week": per_week(leads, asked, self._now),
            "signups": signups,
            "dismissals": dismissal_reasons(reasons),
            **taken_back(flags),
            "overlap": overlap(self._marked, name),
            "events": [
                {"event": event, "last_seen": last}
                for event, last in self._last_seen(definition).items()
            ],
            "conversion": of_rate(conversion(leads, asked.horizon or 0, self._now)),
            "drift": self._drift(leads),
        }

    def _last_seen(self, definition: Definition) -> dict[str, str | None]:
        found: dict[str, str | None] = {}
        for pattern in patterns_of(definition):
            for name in names_of(pattern):
                times = [t for event, t in self._lasts.items() if _takes(name, event)]
                found[name] = iso(max(times)) if times else None
        return found

    def _drift(self, leads: Sequence[MetricLead]) -> dict[str, JSON]:
        """Conversion of the older half of the mature leads, and of the younger half."""
        horizon = self._asked.horizon or 0
        mature = [x for x in leads if may_convert(x) and x.marked_at + horizon <= self._now]
        half = len(mature) // 2
        older, younger = (
            conversion(part, horizon, self._now) for part in (mature[:half], mature[half:])
        )
        return {"older": of_rate(older), "younger": of_rate(younger), **_change(younger, older)}


def per_week(leads: Sequence[MetricLead], asked: Asked, now: int) -> float | None:
    """Leads a week, from the first lead or the begin of the period to its end; None of none."""
    if not leads:
        return None
    since = max(asked.first, leads[0].marked_at)
    weeks = max(DAY * 7, min(asked.until, now) - since) / (DAY * 7)
    return len(leads) / weeks


def taken_back(flags: Sequence[tuple[str, str]]) -> dict[str, JSON]:
    """How many leads of all, voided ones too, were restated and how many voided."""
    states = Counter(state for state, _ in flags)
    found = Counter(flagged for _, flagged in flags)  # most have the same flags, or none
    restated = sum(number for flagged, number in found.items() if "restated" in json.loads(flagged))
    counted = {"restated": restated, "voided": states["voided"]}
    return {
        name: {"leads": number, "of": len(flags), "share": number / len(flags) if flags else None}
        for name, number in counted.items()
    }


def last_events(latest: Iterable[Stored]) -> dict[str, int]:
    """The time of the last event of each name among messages."""
    found: dict[str, int] = {}
    for message, *_ in latest:
        if message.name is not None:
            found[message.name] = max(message.time, found.get(message.name, message.time))
    return found


def names_of(pattern: EventPattern) -> list[str]:
    """The names of a pattern, as a definitions file writes them."""
    prefixes = [f"{prefix}*" for prefix in pattern.prefixes]
    return ["*"] if pattern.any else [*sorted(pattern.names), *prefixes]


def _takes(name: str, event: str) -> bool:
    return event.startswith(name[:-1]) if name.endswith("*") else event == name


def health(
    found: Health,
    catalogue: Catalogue,
    versions: Mapping[str, int],
    signups: Mapping[str, Values],
    only: str | None,
) -> list[dict[str, JSON]]:
    """The health of every definition in force, or of one."""
    return [
        found.of(each, versions[each.name], signups[each.name])
        for each in catalogue.definitions
        if only in (None, each.name)
    ]
