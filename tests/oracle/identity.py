"""Who is who: user ids and anonymous ids, the links between them, and the person at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

Message = Mapping[str, Any]
Id = tuple[str, str]  # ("user", id) or ("anonymous", id): separate name spaces
Links = dict[Id, Id]


def in_order(messages: Sequence[Message]) -> list[Message]:
    """The order of facts: event time, position, then messageId."""
    return sorted(messages, key=lambda m: (m["time"], m.get("position", 0), m["messageId"]))


def placed(requests: Iterable[Sequence[Message]]) -> list[dict[str, Any]]:
    """The messages of requests in their order of arrival, each with its position.

    It is the message's place among those of one instant that were stored from its request.
    """
    stored: set[str] = set()
    found = []
    for request in requests:
        numbers: Counter[int] = Counter()
        for message in request:
            found.append({**message, "position": numbers[message["time"]]})
            if message["messageId"] not in stored:
                stored.add(message["messageId"])
                numbers[message["time"]] += 1
    return found


def links_of(messages: Sequence[Message]) -> Links:
    """Each id has one link, the first in the order of facts that closes no circle.

    Reading: a link skipped for its circle does not use up the id's one link.
    """
    links: Links = {}
    for message in in_order(messages):
        for linked, user in links_in(message):
            if linked not in links and linked not in chain(user, links):
                links[linked] = user
    return links


def links_in(message: Message) -> Iterator[tuple[Id, Id]]:
    if not message.get("userId"):
        return
    user = ("user", message["userId"])
    # Reading: any message with both ids links them, group and alias calls included.
    if message.get("anonymousId"):
        yield ("anonymous", message["anonymousId"]), user
    if message["type"] == "alias" and message.get("previousId"):
        yield ("user", message["previousId"]), user
        yield ("anonymous", message["previousId"]), user


def chain(start: Id, links: Links) -> list[Id]:
    """The id and all that it leads to."""
    ids = [start]
    while ids[-1] in links:
        ids.append(links[ids[-1]])
    return ids


def person_of(message: Message, links: Links) -> Id | None:
    """Whose fact it is: of the user named, else of whom the anonymous id leads to.

    An anonymous id that leads to no user is a person without a user id: no subject, but its
    group calls are still its own.
    """
    if message.get("userId"):
        return chain(("user", message["userId"]), links)[-1]
    if message.get("anonymousId"):
        return chain(("anonymous", message["anonymousId"]), links)[-1]
    return None
