"""How many events a key may send: in a second on average, and in a month.

Rates are kept by each process for itself, in memory; months are counted in the store. A batch is
let in whole or not at all. It may go over what is left, which the next ones then make up for: so
a batch of any size gets through, and over time nobody gets more than their rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from threading import Lock

from ..config import Settings
from ..errors import TooMany
from ..model import Key
from ..ports import Store
from ..usage import balance_of, month_of

FRESH_FOR = 5_000
"""Milliseconds for which the count of a month is not asked for again."""

LATER = 300
"""Seconds after which to try again where a month is used up: clients wait no longer than this."""


@dataclass(slots=True)
class _Bucket:
    """How many events more may come now; less than nothing where too many came."""

    level: float
    filled_at: int


@dataclass(slots=True)
class _Month:
    """How many events came in a month, as it was counted, and more since."""

    name: str
    number: int
    counted_at: int


class Limits:
    """The rates and quotas of all keys."""

    def __init__(self, store: Store, settings: Settings, clock: Callable[[], int]) -> None:
        self._store, self._settings, self._clock = store, settings, clock
        self._guard = Lock()
        self._buckets: dict[str, _Bucket] = {}
        self._months: dict[str, _Month] = {}

    def admit(self, key: Key, events: int) -> None:
        """Let a batch of so many events in. Raises TooMany, with when to come again."""
        rate = self._settings.rate_limit if key.rate is None else key.rate
        quota = self._settings.monthly_quota if key.quota is None else key.quota
        if not rate and not quota:
            return
        with self._guard:
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
        if month is None or not is_known or now - month.counted_at > FRESH_FOR:
            month = self._months[key.id] = self._counted(key.id, now)
        if month.number >= quota:
            raise TooMany(f"more than {quota} events in {month.name}", retry_after=LATER)

    def _counted(self, key: str, now: int) -> _Month:
        name = month_of(now)
        with self._store.reading() as view:
            found = [usage for usage in view.usage() if (usage.key, usage.month) == (key, name)]
        return _Month(name, balance_of(found).received, now)
