"""What people decide: definitions and keys. Who did so, and what they used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from ..model import JSON, Key


class Version(NamedTuple):
    """A version of a definition. It never changes; ``hash`` is that of its content.

    ``source`` is its TOML table as plain data, ``text`` the table as it was written.
    """

    name: str
    version: int
    hash: str
    created_at: int
    source: JSON
    text: str = ""


class DefinitionEntry(NamedTuple):
    """An entry of the log of definitions: a version came in force at an instant (ms), or none.

    ``version`` is None if the definition was taken out. ``origin`` is ``file`` or ``put``, None for
    entries from before the log. ``actor`` and ``reason`` are who did it and why, as they said.
    With ``changed``, the version was in force before and stays so: it says which other fields of
    the definition changed, such as ``sla: "3d" → "4d"``.
    """

    name: str
    version: int | None
    at: int
    origin: str | None = None
    actor: str | None = None
    reason: str | None = None
    changed: str | None = None


class By(NamedTuple):
    """Who does an administrative act, and why they say they do it.

    ``actor`` is the id of an API key, ``cli`` for the command line, or ``file`` for a definitions
    file that is read.
    """

    actor: str
    reason: str | None = None


CLI = By("cli")


Act = Literal[
    "key_created",
    "key_rotated",
    "key_revoked",
    "definitions_put",
    "definitions_loaded",
    "rejected_replayed",
    "import_undone",
    "redelivered",
    "likelihood_trained",
    "accounts_mapped",
]


class AuditEntry(NamedTuple):
    """An administrative act. Entries are never changed or removed; ``number`` counts them."""

    at: int
    what: Act
    by: By
    details: Mapping[str, JSON]
    number: int = 0


class Usage(NamedTuple):
    """How many events of a key in a month (``2026-11``) had an outcome.

    Outcomes are ``stored``, ``duplicate``, ``suppressed`` and ``rejected:`` with the code. Events
    that a client dropped have the outcome ``dropped:`` with the client's reason.
    """

    key: str
    month: str
    outcome: str
    number: int


class DecisionReads(Protocol):
    """The part of a read transaction that reads definitions, keys, the audit log and usage."""

    def versions(self) -> list[Version]:
        """All versions of all definitions, oldest first."""

    def definition_log(self) -> list[DefinitionEntry]:
        """When which version of each definition came in force or got other fields, oldest first."""

    def keys(self) -> list[Key]:
        """All keys, revoked ones too, oldest first."""

    def audit(self, limit: int, before: int | None = None) -> list[AuditEntry]:
        """Administrative acts, latest first; those with a smaller number than ``before``."""

    def usage(self) -> list[Usage]:
        """The number of events by key, month and outcome."""

    def meta(self, name: str) -> str | None:
        """A text stored with ``set_meta``; None if there is none."""


class DecisionWrites(Protocol):
    """The part of a write transaction that writes definitions, keys, the audit log and usage."""

    def add_version(self, version: Version) -> None:
        """Store a version of a definition."""

    def log_definitions(self, entries: Sequence[DefinitionEntry]) -> None:
        """Append to the log of definitions."""

    def set_meta(self, name: str, text: str) -> None:
        """Store a text under a name."""

    def add_key(self, key: Key) -> None:
        """Store a key."""

    def add_audit(self, entry: AuditEntry) -> None:
        """Append to the administrative acts. The store gives the entry its number."""

    def expire_key(self, key_id: str, at: int) -> None:
        """Set the time when a key stops working."""

    def use_keys(self, times: Mapping[str, int], since: int) -> None:
        """Set when each key was last used, unless it was used after ``since`` anyway."""

    def revoke_key(self, key_id: str, at: int) -> bool:
        """Revoke a key. False if there is no such key, or it is revoked already."""

    def add_usage(self, usages: Sequence[Usage]) -> None:
        """Add to the numbers of events by key, month and outcome."""

    def record_client_report(self, key: str, client: str, number: int) -> bool:
        """Record the number of a client's report; whether the report is new.

        It is not new if this number, or a higher one of the same client, was recorded before.
        """
