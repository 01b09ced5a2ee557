"""Subjects told anew: from their stored messages and the links between ids, and nothing else.

Nothing that was derived before is looked at. What a subject's definitions ask of others is answered
by telling those anew as well, each from its own messages. What others are asked for follows from
their messages alone, but for marks, which may in turn rest on answers of still others; that goes as
deep as definitions name each other, and no deeper.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from operator import attrgetter
from typing import Any

import msgspec

from ..identity.people import People
from ..identity.resolver import Identities
from ..leads.ledger import Verdict
from ..model import Message, Stored, account_key, kind_of, user_key
from ..ports import Membership, ReadTransaction
from ..rules.engine.evaluator import Evaluator
from ..rules.engine.rules import Rule
from ..rules.engine.state import EmptyWorld, Fact, HistoryReader, Position, State, World
from ..rules.engine.view import FIRST, EvalContext
from ..rules.explain.evidence import Explainer
from ..rules.language.analysis import in_order as dependencies_first
from ..rules.language.analysis import names_in
from ..rules.language.definition import Catalogue
from .evaluators import Evaluators
from .history import in_order

ROOM = 50_000
"""States of others that are kept from one subject to the next, and links likewise."""

_encoder = msgspec.json.Encoder()
_anything = msgspec.json.Decoder()


class ReplayMemory(HistoryReader):
    """The facts of a subject, one after the other, and the cells that were put away."""

    def __init__(self) -> None:
        self._facts: list[Fact] = []
        self._cells: dict[int, dict[str, bytes]] = {}
        self._changed: dict[int, set[str]] = {}

    def __len__(self) -> int:
        return len(self._facts)

    def extend(self, facts: Sequence[Fact]) -> None:
        """Write down facts that are all later than those before."""
        self._facts += facts

    def put_away(self, slot: int, key: str, cell: Any) -> None:
        """Keep a cell that was taken out of the state; None where it is gone."""
        self._changed.setdefault(slot, set()).add(key)
        if cell is None:
            self._cells.get(slot, {}).pop(key, None)
        else:
            self._cells.setdefault(slot, {})[key] = _encoder.encode(cell)

    def turn(self) -> None:
        """Begin a page: from now on other cells are the changed ones."""
        self._changed.clear()

    def changed(self, slot: int) -> Collection[str]:
        """The cells of a slot that were put away since the page was begun."""
        return self._changed.get(slot, ())

    def facts(self, start: Position) -> Iterator[tuple[Position, Fact]]:
        """The facts from a position on, with the position of each."""
        for index in range(start[1], len(self._facts)):
            yield (1, index), self._facts[index]

    def since(self, time: int) -> Position:
        """The position of the first fact at or after a time."""
        return 1, bisect_left(self._facts, time, key=attrgetter("time"))

    def accumulator(self, slot: int, key: str) -> Any:
        """The accumulator stored under a key; None if there is none."""
        body = self._cells.get(slot, {}).get(key)
        return None if body is None else _anything.decode(body)

    def accumulators(self, slot: int) -> dict[str, Any]:
        """All accumulators of a slot that are stored apart, by key."""
        found = self._cells.get(slot, {}).items()
        return {key: _anything.decode(body) for key, body in found}


class SubjectReplay:
    """A subject that is told fact by fact. ``verdicts`` are by number of the rule and cycle."""

    def __init__(self, evaluator: Evaluator, world: World) -> None:
        self.evaluator, self._world = evaluator, world
        self.state, self.book = State(), ReplayMemory()
        self.verdicts: dict[tuple[int, int], Verdict] = {}

    def extend(self, facts: Sequence[Fact]) -> None:
        """Take in facts that are all later than the state, in order."""
        start = 1, len(self.book)
        self.book.extend(facts)
        self.evaluator.fold(self.state, self.book, facts, start, self._world, self._note)

    def put_away(self) -> None:
        """Take out of the state what has no room in it."""
        self.book.turn()
        for slot, key, cell in self.evaluator.spill(self.state):
            self.book.put_away(slot, key, cell)

    def advance(self, time: int) -> None:
        """Let the clock run up to an instant, and including it."""
        self.evaluator.advance(self.state, self.book, time, self._world, self._note)

    def _note(self, ctx: EvalContext, rule: Rule, cycle: int) -> None:
        explained = Explainer(self.evaluator, rule, ctx)
        evidence = json.loads(json.dumps(explained.evidence()))
        self.verdicts[rule.index, cycle] = Verdict(ctx.time, ctx.state.account, evidence)


class Replay:
    """What the messages of a store come to, subject by subject.

    ``now`` is up to when the clock of others runs.
    """

    def __init__(self, tx: ReadTransaction, evaluators: Evaluators, now: int) -> None:
        self._tx, self._machines, self._now = tx, evaluators, now
        self.identities = Identities(tx)
        self._depth = depth(evaluators.catalogue)
        self._known: dict[tuple[str, int], State | None] = {}

    def go_on(self, tx: ReadTransaction) -> None:
        """Go on in another view of the store, in which the messages are the same."""
        self._tx = tx
        self.identities.go_on(tx)

    @property
    def world(self) -> World:
        """Everybody else, for the definitions of a subject."""
        return self._world(self._depth)

    def messages(self, key: str) -> Iterator[Stored]:
        """The messages of a person, a visitor or an account, in order.

        Those of an account are the ones that the store has attributed to it; the others' accounts
        follow from the messages.
        """
        if kind_of(key) == "account":
            for each in self._tx.events([key]):
                yield each._replace(person=self.identities.user(each.message.subject))
            return
        found = [each.message for each in self._tx.events(self.identities.ids_of(key))]
        yield from self.attributed(key, found)

    def attributed(self, person: str, messages: Sequence[Message]) -> list[Stored]:
        """All messages of a person or a visitor, each with the account that it falls to."""
        ids = {message.subject for message in messages}
        calls = {id_: [c for c in calls_in(messages) if c.subject == id_] for id_ in ids}
        return People(dict.fromkeys(ids, person), calls).attribute(messages)

    def facts(self, key: str, messages: Iterable[Stored]) -> list[Fact]:
        """What the definitions look at of the messages of a subject, in order."""
        evaluator = self._machines.of(key)
        found = (evaluator.fact(each) for each in messages)
        return sorted((fact for fact in found if fact is not None), key=in_order)

    def telling(self, key: str) -> SubjectReplay:
        """A subject of which nothing has been told yet."""
        return SubjectReplay(self._machines.of(key), self.world)

    def trim(self) -> None:
        """Forget the states of others that were asked for longest ago, where there are many."""
        self.identities.trim()
        for oldest in list(islice(self._known, max(0, len(self._known) - ROOM))):
            del self._known[oldest]

    def state(self, key: str, deep: int) -> State | None:
        """What others may ask of a subject; None for one of which no definition sees anything."""
        if (key, deep) not in self._known:
            self._known[key, deep] = self._told(key, self._world(deep))
        found = self._known[key, deep] = self._known.pop((key, deep))
        return found

    def _told(self, key: str, world: World) -> State | None:
        facts = self.facts(key, self.messages(key))
        if not facts:
            return None
        evaluator, state, book = self._machines.of(key), State(), ReplayMemory()
        book.extend(facts)
        evaluator.fold(state, book, facts, FIRST, world)
        evaluator.advance(state, book, self._now, world)
        state.slots.clear()
        return state

    def _world(self, deep: int) -> World:
        return _Others(self, deep - 1) if deep else EmptyWorld()


class _Others:
    """A world in which everybody who is asked is told anew."""

    def __init__(self, recount: Replay, deep: int) -> None:
        self._recount, self._deep = recount, deep

    def user(self, user_id: str) -> State | None:
        """The state of a user."""
        return self._recount.state(user_key(user_id), self._deep)

    def account(self, account_id: str) -> State | None:
        """The state of an account."""
        return self._recount.state(account_key(account_id), self._deep)


def depth(catalogue: Catalogue) -> int:
    """How many subjects, each asking the next, the verdict on one may rest on."""
    depths: dict[str, int] = {}
    for place in dependencies_first(catalogue.definitions):
        definition = catalogue.definitions[place]
        below = (depths.get(name, 0) for name in names_in(definition))
        depths[definition.name] = 1 + max(below, default=0)
    return max(depths.values(), default=0)


def calls_in(messages: Iterable[Message]) -> list[Membership]:
    """The group calls among messages."""
    return [
        Membership(m.subject, m.time, m.mid, m.account)
        for m in messages
        if m.type == "group" and m.account is not None
    ]
