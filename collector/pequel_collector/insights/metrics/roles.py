"""What a message is for metrics: a sign-up, a trial, a key event, a conversion, a first touch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from hashlib import blake2b

from ...model import JSON, is_number
from ...ports import BlockMessage, FirstFact, RevenueEvent
from ...rules.engine.conversions import amount_of, currency_of
from ...rules.language.definition import Project
from .channels import channel_of

MAX_TERM = 1_200
"""Months of a contract that are believed."""

RULES = "1"
"""Changes with the rules of this module. What was read under other rules is read again."""


@dataclass(frozen=True, slots=True)
class Roles:
    """The event names of a project that metrics look at."""

    signup: str = "*"
    trial: str | None = None
    conversion: str | None = None
    expansion: str | None = None
    contraction: str | None = None
    churn: str | None = None
    key_events: tuple[str, ...] = ()

    @classmethod
    def of(cls, project: Project) -> Roles:
        """Those of a ``[project]`` table. Without a sign-up, any event is one."""
        return cls(
            project.signup or "*",
            project.trial,
            project.conversion,
            project.expansion,
            project.contraction,
            project.churn,
            tuple(sorted(project.key_events)),
        )

    @property
    def digest(self) -> str:
        """A text that is another one for other roles."""
        text = repr((RULES, sorted(asdict(self).items())))
        return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()

    @property
    def priced(self) -> dict[str, str]:
        """The events that change revenue, by name, and the role of each."""
        named = {
            self.churn: "churn",
            self.contraction: "contraction",
            self.expansion: "expansion",
            self.conversion: "conversion",
        }
        return {name: role for name, role in named.items() if name is not None}

    def of_message(self, message: BlockMessage) -> list[str]:
        """The roles of which a message may be the first fact."""
        name, found = message.name, ["seen"]
        if name is not None:
            tests = (
                ("signup", _matches(self.signup, name)),
                ("trial", _matches(self.trial, name)),
                ("value", any(_matches(pattern, name) for pattern in self.key_events)),
                ("conversion", name == self.conversion),
            )
            found += [role for role, holds in tests if holds]
        return found


def first_facts(messages: Iterable[BlockMessage], roles: Roles) -> list[FirstFact]:
    """The first fact of each id in each account, for each role, among messages in any order."""
    found: dict[tuple[str, str, str], FirstFact] = {}
    for message in messages:
        place = message.time, message.position, message.mid
        channel = channel_of(message.context) if message.context else None
        named = roles.of_message(message)
        for role in named if channel is None else [*named, "touch"]:
            key = message.subject, role, message.account or ""
            known = found.get(key)
            if known is None or place < known[3:6]:
                found[key] = FirstFact(*key, *place, channel if role == "touch" else None)
    return list(found.values())


def revenue_events(messages: Iterable[BlockMessage], roles: Roles) -> list[RevenueEvent]:
    """The messages that change what a customer pays."""
    priced = roles.priced
    return [
        _revenue_event(message, priced[message.name])
        for message in messages
        if message.name in priced
    ]


def _revenue_event(message: BlockMessage, role: str) -> RevenueEvent:
    subject, account, time, position, mid, _, properties, _ = message
    return RevenueEvent(
        subject,
        time,
        position,
        mid,
        account,
        role,
        amount_of(properties.get("mrr")),
        currency_of(properties.get("currency")),
        _term(properties.get("term_months")),
    )


def _term(value: JSON) -> int | None:
    """A whole number of months; None for what is none."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 5:
        value = int(value)
    if not is_number(value) or not 0 < value <= MAX_TERM or value != int(value):
        return None
    return int(value)


def _matches(pattern: str | None, name: str) -> bool:
    if pattern is None:
        return False
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern
