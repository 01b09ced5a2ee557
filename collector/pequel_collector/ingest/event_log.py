"""Imports: the lines of a log, stored in batches in the same way as requests.

A ``Format`` of ``importing`` makes messages of each line. Times are not corrected, because there is
no client whose clock could be wrong. An event without a user is a fact of its account alone, if it
names one; else it gets its message id as anonymous id. An event without a message id gets a hash of
its content as message id, so importing a file again stores nothing twice.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from itertools import islice

import msgspec
from msgspec import Struct
from msgspec.json import Decoder

from ..config import Settings
from ..importing.format import Format
from ..importing.line import BadLine, Line, encoded, object_on
from ..importing.pequel import Pequel
from ..model import JSON, Clock, Message, RejectedEvent, anonymous_key
from ..wire import rejected_events
from ..wire.decode import UNREADABLE
from ..wire.event import Envelope
from ..wire.ids import Ids
from ..wire.junk_ids import JunkIds, is_placeholder, junk_ids
from ..wire.normalise import normalise
from .positions import FileInstants
from .receipts import Batch, Receipt

BATCH = 1_000
MAX_REFUSED_SHOWN = 3
KEY = "import"  # in place of the id of an API key

Accept = Callable[[Batch], Receipt]
OnRefused = Callable[[Line, RejectedEvent], None]


@dataclass(slots=True)
class ImportSummary:
    """Numbers of lines, events and leads.

    A line gives one event, and in some formats further messages with traits. ``read`` counts lines.
    ``stored``, ``duplicates`` and ``rejected`` (by code) count events and lines without an event.
    Of those that are not rejected, ``of_nobody`` have no user, and ``undated`` happened when they
    were imported: they have no time, or one in the future. ``refused`` has the reasons of the first
    few that were rejected. ``marked`` has the definition of each lead that was opened, by its id.
    """

    read: int = 0
    stored: int = 0
    duplicates: int = 0
    of_nobody: int = 0
    undated: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    marked: dict[str, str] = field(default_factory=dict)

    def numbers(self) -> dict[str, JSON]:
        """The numbers, as they are kept with the import."""
        names = ("read", "stored", "duplicates", "of_nobody", "undated")
        found = {name: getattr(self, name) for name in names}
        return found | {"refused": self.rejected.total(), "leads": len(self.marked)}


class Import:
    """Stores lines in batches, each before the next one is read.

    ``number`` is that of the import. Without one, the messages cannot be taken back. ``on_refused``
    gets each line that is refused, with the reason.
    """

    def __init__(
        self,
        accept: Accept,
        settings: Settings,
        clock: Clock,
        format_: Format | None = None,
        number: int | None = None,
        on_refused: OnRefused | None = None,
    ) -> None:
        self.summary = ImportSummary()
        self._on_refused = on_refused
        self._accept = accept
        # A line may give several messages. The limit is for requests.
        self._settings = replace(settings, max_batch=10 * BATCH)
        self._clock = clock
        self._format: Format = format_ or Pequel()
        self._number = number
        self._new_id = Ids(clock)
        self._junk = junk_ids(settings.junk_ids)

    def run(
        self, lines: Iterable[Line], on_batch: Callable[[], None] | None = None
    ) -> ImportSummary:
        """Store all lines; ``on_batch`` is called after each batch."""
        iterator = iter(lines)
        with closing(FileInstants()) as instants:
            while batch := list(islice(iterator, BATCH)):
                self._store(batch, instants)
                if on_batch:
                    on_batch()
        return self.summary

    def _store(self, batch: Sequence[Line], instants: FileInstants) -> None:
        messages, rejected = self.messages_of(batch)
        stored = Batch(messages, rejected, KEY, instants=instants, import_number=self._number)
        self._count(len(batch), self._accept(stored), rejected)
        self._show(batch, rejected)
        self.summary.of_nobody += sum(m.subject == anonymous_key(m.mid) for m in messages)
        self.summary.undated += sum(m.time == m.received for m in messages)

    def _show(self, batch: Sequence[Line], rejected: Sequence[RejectedEvent]) -> None:
        if self._on_refused is not None:
            lines = {line.number: line for line in batch}
            for each in rejected:
                self._on_refused(lines[each.index], each)

    def messages_of(self, batch: Sequence[Line]) -> tuple[list[Message], list[RejectedEvent]]:
        """The messages on lines, and the lines that are refused."""
        events, numbers, rejected = [], [], []
        for line in batch:
            try:
                found = events_of(line, self._format, self._junk)
                events += found
                numbers += [line.number] * len(found)
            except BadLine as bad:
                payload = rejected_events.payload(line.text[: self._settings.max_event])
                rejected.append(RejectedEvent(line.number, bad.code, str(bad), payload=payload))
        messages, invalid = normalise(Envelope(events), self._settings, self._clock(), self._new_id)
        rejected += [replace(r, index=numbers[r.index]) for r in invalid]
        unit = batch[0].unit if batch else "line"
        rejected = [replace(r, message=f"{unit} {r.index}: {r.message}") for r in rejected]
        return messages, sorted(rejected, key=_by_line)

    def _count(self, read: int, receipt: Receipt, rejected: Sequence[RejectedEvent]) -> None:
        self.summary.read += read
        self.summary.stored += receipt.accepted
        self.summary.duplicates += receipt.duplicates
        self.summary.rejected.update(r.code for r in rejected)
        room = MAX_REFUSED_SHOWN - len(self.summary.refused)
        self.summary.refused += [r.message for r in rejected[:room]]
        self.summary.marked.update((lead.id, lead.definition) for lead in receipt.qualified)


def events_of(line: Line, format_: Format, junk: JunkIds | None = None) -> list[bytes]:
    """The messages on a line, as JSON in Segment's form. Raises BadLine."""
    junk = junk or junk_ids("")
    if isinstance(format_, Pequel) and line.is_whole and _is_complete(line, junk):
        return [line.text]
    return [encoded(_with_ids(event, junk)) for event in format_.events(object_on(line))]


def _by_line(rejected: RejectedEvent) -> int:
    return rejected.index


class _Complete(Struct, rename="camel"):
    """The required and forbidden members of a line that is stored unchanged."""

    type: str
    message_id: str
    user_id: str
    sent_at: None = None
    timestamp: str | None = None
    original_timestamp: str | None = None
    properties: dict[str, msgspec.Raw] | None = None
    traits: dict[str, msgspec.Raw] | None = None
    context: dict[str, msgspec.Raw] | None = None
    anonymous: None = msgspec.field(default=None, name="anonymous_id")
    account: None = msgspec.field(default=None, name="account_id")


_complete = Decoder(_Complete).decode


def _is_complete(line: Line, junk: JunkIds) -> bool:
    """Whether a line is a message in Segment's form that needs no change."""
    try:
        line.text.decode()
        found = _complete(line.text)
    except UNREADABLE:
        return False
    return not (_is_unusable(found.message_id) or _is_missing(found.user_id, junk))


def _with_ids(event: dict[str, JSON], junk: JunkIds) -> dict[str, JSON]:
    """The event with a message id, and with a user or anonymous id.

    One that may be of its account alone needs neither, unless it has an id that is junk.
    """
    if _is_unusable(event.get("messageId")):
        event["messageId"] = _digest(event)
    ids = event.get("userId"), event.get("anonymousId")
    needs_none = _may_be_of_account(event, junk) and all(map(_is_blank, ids))
    if not needs_none and all(_is_missing(id_, junk) for id_ in ids):
        event["anonymousId"] = event["messageId"]
    return event


def _may_be_of_account(event: Mapping[str, JSON], junk: JunkIds) -> bool:
    """Whether an event may be one of its account alone."""
    context = event.get("context")
    named = context.get("groupId") if isinstance(context, dict) else None
    has_account = not (_is_missing(named, junk) and _is_missing(event.get("groupId"), junk))
    return has_account and event.get("type") not in ("identify", "alias")


def _is_missing(identifier: JSON, junk: JunkIds) -> bool:
    return _is_blank(identifier) or (isinstance(identifier, str) and identifier in junk)


def _is_unusable(message_id: JSON) -> bool:
    return _is_blank(message_id) or (isinstance(message_id, str) and is_placeholder(message_id))


def _is_blank(identifier: JSON) -> bool:
    return identifier is None or (isinstance(identifier, str) and not identifier.strip())


def _digest(event: Mapping[str, JSON]) -> str:
    text = json.dumps(event, sort_keys=True)
    return "import-" + blake2b(text.encode(), digest_size=16).hexdigest()
