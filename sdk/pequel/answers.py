"""What a collector answers to a reader, as types: dicts as JSON gives them.

What each field means is on the page about the query API. Times are ISO 8601 text in UTC.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class Subject(TypedDict):
    """Whom a lead or an answer is about."""

    kind: Literal["user", "account"]
    id: str


Window = TypedDict("Window", {"from": str | None, "to": str | None})
"""The time that a leaf looks at; None where it is open."""


class Points(TypedDict):
    """What one component of a score adds."""

    of: str
    points: float


class _LeafMore(TypedDict, total=False):
    per: dict[str, Any]
    users: list[str]
    points: list[Points]


class Leaf(_LeafMore):
    """One thing that a definition asks for: what there was, and what is needed.

    `per`, `users` and `points` are there for the leaves that have such.
    """

    measure: str
    holds: bool
    observed: Any
    needed: Any
    window: Window | None
    events: list[str]


class LeafProgress(Leaf):
    """A leaf as of now: how many are missing, and the seconds left for them."""

    missing: float | None
    time_left: float | None


class Guard(TypedDict):
    """What keeps somebody from being a lead, and whether it did."""

    guard: str
    blocks: bool


class Evidence(TypedDict):
    """Why a lead is one."""

    sentence: str
    leaves: list[Leaf]
    guards: list[Guard]


class _LeadMore(TypedDict, total=False):
    via: Literal["account"]


class Lead(_LeadMore):
    """A lead; `via` is there where a user has it from the account."""

    id: str
    definition: str
    version: int
    subject: Subject
    cycle: int
    qualified_at: str
    marked_at: str
    state: str
    holds_now: bool
    kind: str
    priority: str
    owner: str | None
    due_at: str | None
    expires_at: str | None
    merged_into: str | None
    flags: list[str]
    account: str | None
    traits: dict[str, Any]
    evidence: Evidence


class Progress(TypedDict):
    """How far somebody is from meeting a definition, from 0 to 1, and which guards bar the way."""

    definition: str
    progress: float
    leaves: list[LeafProgress]
    blocked_by: list[str]


class PqlStatus(TypedDict):
    """Whether a user or an account is a PQL: its leads, and its progress to those it lacks."""

    subject: Subject
    is_pql: bool
    account: str | None
    leads: list[Lead]
    progress: list[Progress]
