"""One leaf alone: an evaluator with a single definition, folded over events of one user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from pequel_collector.marking.history import History
from pequel_collector.model import Stored
from pequel_collector.rules.engine.evaluator import Evaluator
from pequel_collector.rules.engine.state import EmptyWorld, Fact, FactList, HistoryReader, State
from pequel_collector.rules.engine.view import FIRST, EvalContext
from pequel_collector.rules.language.definition import leaves_of
from pequel_collector.rules.parser.catalogue import read_catalogue

from .streams import message_of, plain_event

START = 1_774_483_200_000
MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000

Event = tuple[int, str, dict[str, Any]]
"""The time after the start in ms, the name, and the properties."""


class PageStore:
    """A shelf in memory: pages by number, and each cell with the pages that it was put away at."""

    def __init__(self) -> None:
        self.pages: dict[int, bytes] = {}
        self.put: dict[tuple[int, str], list[tuple[int, bytes | None]]] = {}

    def page(self, number: int) -> bytes:
        return self.pages[number]

    def cell(self, slot: int, key: str) -> bytes | None:
        found = self.put.get((slot, key))
        return found[-1][1] if found else None

    def cells(self, slot: int) -> dict[str, bytes]:
        found = {key: each[-1][1] for (of, key), each in self.put.items() if of == slot and each}
        return {key: body for key, body in found.items() if body is not None}

    def seal(self, number: int, page: bytes, cells: Sequence[Any]) -> None:
        self.pages[number] = page
        for slot, key, body in cells:
            self.put.setdefault((slot, key), []).append((number, body))

    def unseal(self, number: int) -> None:
        self.pages = {n: page for n, page in self.pages.items() if n < number}
        for key, each in self.put.items():
            self.put[key] = [(n, body) for n, body in each if n < number]


class OneLeaf:
    """The first leaf of the only definition."""

    def __init__(self, when: str, project: str = "") -> None:
        toml = f'[project]\n{project}\n[[pql]]\nname = "one"\nwhen = {when}\n'
        self.evaluator = Evaluator("user", read_catalogue(toml))
        leaf = next(iter(leaves_of(self.evaluator.definitions[0].when)))
        self.leaf = self.evaluator.window(leaf)

    def facts(self, events: Sequence[Event]) -> list[Fact]:
        """Events as the evaluator sees them, in order of time, then of the list."""
        plain = [
            plain_event("u1", name, f"m{n:03}", START + time, properties=properties)
            for n, (time, name, properties) in enumerate(events)
        ]
        stored = [Stored(message, None, message.subject) for message in map(message_of, plain)]
        found = [fact for each in stored if (fact := self.evaluator.fact(each)) is not None]
        return sorted(found, key=lambda fact: (fact.time, fact.mid))

    def observed(self, events: Sequence[Event], time: int) -> Any:
        """What it observes at an instant after the start, of events none of which is later."""
        facts = self.facts(events)
        state, sheet = State(), FactList(facts)
        self.evaluator.fold(state, sheet, facts, FIRST, EmptyWorld())
        return self._look(state, sheet, START + time)

    def observed_in_pages(self, events: Sequence[Event], time: int) -> Any:
        """The same over a history in pages, each instant taken in by itself and written down."""
        history = History(PageStore(), self.evaluator.version)
        facts = self.facts(events)
        for instant in sorted({fact.time for fact in facts}):
            now = [fact for fact in facts if fact.time == instant]
            history.extend(now, self.evaluator, EmptyWorld(), None)
            history = History(history._store, "", history.write())
        return self._look(history.head, history, START + time)

    def marked_at(self, events: Sequence[Event]) -> int | None:
        """When the definition qualified, after the start."""
        state, facts = State(), self.facts(events)
        self.evaluator.fold(state, FactList(facts), facts, FIRST, EmptyWorld())
        return state.marks[0][0].time - START if 0 in state.marks else None

    def _look(self, state: State, memory: HistoryReader, time: int) -> Any:
        looked_at = msgspec.json.decode(msgspec.json.encode(state), type=State)
        return self.leaf.observed(EvalContext("user", looked_at, EmptyWorld(), memory, time))
