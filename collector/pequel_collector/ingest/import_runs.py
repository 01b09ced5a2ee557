"""The imports of a store: begin one, end it, list all; and a dry run, which stores nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from typing import Literal

from ..config import Settings
from ..importing.format import Format
from ..importing.formats import SAMPLE, check
from ..importing.line import Line
from ..model import Clock, Message
from ..ports import ImportRun, Store
from .event_log import Import, ImportSummary, OnRefused
from .log_contents import LogContents, NameCount
from .receipts import Batch, Receipt

State = Literal["stored", "not ended", "undo not ended", "undone"]

SHOWN = 5
"""Messages that a dry run shows."""


@dataclass(frozen=True, slots=True)
class ListedImport:
    """An import, and how many of its messages are stored now."""

    run: ImportRun
    messages: int

    @property
    def state(self) -> State:
        """``not ended`` means that it still runs or was interrupted."""
        if self.run.undone_at is not None:
            return "undone"
        if self.run.undo_began_at is not None:
            return "undo not ended"
        return "stored" if self.run.ended_at is not None else "not ended"


def checked(lines: Iterable[Line], format_: Format) -> Iterator[Line]:
    """The same lines, if those at the start fit the format. Raises BadRequest."""
    iterator = iter(lines)
    sample = list(islice(iterator, SAMPLE))
    check(sample, format_)
    return chain(sample, iterator)


def begin(store: Store, now: int, source: str, format_: str) -> ImportRun:
    """A new import, with the next number."""
    with store.writing() as tx:
        number = max((run.number for run in tx.imports()), default=0) + 1
        run = ImportRun(number, now, source, format_)
        tx.save_import(run)
    return run


def end(store: Store, now: int, run: ImportRun, summary: ImportSummary) -> None:
    """Note that an import is complete. Of the leads it marked, keep those that stand."""
    with store.writing() as tx:
        standing = tx.standing(summary.marked)
        summary.marked = {id_: summary.marked[id_] for id_ in summary.marked if id_ in standing}
        found = tx.import_run(run.number) or run
        tx.save_import(found._replace(summary=summary.numbers(), ended_at=now))


def listed(store: Store) -> list[ListedImport]:
    """All imports, oldest first."""
    with store.reading() as tx:
        messages = tx.imported_messages()
        return [ListedImport(run, messages.get(run.number, 0)) for run in tx.imports()]


class DryRun:
    """Reads a log to its end and stores nothing. ``shown`` are the first messages, as stored.

    ``store`` is None if the database is not there yet. At the end, ``names`` has the events by name
    and ``people`` the numbers of users, visitors and accounts.
    """

    def __init__(
        self,
        store: Store | None,
        settings: Settings,
        clock: Clock,
        format_: Format,
        on_refused: OnRefused | None = None,
    ) -> None:
        self.shown: list[Message] = []
        self.people: dict[str, int] = {}
        self.names: dict[str, NameCount] = {}
        self._store = store
        self.job = Import(self._look_at, settings, clock, format_, on_refused=on_refused)

    def run(
        self, lines: Iterable[Line], on_batch: Callable[[], None] | None = None
    ) -> ImportSummary:
        """Read all lines; ``on_batch`` is called after each batch."""
        with closing(LogContents()) as self._contents:
            summary = self.job.run(lines, on_batch)
            self.names, self.people = self._contents.names, self._contents.people()
        return summary

    def _look_at(self, batch: Batch) -> Receipt:
        self.shown += batch.messages[: SHOWN - len(self.shown)]
        stored = self._stored([message.mid for message in batch.messages])
        new = self._contents.add(batch.messages, stored)
        return Receipt(new, len(batch.messages) - new, tuple(batch.rejected))

    def _stored(self, mids: Sequence[str]) -> set[str]:
        if self._store is None:
            return set()
        with self._store.reading() as tx:
            return tx.known(mids)
