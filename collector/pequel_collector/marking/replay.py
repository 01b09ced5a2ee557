"""Subjects folded from their stored messages and the links between ids, and nothing else.

Nothing that was derived before is read. If a definition asks for another subject, that one is
folded too, from its own messages. What others are asked for follows from their messages alone,
except whether they qualified, which may depend on further subjects. That goes as deep as
definitions name each other, and no deeper.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import chain, islice
from operator import attrgetter
from typing import Any

import msgspec

from ..identity.people import People, group_calls
from ..identity.resolver import Identities
from ..leads.ledger import ExplainedQualification
from ..leads.transitions import LeadKey
from ..model import Conversion, Message, Stored, account_key, fact_order, kind_of, user_key
from ..ports import ReadTransaction
from ..rules.engine.conversions import conversions_of
from ..rules.engine.evaluator import Evaluator
from ..rules.engine.rules import Rule
from ..rules.engine.state import (
    NEVER,
    EmptyWorld,
    Fact,
    HistoryReader,
    Position,
    State,
    World,
)
from ..rules.engine.view import EvalContext
from ..rules.explain.evidence import Explainer
from ..rules.language.analysis import in_order as dependencies_first
from ..rules.language.analysis import names_in
from ..rules.language.definition import Catalogue
from .evaluators import Evaluators
from .facts import ends_of

CACHED_STATES = 50_000
"""States of other subjects that are kept from one subject to the next."""

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class SubjectReplay(HistoryReader):
    """The history of one subject in memory, folded fact by fact. ``head`` is its state.

    ``qualifications`` has each qualification with its evidence, unless ``explains`` is false.
    """

    def __init__(self, evaluator: Evaluator, world: World, *, explains: bool = True) -> None:
        self.evaluator, self._world = evaluator, world
        self.head = State()
        self.qualifications: dict[LeadKey, ExplainedQualification] = {}
        self._on_qualified = self._explain if explains else None
        self._facts: list[Fact] = []
        self._cells: dict[int, dict[str, bytes]] = {}
        self._changed: dict[int, set[str]] = {}
        self._pages = 0

    def __len__(self) -> int:
        return len(self._facts)

    def extend(
        self, facts: Sequence[Fact], earliest: int = NEVER, *, goes_on: bool = False
    ) -> None:
        """Fold facts that are all later than the head, in order.

        No definition can qualify before ``earliest``. With ``goes_on``, the last instant has more
        facts, which the next call takes in.
        """
        start, world = (1, len(self._facts)), self._world
        self._facts += facts
        self.evaluator.fold(
            self.head, self, facts, start, world, self._on_qualified, earliest, goes_on=goes_on
        )

    def end_page(self) -> None:
        """Move cells out of the state, as ``History`` does when it seals a page."""
        self._changed.clear()
        self._pages += 1
        for slot, key, cell in self.evaluator.spill(self.head, self._pages):
            self._changed.setdefault(slot, set()).add(key)
            if cell is None:
                self._cells.get(slot, {}).pop(key, None)
            else:
                self._cells.setdefault(slot, {})[key] = _encode(cell)

    def advance(self, time: int) -> None:
        """Run the clock up to and including an instant."""
        self.evaluator.advance(self.head, self, time, self._world, self._on_qualified)

    def changed(self, slot: int) -> Collection[str]:
        """The keys of the cells of a slot that moved out, or were dropped, at the last page end."""
        return self._changed.get(slot, ())

    def facts(self, start: Position) -> Iterator[tuple[Position, Fact]]:
        for index in range(start[1], len(self._facts)):
            yield (1, index), self._facts[index]

    def before(self, time: int) -> Iterator[tuple[Position, Fact]]:
        for index in reversed(range(self.since(time)[1])):
            yield (1, index), self._facts[index]

    def since(self, time: int) -> Position:
        return 1, bisect_left(self._facts, time, key=attrgetter("time"))

    def accumulator(self, slot: int, key: str) -> Any:
        body = self._cells.get(slot, {}).get(key)
        return None if body is None else _decode(body)

    def accumulators(self, slot: int) -> dict[str, Any]:
        return {key: _decode(body) for key, body in self._cells.get(slot, {}).items()}

    def _explain(self, ctx: EvalContext, rule: Rule, cycle: int) -> None:
        explained = Explainer(self.evaluator, rule, ctx)
        evidence = json.loads(json.dumps(explained.evidence()))
        self.qualifications[LeadKey(rule.name, cycle)] = ExplainedQualification(
            ctx.time, ctx.state.account, evidence
        )


class Replay:
    """What the messages of a store come to, subject by subject.

    ``now`` is the instant up to which the clock of other subjects runs.
    """

    def __init__(self, tx: ReadTransaction, evaluators: Evaluators, now: int) -> None:
        self._tx, self._evaluators, self._now = tx, evaluators, now
        self.identities = Identities(tx)
        self._depth = depth(evaluators.catalogue)
        self._states: dict[tuple[str, int], State | None] = {}

    def use(self, tx: ReadTransaction) -> None:
        """Read from another transaction, in which the messages are the same."""
        self._tx = tx
        self.identities.use(tx)

    @property
    def world(self) -> World:
        """The other subjects, for the definitions of one."""
        return self._world(self._depth)

    def conversions(self, state: State) -> list[Conversion]:
        """The conversions that may win the leads of a subject."""
        return conversions_of(state, self._world(1))

    def messages(self, key: str) -> Iterator[Stored]:
        """The messages of a person, a visitor or an account, in order.

        For an account these are the messages that the store attributes to it. For others, the
        account follows from the messages.
        """
        if kind_of(key) == "account":
            for each in self.stored(key):
                yield each._replace(person=self.identities.user(each.message.subject))
            return
        yield from self.attributed(key, [each.message for each in self.stored(key)])

    def stored(self, key: str) -> Iterable[Stored]:
        """The messages of a subject as the store has them, in order."""
        is_account = kind_of(key) == "account"
        return self._tx.events([key] if is_account else self.identities.ids_of(key))

    def attributed(self, person: str, messages: Sequence[Message]) -> list[Stored]:
        """All messages of a person or a visitor, each with the account it is attributed to."""
        ids = {message.subject for message in messages}
        calls = {id_: [c for c in group_calls(messages) if c.subject == id_] for id_ in ids}
        return People(dict.fromkeys(ids, person), calls).attribute(messages)

    def facts(self, key: str, messages: Iterable[Stored]) -> list[Fact]:
        """The messages of a subject as facts, where a definition looks at them, in order.

        The ends of its leads are among them.
        """
        evaluator = self._evaluators.of(key)
        found = (evaluator.fact(each) for each in messages)
        ends = ends_of(self._tx, self._evaluators, self.ids_of(key))
        facts = [fact for fact in found if fact is not None]
        return sorted(chain(facts, *ends.values()), key=fact_order)

    def ids_of(self, key: str) -> list[str]:
        """The ids of a person, or an account; none for an id that belongs to another person."""
        if kind_of(key) == "account":
            return [key]
        return self.identities.ids_of(key) if self.identities.person(key) == key else []

    def begin(self, key: str) -> SubjectReplay:
        """A subject without facts yet."""
        return SubjectReplay(self._evaluators.of(key), self.world)

    def fold(self, key: str, messages: Iterable[Stored] | None = None) -> SubjectReplay:
        """A subject folded from all of its messages, which need not be read again if given."""
        subject = self.begin(key)
        subject.extend(self.facts(key, self.messages(key) if messages is None else messages))
        return subject

    def trim(self) -> None:
        """Forget the states that were asked for longest ago, if there are many."""
        self.identities.trim()
        for oldest in list(islice(self._states, max(0, len(self._states) - CACHED_STATES))):
            del self._states[oldest]

    def state(self, key: str, deep: int) -> State | None:
        """What others may ask of a subject; None if it has no facts.

        ``deep`` is how many further subjects, each asking the next, its state may depend on.
        """
        if (key, deep) not in self._states:
            self._states[key, deep] = self._fold_other(key, self._world(deep))
        found = self._states[key, deep] = self._states.pop((key, deep))
        return found

    def _fold_other(self, key: str, world: World) -> State | None:
        facts = self.facts(key, self.messages(key))
        if not facts:
            return None
        subject = SubjectReplay(self._evaluators.of(key), world, explains=False)
        subject.extend(facts)
        subject.advance(self._now)
        subject.head.slots.clear()  # only its own definitions look at those
        return subject.head

    def _world(self, deep: int) -> World:
        return _Others(self, deep - 1) if deep else EmptyWorld()


class _Others:
    """A world in which each subject that is asked for is folded from its messages."""

    def __init__(self, replay: Replay, deep: int) -> None:
        self._replay, self._deep = replay, deep

    def user(self, user_id: str) -> State | None:
        return self._replay.state(user_key(user_id), self._deep)

    def account(self, account_id: str) -> State | None:
        return self._replay.state(account_key(account_id), self._deep)


def depth(catalogue: Catalogue) -> int:
    """How many subjects, each asking the next, a qualification may depend on."""
    depths: dict[str, int] = {}
    for place in dependencies_first(catalogue.definitions):
        definition = catalogue.definitions[place]
        below = (depths.get(name, 0) for name in names_in(definition))
        depths[definition.name] = 1 + max(below, default=0)
    return max(depths.values(), default=0)
