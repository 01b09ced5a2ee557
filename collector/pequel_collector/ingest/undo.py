"""Takes imports back: removes what an import stored, as if it had never been.

It works in short transactions. Each removes some messages of the import, the latest first, and
derives everything again that followed from them: traits, links, persons, accounts, histories and
leads. After each one the store is what it would be if exactly these messages had never come. So
live events can arrive meanwhile, and an undo that was interrupted goes on where it stopped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from ..errors import BadRequest, NotFound
from ..identity.people import Move, People, group_calls, moves, people_of
from ..identity.unlink import unlink
from ..leads.ledger import Effects
from ..marking.derive import Derivation
from ..model import Message, Stored
from ..ports import CLI, AuditEntry, By, ImportRun, Store, Usage, WriteTransaction
from ..usage import month_of
from .accept import Ingest, attribute_moved, traits_of, unattributed_events
from .event_log import KEY

MESSAGES_AT_ONCE = 500
"""Messages that one transaction removes."""

REJECTED_AT_ONCE = 1_000


class Undo:
    """Takes back the import of a number. Raises NotFound if there is none, BadRequest if undone.

    ``voided`` are the leads that only the import gave, and ``restored`` those that stand again
    without it. ``kept`` have lost what they rest on, but somebody has worked them.
    """

    def __init__(self, store: Store, ingest: Ingest, number: int, by: By = CLI) -> None:
        self._store, self._ingest, self._number, self._by = store, ingest, number, by
        self.voided: set[str] = set()
        self.restored: set[str] = set()
        self.kept: set[str] = set()

    def run(self, on_progress: Callable[[int], None] | None = None) -> int:
        """Remove the messages; how many. ``on_progress`` gets the number removed so far."""
        self._begin()
        self._delete_rejected()
        removed = 0
        while found := self._remove_some():
            removed += found
            if on_progress:
                on_progress(removed)
        self._end()
        return removed

    def _begin(self) -> None:
        """Mark the import, so that it stores nothing more if it still runs."""
        with self._store.writing() as tx:
            run = import_of(tx, self._number)
            if run.undone_at is not None:
                raise BadRequest(f"import {self._number} is undone already")
            if run.undo_began_at is None:
                now = self._ingest.clock()
                tx.save_import(run._replace(undo_began_at=now))
                about = {"import": self._number, "source": run.source}
                tx.add_audit(AuditEntry(now, "import_undone", self._by, about))

    def _delete_rejected(self) -> None:
        """Delete refused lines first, so that nothing of them is replayed meanwhile."""
        deleted = REJECTED_AT_ONCE
        while deleted == REJECTED_AT_ONCE:
            with self._store.writing() as tx:
                deleted = tx.delete_rejected_of_import(self._number, REJECTED_AT_ONCE)

    def _end(self) -> None:
        with self._store.writing() as tx:
            run = import_of(tx, self._number)
            tx.save_import(run._replace(undone_at=self._ingest.clock()))

    def _remove_some(self) -> int:
        with self._ingest.preparations() as preparations:
            return preparations.run(self._try_to_remove)

    def _try_to_remove(self, is_brief: bool) -> int:
        with self._store.writing() as tx:
            removed = tx.imported(self._number, MESSAGES_AT_ONCE)
            evaluators = self._ingest.current_evaluators(tx, is_brief=is_brief)
            if removed:
                derivation = Derivation(tx, evaluators, self._ingest.clock(), is_brief=is_brief)
                if evaluators.has_clock:
                    derivation.run_clock()
                derivation.move(remove(tx, removed))
                derivation.finish()
                tx.add_usage(_fewer_stored(removed))
        if removed:
            self._note(derivation.effects)
        return len(removed)

    def _note(self, effects: Effects) -> None:
        """Count each lead once, by how it differs from before the first transaction."""
        for id_, lead in effects.lost.items():
            was_restored = id_ in self.restored
            self.restored.discard(id_)
            if not was_restored:
                (self.voided if lead.state == "voided" else self.kept).add(id_)
        for id_ in effects.gained:
            was_lost = id_ in self.voided | self.kept
            self.voided.discard(id_)
            self.kept.discard(id_)
            if not was_lost:
                self.restored.add(id_)


def import_of(tx: WriteTransaction, number: int) -> ImportRun:
    """The import of a number. Raises NotFound."""
    run = tx.import_run(number)
    if run is None:
        raise NotFound(f"there is no import {number}: pequel import --list shows all")
    return run


def remove(tx: WriteTransaction, stored: Sequence[Stored]) -> list[Move]:
    """Remove messages and what they said of ids; the messages that move, those removed among them.

    A removed message moves to nobody and to no account.
    """
    messages = [each.message for each in stored]
    tx.remove(stored)
    tx.remove_traits([trait for message in messages for trait in traits_of(message)])
    changed = unlink(tx, messages)
    before = people_of(tx, messages, changed)
    after = _without(before, changed, messages)
    moved = moves(tx, before, after)
    if left := group_calls(messages):
        tx.remove_memberships(left)
    tx.set_persons(changed)
    attribute_moved(tx, moved)
    gone = [
        Move(each._replace(person=before.user(each.message.subject)), Stored(each.message, None))
        for each in stored
    ]
    if fewer := unattributed_events((), moved) - unattributed_events(stored, ()):
        tx.count({"unattributed": fewer})
    return [*gone, *moved]


def _without(before: People, changed: dict[str, str], removed: Sequence[Message]) -> People:
    """The people after messages were removed and ids got other persons."""
    mids = {message.mid for message in removed}
    calls = {
        id_: [call for call in made if call.mid not in mids]
        for id_, made in before.memberships.items()
    }
    return People({**before.persons, **changed}, calls)


def _fewer_stored(removed: Sequence[Stored]) -> list[Usage]:
    months = Counter(month_of(each.message.received) for each in removed)
    return [Usage(KEY, month, "stored", -number) for month, number in months.items()]
