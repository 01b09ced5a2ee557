"""The read path: who is a PQL, since when and why; who is not yet, and what is missing."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from ..errors import BadRequest, NotFound
from ..identity.subject import Subject
from ..marking.active import (
    ActiveDefinitions,
    ActiveVersion,
    BackfillProgress,
    active_definitions,
    backfill_progress,
)
from ..marking.evaluators import Evaluators, evaluators_of
from ..marking.snapshot import Snapshot
from ..model import (
    JSON,
    Key,
    Kind,
    Lead,
    Stored,
    account_key,
    id_of,
    iso,
    kind_of,
)
from ..ports import (
    Change,
    LeadCursor,
    LeadFilter,
    ReadTransaction,
    RejectedCursor,
    RejectedFilter,
    Store,
    StoredRejectedEvent,
    Version,
)
from ..rules.explain.evidence import Explainer
from ..rules.language.definition import Catalogue
from ..rules.language.sentence import describe
from ..usage import balance_of, balances

Clock = Callable[[], int]
Answer = dict[str, JSON]
BEYOND = 2**62  # no time of ours, and within what every database holds
OPEN = ("new", "assigned", "contacted", "won")


class Queries:
    """Every question that the query API answers, over one store and one catalogue."""

    def __init__(self, store: Store, catalogue: Catalogue, clock: Clock) -> None:
        self.store, self.catalogue, self.clock = store, catalogue, clock
        with store.reading() as tx:
            self.evaluators = evaluators_of(tx, catalogue)

    def follow(self, evaluators: Evaluators) -> None:
        """Answer by these evaluators from the next question on."""
        self.evaluators, self.catalogue = evaluators, evaluators.catalogue

    def pqls(self, wanted: LeadFilter, limit: int, cursor: str | None = None) -> Answer:
        """Leads by priority, then the latest mark first."""
        wanted = replace(wanted, now=self.clock())
        with self.store.reading() as tx:
            found = tx.leads(wanted, limit + 1, _read_cursor(cursor))
            leads = self._leads(tx, [lead for lead, _ in found[:limit]])
        more = len(found) > limit
        return {"data": leads, "next_cursor": _write_cursor(found[limit - 1][1]) if more else None}

    def pql(self, lead_id: str) -> Answer:
        """One lead. Raises NotFound."""
        with self.store.reading() as tx:
            lead = tx.lead(lead_id)
            if lead is None:
                raise NotFound(f"there is no lead {lead_id}", id=lead_id)
            changes = [change_answer(change) for change in tx.changes(lead_id)]
            return self._leads(tx, [lead])[0] | {"changes": changes}

    def user(self, user_id: str) -> Answer:
        """A user: traits, account, activity and leads. Raises NotFound for one never seen."""
        with self.store.reading() as tx:
            return self._profile(tx, "user", user_id)

    def account(self, account_id: str) -> Answer:
        """An account: traits, activity and leads. Raises NotFound for one never seen."""
        with self.store.reading() as tx:
            return self._profile(tx, "account", account_id)

    def status(self, kind: Kind, identifier: str) -> Answer:
        """Whether a user or account is a PQL, with the leads, or the progress towards each one."""
        with self.store.reading() as tx:
            subject = Subject.of(tx, kind, identifier)
            subject.span()
            leads = self._leads(tx, _standing(tx, subject.key))
            account = subject.account() if kind == "user" else None
            if account is not None:
                inherited = self._leads(tx, _standing(tx, account_key(account)))
                leads += [lead | {"via": "account"} for lead in inherited]
            own = {lead["definition"] for lead in leads if "via" not in lead}
            return {
                "subject": {"kind": kind, "id": id_of(subject.key)},
                "is_pql": any(lead["state"] in OPEN for lead in leads),
                "account": account,
                "leads": leads,
                "progress": self._progress(tx, subject.key, own),
            }

    def timeline(self, kind: Kind, identifier: str, limit: int, cursor: str | None) -> Answer:
        """The messages of a subject, latest first."""
        with self.store.reading() as tx:
            subject = Subject.of(tx, kind, identifier)
            subject.span()
            until = None if cursor is None else _read_place(cursor)
            found = sorted(
                tx.events(subject.ids, until=until and until[0]),
                key=lambda s: (s.message.time, s.message.mid),
                reverse=True,
            )
        if until is not None:
            found = [s for s in found if (s.message.time, s.message.mid) < until]
        page = found[:limit]
        last = page[-1].message if len(found) > limit else None
        return {
            "data": [event(stored) for stored in page],
            "next_cursor": None if last is None else _encode([last.time, last.mid]),
        }

    def definitions(self) -> Answer:
        """The definitions in force, each with a sentence, and every version there was.

        And where they came from, and how far history has been replayed under them.
        """
        with self.store.reading() as tx:
            versions, found, replay = tx.versions(), active_definitions(tx), backfill_progress(tx)
        standing = {} if found is None else found.standing
        return {
            "data": [
                {
                    "name": definition.name,
                    "subject": definition.subject,
                    "title": definition.title,
                    "kind": definition.kind,
                    "priority": definition.priority,
                    "owner": definition.owner,
                    "description": describe(definition),
                    "on_change": definition.on_change,
                    "version": self.evaluators.versions.get(definition.name),
                    "hash": definition.hash,
                    "in_force_since": _since(standing.get(definition.name)),
                    "source": definition.source,
                    "text": definition.text,
                    "versions": [_version(v) for v in versions if v.name == definition.name],
                }
                for definition in self.catalogue.definitions
            ],
            "next_cursor": None,
            "origin": None if found is None else _origin(found),
            "backfill": None if replay is None else _backfill(replay),
        }

    def events(self, limit: int) -> Answer:
        """The messages that arrived last, latest first."""
        with self.store.reading() as tx:
            return {"data": [event(stored) for stored in tx.latest(limit)], "next_cursor": None}

    def rejected(self, wanted: RejectedFilter, limit: int, cursor: str | None = None) -> Answer:
        """What was refused, latest first, as it came."""
        after = None if cursor is None else RejectedCursor(*_read_place(cursor))
        with self.store.reading() as tx:
            found = tx.rejected(limit + 1, wanted, after)
        shown, more = found[:limit], len(found) > limit
        last = (shown[-1].received_at, shown[-1].id) if more else None
        return {
            "data": [refused_answer(refused) for refused in shown],
            "next_cursor": None if last is None else _encode(list(last)),
        }

    def usage(self, keys: Iterable[Key]) -> Answer:
        """What became of the events that came in, by key and month, latest month first."""
        with self.store.reading() as tx:
            usages = tx.usage()
        labels = {key.id: key.label for key in keys}
        data = [
            {"key": key or None, "label": labels.get(key), "month": month, **balance.answer()}
            for (month, key), balance in sorted(balances(usages).items(), reverse=True)
        ]
        return {"data": data, "total": balance_of(usages).answer(), "next_cursor": None}

    # -- parts -----------------------------------------------------------------------------

    def _profile(self, tx: ReadTransaction, kind: Kind, identifier: str) -> Answer:
        subject = Subject.of(tx, kind, identifier)
        first, last = subject.span()
        profile: Answer = {
            "id": id_of(subject.key),
            "traits": tx.traits({subject.key: subject.ids})[subject.key],
            "first_seen": iso(first),
            "last_seen": iso(last),
            "event_counts": dict(sorted(tx.counts(subject.ids).items())),
            "leads": self._leads(tx, _standing(tx, subject.key)),
        }
        if kind == "user":
            profile["account"] = subject.account()
            profile["ids"] = [_id_answer(each) for each in subject.ids]
        return profile

    def _leads(self, tx: ReadTransaction, leads: list[Lead]) -> list[Answer]:
        keys = {lead.subject for lead in leads}
        users = tx.ids_of([key for key in keys if kind_of(key) == "user"])
        traits = tx.traits({key: users.get(key, [key]) for key in keys})
        now = self.clock()
        told = Snapshot(tx, self.evaluators, now)
        told.load(keys)
        return [
            lead_answer(lead, traits[lead.subject], self._holds(lead, told), now) for lead in leads
        ]

    def _holds(self, lead: Lead, told: Snapshot) -> bool:
        rule = self.evaluators.of(lead.subject).by_name.get(lead.definition)
        ctx = told.ctx(lead.subject)
        if rule is None or ctx is None:
            return False
        return (rule.permanent and rule.index in ctx.state.marks) or rule.when(ctx)

    def _progress(self, tx: ReadTransaction, key: str, done: set[str]) -> list[Answer]:
        evaluator = self.evaluators.of(key)
        ctx = Snapshot(tx, self.evaluators, self.clock()).context_of_anyone(key)
        return [
            Explainer(evaluator, rule, ctx).progress()
            for rule in evaluator.rules
            if rule.name not in done
        ]


def lead_answer(lead: Lead, traits: dict[str, JSON], holds_now: bool, now: int) -> Answer:
    """A lead as the API shows it at an instant."""
    kind = kind_of(lead.subject)
    expired = lead.state == "new" and lead.expires_at is not None and lead.expires_at <= now
    return {
        "id": lead.id,
        "definition": lead.definition,
        "version": lead.version,
        "subject": {"kind": kind, "id": id_of(lead.subject)},
        "cycle": lead.cycle,
        "qualified_at": iso(lead.qualified_at),
        "marked_at": iso(lead.marked_at),
        "state": "expired" if expired else lead.state,
        "holds_now": holds_now,
        "kind": lead.kind,
        "priority": lead.priority,
        "owner": lead.owner,
        "due_at": _iso(lead.due_at),
        "expires_at": _iso(lead.expires_at),
        "merged_into": lead.merged_into,
        "flags": lead.flags,
        "account": lead.account if kind == "user" else id_of(lead.subject),
        "traits": traits,
        "evidence": lead.evidence,
    }


def event(stored: Stored) -> Answer:
    """A message as the API shows it."""
    message, account, _ = stored
    shown: Answer = {
        "messageId": message.mid,
        "type": message.type,
        "event": message.name,
        "userId": message.user_id,
        "anonymousId": message.anonymous_id if message.user_id else id_of(message.subject),
        "account": account,
        "timestamp": iso(message.time),
        "received_at": iso(message.received),
        "context": message.context,
    }
    return shown | (
        {"properties": message.properties} if message.is_event else {"traits": message.traits}
    )


def change_answer(change: Change) -> Answer:
    """An entry of the ledger as the API shows it."""
    return {
        "at": iso(change.at),
        "what": change.what,
        "before": change.before,
        "after": change.after,
        "reason": change.reason,
        "actor": change.actor,
    }


def _standing(tx: ReadTransaction, key: str) -> list[Lead]:
    return [lead for lead in tx.leads_of([key])[key] if lead.state != "voided"]


def _id_answer(key: str) -> Answer:
    return {"kind": "user" if kind_of(key) else "anonymous", "id": id_of(key)}


def _iso(time: int | None) -> str | None:
    return None if time is None else iso(time)


def _since(standing: ActiveVersion | None) -> str | None:
    return None if standing is None else iso(standing.since)


def _origin(found: ActiveDefinitions) -> Answer:
    return {"kind": found.origin, "at": iso(found.at), "instead_of": _iso(found.instead_of)}


def _backfill(replay: BackfillProgress) -> Answer:
    return {
        "state": "done" if replay.is_over else "running",
        "done": replay.done,
        "total": None if replay.total is None else max(replay.total, replay.done),
        "leads": replay.leads,
        "started_at": iso(replay.started_at),
        "finished_at": _iso(replay.finished_at),
    }


def _version(version: Version) -> Answer:
    return {
        "version": version.version,
        "hash": version.hash,
        "created_at": iso(version.created_at),
        "source": version.source,
        "text": version.text,
    }


def refused_answer(refused: StoredRejectedEvent) -> Answer:
    """A refused event and why."""
    rejection = refused.event
    return {
        "id": refused.id,
        "received_at": iso(refused.received_at),
        "key": refused.key,
        "index": rejection.index,
        "messageId": rejection.mid,
        "code": rejection.code,
        "message": rejection.message,
        "field": rejection.field,
        "payload": rejection.payload,
    }


def _encode(parts: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def _decode(cursor: str) -> list[Any]:
    try:
        parts = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error):
        parts = None
    if not isinstance(parts, list):
        raise _no_cursor()
    return parts


def _no_cursor() -> BadRequest:
    message = "cursor: expected the next_cursor of an answer of this list"
    return BadRequest(message, "bad_parameter", field="cursor")


def _in_range(*numbers: int) -> bool:
    return all(type(number) is int and abs(number) < BEYOND for number in numbers)


def _write_cursor(cursor: LeadCursor) -> str:
    return _encode(list(cursor))


def _read_cursor(cursor: str | None) -> LeadCursor | None:
    match None if cursor is None else _decode(cursor):
        case None:
            return None
        case [int(rank), int(marked_at), str(identifier)] if _in_range(rank, marked_at):
            return LeadCursor(rank, marked_at, identifier)
        case _:
            raise _no_cursor()


def _read_place(cursor: str) -> tuple[int, str]:
    match _decode(cursor):
        case [int(time), str(mid)] if _in_range(time):
            return time, mid
        case _:
            raise _no_cursor()
