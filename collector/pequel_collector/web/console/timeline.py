"""What somebody did, as a page shows it: decisive events stand out, repetitions are folded."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from ...model import JSON, Message, Stored, parse_iso


@dataclass(slots=True)
class Happened:
    """One line: an event, or several of one name in a row.

    ``time`` is that of the latest of them, ``earliest`` that of the first. ``is_key`` says that a
    key event of the project is meant, ``is_deciding`` that it decided a lead. ``looks_like`` is the
    name that was probably meant, where no definition uses this one.
    """

    time: int
    earliest: int
    name: str
    type: str
    mid: str
    user: str | None
    account: str | None
    properties: Mapping[str, JSON]
    is_key: bool = False
    is_deciding: bool = False
    looks_like: str | None = None
    times: int = 1


def happened(
    messages: Iterable[Stored],
    key_events: Collection[str] = (),
    deciding: Collection[str] = (),
    likely: Mapping[str | None, str] = MappingProxyType({}),
) -> list[Happened]:
    """Messages, latest first, as lines. Neighbours of one name are one line, unless they decide.

    ``likely`` has the name that was probably meant, by the name that came.
    """
    lines: list[Happened] = []
    for stored in messages:
        line = _line(stored, key_events, deciding)
        line.looks_like = likely.get(stored.message.name)
        if lines and _is_repeated(lines[-1], line):
            lines[-1].times += 1
            lines[-1].earliest = line.time
        else:
            lines.append(line)
    return lines


def days_of(lines: Sequence[Happened]) -> list[tuple[int, list[Happened]]]:
    """Lines by day in UTC, each with the time at which its day begins."""
    days: dict[int, list[Happened]] = {}
    for line in lines:
        days.setdefault(line.time // 86_400_000, []).append(line)
    return [(number * 86_400_000, found) for number, found in days.items()]


@dataclass(slots=True)
class Strip:
    """The moments of a leaf between two instants, for a picture of them."""

    start: int
    end: int
    times: list[int] = field(default_factory=list)

    def place(self, time: int, width: int) -> int:
        """How far a time is along a strip of a width."""
        span = max(1, self.end - self.start)
        return min(width, max(0, round((time - self.start) / span * width)))


def strip_of(leaf: Mapping[str, JSON]) -> Strip | None:
    """The moments at which the events of a leaf happened; None for a leaf without any."""
    known = (_time(event.get("time")) for event in leaf.get("events", ()))
    times = sorted(time for time in known if time is not None)
    if not times:
        return None
    window = leaf.get("window") or {}
    start, end = _time(window.get("from")), _time(window.get("to"))
    first = times[0] if start is None else min(start, times[0])
    last = times[-1] if end is None else max(end, times[-1])
    return Strip(first, last, times)


def deciding_in(evidence: Mapping[str, JSON]) -> set[str]:
    """The ids of the messages that decided a lead."""
    return {
        event["message_id"]
        for leaf in evidence.get("leaves", ())
        for event in leaf.get("events", ())
    }


def _line(stored: Stored, key_events: Collection[str], deciding: Collection[str]) -> Happened:
    message = stored.message
    return Happened(
        time=message.time,
        earliest=message.time,
        name=message.name or message.type,
        type=message.type,
        mid=message.mid,
        user=message.user_id,
        account=stored.account,
        properties=properties_of(message),
        is_key=message.name in key_events,
        is_deciding=message.mid in deciding,
    )


def properties_of(message: Message) -> Mapping[str, JSON]:
    """What a message says besides its name: the properties of an event, the traits of a call."""
    return message.properties if message.is_event else message.traits


def _is_repeated(before: Happened, line: Happened) -> bool:
    same = (before.name, before.type, before.user) == (line.name, line.type, line.user)
    same_day = before.time // 86_400_000 == line.time // 86_400_000
    return same and same_day and not (before.is_deciding or line.is_deciding)


def _time(text: JSON) -> int | None:
    return parse_iso(text) if isinstance(text, str) else None
