"""The read path: who is a PQL, since when and why; who is not yet, and what is missing."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from typing import Any

from .derive import Machines, all_facts
from .errors import BadRequest, NotFound
from .history import History, read_history
from .model import JSON, Kind, Lead, Stored, account_key, id_of, iso, kind_of, subject_key, user_key
from .ports import LeadCursor, LeadFilter, Reading, Store, Version
from .rules.definition import Catalogue
from .rules.explain import Explainer
from .rules.facts import State
from .rules.sentence import describe

Clock = Callable[[], int]
Answer = dict[str, JSON]
BEYOND = 2**62  # no time of ours, and within what every database holds
OPEN = ("new", "assigned", "contacted", "won")


class Queries:
    """Every question that the query API answers, over one store and one catalogue."""

    def __init__(self, store: Store, catalogue: Catalogue, clock: Clock) -> None:
        self.store, self.catalogue, self.clock = store, catalogue, clock
        with store.reading() as tx:
            self.machines = Machines(catalogue, tx.versions())

    def pqls(self, wanted: LeadFilter, limit: int, cursor: str | None = None) -> Answer:
        """Leads by priority, then the latest mark first."""
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
            return self._leads(tx, [lead])[0]

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
        key = subject_key(kind, identifier)
        with self.store.reading() as tx:
            _seen(tx, kind, identifier)
            leads = self._leads(tx, _standing(tx, key))
            account = current_account(tx, key) if kind == "user" else None
            if account is not None:
                inherited = self._leads(tx, _standing(tx, account_key(account)))
                leads += [lead | {"via": "account"} for lead in inherited]
            return {
                "subject": {"kind": kind, "id": identifier},
                "is_pql": any(lead["state"] in OPEN for lead in leads),
                "account": account,
                "leads": leads,
                "progress": self._progress(tx, key, {lead["definition"] for lead in leads}),
            }

    def timeline(self, kind: Kind, identifier: str, limit: int, cursor: str | None) -> Answer:
        """The messages of a subject, latest first."""
        with self.store.reading() as tx:
            _seen(tx, kind, identifier)
            until = None if cursor is None else _read_place(cursor)
            found = sorted(
                tx.events(subject_key(kind, identifier), until=until and until[0]),
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
        """The definitions in force, each with a sentence, and every version there was."""
        with self.store.reading() as tx:
            versions = tx.versions()
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
                    "version": self.machines.versions.get(definition.name),
                    "hash": definition.hash,
                    "source": definition.source,
                    "versions": [_version(v) for v in versions if v.name == definition.name],
                }
                for definition in self.catalogue.definitions
            ],
            "next_cursor": None,
        }

    def events(self, limit: int) -> Answer:
        """The messages that arrived last, latest first."""
        with self.store.reading() as tx:
            return {"data": [event(stored) for stored in tx.latest(limit)], "next_cursor": None}

    def rejected(self, limit: int) -> Answer:
        """What was refused, latest first, as it came."""
        with self.store.reading() as tx:
            return {
                "data": [
                    {
                        "id": refused.id,
                        "received_at": iso(refused.received_at),
                        "key": refused.key,
                        "index": refused.rejection.index,
                        "messageId": refused.rejection.mid,
                        "code": refused.rejection.code,
                        "message": refused.rejection.message,
                        "field": refused.rejection.field,
                        "payload": refused.rejection.payload,
                    }
                    for refused in tx.refused(limit)
                ],
                "next_cursor": None,
            }

    # -- parts -----------------------------------------------------------------------------

    def _profile(self, tx: Reading, kind: Kind, identifier: str) -> Answer:
        key = subject_key(kind, identifier)
        first, last = _seen(tx, kind, identifier)
        profile: Answer = {
            "id": identifier,
            "traits": tx.traits([key]).get(key, {}),
            "first_seen": iso(first),
            "last_seen": iso(last),
            "event_counts": dict(sorted(tx.counts(key).items())),
            "leads": self._leads(tx, _standing(tx, key)),
        }
        if kind == "user":
            profile["account"] = current_account(tx, key)
        return profile

    def _leads(self, tx: Reading, leads: list[Lead]) -> list[Answer]:
        keys = {lead.subject for lead in leads}
        traits = tx.traits(keys)
        states = _states(tx, keys)
        world = Others(tx)
        return [
            lead_answer(
                lead,
                traits.get(lead.subject, {}),
                self._holds(lead, states.get(lead.subject), world),
            )
            for lead in leads
        ]

    def _holds(self, lead: Lead, history: History | None, world: Others) -> bool:
        machine = self.machines.of(lead.subject)
        rule = machine.by_name.get(lead.definition)
        if rule is None or history is None or history.version != machine.version:
            return False
        return rule.when(history.head, max(self.clock(), history.head.time), world)

    def _progress(self, tx: Reading, key: str, done: set[str]) -> list[Answer]:
        machine = self.machines.of(key)
        history = _states(tx, [key]).get(key) or History(machine.version)
        facts = all_facts(tx.sealed(key), history)
        world, now = Others(tx), self.clock()
        return [
            Explainer(machine, rule, facts, now, world).progress()
            for rule in machine.rules
            if rule.name not in done
        ]


class Others:
    """The states of other subjects, as a definition asks for them."""

    def __init__(self, tx: Reading) -> None:
        self._tx = tx

    def user(self, user_id: str) -> State | None:
        """The state of a user."""
        return self._state(user_key(user_id))

    def account(self, account_id: str) -> State | None:
        """The state of an account."""
        return self._state(account_key(account_id))

    def _state(self, key: str) -> State | None:
        history = _states(self._tx, [key]).get(key)
        return None if history is None else history.head


def lead_answer(lead: Lead, traits: dict[str, JSON], holds_now: bool) -> Answer:
    """A lead as the API shows it."""
    kind = kind_of(lead.subject)
    return {
        "id": lead.id,
        "definition": lead.definition,
        "version": lead.version,
        "subject": {"kind": kind, "id": id_of(lead.subject)},
        "cycle": lead.cycle,
        "qualified_at": iso(lead.qualified_at),
        "marked_at": iso(lead.marked_at),
        "state": lead.state,
        "holds_now": holds_now,
        "kind": lead.kind,
        "priority": lead.priority,
        "owner": lead.owner,
        "due_at": None if lead.due_at is None else iso(lead.due_at),
        "flags": lead.flags,
        "account": lead.account if kind == "user" else id_of(lead.subject),
        "traits": traits,
        "evidence": lead.evidence,
    }


def event(stored: Stored) -> Answer:
    """A message as the API shows it."""
    message, account = stored
    shown: Answer = {
        "messageId": message.mid,
        "type": message.type,
        "event": message.name,
        "userId": message.user_id,
        "anonymousId": message.anonymous_id,
        "account": account,
        "timestamp": iso(message.time),
        "received_at": iso(message.received),
        "context": message.context,
    }
    return shown | (
        {"properties": message.properties} if message.is_event else {"traits": message.traits}
    )


def current_account(tx: Reading, user: str) -> str | None:
    """The account of a user now: that of their latest fact that has one."""
    accounts = [account for _, account in tx.events(user) if account is not None]
    return accounts[-1] if accounts else None


def _seen(tx: Reading, kind: Kind, identifier: str) -> tuple[int, int]:
    span = tx.span(subject_key(kind, identifier))
    if span is None:
        raise NotFound(f"there is no {kind} {identifier}", kind=kind, id=identifier)
    return span


def _standing(tx: Reading, key: str) -> list[Lead]:
    return [lead for lead in tx.leads_of([key])[key] if lead.state != "voided"]


def _states(tx: Reading, keys: Iterable[str]) -> dict[str, History]:
    return {key: read_history(body) for key, body in tx.histories(list(keys)).items()}


def _version(version: Version) -> Answer:
    return {
        "version": version.version,
        "hash": version.hash,
        "created_at": iso(version.created_at),
        "source": version.source,
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
