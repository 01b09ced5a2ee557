"""The histories of subjects, in pages."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol


class Cell(NamedTuple):
    """A part of a history's state that is stored apart; ``body`` is None if it was removed."""

    slot: int
    key: str
    body: bytes | None


class SealedPage(NamedTuple):
    """A sealed page of a history, and the versions of cells at its end."""

    number: int
    body: bytes
    cells: Sequence[Cell]


class HistoryReads(Protocol):
    """The part of a read transaction that reads histories."""

    def histories(self, subjects: Collection[str]) -> dict[str, bytes]:
        """The open page of each subject that has one."""

    def stale(self, subjects: Collection[str]) -> set[str]:
        """Those of the subjects whose open page is stale: it lacks messages that are stored."""

    def page(self, subject: str, number: int) -> bytes:
        """A sealed page of a subject. Raises LookupError if there is none."""

    def cell(self, subject: str, slot: int, key: str) -> bytes | None:
        """The latest version of a cell; None if there is none or it was removed."""

    def cells(self, subject: str, slot: int) -> dict[str, bytes]:
        """The latest version of every cell of a slot, by key, without removed ones."""

    def cell_versions(self, subject: str, slot: int) -> list[tuple[int, Cell]]:
        """All versions of all cells of a slot, with their pages, in order of page and key."""

    def due(self, until: int, limit: int) -> list[str]:
        """The subjects that are due by then: a definition must be checked without an event."""


class HistoryWrites(Protocol):
    """The part of a write transaction that writes histories."""

    def swap_writer_token(self, token: int) -> int:
        """Store the token of this writer of histories; returns the one stored before.

        A transaction that is undone stores no token. A writer that gets its own token back knows
        that no other writer has changed a history since.
        """

    def save_histories(self, pages: Mapping[str, bytes]) -> None:
        """Write the open page of each subject, which is no longer stale."""

    def mark_stale(self, subjects: Collection[str]) -> None:
        """Mark the open pages of these subjects as stale."""

    def seal(self, subject: str, number: int, page: bytes, cells: Sequence[Cell]) -> None:
        """Write a sealed page of a subject, and the versions of cells at its end."""

    def seal_all(self, subject: str, pages: Sequence[SealedPage]) -> None:
        """Write several sealed pages of a subject, in order of their numbers."""

    def unseal(self, subject: str, number: int) -> None:
        """Remove the sealed pages from a number on, and the versions of cells at their ends."""

    def forget_history(self, subject: str) -> None:
        """Remove all pages and cells of a subject, to rebuild them from the messages."""

    def set_due(self, times: Mapping[str, int | None]) -> None:
        """Set the time at which each subject is next due; None for never."""
