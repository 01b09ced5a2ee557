"""Every subject of a kind folded from the stored events, to find when it first qualified.

The evaluator is the one that marks. It gets the same facts, but only those that it needs, from one
pass over the store; and a subject is not folded that has too few events to qualify.

    definition            used, at least 2 in 7 days
    read                  u1 used in March, on April 1st, 2nd and 3rd        u2 used in March
    folded                u1, on April 1st and 2nd: the earliest that it can qualify is the 2nd, and
                          March is too long ago
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

import msgspec

from ..errors import TooLarge
from ..marking.evaluators import Evaluators
from ..marking.replay import Replay, SubjectReplay
from ..model import JSON, Kind, Message, Stored, id_of, kind_of
from ..ports import ReadTransaction, Scan, ScannedMessage
from ..rules.engine.evaluator import Evaluator
from ..rules.engine.rules import Rule
from ..rules.engine.state import NEVER, EmptyWorld, Fact, State, World
from ..rules.engine.view import EvalContext
from ..rules.language.analysis import names_in
from ..rules.language.definition import CONTEXT, Catalogue, Definition, EventLeaf, leaves_of
from ..rules.language.possible import Times, anchors_of, earliest, is_exact, reach
from ..rules.language.values import lookup, whole

OnProgress = Callable[[int], None]
"""Gets the number of subjects that were read."""

PROGRESS_EVERY = 2_000
"""Subjects from one call of ``OnProgress`` to the next."""

SUBJECTS_AT_ONCE = 500
"""Subjects that one query lists, where each is folded with those that it asks."""

FIRST_PART = 2
"""Facts of a subject that are folded first once it may qualify; then twice as many, and so on."""

PLACE_AND_NAME = 5
"""Fields of a message that a scan reads in any case."""

NO_EVENT = ""
"""In place of the name of a message that is no event."""

_TIME = itemgetter(1)

_decode = msgspec.json.Decoder().decode


@dataclass(slots=True)
class Budget:
    """How many more messages may be read; None for all."""

    messages: int | None = None

    def spend(self, messages: int) -> None:
        """Count messages that were read. Raises TooLarge if they are too many."""
        if self.messages is None:
            return
        self.messages -= messages
        if self.messages < 0:
            raise TooLarge("there are too many events for one request; use the command line")


class Found(NamedTuple):
    """A subject: its messages that were read, and when it first qualified (ms), by definition.

    ``times`` are those of its events, by name.
    """

    key: str
    messages: Sequence[ScannedMessage]
    times: Times
    qualified: Mapping[str, int]


def as_if_always(catalogue: Catalogue, names: Iterable[str]) -> Catalogue:
    """Some definitions and those that they name, as if they had counted from the beginning.

    Only first qualifications matter, so nothing is left of ``requalify`` and ``cooldown``.
    """
    wanted: dict[str, Definition] = {}
    waiting = list(names)
    while waiting:
        found = catalogue.named(waiting.pop())
        if found is not None and found.name not in wanted:
            wanted[found.name] = replace(
                found, on_change="retroactive", after_silence=None, cooldown=None
            )
            waiting += names_in(found)
    kept = tuple(wanted[d.name] for d in catalogue.definitions if d.name in wanted)
    return replace(catalogue, definitions=kept)


class BulkFold:
    """The first qualifications of every subject of a kind, under some definitions.

    ``names`` are the definitions, ``also`` further events to read. With ``follows_accounts``,
    messages with an account are read too; with ``reads_all``, every message. ``now`` is the instant
    up to which the clock runs, for a definition with ``clock``.
    """

    def __init__(
        self,
        tx: ReadTransaction,
        catalogue: Catalogue,
        kind: Kind,
        names: Sequence[str],
        now: int,
        also: frozenset[str] = frozenset(),
        budget: Budget | None = None,
        *,
        follows_accounts: bool = False,
        reads_all: bool = False,
    ) -> None:
        self._tx, self._kind, self._now, self._also = tx, kind, now, also
        self._follows_accounts, self._reads_all = follows_accounts, reads_all
        self._evaluators = Evaluators(as_if_always(catalogue, names), ())
        self._budget = budget or Budget()
        self._facts = FactReader(self._evaluator)
        rules = self._evaluator.by_name
        self._wanted = {rules[name].index: name for name in names if name in rules}
        anchors = anchors_of(catalogue.project) if kind == "user" else {}
        definitions = self._evaluator.definitions
        self._earliest = [(d.name, earliest(d.when, anchors)) for d in definitions]
        self._is_exact = all(is_exact(definition, anchors) for definition in definitions)
        self._reach = self._reach_of_all()

    @property
    def _evaluator(self) -> Evaluator:
        return self._evaluators.users if self._kind == "user" else self._evaluators.accounts

    def run(self, on_progress: OnProgress | None = None) -> Iterator[Found]:
        """Every subject with a message that was read."""
        found = self._replayed() if self._asks_both_ways() else self._scanned()
        for number, each in enumerate(found, 1):
            if on_progress is not None and number % PROGRESS_EVERY == 0:
                on_progress(number)
            yield each

    def _scanned(self) -> Iterator[Found]:
        world = self._world()
        for key, messages in self._scan_own():
            times = _times(messages)
            yield Found(key, messages, times, self._qualified(key, messages, times, world))

    def _qualified(
        self, key: str, messages: Sequence[ScannedMessage], times: Times, world: World
    ) -> Mapping[str, int]:
        bounds = {name: at for name, find in self._earliest if (at := find(times)) is not None}
        if not bounds or self._is_exact:
            return bounds
        first = min(bounds.values())
        if self._reach is not None:
            messages = messages[bisect_right(messages, first - self._reach, key=_TIME) :]
        subject = _Subject(self._evaluator, world, self._wanted)
        subject.fold(self._facts.read(key, messages), self._now, first)
        return subject.found

    def _reach_of_all(self) -> int | None:
        """How far back any definition looks; None where more than the events of a window matter."""
        scope, reaches = self._evaluator.scope, [reach(d) for d in self._evaluator.definitions]
        if self._kind == "account" or scope.traits or scope.accounts or self._asked().exports.any:
            return None
        return None if None in reaches else max(filter(None, reaches), default=None)

    def _scan_own(self) -> Iterator[tuple[str, Sequence[ScannedMessage]]]:
        wanted = _scan_of(self._evaluator)
        reads_all = self._reads_all or wanted.names is None
        return self._scan(
            wanted._replace(
                names=None if reads_all else (wanted.names or frozenset()) | self._also,
                in_accounts=wanted.in_accounts or self._follows_accounts,
                in_order=self._needs_order(),
            )
        )

    def _needs_order(self) -> bool:
        """Whether it matters which of several facts of one instant is the latest, or the first."""
        scope, leaves = (
            self._evaluator.scope,
            chain.from_iterable(leaves_of(d.when, *d.unless) for d in self._evaluator.definitions),
        )
        others = self._kind == "account" or scope.traits or scope.accounts or self._follows_accounts
        return others or any(
            not isinstance(leaf, EventLeaf) or leaf.measure == "last" for leaf in leaves
        )

    def _scan(self, wanted: Scan) -> Iterator[tuple[str, Sequence[ScannedMessage]]]:
        for key, messages in self._tx.scan(wanted):
            self._budget.spend(len(messages))
            yield key, messages

    # -- definitions that ask other subjects -----------------------------------------------

    def _asks_both_ways(self) -> bool:
        """Whether users ask accounts that ask users for more than traits and events."""
        asked = self._asked()
        return bool(asked.exports.marks) and self._evaluator.exports.any

    def _asked(self) -> Evaluator:
        """The evaluator of those whom the definitions ask."""
        return self._evaluators.accounts if self._kind == "user" else self._evaluators.users

    def _world(self) -> World:
        """The subjects that the definitions ask, folded, as far as they have something to say."""
        asked = self._asked()
        if not asked.exports.any:
            return EmptyWorld()
        reader = FactReader(asked)
        answers: dict[str, State] = {}
        for key, messages in self._scan(_scan_of(asked)):
            subject = SubjectReplay(asked, EmptyWorld(), explains=False)
            subject.extend(list(reader.read(key, messages)))
            subject.advance(self._now)
            if (answer := _answer(subject.head)) is not None:
                answers[id_of(key)] = answer
        return _World(asked.kind, answers)

    def _replayed(self) -> Iterator[Found]:
        """Each subject with those that it asks, and those that these ask."""
        replay = Replay(self._tx, self._evaluators, self._now)
        for key, messages in self._scan_own():
            subject = _Subject(self._evaluator, replay.world, self._wanted)
            subject.fold(self._facts.read(key, messages), self._now)
            replay.trim()
            yield Found(key, messages, _times(messages), subject.found)


def _scan_of(evaluator: Evaluator) -> Scan:
    """The messages that an evaluator needs."""
    scope = evaluator.scope
    return Scan(
        evaluator.kind,
        scope.names,
        scope.traits,
        scope.accounts,
        scope.properties,
        scope.context,
    )


class _Done(Exception):
    """Every definition has qualified."""


class _Subject(SubjectReplay):
    """A subject that is folded until it has qualified for every definition that is wanted."""

    def __init__(self, evaluator: Evaluator, world: World, wanted: Mapping[int, str]) -> None:
        super().__init__(evaluator, world, explains=False)
        self._wanted, self.found = wanted, dict[str, int]()
        self._on_qualified = self._note

    def fold(self, facts: Iterator[Fact], now: int, earliest: int = NEVER) -> None:
        """Fold facts, as many as it takes, and run the clock if there is one.

        No definition can qualify before ``earliest``.
        """
        try:
            for some in _in_parts(facts, earliest):
                self.extend(some, earliest)
            if self.evaluator.has_clock:
                self.advance(now)
        except _Done:
            pass

    def _note(self, ctx: EvalContext, rule: Rule, cycle: int) -> None:
        name = self._wanted.get(rule.index)
        if name is not None and cycle == 1:
            self.found[name] = ctx.time
            if len(self.found) == len(self._wanted):
                raise _Done


def _in_parts(facts: Iterator[Fact], earliest: int) -> Iterator[list[Fact]]:
    """Facts in growing parts, each with all facts of its last instant.

    The first part goes up to the earliest instant at which a definition can qualify.
    """
    size, part = 0, list[Fact]()
    for fact in facts:
        if fact.time > earliest and len(part) >= size and part and fact.time != part[-1].time:
            yield part
            size, part = max(FIRST_PART, 2 * size), []
        part.append(fact)
    if part:
        yield part


def _times(messages: Sequence[ScannedMessage]) -> Times:
    """The times of the events among messages, by name."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for message in messages:
        found[message[4] or NO_EVENT].append(message[1])
    return found


class _World:
    """Subjects of one kind that were folded before."""

    def __init__(self, kind: Kind, states: Mapping[str, State]) -> None:
        none: Mapping[str, State] = {}
        self._users, self._accounts = (states, none) if kind == "user" else (none, states)

    def user(self, user_id: str) -> State | None:
        return self._users.get(user_id)

    def account(self, account_id: str) -> State | None:
        return self._accounts.get(account_id)


_NO_LIST: list[Any] = []
_NO_DICT: dict[Any, Any] = {}


def _answer(head: State) -> State | None:
    """What others may ask of a state; None if that is nothing. It is only read."""
    if not (head.known or head.firsts or head.marks or head.converted is not None):
        return None
    return State(
        firsts=head.firsts or _NO_DICT,
        converted=head.converted,
        known=head.known or _NO_DICT,
        marks=head.marks or _NO_DICT,
        accounts=_NO_LIST,
        traits=_NO_DICT,
        slots=_NO_DICT,
        cycles=_NO_DICT,
        cooling=_NO_DICT,
        conversions=_NO_LIST,
        moves=_NO_LIST,
    )


# -- from messages to facts ------------------------------------------------------------------


class FactReader:
    """Makes the facts of a subject that an evaluator needs from the messages of a scan."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        self._scope = evaluator.scope
        self._reads_json = self._scope.properties or self._scope.context
        self._is_user = evaluator.kind == "user"

    def read(self, key: str, messages: Sequence[ScannedMessage]) -> Iterator[Fact]:
        """The facts among the messages of a subject, in order."""
        own, account = id_of(key) if self._is_user else None, None
        for message in messages:
            if len(message) == PLACE_AND_NAME:
                name = message[4]
                if self._scope.names is None or self._evaluator.route(name or "") is not None:
                    yield Fact(message[1], message[3], name, {}, own, position=message[2])
                continue
            is_moved = message[5] is not None and message[5] != account
            found = self._fact(message, key, own, is_moved)
            if found is not None:
                account = message[5] or account
                yield found

    def _fact(
        self, message: ScannedMessage, key: str, own: str | None, is_moved: bool
    ) -> Fact | None:
        _, time, position, mid, name, account, person, type_, properties, traits, context = message
        if traits and type_ in ("identify", "group"):
            return self._fact_of_traits(message, key)
        route = None if name is None else self._evaluator.route(name)
        is_needed = route is not None or self._scope.names is None
        if not is_needed and not (self._scope.accounts and is_moved):
            return None
        data: dict[str, Any] = {}
        if route is not None and self._reads_json:
            data = _data(route.paths, properties, "")
            if route.in_context:
                data |= _data(route.in_context, context, CONTEXT)
        user = own if own is not None else _user(person)
        return Fact(time, mid, name, data, user, account, {}, position=position)

    def _fact_of_traits(self, message: ScannedMessage, key: str) -> Fact | None:
        _, time, position, mid, name, account, person, type_, properties, traits, context = message
        subject = key if self._is_user else str(person)
        found = Message(
            mid,
            str(type_),
            subject,
            time,
            time,
            name,
            account=account,
            properties=properties_in(properties),
            traits=properties_in(traits),
            context=properties_in(context),
            position=position,
        )
        return self._evaluator.fact(
            Stored(found, account, subject if kind_of(subject) == "user" else None)
        )


def _user(person: str | None) -> str | None:
    """The user id of a person; None for a visitor, or for nobody."""
    return id_of(person) if person is not None and kind_of(person) == "user" else None


def _data(paths: Iterable[str], text: str | None, prefix: str) -> dict[str, Any]:
    """The values at some paths in a JSON text; ``prefix`` is what the paths begin with."""
    data: dict[str, Any] = {}
    values = properties_in(text) if text and paths else None
    if values:
        for path in paths:
            if (value := lookup(path[len(prefix) :], values)) is not None:
                data[path] = whole(value)
    return data


def properties_in(text: str | None) -> dict[str, JSON]:
    """The values in the JSON of a message, which may have none."""
    if not text:
        return {}
    try:
        found: dict[str, JSON] = _decode(text)
    except msgspec.DecodeError:  # a lone surrogate
        found = json.loads(text)
    return found
