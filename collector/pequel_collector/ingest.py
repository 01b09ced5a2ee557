"""The write path: messages in, facts and exact marks out, in one transaction.

The steps, in the order of ``accept``: keep what was refused; drop what is stored already; find
the account of each message; store; note traits and group calls; derive. The answer is given when
all of it is on disk, so the acknowledgement is the mark.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from operator import attrgetter

from .derive import Derivation, Machines
from .model import Lead, Message, Rejection, Stored, account_key, kind_of
from .ports import Membership, Refused, Store, Trait, Writing
from .rules.definition import Catalogue
from .rules.facts import Fact

Clock = Callable[[], int]
Memberships = Mapping[str, list[Membership]]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch: accepted + duplicates + len(rejected) is what came in."""

    accepted: int = 0
    duplicates: int = 0
    rejected: tuple[Rejection, ...] = ()
    qualified: tuple[Lead, ...] = field(default=())


class Ingest:
    """Accepts messages into a store under a catalogue of definitions."""

    def __init__(self, store: Store, catalogue: Catalogue, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        with store.reading() as tx:
            self.machines = Machines(catalogue, tx.versions())

    def accept(
        self,
        messages: Sequence[Message],
        rejected: Sequence[Rejection] = (),
        key: str | None = None,
    ) -> Receipt:
        """Store a batch, mark who qualifies, keep what was refused; durable on return.

        ``key`` is the id of the key that sent it. Raises Unavailable when it cannot be stored;
        then nothing is.
        """
        if not messages and not rejected:
            return Receipt()
        with self.store.writing() as tx:
            now = self.clock()
            if rejected:
                tx.refuse([_refused(r, now, key, i) for i, r in enumerate(rejected)])
            fresh = _fresh(tx, messages)
            opened = self._store(tx, fresh, now) if fresh else []
        duplicates = len(messages) - len(fresh)
        return Receipt(len(fresh), duplicates, tuple(rejected), tuple(opened))

    def _store(self, tx: Writing, messages: list[Message], now: int) -> list[Lead]:
        known = tx.memberships({m.subject for m in messages if m.account is None or is_group(m)})
        joined = [_membership(m, m.account) for m in messages if is_group(m) and m.account]
        memberships = _merged(known, joined)
        stored = [Stored(m, account_of(m, memberships)) for m in messages]
        moved = _reattribute(tx, joined, known, memberships)
        tx.append(stored)
        tx.add_memberships(joined)
        tx.add_traits([trait for message in messages for trait in _traits(message)])
        return self._derive(tx, stored, moved, now)

    def _derive(self, tx: Writing, stored: list[Stored], moved: set[str], now: int) -> list[Lead]:
        derivation = Derivation(tx, self.machines, now)
        arrivals: defaultdict[str, list[Fact]] = defaultdict(list)
        for message in stored:
            for subject, fact in self.machines.facts(message):
                if subject not in moved:
                    arrivals[subject].append(fact)
        derivation.take(arrivals)
        for subject in sorted(moved):
            derivation.rebuild(subject)
        return derivation.finish()


def _fresh(tx: Writing, messages: Sequence[Message]) -> list[Message]:
    """The messages whose id is new: the first copy of each."""
    first: dict[str, Message] = {}
    for message in messages:
        first.setdefault(message.mid, message)
    known = tx.known(first.keys())
    return [message for mid, message in first.items() if mid not in known]


def is_group(message: Message) -> bool:
    """Whether a message is a group call, which moves its user to an account."""
    return message.type == "group"


def account_of(message: Message, memberships: Memberships) -> str | None:
    """The account that a message falls to: the one it names, else that of the last group call."""
    if message.account is not None:
        return message.account
    return _at(memberships.get(message.subject, []), message.time)


def _membership(group: Message, account: str) -> Membership:
    return Membership(group.subject, group.time, group.mid, account)


def _merged(known: Memberships, joined: Sequence[Membership]) -> Memberships:
    merged = {subject: list(memberships) for subject, memberships in known.items()}
    for membership in joined:
        merged.setdefault(membership.subject, []).append(membership)
    return {subject: sorted(each) for subject, each in merged.items()}


def _reattribute(
    tx: Writing, joined: Sequence[Membership], known: Memberships, memberships: Memberships
) -> set[str]:
    """Move stored messages to the account that a late group call gives them.

    Returns the subjects whose history must be rebuilt.
    """
    moved: set[str] = set()
    newest = tx.newest()
    for subject, since in _turns(joined, known).items():
        if newest is None or since > newest:
            continue
        accounts: dict[str, str | None] = {}
        for message, account in tx.events(subject, since=since):
            new = account_of(message, memberships)
            if new != account:
                accounts[message.mid] = new
                moved |= {account_key(a) for a in (account, new) if a is not None}
        if accounts:
            tx.attribute(accounts, subject)
            moved |= {subject} if kind_of(subject) else set()
    return moved


def _turns(joined: Sequence[Membership], known: Memberships) -> dict[str, int]:
    """From when on the new group calls of each subject say something that was not known."""
    turns: dict[str, int] = {}
    for membership in sorted(joined, key=attrgetter("time"), reverse=True):
        if _at(known.get(membership.subject, []), membership.time) != membership.account:
            turns[membership.subject] = membership.time
    return turns


def _at(memberships: Sequence[Membership], time: int) -> str | None:
    index = bisect_right(memberships, time, key=attrgetter("time"))
    return memberships[index - 1].account if index else None


def _traits(message: Message) -> list[Trait]:
    """The trait values that an identify call sets on its user, a group call on its account."""
    subject = message.subject
    if is_group(message) and message.account is not None:
        subject = account_key(message.account)
    return [
        Trait(subject, name, message.time, message.mid, value)
        for name, value in message.traits.items()
    ]


def _refused(rejection: Rejection, now: int, key: str | None, position: int) -> Refused:
    """A rejection as it is kept, under an id that says when it came."""
    text = "\0".join((str(now), str(position), key or "", rejection.payload))
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()
    return Refused(f"{now:013d}-{digest}", now, key, rejection)
