"""Names that tell what an event or a trait is about, in the words that products use."""

from __future__ import annotations

import re

SIGN_UP = frozenset({
    "signed up", "sign up", "signup", "user signed up", "registered", "user registered",
    "registration completed", "account created", "user created", "trial started", "started trial",
})  # fmt: skip
VIEWS = frozenset({
    "page", "screen", "page view", "page viewed", "pageview", "viewed page", "screen viewed",
    "screen view", "visited", "visit", "site visited",
})  # fmt: skip
PRESENCE = frozenset({
    "login", "log in", "logged in", "user logged in", "signed in", "sign in", "signin",
    "user signed in", "session", "session start", "session started", "session ended", "active",
    "app opened", "application opened", "opened app", "app launched", "heartbeat", "ping",
})  # fmt: skip
OUTCOMES = re.compile(
    r"(invoice|payment|checkout|purchase) (\w+ )?(paid|succeeded|completed|received)"
    r"|(subscription|contract) (started|created|signed|activated|renewed)"
    r"|paid|purchased|(plan |account )?upgraded"
)
HAND_RAISES = re.compile(
    r"(contact|contacted|talk to|talked to|call|meet|ask|asked) (our |with )?sales( \w+)*"
    r"|sales (\w+ )*(contacted|requested|asked|clicked|submitted|booked)"
    r"|(book|request|schedule) (a )?(demo|call|meeting|quote|trial extension)( \w+)*"
    r"|(demo|quote|call|meeting|sales call|callback|proposal|trial extension)"
    r" (\w+ )?(requested|booked|scheduled|asked)"
    r"|(booked|requested|scheduled) (a )?(demo|call|meeting|quote|callback|proposal)"
    r"|hand raised|raised hand"
)
PAYING = frozenset({"paid", "paying", "customer", "subscribed", "subscriber", "converted"})
PAYING_TRAITS = frozenset({"is paying", "is customer", "paying", "customer", "has subscription"})
BYTES = frozenset({"bytes", "storage", "filesize", "bandwidth"})
MONEY = frozenset({
    "amount", "price", "revenue", "mrr", "arr", "spend", "cost", "budget", "gmv", "acv", "money",
})  # fmt: skip
LENGTHS = frozenset({"duration", "elapsed", "runtime", "uptime", "latency", "time"})
LENGTH_UNITS = frozenset({
    "ms", "millis", "milliseconds", "s", "sec", "secs", "seconds", "min", "mins", "minutes",
    "h", "hours", "days",
})  # fmt: skip
CURRENCIES = frozenset({
    "usd", "eur", "gbp", "chf", "jpy", "cny", "inr", "brl", "cad", "aud", "sek", "nok", "dkk",
    "pln", "czk", "cents", "dollars", "euros",
})  # fmt: skip
SENSITIVE = {
    "health": "health medical diagnosis disease disability disabled pregnant pregnancy patient",
    "religion or belief": "religion religious faith belief church",
    "racial or ethnic origin": "racial ethnicity ethnic",
    "political opinion": "politics political",
    "sex life or orientation": "sexuality sexual homosexual",
    "genetic or biometric data": "genetic genome dna biometric",
    "trade-union membership": "unionised unionized tradeunion",
}
"""What Article 9 of the GDPR protects, with words that give it away in the name of a trait."""

WHOSE = frozenset({
    "user id", "userid", "account id", "session id", "anonymous id", "org id", "organization id",
    "workspace id", "team id", "tenant id", "message id", "event id", "request id", "device id",
})  # fmt: skip
"""Ids that say who did it or in which request, and not what it was done to."""

_SEAM = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[^A-Za-z0-9]+")


def words(name: str) -> str:
    """A name in lower case with blanks between its words: ``pageViewed`` is ``page viewed``."""
    return " ".join(part for part in _SEAM.split(name) if part).lower()


def has_word(name: str, known: frozenset[str]) -> bool:
    """Whether one of the words in a name is among those known."""
    return not known.isdisjoint(words(name).split())


def is_outcome(name: str) -> bool:
    """Whether an event of this name is what happens once somebody pays."""
    return OUTCOMES.fullmatch(words(name)) is not None


def is_hand_raise(name: str) -> bool:
    """Whether an event of this name is a request to talk: ``contact_sales_clicked``."""
    return HAND_RAISES.fullmatch(words(name)) is not None


def is_id(path: str) -> bool:
    """Whether a property names a thing: ``project_id``, ``fileId``, ``id``."""
    named = words(path.rpartition(".")[2])
    return (named == "id" or named.endswith(" id")) and named not in WHOSE


def protected(name: str) -> str | None:
    """Which protected thing a trait is about, going by its name; None for none."""
    if words(name) == "race":  # as one word among others it is about cars and threads
        return "racial or ethnic origin"
    found = (what for what, known in SENSITIVE.items() if has_word(name, frozenset(known.split())))
    return next(found, None)
