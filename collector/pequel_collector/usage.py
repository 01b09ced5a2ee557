"""Counts of the events that came in, by key and month."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from .model import Report, iso
from .ports import Usage

NO_KEY = ""
"""The key of events that did not come over HTTP, such as those of an import."""

REPORTS = "reports"
"""The outcome of client reports that came without events. Each counts for the quota as an event."""

DROPPED = "dropped"
"""The outcome of events that a client dropped, and reported."""


@dataclass(slots=True)
class Balance:
    """Events that came in: received is stored + duplicates + rejected + suppressed.

    ``dropped`` counts events that clients dropped and reported; they are not received.
    """

    stored: int = 0
    duplicates: int = 0
    suppressed: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)

    def add(self, usage: Usage) -> None:
        outcome, _, code = usage.outcome.partition(":")
        match outcome:
            case "stored":
                self.stored += usage.number
            case "duplicate":
                self.duplicates += usage.number
            case "suppressed":
                self.suppressed += usage.number
            case "reports":
                pass
            case "dropped":
                self.dropped[code] += usage.number
            case _:
                self.rejected[code] += usage.number

    @property
    def received(self) -> int:
        return self.stored + self.duplicates + self.suppressed + self.rejected.total()


def dropped(key: str | None, report: Report, now: int) -> list[Usage]:
    """The counts of a client report."""
    sender = key or NO_KEY, month_of(now)
    return [Usage(*sender, f"{DROPPED}:{why}", number) for why, number in report.dropped.items()]


def balance_of(usages: Iterable[Usage]) -> Balance:
    """The sum of counts."""
    balance = Balance()
    for usage in usages:
        balance.add(usage)
    return balance


def balances(usages: Iterable[Usage]) -> dict[tuple[str, str], Balance]:
    """The sums of counts by month and key."""
    found: defaultdict[tuple[str, str], Balance] = defaultdict(Balance)
    for usage in usages:
        found[usage.month, usage.key].add(usage)
    return found


def month_of(time: int) -> str:
    """The month of an instant, in UTC: ``2026-11``."""
    return iso(time)[:7]
