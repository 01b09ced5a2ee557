"""How many events a key may send: in a second on average, and in a month.

Each process counts the rate of a key by itself, in memory. The events of a month are counted in the
store. A batch is accepted or refused as a whole. It may exceed what is left, and then the next
batches wait for it: a batch of any size is accepted, but no key exceeds its rate over time.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from threading import Lock

from ..config import Settings
from ..errors import TooMany
from ..model import Clock, Key
from ..ports import Store
from ..usage import REPORTS, balance_of, month_of

COUNT_INTERVAL = 5_000
"""Milliseconds between two counts of the events of a month in the store."""

QUOTA_RETRY_AFTER = 300
"""Seconds after which to try again when a quota is used up. Clients wait no longer than this."""


@dataclass(slots=True)
class _Bucket:
    """How many more events a key may send now; negative if it has sent too many."""

    level: float
    filled_at: int


@dataclass(slots=True)
class _Month:
    """The events of a key in a month: those counted in the store, and those accepted since."""

    name: str
    number: int
    counted_at: int


class Limits:
    """The rates and quotas of all keys, in one process."""

    def __init__(self, store: Store, settings: Settings, clock: Clock) -> None:
        self._store, self._settings, self._clock = store, settings, clock
        self._lock = Lock()
        self._buckets: dict[str, _Bucket] = {}
        self._months: dict[str, _Month] = {}

    def admit(self, key: Key, events: int) -> None:
        """Accept a batch of so many events. Raises TooMany with ``retry_after`` seconds."""
        rate = self._settings.rate_limit if key.rate is None else key.rate
        quota = self._settings.monthly_quota if key.quota is None else key.quota
        if not rate and not quota:
            return
        with self._lock:
            if quota:
                self._check_month(key, quota)
            if rate:
                self._check_rate(key, rate)
                self._buckets[key.id].level -= events
            if quota:
                self._months[key.id].number += events

    def _check_rate(self, key: Key, rate: int) -> None:
        now = self._clock()
        bucket = self._buckets.setdefault(key.id, _Bucket(rate, now))
        gained = max(0, now - bucket.filled_at) * rate / 1_000
        bucket.level, bucket.filled_at = min(rate, bucket.level + gained), now
        if bucket.level <= 0:
            seconds = ceil((1 - bucket.level) / rate)
            raise TooMany(f"more than {rate} events a second", retry_after=max(1, seconds))

    def _check_month(self, key: Key, quota: int) -> None:
        now = self._clock()
        month = self._months.get(key.id)
        is_known = month is not None and month.name == month_of(now)
        if month is None or not is_known or now - month.counted_at > COUNT_INTERVAL:
            month = self._months[key.id] = self._counted(key.id, now)
        if month.number >= quota:
            raise TooMany(
                f"more than {quota} events in {month.name}", retry_after=QUOTA_RETRY_AFTER
            )

    def _counted(self, key: str, now: int) -> _Month:
        name = month_of(now)
        with self._store.reading() as view:
            found = [usage for usage in view.usage() if (usage.key, usage.month) == (key, name)]
        reports = sum(usage.number for usage in found if usage.outcome == REPORTS)
        return _Month(name, balance_of(found).received + reports, now)
