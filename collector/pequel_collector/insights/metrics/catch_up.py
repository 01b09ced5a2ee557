"""Reading what was stored since the last time into the tables that metrics are counted from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import msgspec

from ...errors import Unavailable
from ...model import Stored
from ...ports import MILESTONES, BlockMessage, FirstFact, ReadTransaction, Store, WriteTransaction
from .roles import Roles, first_facts, revenue_events

BLOCKS_PER_STEP = 4
"""Blocks that one write transaction reads."""

IDS_PER_STEP = 50
"""Ids that one write transaction reads again."""

MESSAGES_AT_ONCE = 5_000
"""Messages of ids that are read again, in memory at once."""


UNKNOWN = -1
"""A number of messages after which the block must be read again: some may have been removed."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Which roles the tables were filled for, and how far.

    ``block`` is the last full block that was read, ``messages`` how many were read of the next one.
    """

    roles: str
    block: int
    messages: int = 0

    @property
    def text(self) -> str:
        """The meta entry."""
        return msgspec.json.encode(self).decode()


def progress(tx: ReadTransaction) -> Progress | None:
    """How far the tables are; None if nobody has asked for a metric."""
    text = tx.meta(MILESTONES)
    return msgspec.json.decode(text, type=Progress) if text else None


def is_kept(store: Store) -> bool:
    """Whether somebody has ever asked for a metric."""
    with store.reading() as view:
        return progress(view) is not None


def is_behind(tx: ReadTransaction, done: Progress) -> bool:
    """Whether a full block was not read, or an id must be read again."""
    return done.block < tx.open_block() - 1 or bool(tx.stale_milestones(1))


def catch_up(store: Store, roles: Roles, steps: int | None = None) -> bool:
    """Read all that is stored, or as much as some steps do; whether that is all.

    Each step is a short write transaction, so that others can write in between.
    """
    with store.reading() as view:
        if _is_current(view, roles):
            return True
        target = view.open_block()
    done = 0
    while steps is None or done < steps:
        with store.writing() as tx:
            if step(tx, roles, target):
                return True
        done += 1
    return False


def require_current(store: Store, roles: Roles, steps: int | None) -> None:
    """Catch up, or as far as some steps go. Raises Unavailable if more is left."""
    if not catch_up(store, roles, steps):
        with store.reading() as view:
            done, of = progress(view), view.open_block()
        read = 0 if done is None else done.block
        raise Unavailable(
            f"the metrics are being counted: {read} of {of} blocks of events are read"
        )


def step(tx: WriteTransaction, roles: Roles, target: int) -> bool:
    """Read a few blocks, or a few ids again; whether all is read up to a block.

    The open block is read each time, because more messages may come.
    """
    found = progress(tx)
    if found is None or found.roles != roles.digest:
        tx.clear_milestones()
        found = Progress(roles.digest, 0)
    elif stale := tx.stale_milestones(IDS_PER_STEP):
        _read_again(tx, stale, roles)
        tx.set_meta(MILESTONES, Progress(roles.digest, found.block, UNKNOWN).text)
        return False
    last = tx.open_block()
    blocks = range(found.block + 1, min(last, found.block + BLOCKS_PER_STEP) + 1)
    number = 0
    for block in blocks:
        messages = tx.block_messages(block, roles.priced)
        number = len(messages) if block == last else 0
        _add(tx, messages, roles)
    read = blocks[-1] if blocks else last
    tx.set_meta(MILESTONES, Progress(roles.digest, min(read, last - 1), number).text)
    return read >= min(target, last)


def _is_current(tx: ReadTransaction, roles: Roles) -> bool:
    """Whether every message was read."""
    done, last = progress(tx), tx.open_block()
    if done is None or done.roles != roles.digest or tx.stale_milestones(1):
        return False
    return (done.block, done.messages) == (last - 1, tx.messages_in_block(last))


def _add(tx: WriteTransaction, messages: list[BlockMessage], roles: Roles) -> None:
    """Add what messages are for metrics, and put together whose milestones changed."""
    facts, revenue = first_facts(messages, roles), revenue_events(messages, roles)
    _refresh(tx, tx.add_first_facts(facts, revenue))


def _refresh(tx: WriteTransaction, changed: list[FirstFact]) -> None:
    if changed:
        tx.refresh_milestones(
            {f.subject for f in changed}, {f.account for f in changed if f.account}
        )


def _read_again(tx: WriteTransaction, ids: list[str], roles: Roles) -> None:
    """Read the messages of ids again, because they changed in another way than by more of them."""
    accounts = tx.forget_first_facts(ids)
    for messages in _messages_of(tx, ids):
        facts, revenue = first_facts(messages, roles), revenue_events(messages, roles)
        tx.add_first_facts(facts, revenue)
    accounts |= tx.accounts_of_first_facts(ids)
    tx.refresh_milestones(ids, accounts)
    tx.clear_stale_milestones(ids)


def _messages_of(tx: ReadTransaction, ids: list[str]) -> Iterator[list[BlockMessage]]:
    own = set(ids)
    stored = tx.events(ids)
    while some := list(islice(stored, MESSAGES_AT_ONCE)):
        yield [block_message(each) for each in some if each.message.subject in own]


def block_message(stored: Stored) -> BlockMessage:
    """What metrics need of a stored message."""
    message = stored.message
    return BlockMessage(
        message.subject,
        stored.account,
        message.time,
        message.position,
        message.mid,
        message.name,
        message.properties,
        message.context,
    )
