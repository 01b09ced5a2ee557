"""From the oracle's plain messages to the collector's, and a collector to send them to."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pequel_collector.app.bootstrap import Collector, open_collector
from pequel_collector.config import Settings
from pequel_collector.marking.backfill import activate, finish
from pequel_collector.marking.change import NewDefinitions
from pequel_collector.model import (
    Message,
    account_key,
    anonymous_key,
    id_of,
    kind_of,
    user_key,
)
from pequel_collector.ports import LeadFilter, Store, Version
from pequel_collector.rules.language.definition import Catalogue
from pequel_collector.rules.parser.catalogue import read_catalogue

from .api import Api

NOW = 1_800_000_000_000
Plain = dict[str, Any]


def collector_of(toml: str, url: str = "sqlite://") -> Collector:
    """A collector with these definitions, on an empty store, whose clock stands still."""
    return open_collector(Settings(database=url), read_catalogue(toml), clock=lambda: NOW)


def refresh(store: Store, catalogue: Catalogue, clock: Callable[[], int]) -> list[Version]:
    """Put a catalogue in force and replay all of history under it; the versions that are new."""
    with store.writing() as tx:
        activation = activate(tx, NewDefinitions(catalogue), clock())
    finish(store, activation.evaluators, clock)
    return activation.versions


def plain_event(user: str, event: str, message_id: str, time: int, **parts: Any) -> dict[str, Any]:
    """A plain message of the oracle's form: an event, unless ``type`` says otherwise."""
    absent = dict.fromkeys(("anonymousId", "previousId", "groupId"))
    empty = {"properties": {}, "traits": {}, "context": {}}
    told = {"type": "track", "userId": user, "event": event, "messageId": message_id, "time": time}
    return {**absent, **empty, **told, **parts}


def message_of(plain: Mapping[str, Any]) -> Message:
    """A message as the wire would make it."""
    kind, user, visitor = plain["type"], plain["userId"], plain["anonymousId"]
    context, traits = plain["context"], plain["traits"]
    named = context.get("groupId") or plain["groupId"]
    account = plain["groupId"] if kind == "group" else named
    return Message(
        mid=plain["messageId"],
        type=kind,
        subject=_subject(user, visitor, account),
        time=plain["time"],
        received=plain["time"],
        name={"track": plain["event"], "page": "page", "screen": "screen"}.get(kind),
        anonymous_id=visitor,
        previous_id=plain["previousId"],
        account=account,
        properties=plain["properties"],
        traits=context.get("traits", {}) | traits if kind == "identify" else traits,
        context=context,
        position=plain.get("position", 0),
    )


def _subject(user: str | None, visitor: str | None, account: str) -> str:
    if user is not None:
        return user_key(user)
    return account_key(account) if visitor is None else anonymous_key(visitor)


def messages_of(plain: Iterable[Mapping[str, Any]]) -> list[Message]:
    """Messages as the wire would make them: it leaves positions to the store."""
    return [message_of({**each, "position": 0}) for each in plain]


def by_instant(messages: Iterable[Plain]) -> list[list[Plain]]:
    """Messages by their time, in their order: one request or one batch must have all of each."""
    found: dict[int, list[Plain]] = {}
    for each in messages:
        found.setdefault(each["time"], []).append(each)
    return list(found.values())


def marks(collector: Collector) -> dict[tuple[str, str, str], list[int]]:
    """Who qualified for what, and when, cycle by cycle: the leads that stand."""
    with collector.store.reading() as view:
        leads = [lead for lead, _ in view.leads(LeadFilter(), limit=10_000)]
    found: dict[tuple[str, str, str], list[int]] = {}
    for lead in sorted(leads, key=lambda lead: lead.cycle):
        key = lead.definition, str(kind_of(lead.subject)), id_of(lead.subject)
        found.setdefault(key, []).append(lead.qualified_at)
    return found


def answers(collector: Collector) -> list[dict[str, Any]]:
    """What the API says of everybody, without what depends on the time of arrival."""
    with collector.store.reading() as view:
        keys = view.subjects()
        persons = view.persons(keys)
    asked = [(kind_of(key) or "user", id_of(key)) for key in keys if key not in persons]
    return [_timeless(Api(collector).status(kind, name)) for kind, name in asked] + [
        _timeless(Api(collector).user(name)) for kind, name in asked if kind == "user"
    ]


def _timeless(answer: dict[str, Any]) -> dict[str, Any]:
    leads = [
        {name: value for name, value in lead.items() if name not in {"marked_at", "flags"}}
        for lead in answer["leads"]
        if lead["state"] != "voided"
    ]
    leads.sort(key=lambda lead: (lead["definition"], lead["subject"]["kind"], lead["cycle"]))
    return answer | {"leads": leads}
