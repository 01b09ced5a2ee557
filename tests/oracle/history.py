"""Facts: which messages count, whose they are, and which account they fall to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .identity import Id, Message, in_order, links_of, person_of
from .values import look_up

Subject = tuple[str, str]  # ("user", id) or ("account", id)

EVENT_TYPES = ("track", "page", "screen")


@dataclass(frozen=True)
class Fact:
    time: int
    message_id: str
    type: str
    person: Id | None
    account: str | None
    event: str | None  # the name, of an event; identify, group and alias are none
    properties: Mapping[str, Any]
    context: Mapping[str, Any]
    traits: Mapping[str, Any]  # what an identify or group call sets

    def value(self, name: str) -> Any:
        """A property, or under `context.` what the message said of its surroundings.

        Reading: `context.x` is never a property, also for what is drawn from events.
        """
        if name.startswith("context."):
            return look_up(self.context, name.removeprefix("context."))
        return look_up(self.properties, name)

    @property
    def user_id(self) -> str | None:
        return self.person[1] if self.person and self.person[0] == "user" else None


class History:
    """All facts, in order, under the subjects they are facts of."""

    def __init__(self, messages: Sequence[Message], now: int | None = None) -> None:
        self.facts = facts_of(known_at(now, first_copies(messages)))
        self.by_subject: dict[Subject, list[Fact]] = defaultdict(list)
        for fact in self.facts:
            if fact.user_id is not None:
                self.by_subject["user", fact.user_id].append(fact)
            if fact.account is not None:
                self.by_subject["account", fact.account].append(fact)

    def of(self, subject: Subject) -> list[Fact]:
        return self.by_subject.get(subject, [])

    def subjects(self, kind: str) -> list[Subject]:
        return sorted(subject for subject in self.by_subject if subject[0] == kind)


def first_copies(messages: Sequence[Message]) -> list[Message]:
    """The first copy stored of each messageId wins, content and time."""
    copies: dict[str, Message] = {}
    for message in messages:
        copies.setdefault(message["messageId"], message)
    return list(copies.values())


def known_at(now: int | None, messages: Sequence[Message]) -> list[Message]:
    # Reading: as of `now`, later facts are not there at all, their links included.
    return [message for message in messages if now is None or message["time"] <= now]


def facts_of(messages: Sequence[Message]) -> list[Fact]:
    links = links_of(messages)
    people = {message["messageId"]: person_of(message, links) for message in messages}
    group_calls: dict[Id | None, list[Message]] = defaultdict(list)
    for message in in_order(messages):
        if message["type"] == "group" and message.get("groupId"):
            group_calls[people[message["messageId"]]].append(message)
    # Without a user and a visitor, a call is a fact of its account alone: nobody joins or leaves.
    group_calls.pop(None, None)
    facts = []
    for message in in_order(messages):
        person = people[message["messageId"]]
        account = account_named(message) or account_joined(message, group_calls.get(person, []))
        facts.append(fact_of(message, person, account))
    return facts


def fact_of(message: Message, person: Id | None, account: str | None) -> Fact:
    return Fact(
        time=message["time"],
        message_id=message["messageId"],
        type=message["type"],
        person=person,
        account=account,
        event=event_name(message),
        properties=message.get("properties") or {},
        context=message.get("context") or {},
        traits=traits_set(message),
    )


def event_name(message: Message) -> str | None:
    """A page or screen is an event named `page` or `screen`."""
    if message["type"] not in EVENT_TYPES:
        return None
    return str(message["event"] if message["type"] == "track" else message["type"])


def traits_set(message: Message) -> dict[str, Any]:
    """`traits` go before `context.traits`, which only an identify call has."""
    own = message.get("traits") or {}
    if message["type"] == "group":
        # Reading: `left` as true or false is about the person, and no trait of the account. Any
        # other value is a trait like others, and so is the rest of a call that leaves.
        about_person = isinstance(own.get("left"), bool)
        return {name: own[name] for name in own if not (name == "left" and about_person)}
    if message["type"] != "identify":
        return {}
    in_context = (message.get("context") or {}).get("traits")
    return {**(in_context if isinstance(in_context, Mapping) else {}), **own}


def account_named(message: Message) -> str | None:
    """A group call falls to its groupId; on all else `context.groupId` comes before `groupId`."""
    if message["type"] == "group":
        return id_text(message.get("groupId"))
    in_context = id_text((message.get("context") or {}).get("groupId"))
    return in_context or id_text(message.get("groupId"))


def id_text(value: Any) -> str | None:
    """A numeric id is its decimal text; null, "" and blanks are absent ids."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return str(value) if str(value).strip() else None


def account_joined(message: Message, group_calls: Sequence[Message]) -> str | None:
    """The account that the person's group call at or before it left them in; of one instant too.

    Reading: leaving an account that the person is not in ends nothing, and whoever leaves goes back
    to no earlier account.
    """
    account: str | None = None
    for call in group_calls:
        if call["time"] > message["time"]:
            break
        if not is_leaving(call):
            account = str(call["groupId"])
        elif account == str(call["groupId"]):
            account = None
    return account


def is_leaving(call: Message) -> bool:
    """Only `true` itself leaves: values are compared exactly."""
    return (call.get("traits") or {}).get("left") is True
