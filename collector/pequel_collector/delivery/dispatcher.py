"""Sends what the outbox holds, in rounds: record what came of attempts, claim more, start them.

One thread runs the rounds, and workers make the attempts. Several processes share an outbox: each
claims for as long as a lease, and what a process that died had claimed is claimed again after it.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import NamedTuple, Protocol

from ..model import Clock
from ..ports import Attempted, Claimed, Store, WriteTransaction
from ..rules.language.alerts import Alert
from .records import Gone, Refused, Result, Retry, Sent
from .schedule import LIFETIME, Pause, next_attempt

LEASE = 120_000
"""How long a claim holds (ms): longer than an attempt can take."""

WORKERS = 64
"""Threads that make attempts, at most."""

MOST_AT_ONCE = 4
"""Attempts of one alert at once, so that a slow endpoint has no more of the workers."""

POLL = 1.0
"""Seconds between two rounds if there is nothing to do: other processes may have queued."""

GIVEN_UP_AT_ONCE = 500
MAX_RESULT = 500

_log = logging.getLogger(__name__)


class Makes(Protocol):
    """Makes one attempt of an alert."""

    def __call__(self, alert: Alert, claimed: Claimed) -> Result | Gone: ...


class Finished(NamedTuple):
    """An attempt, and what came of it."""

    claimed: Claimed
    result: Result | Gone


class Dispatcher:
    """The rounds of one process. ``alerts`` gives those in force, ``chance`` numbers from 0 to 1.

    ``wake`` is called from a worker when an attempt has ended.
    """

    def __init__(
        self,
        store: Store,
        alerts: Callable[[], Sequence[Alert]],
        make: Makes,
        clock: Clock,
        chance: Callable[[], float],
        *,
        wake: Callable[[], None] = lambda: None,
        lease: int = LEASE,
    ) -> None:
        self._store, self._alerts, self._make = store, alerts, make
        self._clock, self._chance, self._wake, self._lease = clock, chance, wake, lease
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="pequel-alerts")
        self._finished: SimpleQueue[Finished] = SimpleQueue()
        self._unrecorded: list[Finished] = []
        self._running: Counter[str] = Counter()
        self.pauses: defaultdict[str, Pause] = defaultdict(Pause)

    @property
    def running(self) -> int:
        """How many attempts have begun and are not recorded yet."""
        return self._running.total()

    def run_once(self, *, claims: bool = True) -> float:
        """Run one round; the seconds until the next is useful. Raises Unavailable."""
        self._collect()
        now = self._clock()
        alerts = {alert.name: alert for alert in self._alerts()} if claims else {}
        wanted, wait = self._wanted(alerts, now)
        if not (wanted or self._unrecorded):
            return wait
        recorded = len(self._unrecorded)
        with self._store.writing() as tx:
            self._record(tx, now)
            claimed = [
                each
                for name, slots in wanted.items()
                for each in tx.claim_deliveries(name, now, now + self._lease, slots)
            ]
        self._forget_recorded()
        for each in claimed:
            self._start(alerts[each.alert], each)
        return 0.0 if recorded else min(wait, POLL)

    def close(self) -> None:
        """Start no more attempts. What is claimed and not recorded is sent again later."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    # -- claiming --------------------------------------------------------------------------

    def _wanted(self, alerts: Iterable[str], now: int) -> tuple[dict[str, int], float]:
        """How many deliveries of each alert to claim, and the seconds until the next is due."""
        free = {name: slots for name in alerts if (slots := self._slots(name)) > 0}
        if not free:
            return {}, POLL
        with self._store.reading() as view:
            due = {name: view.next_delivery(name) for name in free}
        at = {n: max(t, self.pauses[n].until) for n, t in due.items() if t is not None}
        wanted = {name: free[name] for name, time in at.items() if time <= now}
        later = [time - now for time in at.values() if time > now]
        return wanted, min([POLL, *(each / 1_000 for each in later)])

    def _slots(self, name: str) -> int:
        """How many more attempts of an alert may begin."""
        share = max(1, min(MOST_AT_ONCE, WORKERS // max(1, len(self._alerts()))))
        most = 1 if self.pauses[name].is_failing else share
        return most - self._running[name]

    def _start(self, alert: Alert, claimed: Claimed) -> None:
        self._running[alert.name] += 1
        self._pool.submit(self._attempt, alert, claimed)

    def _attempt(self, alert: Alert, claimed: Claimed) -> None:
        result: Result | Gone = Retry("the collector failed")
        try:
            result = self._make(alert, claimed)
        except Exception:  # noqa: BLE001 - whatever went wrong, the attempt has ended
            _log.exception("an attempt of the alert %s failed", alert.name)
        finally:
            self._finished.put(Finished(claimed, result))
            self._wake()

    # -- recording -------------------------------------------------------------------------

    def _collect(self) -> None:
        while True:
            try:
                finished = self._finished.get_nowait()
            except Empty:
                return
            self.pauses[finished.claimed.alert].note(finished.result, self._clock())
            self._unrecorded.append(finished)

    def _record(self, tx: WriteTransaction, now: int) -> None:
        counts: Counter[str] = Counter()
        for claimed, result in self._unrecorded:
            counts[record(tx, claimed, result, now, self._chance())] += 1
        for name in {each.claimed.alert for each in self._unrecorded}:
            if self.pauses[name].is_lost(now):
                reason = "given up: the endpoint has failed for a day"
                before = now - LIFETIME
                counts["dead"] += tx.give_up_deliveries(name, before, now, reason, GIVEN_UP_AT_ONCE)
        tx.count({f"{TALLY}{name}": number for name, number in counts.items() if number})

    def _forget_recorded(self) -> None:
        for each in self._unrecorded:
            self._running[each.claimed.alert] -= 1
        self._unrecorded.clear()


TALLY = "deliveries_"
"""How the names of running totals of results begin."""

RESULTS = ("sent", "retried", "dead", "dropped", "outrun")
"""What may come of an attempt. An ``outrun`` one took longer than its lease."""


def record(
    tx: WriteTransaction, claimed: Claimed, result: Result | Gone, now: int, chance: float
) -> str:
    """Record what came of an attempt; which of ``RESULTS`` it is."""
    attempted = Attempted(claimed.change, claimed.alert, claimed.lead, claimed.attempt)
    match result:
        case Sent(detail, reference):
            counts, word = tx.end_delivery(attempted, "sent", now, _cut(detail), reference), "sent"
        case Gone(reason):
            counts, word = tx.end_delivery(attempted, "dropped", now, reason), "dropped"
        case Refused(reason):
            counts, word = tx.end_delivery(attempted, "dead", now, _cut(reason)), "dead"
        case Retry(reason):
            next_at = next_attempt(result, claimed.began_at, now, chance)
            if next_at is None:
                counts, word = tx.end_delivery(attempted, "dead", now, _cut(reason)), "dead"
            else:
                counts = tx.retry_delivery(attempted, next_at, _cut(reason))
                word = "retried"
    return word if counts else "outrun"


def _cut(text: str) -> str:
    return text[:MAX_RESULT]
