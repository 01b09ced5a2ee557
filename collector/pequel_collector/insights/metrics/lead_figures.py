"""Figures of leads that are neither a share nor a length of time: how many, how old, why not."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import combinations
from zoneinfo import ZoneInfo

from ...model import JSON
from ...ports import MetricLead
from ...rules.language.quantities import DAY
from .rates import Rate

OPEN = ("new", "assigned", "contacted")

AGES = ((1, "under 1 day"), (3, "1 to 3 days"), (7, "3 to 7 days"), (14, "7 to 14 days"),
        (30, "14 to 30 days"))  # fmt: skip
OLDEST = "30 days and more"

MAX_MONTHS = 120
"""Months that are listed, the last ones."""

_QUARTER = 900_000
_FIRST, _LAST = -62_135_000_000_000, 253_402_000_000_000
_LAST_MONDAY = date.max - timedelta(days=14)
NEVER_ENDS = 2**62

MAX_REASONS = 50
"""Reasons that are listed. The rest is counted together."""


def state_of(lead: MetricLead, now: int) -> str:
    """The state of a lead now: one that nobody took in time has expired."""
    is_late = lead.state == "new" and lead.expires_at is not None and lead.expires_at <= now
    return "expired" if is_late else lead.state


def volume(leads: Sequence[MetricLead], zone: str, now: int) -> dict[str, JSON]:
    """How many leads there are, of how many subjects, by state and by week."""
    weeks = by_week([lead.marked_at for lead in leads], zone)
    return {
        "leads": len(leads),
        "subjects": len({lead.subject for lead in leads}),
        "states": dict(sorted(Counter(state_of(lead, now) for lead in leads).items())),
        "weeks": [{"week": f"{monday}", "leads": number} for monday, number in weeks.items()],
    }


def ageing(leads: Iterable[MetricLead], now: int) -> dict[str, JSON]:
    """How long open leads have been waiting since they were marked, and which are overdue."""
    ages: Counter[str] = Counter()
    overdue = 0
    for lead in leads:
        if state_of(lead, now) in OPEN:
            ages[_age(now - lead.marked_at)] += 1
            waits = lead.contacted_at is None and lead.due_at is not None
            overdue += waits and lead.due_at is not None and lead.due_at <= now
    names = [name for _, name in AGES] + [OLDEST]
    buckets = [{"age": name, "leads": ages[name]} for name in names]
    return {"open": ages.total(), "overdue": overdue, "ages": buckets}


def _age(waited: int) -> str:
    return next((name for days, name in AGES if waited < days * DAY), OLDEST)


def sla_attainment(leads: Iterable[MetricLead], now: int) -> Rate:
    """The leads that somebody contacted by ``due_at``, of those whose ``due_at`` has come.

    Left out are leads without one, held-out leads, and those that were closed without a contact.
    """
    found = Counter(is_due(lead, now) for lead in leads)
    return Rate(found["in"], found["in"] + found["out"], found["immature"])


def is_due(lead: MetricLead, now: int) -> str | None:
    """What a lead counts as: ``in`` if it was contacted in time; None for one that is left out."""
    if lead.due_at is None or lead.is_held_out or _is_closed_alone(lead, now):
        return None
    if lead.due_at > now:
        return "immature"
    return "in" if lead.contacted_at is not None and lead.contacted_at <= lead.due_at else "out"


def _is_closed_alone(lead: MetricLead, now: int) -> bool:
    return lead.contacted_at is None and state_of(lead, now) not in OPEN


def months(leads: Iterable[MetricLead], zone: str) -> dict[str, int]:
    """How many leads qualified in each month from the first to the last, at most so many months."""
    found = Counter(month_of(lead.qualified_at, zone) for lead in leads)
    if not found:
        return {}
    counted: dict[str, int] = {}
    month, first = max(found), min(found)
    while month >= first and len(counted) < MAX_MONTHS:
        counted[month] = found[month]
        month = month_before(month)
    return dict(reversed(counted.items()))


def velocity(leads: Iterable[MetricLead], until: int, zone: str) -> dict[str, JSON]:
    """Growth from the month before to the last month that is over when the period ends."""
    counted = months(leads, zone)
    last = month_before(month_of(until, zone))
    now, then = counted.get(last, 0), counted.get(month_before(last), 0)
    return {
        "month": last,
        "numerator": now - then,
        "denominator": then,
        "immature": 0,
        "rate": (now - then) / then if then else None,
        "interval": None,
        "months": [
            {"month": month, "leads": number, "growth": _growth(counted, month)}
            for month, number in counted.items()
        ],
    }


def _growth(counted: Mapping[str, int], month: str) -> float | None:
    before = counted.get(month_before(month), 0)
    return (counted[month] - before) / before if before else None


def month_before(month: str) -> str:
    """The month before one, such as ``2026-03``."""
    year, number = int(month[:4]), int(month[5:])
    return f"{year - (number == 1):04}-{(number - 2) % 12 + 1:02}"


def month_of(at: int, zone: str) -> str:
    """The calendar month of a time."""
    return f"{_day(at, zone):%Y-%m}"


def by_week(times: Iterable[int], zone: str) -> dict[date, int]:
    """How many times are in each calendar week that has one, by its Monday, in order."""
    ordered, found, place = sorted(times), dict[date, int](), 0
    while place < len(ordered):
        day = _day(ordered[place], zone)
        monday = day - timedelta(days=day.weekday())
        after = bisect_left(ordered, _end_of_week(monday, zone), place + 1)
        found[monday] = after - place
        place = after
    return found


def _end_of_week(monday: date, zone: str) -> int:
    """The first instant (ms) after a week."""
    if monday > _LAST_MONDAY:
        return NEVER_ENDS
    end = datetime.combine(monday + timedelta(days=7), time.min, ZoneInfo(zone))
    return round(end.timestamp() * 1000)


def _day(at: int, zone: str) -> date:
    return _day_of(at // _QUARTER, zone)


@lru_cache(maxsize=65_536)
def _day_of(quarter: int, zone: str) -> date:
    """The day of a quarter of an hour: the offset of every zone in use is a multiple of one."""
    within = min(max(quarter * _QUARTER, _FIRST), _LAST)  # zones cannot lead out of the calendar
    return datetime.fromtimestamp(within / 1000, UTC).astimezone(ZoneInfo(zone)).date()


def dismissal_reasons(dismissals: Sequence[str]) -> dict[str, JSON]:
    """How often each reason was given, the most frequent first."""
    found = sorted(Counter(dismissals).items(), key=lambda pair: (-pair[1], pair[0]))
    return {
        "dismissals": len(dismissals),
        "reasons": [{"reason": reason, "leads": n} for reason, n in found[:MAX_REASONS]],
        "other_reasons": sum(number for _, number in found[MAX_REASONS:]),
    }


def marked_by(leads: Iterable[MetricLead]) -> dict[str, set[str]]:
    """The subjects that each definition has marked."""
    marked: defaultdict[str, set[str]] = defaultdict(set)
    for lead in leads:
        marked[lead.definition].add(lead.subject)
    return marked


def overlap(marked: Mapping[str, set[str]], definition: str | None) -> list[dict[str, JSON]]:
    """How many subjects each pair of definitions has marked, both and either."""
    pairs = combinations(sorted(marked), 2)
    return [
        _pair(a, b, marked[a], marked[b])
        for a, b in pairs
        if definition in (None, a, b) and _kinds(marked[a]) == _kinds(marked[b])
    ]


def _kinds(subjects: set[str]) -> set[str]:
    return {subject[:2] for subject in subjects}


def _pair(a: str, b: str, first: set[str], second: set[str]) -> dict[str, JSON]:
    both, either = len(first & second), len(first | second)
    return {
        "definitions": [a, b],
        "subjects": [len(first), len(second)],
        "both": both,
        "share": both / either,
    }
