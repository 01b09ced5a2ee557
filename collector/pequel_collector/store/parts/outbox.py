"""The outbox of alerts, in shared SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ...model import bucket_of
from ...ports import (
    Attempted,
    Claimed,
    DeliveryFilter,
    DeliveryPlace,
    OutboxDepth,
    Queued,
    StoredDelivery,
)
from ..encoding import escape, unescape
from ..session import Insertion, Row, Session

_COLUMNS = (
    "change, alert, lead, event, at, queued_at, state, attempts, next_at, began_at, ended_at, "
    "result, reference"
)

_QUEUE = Insertion(
    "delivery",
    (
        "change", "alert", "bucket", "lead", "event", "at", "queued_at", "state", "attempts",
        "next_at",
    ),
)  # fmt: skip

_WAITING_OF = """
SELECT DISTINCT lead, alert FROM delivery WHERE lead = ANY(:subjects) AND state = 'waiting'
"""

_NEXT_DUE = """
SELECT min(next_at) FROM delivery
WHERE alert = :alert AND state = 'waiting' AND next_at IS NOT NULL
"""

# One process writes at a time, so the rows of the inner statement are as it found them. A test of
# `state` outside of it would let PostgreSQL look for them among all that waits.
_CLAIM = """
UPDATE delivery
SET next_at = :until, attempts = attempts + 1, began_at = coalesce(began_at, :now)
WHERE (change, alert, bucket) IN (
  SELECT change, alert, bucket FROM delivery
  WHERE alert = :alert AND state = 'waiting' AND next_at <= :now
  ORDER BY next_at, change LIMIT :limit
)
RETURNING change, alert, lead, event, at, attempts, began_at
"""

_REFERENCE = """
SELECT reference FROM delivery
WHERE lead = :lead AND alert = :alert AND reference IS NOT NULL ORDER BY change DESC LIMIT 1
"""

_RETRY = """
UPDATE delivery SET next_at = :next_at, result = :result
WHERE change = :change AND alert = :alert AND bucket = :bucket
  AND state = 'waiting' AND attempts = :attempt
RETURNING change
"""

_END = """
UPDATE delivery
SET state = :state, next_at = NULL, ended_at = :now, result = :result,
  reference = coalesce(:reference, reference)
WHERE change = :change AND alert = :alert AND bucket = :bucket
  AND state = 'waiting' AND attempts = :attempt
RETURNING change
"""

_RELEASE = """
UPDATE delivery SET next_at = :now
WHERE lead = :lead AND alert = :alert AND bucket = :bucket AND state = 'waiting'
  AND next_at IS NULL AND change = (
    SELECT min(change) FROM delivery WHERE lead = :lead AND alert = :alert AND state = 'waiting'
  )
"""

_ONE_REFERENCE = """
UPDATE delivery SET reference = NULL
WHERE lead = :lead AND alert = :alert AND reference = :reference AND change <> :change
"""

_OLDEST_ENDED = """
SELECT min(ended_at) FROM delivery WHERE state IN ('sent', 'dropped') AND reference IS NULL
"""

_REMOVE = """
DELETE FROM delivery
WHERE (change, alert, bucket) IN (
  SELECT change, alert, bucket FROM delivery
  WHERE state IN ('sent', 'dropped') AND reference IS NULL AND ended_at < :before
  ORDER BY ended_at LIMIT :limit
)
RETURNING change
"""

_GIVE_UP = """
UPDATE delivery SET state = 'dead', next_at = NULL, ended_at = :now, result = :result
WHERE (change, alert, bucket) IN (
  SELECT change, alert, bucket FROM delivery
  WHERE alert = :alert AND state = 'waiting' AND next_at <= :now AND queued_at <= :before
  ORDER BY next_at, change LIMIT :limit
)
RETURNING lead
"""

_REDELIVER = """
UPDATE delivery
SET state = 'waiting', began_at = NULL, ended_at = NULL, queued_at = :now, next_at = NULL
WHERE change = :change AND alert = :alert AND bucket = :bucket AND state <> 'waiting'
RETURNING change
"""

_SEND_NOW = """
UPDATE delivery SET next_at = :now
WHERE lead = :lead AND alert = :alert AND bucket = :bucket AND state = 'waiting'
  AND 0 = (
    SELECT count(next_at) FROM delivery
    WHERE lead = :lead AND alert = :alert AND state = 'waiting'
  )
  AND change = (
    SELECT min(change) FROM delivery WHERE lead = :lead AND alert = :alert AND state = 'waiting'
  )
"""

_DEPTHS = """
SELECT alert, count(*), min(queued_at) FROM delivery
WHERE state = 'waiting' AND queued_at > 0 GROUP BY alert
"""

_LIST = f"SELECT {_COLUMNS} FROM delivery WHERE "
_LATEST_FIRST = " ORDER BY change DESC, alert DESC LIMIT :limit"
_BEFORE = "(change < :change OR (change = :change AND alert < :before))"


class OutboxReads:
    """The outbox of a read transaction. ``ports`` documents the methods."""

    _session: Session

    def deliveries(
        self, wanted: DeliveryFilter, limit: int, after: DeliveryPlace | None = None
    ) -> list[StoredDelivery]:
        tests = {name: value for name, value in wanted._asdict().items() if value is not None}
        conditions = [f"{name} = :{name}" for name in tests]
        place = {} if after is None else {"change": after.change, "before": after.alert}
        conditions += [_BEFORE] if place else []
        statement = _LIST + (" AND ".join(conditions) or "1 = 1") + _LATEST_FIRST
        return [
            _delivery(row) for row in self._session.run(statement, **tests, **place, limit=limit)
        ]

    def deliveries_of_change(self, change: int) -> list[StoredDelivery]:
        statement = _LIST + "change = :change ORDER BY alert"
        return [_delivery(row) for row in self._session.run(statement, change=change)]

    def next_delivery(self, alert: str) -> int | None:
        [(found,)] = self._session.run(_NEXT_DUE, alert=alert)
        next_at: int | None = found
        return next_at

    def oldest_ended_delivery(self) -> int | None:
        [(found,)] = self._session.run(_OLDEST_ENDED)
        ended_at: int | None = found
        return ended_at

    def outbox(self) -> list[OutboxDepth]:
        return [OutboxDepth(unescape(a), *numbers) for a, *numbers in self._session.run(_DEPTHS)]

    def reference(self, alert: str, lead: str) -> str | None:
        found = self._session.run(_REFERENCE, alert=alert, lead=lead)
        return unescape(found[0][0]) if found else None


class OutboxWrites(OutboxReads):
    """The outbox of a write transaction. ``ports`` documents the methods."""

    has_queued = False
    """Whether this transaction has made something to send."""

    def queue_deliveries(self, queued: Sequence[Queued]) -> None:
        if not queued:
            return
        waiting = self._waiting({each.lead for each in queued})
        rows = []
        for each in sorted(queued, key=lambda one: (one.change, one.alert)):
            key = each.lead, each.alert
            rows.append(_row(each, is_first=key not in waiting))
            waiting.add(key)
        self._session.insert(_QUEUE, rows)
        self.has_queued = True

    def claim_deliveries(self, alert: str, now: int, until: int, limit: int) -> list[Claimed]:
        rows = self._session.run(_CLAIM, alert=alert, now=now, until=until, limit=limit)
        return sorted(
            Claimed(change, unescape(name), unescape(lead), unescape(event), *numbers)
            for change, name, lead, event, *numbers in rows
        )

    def retry_delivery(self, attempted: Attempted, next_at: int, result: str) -> bool:
        of = _key(attempted)
        return bool(self._session.run(_RETRY, **of, next_at=next_at, result=result))

    def end_delivery(
        self,
        attempted: Attempted,
        state: str,
        now: int,
        result: str,
        reference: str | None = None,
    ) -> bool:
        of = _key(attempted)
        values = {"state": state, "now": now, "result": result, "reference": reference}
        ended = bool(self._session.run(_END, **of, **values))
        if ended:
            self._release(attempted.alert, attempted.lead, now)
        if ended and reference is not None:
            about = {"change": attempted.change, "alert": attempted.alert, "lead": attempted.lead}
            self._session.run(_ONE_REFERENCE, **about, reference=reference)
        return ended

    def give_up_deliveries(self, alert: str, before: int, now: int, result: str, limit: int) -> int:
        values = {"alert": alert, "before": before, "now": now, "result": result, "limit": limit}
        leads = [unescape(lead) for (lead,) in self._session.run(_GIVE_UP, **values)]
        for lead in leads:
            self._release(alert, lead, now)
        return len(leads)

    def remove_deliveries(self, before: int, limit: int) -> int:
        return len(self._session.run(_REMOVE, before=before, limit=limit))

    def redeliver(self, delivery: StoredDelivery, now: int) -> bool:
        lead = {"alert": delivery.alert, "lead": delivery.lead, "bucket": bucket_of(delivery.lead)}
        again = {"change": delivery.change, "alert": delivery.alert, "bucket": lead["bucket"]}
        if not self._session.run(_REDELIVER, **again, now=now):
            return False
        self._session.run(_SEND_NOW, **lead, now=now)
        self.has_queued = True
        return True

    def _waiting(self, leads: Collection[str]) -> set[tuple[str, str]]:
        rows = self._session.run_for(_WAITING_OF, leads)
        return {(unescape(lead), unescape(alert)) for lead, alert in rows}

    def _release(self, alert: str, lead: str, now: int) -> None:
        self._session.run(_RELEASE, alert=alert, lead=lead, bucket=bucket_of(lead), now=now)


def _row(queued: Queued, *, is_first: bool) -> Row:
    change, alert, lead, event, at, queued_at = queued
    names = escape(alert), bucket_of(lead), escape(lead), escape(event)
    return change, *names, at, queued_at, "waiting", 0, queued_at if is_first else None


def _key(attempted: Attempted) -> dict[str, str | int]:
    change, alert, lead, attempt = attempted
    return {"change": change, "alert": alert, "bucket": bucket_of(lead), "attempt": attempt}


def _delivery(row: Row) -> StoredDelivery:
    found = StoredDelivery(*row)
    return found._replace(
        alert=unescape(found.alert),
        lead=unescape(found.lead),
        event=unescape(found.event),
        result=unescape(found.result),
        reference=unescape(found.reference),
    )
