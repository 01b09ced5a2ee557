"""Batches that come in, and what became of each of their events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from ..model import (
    Lead,
    Message,
    RejectedEvent,
    Report,
    Stored,
    account_key,
)
from ..ports import StoredRejectedEvent, Usage
from ..usage import NO_KEY, month_of


@dataclass(frozen=True, slots=True)
class Batch:
    """What one request brings: messages, and what was refused of it.

    ``key`` is the id of the key that sent it. ``again`` has, for each message, the refusal that it
    was kept as until now; it is empty where the messages have just come. ``report`` says what the
    client dropped.
    """

    messages: Sequence[Message]
    rejected: Sequence[RejectedEvent] = ()
    key: str | None = None
    again: Sequence[StoredRejectedEvent] = ()
    report: Report | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a batch: accepted + duplicates + len(rejected) is what came in."""

    accepted: int = 0
    duplicates: int = 0
    rejected: tuple[RejectedEvent, ...] = ()
    qualified: tuple[Lead, ...] = ()


class Outcome:
    """What became of the batches of one transaction.

    ``fresh`` are the messages that were new, as they are stored; ``opened`` the leads of it.
    """

    def __init__(
        self, batches: Sequence[Batch], fresh: Sequence[Stored], opened: Sequence[Lead]
    ) -> None:
        self._batches, self._fresh, self._opened = batches, fresh, opened
        new = {id(stored.message) for stored in fresh}
        self._is_new = [[id(message) in new for message in batch.messages] for batch in batches]

    def receipts(self) -> list[Receipt]:
        """A receipt for each batch; each lead is on that of the batch that opened it."""
        opened: list[list[Lead]] = [[] for _ in self._batches]
        for lead, place in zip(self._opened, self._openers(), strict=True):
            opened[place].append(lead)
        return [
            Receipt(sum(is_new), len(is_new) - sum(is_new), tuple(batch.rejected), tuple(leads))
            for batch, is_new, leads in zip(self._batches, self._is_new, opened, strict=True)
        ]

    def usage(self, now: int, gone: Collection[str] = ()) -> list[Usage]:
        """What is to be counted.

        What comes again was counted as refused before, in the month in which it came; that is
        taken back for those refusals that are ``gone`` now.
        """
        counted: Counter[tuple[str, str, str]] = Counter()
        for batch, is_new in zip(self._batches, self._is_new, strict=True):
            sender = batch.key or NO_KEY, month_of(now)
            for rejection in batch.rejected:
                month = month_of(rejection.received or now)
                counted[sender[0], month, f"rejected:{rejection.code}"] += 1
            if batch.again:
                _recount(batch.again, is_new, gone, counted)
            else:
                counted[(*sender, "stored")] += sum(is_new)
                counted[(*sender, "duplicate")] += len(is_new) - sum(is_new)
        return [Usage(*place, number) for place, number in counted.items() if number]

    def _openers(self) -> Iterator[int]:
        """Which batch opened each lead.

        It is the last one with a new message of the lead's subject at the moment of qualification;
        else the last with any new message of that subject; else the last.
        """
        if not self._opened or len(self._batches) == 1:
            yield from (0 for _ in self._opened)
            return
        latest, at = self._latest({lead.subject for lead in self._opened})
        for lead in self._opened:
            last = latest.get(lead.subject, len(self._batches) - 1)
            yield at.get((lead.subject, lead.qualified_at), last)

    def _latest(
        self, subjects: Collection[str]
    ) -> tuple[dict[str, int], dict[tuple[str, int], int]]:
        """The last batch with a new message of each of these subjects, and of it at each time."""
        fresh = {id(stored.message): stored for stored in self._fresh}
        latest: dict[str, int] = {}
        at: dict[tuple[str, int], int] = {}
        for place, batch in enumerate(self._batches):
            for stored in filter(None, map(fresh.get, map(id, batch.messages))):
                for subject in _subjects(stored):
                    if subject in subjects:
                        latest[subject] = at[subject, stored.message.time] = place
        return latest, at


def _recount(
    again: Sequence[StoredRejectedEvent],
    is_new: Sequence[bool],
    gone: Collection[str],
    counted: Counter[tuple[str, str, str]],
) -> None:
    for refused, new in zip(again, is_new, strict=True):
        if refused.id not in gone:
            continue
        sender = refused.key or NO_KEY, month_of(refused.received_at)
        counted[(*sender, f"rejected:{refused.rejection.code}")] -= 1
        counted[(*sender, "stored" if new else "duplicate")] += 1


def _subjects(stored: Stored) -> Iterator[str]:
    if stored.person is not None:
        yield stored.person
    if stored.account is not None:
        yield account_key(stored.account)
