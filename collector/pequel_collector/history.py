"""Histories: what the definitions look at, per subject, cut into pages that can be rewound.

A page holds the state before its facts and the facts. The open page, the last one, also holds
the state after them. A fact later than that state extends it. An earlier one, however late,
rewinds to the last page that began before it, and folds again from there: the same steps, so the
same answer as if it had come in time.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from operator import attrgetter

import msgspec
from msgspec import Struct, field

from .rules.facts import Fact, State, World
from .rules.machine import Machine

FULL = 48
in_order = attrgetter("time", "mid")


class Sealed(Struct):
    """A page that no longer grows: the state before its facts, and the facts."""

    base: State
    facts: list[Fact]


class History(Struct, omit_defaults=True):
    """The open page of a subject. ``version`` is the machine's that folded it."""

    version: str
    base: State = field(default_factory=State)
    facts: list[Fact] = field(default_factory=list)
    head: State = field(default_factory=State)
    sealed: int = 0

    def extend(self, facts: list[Fact], machine: Machine, world: World) -> list[Sealed]:
        """Take in facts that are all later than the head; the pages that became full."""
        self.facts += facts
        machine.fold(self.head, facts, world)
        return self._cut(machine, world)

    def insert(self, facts: Iterable[Fact], machine: Machine, world: World) -> list[Sealed]:
        """Take in facts of any time after the base, by folding the page again."""
        self.facts = sorted((*self.facts, *facts), key=in_order)
        full = self._cut(machine, world)
        self.head = self.base.copy()
        machine.fold(self.head, self.facts, world)
        return full

    def rewind(self, pages: list[Sealed], time: int) -> None:
        """Make the last page that began before an instant the open one, with all facts after."""
        keep = max(i for i, page in enumerate(pages) if page.base.time < time)
        self.facts = [fact for page in pages[keep:] for fact in page.facts] + self.facts
        self.base = pages[keep].base
        self.sealed = keep

    def _cut(self, machine: Machine, world: World) -> list[Sealed]:
        full, start = [], 0
        while len(self.facts) - start > FULL:
            stop = _boundary(self.facts, start)
            if stop is None:
                break
            page = Sealed(self.base, self.facts[start:stop])
            self.base = self.base.copy()
            machine.fold(self.base, page.facts, world)
            full.append(page)
            start = stop
        del self.facts[:start]
        return full


def _boundary(facts: list[Fact], start: int) -> int | None:
    """Where to cut: about half a page on, never inside an instant."""
    half = start + FULL // 2
    later = islice(range(half, len(facts)), 0, None)
    return next((i for i in later if facts[i - 1].time != facts[i].time), None)


_histories = msgspec.json.Decoder(History)
_pages = msgspec.json.Decoder(Sealed)
_encoder = msgspec.json.Encoder()


def read_history(body: str) -> History:
    """An open page from its text."""
    return _histories.decode(body)


def read_page(body: str) -> Sealed:
    """A sealed page from its text."""
    return _pages.decode(body)


def write(page: History | Sealed) -> str:
    """A page as text."""
    return _encoder.encode(page).decode()
