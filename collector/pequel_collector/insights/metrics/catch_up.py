"""Reading what was stored since the last time into the tables that metrics are counted from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
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

MESSAGES_PER_STEP = 5_000
"""Messages of these ids that one write transaction reads, besides those of one same time."""


UNKNOWN = -1
"""A number of messages after which the block must be read again: some may have been removed."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Which roles the tables were filled for, and how far.

    ``block`` is the last full block that was read, ``messages`` how many were read of the next one.
    ``ids`` are being read again, from ``since`` (ms) on.
    """

    roles: str
    block: int
    messages: int = 0
    ids: tuple[str, ...] = ()
    since: int | None = None

    @property
    def text(self) -> str:
        """The meta entry."""
        return json.dumps(asdict(self))  # an id may have a lone surrogate


def progress(tx: ReadTransaction) -> Progress | None:
    """How far the tables are; None if nobody has asked for a metric."""
    text = tx.meta(MILESTONES)
    return msgspec.convert(json.loads(text), Progress) if text else None


def is_kept(store: Store) -> bool:
    """Whether somebody has ever asked for a metric."""
    with store.reading() as view:
        return progress(view) is not None


def is_behind(tx: ReadTransaction, done: Progress) -> bool:
    """Whether a full block was not read, or an id must be read again."""
    return done.block < tx.open_block() - 1 or bool(done.ids or tx.stale_milestones(1))


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
    elif found.ids:
        tx.set_meta(MILESTONES, _read_again(tx, found, roles).text)
        return False
    elif stale := tx.stale_milestones(IDS_PER_STEP):
        _forget(tx, stale)
        anew = Progress(roles.digest, found.block, UNKNOWN, tuple(stale))
        tx.set_meta(MILESTONES, _read_again(tx, anew, roles).text)
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
    if done is None or done.roles != roles.digest or done.ids or tx.stale_milestones(1):
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


def _forget(tx: WriteTransaction, ids: list[str]) -> None:
    """Forget what was read of ids. One that is noted again meanwhile is read once more."""
    accounts = tx.forget_first_facts(ids)
    tx.refresh_milestones(ids, accounts)
    tx.clear_stale_milestones(ids)


def _read_again(tx: WriteTransaction, found: Progress, roles: Roles) -> Progress:
    """Read some more messages of ids, because they changed in another way than by more of them."""
    messages, since = _some(tx.events(found.ids, since=found.since), MESSAGES_PER_STEP)
    own = set(found.ids)
    _add(tx, [block_message(each) for each in messages if each.message.subject in own], roles)
    return replace(found, ids=() if since is None else found.ids, since=since)


def _some(stored: Iterator[Stored], number: int) -> tuple[list[Stored], int | None]:
    """The first messages, and the time from which to go on; None at the end.

    All messages of one time are read at once, so that no message is left out.
    """
    found = list(islice(stored, number))
    last = found[-1].message.time if found else 0
    for each in stored:
        if each.message.time != last:
            return found, each.message.time
        found.append(each)
    return found, None


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
