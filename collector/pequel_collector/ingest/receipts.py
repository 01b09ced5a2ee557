"""Batches of events, and the outcome of each of their events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import compress

from ..model import Lead, Message, RejectedEvent, Report, Stored, account_key
from ..ports import StoredRejectedEvent, Usage
from ..usage import NO_KEY, month_of
from .positions import FileInstants


@dataclass(frozen=True, slots=True)
class Batch:
    """The messages and the rejected events of one request.

    ``key`` is the id of the key that sent it. ``report`` is its client report. In a replay of
    rejected events, ``replayed`` has the stored rejected event of each message; else it is empty.
    ``instants`` counts the messages of the file of which the batch is a part; None for a request.
    ``import_number`` is the number of the import of that file.
    """

    messages: Sequence[Message]
    rejected: Sequence[RejectedEvent] = ()
    key: str | None = None
    replayed: Sequence[StoredRejectedEvent] = ()
    report: Report | None = None
    instants: FileInstants | None = None
    import_number: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """The outcome of a batch: accepted + duplicates + len(rejected) is the number of its events."""

    accepted: int = 0
    duplicates: int = 0
    rejected: tuple[RejectedEvent, ...] = ()
    qualified: tuple[Lead, ...] = ()


class Outcome:
    """The outcome of the batches of one transaction.

    ``new`` are the messages that were stored; ``opened`` are the leads that they opened.
    """

    def __init__(
        self, batches: Sequence[Batch], new: Sequence[Stored], opened: Sequence[Lead]
    ) -> None:
        self._batches, self._new, self._opened = batches, new, opened
        self._is_new = _first_of(batches, {each.message.mid for each in new})

    def receipts(self) -> list[Receipt]:
        """A receipt for each batch. Each lead is on the receipt of the batch that opened it."""
        opened: list[list[Lead]] = [[] for _ in self._batches]
        for lead, index in zip(self._opened, self._openers(), strict=True):
            opened[index].append(lead)
        return [
            Receipt(sum(is_new), len(is_new) - sum(is_new), tuple(batch.rejected), tuple(leads))
            for batch, is_new, leads in zip(self._batches, self._is_new, opened, strict=True)
        ]

    def usage(self, now: int, deleted: Collection[str] = ()) -> list[Usage]:
        """The numbers to add to the usage.

        A replayed event was counted as rejected in the month in which it came. It moves to its new
        outcome in that month if its rejected event is among those ``deleted`` now.
        """
        counts: Counter[tuple[str, str, str]] = Counter()
        for batch, is_new in zip(self._batches, self._is_new, strict=True):
            key, month = batch.key or NO_KEY, month_of(_counted_at(batch, now))
            for rejected in batch.rejected:
                code = f"rejected:{rejected.code}"
                counts[key, month_of(rejected.received or now), code] += 1
            if batch.replayed:
                _count_replayed(batch.replayed, is_new, deleted, counts)
            else:
                counts[key, month, "stored"] += sum(is_new)
                counts[key, month, "duplicate"] += len(is_new) - sum(is_new)
        return [Usage(*counted, number) for counted, number in counts.items() if number]

    def _openers(self) -> Iterator[int]:
        """The index of the batch that opened each lead.

        It is the last batch with a new message of the lead's subject at the time of qualification;
        else the last with any new message of the subject; else the last.
        """
        if not self._opened or len(self._batches) == 1:
            yield from (0 for _ in self._opened)
            return
        latest, latest_at = self._latest({lead.subject for lead in self._opened})
        for lead in self._opened:
            last = latest.get(lead.subject, len(self._batches) - 1)
            yield latest_at.get((lead.subject, lead.qualified_at), last)

    def _latest(
        self, subjects: Collection[str]
    ) -> tuple[dict[str, int], dict[tuple[str, int], int]]:
        """The last batch with a new message of each of these subjects, and of it at each time."""
        new = {stored.message.mid: stored for stored in self._new}
        latest: dict[str, int] = {}
        latest_at: dict[tuple[str, int], int] = {}
        for index, (batch, flags) in enumerate(zip(self._batches, self._is_new, strict=True)):
            for message in compress(batch.messages, flags):
                stored = new[message.mid]
                for subject in _subjects(stored):
                    if subject in subjects:
                        latest[subject] = latest_at[subject, stored.message.time] = index
        return latest, latest_at


def _counted_at(batch: Batch, now: int) -> int:
    """When the events of a batch are counted. Undoing an import takes them out of that month."""
    return batch.messages[0].received if batch.import_number and batch.messages else now


def _first_of(batches: Sequence[Batch], new: set[str]) -> list[list[bool]]:
    """For each message of each batch, whether it is the first with its id, and the id is new."""
    found = []
    for batch in batches:
        flags = [message.mid in new for message in batch.messages]
        mids = {message.mid for message in compress(batch.messages, flags)}
        new -= mids
        if len(mids) < sum(flags):
            flags = []
            for message in batch.messages:
                flags.append(message.mid in mids)
                mids.discard(message.mid)
        found.append(flags)
    return found


def _count_replayed(
    replayed: Sequence[StoredRejectedEvent],
    is_new: Sequence[bool],
    deleted: Collection[str],
    counts: Counter[tuple[str, str, str]],
) -> None:
    for rejected, new in zip(replayed, is_new, strict=True):
        if rejected.id not in deleted:
            continue
        key, month = rejected.key or NO_KEY, month_of(rejected.received_at)
        counts[key, month, f"rejected:{rejected.event.code}"] -= 1
        counts[key, month, "stored" if new else "duplicate"] += 1


def _subjects(stored: Stored) -> Iterator[str]:
    if stored.person is not None:
        yield stored.person
    if stored.account is not None:
        yield account_key(stored.account)
