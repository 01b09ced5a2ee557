"""Stores batches of messages and marks leads, in one transaction.

``Ingest.accept_all`` stores the rejected events, drops the messages that are stored already, finds
the person and the account of each new message, moves earlier messages whose person or account
changes, stores everything, and marks leads. It returns after the commit, so leads are marked when a
request is answered.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from secrets import token_hex
from threading import Lock
from typing import NamedTuple

from ..errors import PequelError, Unavailable
from ..identity.people import Move, group_calls, link, moves, people_of
from ..marking.active import CATALOGUE
from ..marking.derive import Derivation
from ..marking.evaluators import Evaluators, active_evaluators, evaluators_of
from ..marking.preparations import Preparations
from ..marking.prepare import OtherDefinitions
from ..marking.work import LeadRequest, LeadWork
from ..model import Clock, Lead, Message, RejectedEvent, Stored, account_key, kind_of
from ..ports import (
    ReadTransaction,
    Store,
    StoredRejectedEvent,
    Trait,
    Usage,
    WriteTransaction,
)
from ..rules.language.definition import Catalogue
from ..usage import NO_KEY, REPORTS, dropped, month_of
from .positions import FileInstants, with_positions
from .receipts import Batch, Outcome, Receipt


class NewFacts(NamedTuple):
    """What changed in the store: new messages, moved messages, and merged users.

    ``merged`` has the new person of each user who was a person before.
    """

    stored: list[Stored]
    moved: list[Move]
    merged: dict[str, str]


class Committed(NamedTuple):
    """What one transaction has done.

    ``leads`` has the lead after each change, or why the change was not made.
    """

    receipts: list[Receipt]
    leads: list[Lead | PequelError]


class Ingest:
    """Stores messages and marks leads by a catalogue of definitions.

    ``cache_bytes`` is how much memory the histories may take that are kept between batches.
    """

    def __init__(
        self, store: Store, catalogue: Catalogue, clock: Clock, cache_bytes: int = 0
    ) -> None:
        self.store = store
        self.clock = clock
        self._cache_bytes = cache_bytes
        self._compiling = Lock()
        self.use_catalogue(catalogue)

    def use_catalogue(self, catalogue: Catalogue) -> None:
        """Mark by this catalogue, until the active definitions change."""
        with self.store.reading() as tx:
            self.use_evaluators(tx, evaluators_of(tx, catalogue))

    @property
    def evaluators(self) -> Evaluators:
        """The evaluators in use. ``current_evaluators`` may replace them."""
        return self._active[0]

    def use_evaluators(self, tx: ReadTransaction, evaluators: Evaluators) -> None:
        """Mark by these evaluators, which are those of the active definitions in a transaction."""
        self._use(evaluators, tx.meta(CATALOGUE))

    def current_evaluators(self, tx: ReadTransaction, *, is_brief: bool = False) -> Evaluators:
        """The evaluators of the active definitions, which another process may have changed.

        Then they are compiled by one thread at a time, or with ``is_brief`` OtherDefinitions is
        raised.
        """
        found, (evaluators, version) = tx.meta(CATALOGUE), self._active
        if found == version:
            return evaluators
        if is_brief:
            raise OtherDefinitions(self.current_evaluators)
        with self._compiling:
            evaluators, version = self._active
            if found != version:
                evaluators = active_evaluators(tx)
                self._use(evaluators, found)
        return evaluators

    def _use(self, evaluators: Evaluators, version: str | None) -> None:
        evaluators.cache.max_bytes = self._cache_bytes
        self._active = evaluators, version  # one assignment, because other threads read it

    def accept(
        self,
        messages: Sequence[Message],
        rejected: Sequence[RejectedEvent] = (),
        key: str | None = None,
        instants: FileInstants | None = None,
    ) -> Receipt:
        """Store a batch and mark leads; on disk when it returns.

        ``key`` is the id of the key that sent it. The batches of one file share ``instants``.
        Raises Unavailable if it cannot be stored; then nothing of it is stored.
        """
        return self.accept_batch(Batch(messages, rejected, key, instants=instants))

    def accept_batch(self, batch: Batch) -> Receipt:
        """Store a batch; what takes long is prepared before the write lock is taken."""
        with self.preparations() as preparations:
            [receipt] = preparations.run(lambda brief: self.accept_all([batch], is_brief=brief))
            return receipt

    def preparations(self) -> Preparations:
        """The preparations for one request."""
        return Preparations(self.store, self.clock)

    def accept_all(self, batches: Sequence[Batch], *, is_brief: bool = True) -> list[Receipt]:
        """Store several batches in one transaction; returns a receipt for each.

        Each opened lead is on one of the receipts. Raises the same errors as ``commit``.
        """
        return self.commit(batches, is_brief=is_brief).receipts

    def commit(
        self,
        batches: Sequence[Batch],
        requests: Sequence[LeadRequest] = (),
        *,
        is_brief: bool = True,
    ) -> Committed:
        """Store batches, then make changes of leads, in one transaction.

        Raises the same errors as ``accept``, and with ``is_brief`` TooLongForLock if that would
        hold the write lock for too long.
        """
        has_news = any(batch.messages or batch.rejected or batch.report for batch in batches)
        if not has_news and not requests:
            return Committed([Receipt() for _ in batches], [])
        with self.store.writing() as tx:
            now = self.clock()
            receipts = [Receipt() for _ in batches]
            new: list[Sequence[Message]] = [() for _ in batches]
            if has_news:
                receipts, new = self._store_batches(tx, batches, now, is_brief)
            leads: list[Lead | PequelError] = []
            if requests:
                evaluators = self.current_evaluators(tx, is_brief=is_brief)
                leads = LeadWork(tx, evaluators, now, is_brief=is_brief).change_all(requests)
        for batch, messages in zip(batches, new, strict=True):
            if batch.instants is not None:
                batch.instants.add(messages)
        return Committed(receipts, leads)

    def _store_batches(
        self, tx: WriteTransaction, batches: Sequence[Batch], now: int, is_brief: bool
    ) -> tuple[list[Receipt], list[Sequence[Message]]]:
        """Store batches; a receipt and the new messages of each."""
        tx.add_rejected(_rejected(batches, now))
        new = _new_messages(tx, batches)
        imports = _imports(tx, batches, new)
        facts = _store_facts(tx, [m for each in new for m in each], imports) if any(new) else None
        opened = self._mark(tx, facts, now, is_brief)
        replayed = [rejected.id for batch in batches for rejected in batch.replayed]
        deleted = tx.delete_rejected(replayed)
        outcome = Outcome(batches, facts.stored if facts else (), opened)
        tx.add_usage([*outcome.usage(now, deleted), *_dropped(tx, batches, now)])
        return outcome.receipts(), new

    def _mark(
        self, tx: WriteTransaction, facts: NewFacts | None, now: int, is_brief: bool
    ) -> list[Lead]:
        evaluators = self.current_evaluators(tx, is_brief=is_brief)
        new = [each.message.mid for each in facts.stored] if facts else ()
        derivation = Derivation(tx, evaluators, now, new, is_brief=is_brief)
        if evaluators.has_clock:
            derivation.run_clock()
        if facts is not None:
            for old, person in facts.merged.items():
                derivation.merge(old, person)
            derivation.move(facts.moved, facts.stored)
            derivation.take(facts.stored)
        return derivation.finish()


def _imports(
    tx: WriteTransaction, batches: Sequence[Batch], new: Sequence[Sequence[Message]]
) -> dict[str, int]:
    """The import of each new message that comes from one. Raises Unavailable if it is undone."""
    found: dict[str, int] = {}
    for batch, messages in zip(batches, new, strict=True):
        if batch.import_number is not None:
            run = tx.import_run(batch.import_number)
            if run is None or run.undo_began_at is not None:
                raise Unavailable(f"import {batch.import_number} is being undone")
            found |= {message.mid: batch.import_number for message in messages}
        for message, rejected in zip(batch.messages, batch.replayed, strict=False):
            if rejected.import_number is not None:
                found[message.mid] = rejected.import_number
    return found


def _dropped(tx: WriteTransaction, batches: Sequence[Batch], now: int) -> Iterator[Usage]:
    """The events that clients dropped, by the reports that are new."""
    for batch in batches:
        key, report = batch.key or NO_KEY, batch.report
        if report is None or not tx.record_client_report(key, report.client, report.number):
            continue
        yield from dropped(key, report, now)
        if not batch.messages and not batch.rejected:
            yield Usage(key, month_of(now), REPORTS, 1)


def _new_messages(tx: WriteTransaction, batches: Sequence[Batch]) -> list[Sequence[Message]]:
    """The messages of each batch whose id is not stored yet; the first of several with one id.

    Each has its position.
    """
    known = tx.known(dict.fromkeys([m.mid for batch in batches for m in batch.messages]))
    if known:
        _keep_what_came_again(tx, batches, known)
    found: list[Sequence[Message]] = []
    for batch in batches:
        new = [message for message in batch.messages if message.mid not in known]
        mids = {message.mid for message in new}
        if len(mids) < len(new):
            first: dict[str, Message] = {}
            for message in new:
                first.setdefault(message.mid, message)
            new = list(first.values())
        known |= mids
        # Each replayed event came in a request of its own.
        earlier = batch.instants.stored(new) if batch.instants is not None else {}
        found.append(new if batch.replayed else with_positions(new, earlier))
    return found


def _keep_what_came_again(tx: WriteTransaction, batches: Sequence[Batch], known: set[str]) -> None:
    """An imported event that comes over HTTP too must stay when the import is undone."""
    live = [
        m.mid for b in batches if b.import_number is None and not b.replayed for m in b.messages
    ]
    again = known & set(live)
    if again:
        tx.keep(again)


def _store_facts(
    tx: WriteTransaction, messages: Sequence[Message], imports: Mapping[str, int] | None = None
) -> NewFacts:
    """Store new messages, and move earlier ones whose person or account changes by them."""
    changed = link(tx, messages)
    before = after = people_of(tx, messages, changed)
    moved: list[Move] = []
    joined = group_calls(messages)
    if changed or joined:
        after = before.after(changed, joined)
        moved = moves(tx, before, after)
        tx.set_persons(changed)
        tx.add_memberships(joined)
    stored = after.attribute(messages)
    _store(tx, stored, moved, imports)
    were_persons = [id_ for id_ in changed if kind_of(id_) == "user" and before.person(id_) == id_]
    return NewFacts(stored, moved, {id_: changed[id_] for id_ in were_persons})


def _store(
    tx: WriteTransaction,
    stored: Sequence[Stored],
    moved: Sequence[Move],
    imports: Mapping[str, int] | None,
) -> None:
    tx.append(stored, imports)
    tx.add_traits([t for each in stored if each.message.traits for t in traits_of(each.message)])
    attribute_moved(tx, moved)
    if unattributed := unattributed_events(stored, moved):
        tx.count({"unattributed": unattributed})


def attribute_moved(tx: WriteTransaction, moved: Sequence[Move]) -> None:
    """Write the accounts of messages whose account changes."""
    accounts: defaultdict[str, dict[str, str | None]] = defaultdict(dict)
    for old, new in moved:
        if old.account != new.account:
            accounts[new.message.subject][new.message.mid] = new.account
    for subject, each in accounts.items():
        tx.attribute(each, subject)


def unattributed_events(stored: Sequence[Stored], moved: Sequence[Move]) -> int:
    """How many more events have no account now."""
    now = [*stored, *(new for _, new in moved)]
    more = sum(s.account is None and s.message.is_event for s in now)
    return more - sum(s.account is None and s.message.is_event for s, _ in moved)


def traits_of(message: Message) -> list[Trait]:
    """The trait values that an identify call sets on its user, a group call on its account."""
    subject = message.subject
    if message.type == "group" and message.account is not None:
        subject = account_key(message.account)
    return [
        Trait(subject, name, message.time, message.mid, value, message.position)
        for name, value in message.traits_set.items()
    ]


def _rejected(batches: Sequence[Batch], now: int) -> list[StoredRejectedEvent]:
    """The rejected events, with ids that sort by the time of storing."""
    return [
        StoredRejectedEvent(
            f"{now:013d}-{token_hex(8)}",
            event.received or now,
            batch.key,
            event,
            batch.import_number,
        )
        for batch in batches
        for event in batch.rejected
        if event.is_kept
    ]
