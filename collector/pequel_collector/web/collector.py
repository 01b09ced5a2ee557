"""What the handlers need: a collector, as the wiring below makes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ..config import Settings
from ..ingest.receipts import Receipt
from ..model import JSON, Key, Kind, Message, RejectedEvent, Report
from ..ports import LeadFilter, RejectedFilter, Store, Version
from ..rules.language.definition import Catalogue

Answer = dict[str, JSON]


class Accepts(Protocol):
    """The write path."""

    def accept(
        self,
        messages: Sequence[Message],
        rejected: Sequence[RejectedEvent],
        key: str | None,
        report: Report | None,
        /,
    ) -> Receipt:
        """Store a batch, what was refused of it and reported with it; durable on return."""


class Admits(Protocol):
    """The rates and quotas."""

    def admit(self, key: Key, events: int, /) -> None:
        """Let a batch of so many events in. Raises TooMany."""


class Finds(Protocol):
    """The keys."""

    def find(self, token: str, /) -> Key | None:
        """The key of a token; None for one that is unknown or revoked."""

    def listed(self) -> list[Key]:
        """Every key."""


class Answers(Protocol):
    """The read path: plain data, ready to be shown."""

    def pqls(self, wanted: LeadFilter, limit: int, cursor: str | None, /) -> Answer:
        """A page of leads."""

    def pql(self, lead_id: str, /) -> Answer:
        """One lead."""

    def user(self, user_id: str, /) -> Answer:
        """What is known of a user."""

    def account(self, account_id: str, /) -> Answer:
        """What is known of an account."""

    def status(self, kind: Kind, identifier: str, /) -> Answer:
        """Whether a subject is a PQL, and how far it is from being one."""

    def timeline(self, kind: Kind, identifier: str, limit: int, cursor: str | None, /) -> Answer:
        """A page of what a subject did, latest first."""

    def definitions(self) -> Answer:
        """The definitions in force."""

    def events(self, limit: int, /) -> Answer:
        """The events that arrived last."""

    def rejected(self, wanted: RejectedFilter, limit: int, cursor: str | None, /) -> Answer:
        """A page of what was refused, latest first."""

    def usage(self, keys: Sequence[Key], /) -> Answer:
        """What became of the events that came in."""


class Collector(Protocol):
    """All of it."""

    @property
    def settings(self) -> Settings:
        """The settings in force."""

    @property
    def store(self) -> Store:
        """Where facts and leads are."""

    @property
    def catalogue(self) -> Catalogue:
        """The definitions in force."""

    @property
    def intake(self) -> Accepts:
        """Where messages go."""

    @property
    def limits(self) -> Admits:
        """How much a key may send."""

    @property
    def queries(self) -> Answers:
        """Who answers questions."""

    @property
    def keys(self) -> Finds:
        """Who may do what."""

    def clock(self) -> int:
        """The time, in milliseconds."""

    def waiting(self) -> int:
        """How many events wait to be stored."""

    def trouble(self) -> str | None:
        """Why events cannot be stored now, or questions not answered; None where all is well."""

    def run_clock(self) -> object:
        """Run the clock up to now, so that the next answer is up to date."""

    def put_definitions(self, text: str, /) -> list[Version]:
        """Put definitions in force; the versions that are new. Raises DefinitionError."""
