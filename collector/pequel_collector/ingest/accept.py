"""The write path: messages in, facts and exact marks out, in one transaction.

The steps, in the order of ``accept``: keep what was refused; drop what is stored already; see who
is who now; find the person and the account of each message, and those stored before that have got
others; store; derive. The answer is given when all of it is on disk, so the acknowledgement is
the mark.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from secrets import token_hex
from typing import NamedTuple

from ..identity.people import Move, link, moves, people_of
from ..marking.active import CATALOGUE
from ..marking.derive import Derivation
from ..marking.evaluators import Evaluators, active_evaluators, evaluators_of
from ..model import Lead, Message, RejectedEvent, Stored, account_key, kind_of
from ..ports import (
    Membership,
    ReadTransaction,
    Store,
    StoredRejectedEvent,
    Trait,
    Usage,
    WriteTransaction,
)
from ..rules.language.definition import Catalogue
from ..usage import NO_KEY, dropped
from .receipts import Batch, Outcome, Receipt

Clock = Callable[[], int]


class Arrivals(NamedTuple):
    """What a batch brought: new messages, messages that are attributed anew, and merged users.

    ``merged`` gives the new person of each user who was a person of its own.
    """

    stored: list[Stored]
    moved: list[Move]
    merged: dict[str, str]


class Ingest:
    """Accepts messages into a store under a catalogue of definitions."""

    def __init__(self, store: Store, catalogue: Catalogue, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.follow(catalogue)

    def follow(self, catalogue: Catalogue) -> None:
        """Mark by this catalogue from the next batch on, until another one comes in force."""
        with self.store.reading() as tx:
            self.mark_by(tx, evaluators_of(tx, catalogue))

    @property
    def evaluators(self) -> Evaluators:
        """The evaluators that the next batch is marked by, unless others have come in force."""
        return self._marking[0]

    def mark_by(self, tx: ReadTransaction, evaluators: Evaluators) -> None:
        """Mark by these evaluators from now on, which are those in force in a transaction."""
        self._marking = evaluators, tx.meta(CATALOGUE)

    def keep_up(self, tx: ReadTransaction) -> Evaluators:
        """The evaluators of the definitions in force in a transaction, whoever put them there."""
        evaluators, note = self._marking
        found = tx.meta(CATALOGUE)
        if found != note:
            evaluators = active_evaluators(tx)
            self._marking = evaluators, found
        return evaluators

    def accept(
        self,
        messages: Sequence[Message],
        rejected: Sequence[RejectedEvent] = (),
        key: str | None = None,
    ) -> Receipt:
        """Store a batch, mark who qualifies, keep what was refused; durable on return.

        ``key`` is the id of the key that sent it. Raises Unavailable when it cannot be stored;
        then nothing is.
        """
        [receipt] = self.accept_all([Batch(messages, rejected, key)])
        return receipt

    def accept_all(self, batches: Sequence[Batch]) -> list[Receipt]:
        """Store several batches in one transaction, as if they were one; a receipt for each.

        Each lead that was opened is on one of the receipts. Raises as ``accept`` does.
        """
        if not any(batch.messages or batch.rejected or batch.report for batch in batches):
            return [Receipt() for _ in batches]
        with self.store.writing() as tx:
            now = self.clock()
            tx.refuse(_refused(batches, now))
            fresh = _fresh(tx, [m for batch in batches for m in batch.messages])
            arrivals = _arrive(tx, fresh) if fresh else None
            opened = self._derive(tx, arrivals, now)
            gone = tx.forget_rejected([refused.id for batch in batches for refused in batch.again])
            outcome = Outcome(batches, arrivals.stored if arrivals else (), opened)
            tx.add_usage([*outcome.usage(now, gone), *_dropped(tx, batches, now)])
        return outcome.receipts()

    def _derive(self, tx: WriteTransaction, arrivals: Arrivals | None, now: int) -> list[Lead]:
        evaluators = self.keep_up(tx)
        fresh = [each.message.mid for each in arrivals.stored] if arrivals else ()
        derivation = Derivation(tx, evaluators, now, fresh)
        if evaluators.has_clock:
            derivation.run_clock()
        if arrivals is not None:
            for old, person in arrivals.merged.items():
                derivation.merge(old, person)
            derivation.move(arrivals.moved)
            derivation.take(arrivals.stored)
        return derivation.finish()


def _dropped(tx: WriteTransaction, batches: Sequence[Batch], now: int) -> Iterator[Usage]:
    """What clients dropped, of the reports that are news."""
    for key, report in [(batch.key or NO_KEY, batch.report) for batch in batches]:
        if report is not None and tx.record_client_report(key, report.client, report.number):
            yield from dropped(key, report, now)


def _fresh(tx: WriteTransaction, messages: Sequence[Message]) -> list[Message]:
    """The messages whose id is new: the first copy of each."""
    first: dict[str, Message] = {}
    for message in messages:
        first.setdefault(message.mid, message)
    known = tx.known(first.keys())
    return [message for mid, message in first.items() if mid not in known]


def _arrive(tx: WriteTransaction, messages: Sequence[Message]) -> Arrivals:
    """Store messages that are new, and attribute anew what they concern of those stored before."""
    changed = link(tx, messages)
    before = after = people_of(tx, messages, changed)
    moved: list[Move] = []
    joined = _joined(messages)
    if changed or joined:
        after = before.after(changed, joined)
        moved = moves(tx, before, after)
        tx.set_persons(changed)
        tx.add_memberships(joined)
    stored = after.attribute(messages)
    _store(tx, stored, moved)
    own = [id_ for id_ in changed if kind_of(id_) == "user" and before.person(id_) == id_]
    return Arrivals(stored, moved, {id_: changed[id_] for id_ in own})


def _joined(messages: Sequence[Message]) -> list[Membership]:
    groups = [message for message in messages if message.type == "group"]
    return [
        Membership(m.subject, m.time, m.mid, m.account) for m in groups if m.account is not None
    ]


def _store(tx: WriteTransaction, stored: Sequence[Stored], moved: Sequence[Move]) -> None:
    tx.append(stored)
    tx.add_traits([t for each in stored if each.message.traits for t in _traits(each.message)])
    accounts: defaultdict[str, dict[str, str | None]] = defaultdict(dict)
    for old, new in moved:
        if old.account != new.account:
            accounts[new.message.subject][new.message.mid] = new.account
    for subject, each in accounts.items():
        tx.attribute(each, subject)
    if unattributed := _unattributed(stored, moved):
        tx.count({"unattributed": unattributed})


def _unattributed(stored: Sequence[Stored], moved: Sequence[Move]) -> int:
    """How many more events fall to no account now."""
    now = [*stored, *(new for _, new in moved)]
    more = sum(s.account is None and s.message.is_event for s in now)
    return more - sum(s.account is None and s.message.is_event for s, _ in moved)


def _traits(message: Message) -> list[Trait]:
    """The trait values that an identify call sets on its user, a group call on its account."""
    subject = message.subject
    if message.type == "group" and message.account is not None:
        subject = account_key(message.account)
    return [
        Trait(subject, name, message.time, message.mid, value)
        for name, value in message.traits.items()
    ]


def _refused(batches: Sequence[Batch], now: int) -> list[StoredRejectedEvent]:
    """What was refused as it is kept, under ids that say when it came."""
    found = ((rejection, batch.key) for batch in batches for rejection in batch.rejected)
    return [
        StoredRejectedEvent(f"{now:013d}-{token_hex(8)}", rejection.received or now, key, rejection)
        for rejection, key in found
    ]
