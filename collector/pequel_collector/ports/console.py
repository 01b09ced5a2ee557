"""What the console keeps: sessions and saved views."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

from .leads import Change


class ConsoleSession(NamedTuple):
    """A token of a session of the console. Tokens of one ``family`` are one session.

    ``kind`` is ``session``, or ``link`` for a link that opens one session. ``key_mark`` names the
    key that opened it; None for a link and what it opens. ``actor`` is who works in it, as they
    said. The session began at ``began_at``, and the token works from ``made_at`` to ``ends_at``.
    """

    digest: str
    family: str
    kind: str
    key_mark: str | None
    actor: str
    began_at: int
    made_at: int
    ends_at: int


class SavedView(NamedTuple):
    """A list of leads that somebody has saved: a name, and the query of its address."""

    id: str
    name: str
    query: str
    actor: str
    made_at: int


class ConsoleReads(Protocol):
    """What the console reads of its own."""

    def console_session(self, digest: str) -> ConsoleSession | None:
        """The token with a hash; None if there is none. It may have ended."""

    def saved_views(self) -> list[SavedView]:
        """All saved views, by name."""

    def lead_owners(self, limit: int) -> list[str]:
        """The owners that leads have, in some order, at most so many.

        Those with names of 64 characters or more are left out.
        """

    def last_change(self) -> int:
        """The number of the newest entry of the ledger of leads; 0 while it is empty."""

    def changes_by(self, actor: str, after: int, before: int, limit: int) -> list[Change]:
        """What somebody did with leads, newest first: their entries between two numbers."""

    def open_leads_of_people(self, accounts: Collection[str], now: int) -> dict[str, int]:
        """How many open leads the people of each account are, by its id, counted up to 1,000."""


class ConsoleWrites(Protocol):
    """What the console writes of its own."""

    def add_console_session(self, session: ConsoleSession) -> None:
        """Store a token."""

    def shorten_console_session(self, digest: str, at: int) -> None:
        """Let a token end at an instant, unless it ends before that anyway."""

    def end_console_session(self, family: str) -> None:
        """Remove all tokens of a session."""

    def end_console_sessions_of(self, session: ConsoleSession) -> None:
        """Remove the tokens of all sessions that were opened with the same key."""

    def take_console_session(self, digest: str) -> bool:
        """Remove a token; False if there is none any more."""

    def purge_console_sessions(self, now: int) -> None:
        """Remove the tokens that have ended."""

    def add_saved_view(self, view: SavedView) -> None:
        """Store a view."""

    def remove_saved_view(self, view_id: str) -> bool:
        """Remove a view; False if there is none."""
