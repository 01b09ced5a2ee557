"""Backtest of a definition: who would have qualified, and how many of them converted afterwards.

Read from the stored events alone, in one pass. No lead plays a part in the figures.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, pairwise

from ..errors import BadRequest
from ..model import Kind, kind_of
from ..ports import ReadTransaction, ScannedMessage
from ..rules.explain.description import description_of
from ..rules.explain.vocabulary import Vocabulary
from ..rules.language.definition import Catalogue, Definition
from ..rules.language.quantities import DAY, WEEK
from .bulk import Budget, BulkFold, Found, OnProgress
from .confusion import Confusion, landmark, strict
from .lift import HORIZON, Life
from .population import EVERYBODY, Population, members

LANDMARK = 7 * DAY
FAR = 2**62
"""Later than any time."""


@dataclass(frozen=True, slots=True)
class Question:
    """How to look at a definition. Lengths are ms; ``end`` is that of the data, None to find it.

    ``capacity`` is how many leads a week the team can work.
    """

    landmark: int = LANDMARK
    horizon: int = HORIZON
    population: Population = EVERYBODY
    end: int | None = None
    capacity: int | None = None


@dataclass(frozen=True, slots=True)
class Weekly:
    """How many leads a week a definition gives, in the weeks back from the end of the data."""

    weeks: int
    mean: float
    busiest: int
    last: int
    capacity: int | None = None
    over_capacity: int | None = None


@dataclass(frozen=True, slots=True)
class Overlap:
    """How the set of a definition and the leads of one in force overlap."""

    definition: str
    both: int
    only_this: int
    only_other: int


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a definition would have found. ``qualified`` is when each subject qualified (ms).

    ``description`` is the definition in a sentence.
    """

    definition: Definition
    description: str
    question: Question
    end: int
    qualified: Mapping[str, int]
    strict: Confusion
    landmark: Confusion
    weekly: Weekly
    overlaps: Sequence[Overlap] = ()
    notes: Sequence[str] = ()

    @property
    def set_size(self) -> int:
        """How many subjects qualified, in the population or not."""
        return len(self.qualified)


@dataclass(slots=True)
class Times:
    """When the subjects of a kind signed up, converted and qualified for each definition."""

    signups: dict[str, int] = field(default_factory=dict)
    conversions: dict[str, int] = field(default_factory=dict)
    qualified: dict[str, dict[str, int]] = field(default_factory=dict)


def backtest(
    tx: ReadTransaction,
    catalogue: Catalogue,
    names: Sequence[str],
    question: Question,
    on_progress: OnProgress | None = None,
    budget: Budget | None = None,
) -> list[Backtest]:
    """A backtest of each of some definitions. Raises TooLarge if the budget is too small."""
    end = end_of_data(tx) if question.end is None else question.end
    as_of = FAR if question.end is None else end
    found: dict[str, Backtest] = {}
    for kind in ("user", "account"):
        of_kind = [d for d in catalogue.of_kind(kind) if d.name in names]
        if of_kind:
            reading = TimesReader(tx, catalogue, kind, end, budget or Budget())
            times = reading.run([d.name for d in of_kind], on_progress)
            _cut(times, as_of)
            for definition in of_kind:
                found[definition.name] = _judged(tx, definition, times, question, end, catalogue)
    _add_overlaps(tx, found)
    return [found[name] for name in names]


def end_of_data(tx: ReadTransaction) -> int:
    """The time of the newest message; the end of its day where all times are dates."""
    newest = tx.newest()
    if newest is None:
        return 0
    return newest + DAY if tx.has_only_dates() else newest


def require_definition(catalogue: Catalogue, name: str | None) -> str:
    """The definition that is meant: the one of this name, or the only one. Raises BadRequest."""
    names = [definition.name for definition in catalogue.definitions]
    if name in names:
        return name
    if name is None and len(names) == 1:
        return names[0]
    known = f"one of {', '.join(names)}" if names else "a [[pql]] table: there is none"
    shown = "nothing" if name is None else repr(name[:200])
    raise BadRequest(
        f"definition: found {shown}, expected {known}",
        "bad_field",
        field="definition",
        expected=known,
    )


class TimesReader:
    """Reads when the subjects of a kind signed up, converted and qualified."""

    def __init__(
        self, tx: ReadTransaction, catalogue: Catalogue, kind: Kind, now: int, budget: Budget
    ) -> None:
        self._tx, self._catalogue, self._kind = tx, catalogue, kind
        self._now, self._budget = now, budget
        self._project = catalogue.project
        self._in_accounts: dict[str, list[int]] = defaultdict(list)

    def run(self, names: Sequence[str], on_progress: OnProgress | None = None) -> Times:
        if self._kind == "user" and self._project.conversion is not None:
            for account, time in self._tx.times_in_accounts(self._project.conversion):
                self._in_accounts[account].append(time)
        times = Times(qualified={name: {} for name in names})
        users = self._signups_of_users()
        fold = BulkFold(
            self._tx,
            self._catalogue,
            self._kind,
            names,
            self._now,
            frozenset(filter(None, (self._project.signup, self._project.conversion))),
            self._budget,
            follows_accounts=bool(self._in_accounts),
            reads_all=self._kind == "account",
        )
        for found in fold.run(on_progress):
            self._note(found, users, times)
            for name, time in found.qualified.items():
                times.qualified[name][found.key] = time
        if self._kind == "user" and users is not None:
            times.signups = users
        return times

    def _signups_of_users(self) -> dict[str, int] | None:
        """When each user signed up; None where the messages that are read anyway say so."""
        signup = self._project.signup
        if self._kind == "user" and signup is not None:
            return None
        return dict(self._tx.first_times("user", signup))

    def _note(self, found: Found, users: Mapping[str, int] | None, times: Times) -> None:
        signup = self._signup(found, users)
        if signup is not None:
            times.signups[found.key] = signup
        converted = self._converted(found)
        if converted is not None:
            times.conversions[found.key] = converted

    def _signup(self, found: Found, users: Mapping[str, int] | None) -> int | None:
        if users is None:
            return first_of(found, self._project.signup)
        if self._kind == "user":
            return None
        persons = (m[6] for m in found.messages if m[6] is not None and kind_of(m[6]) == "user")
        first = next(persons, None)
        return None if first is None else users.get(first)

    def _converted(self, found: Found) -> int | None:
        own = first_of(found, self._project.conversion)
        if not self._in_accounts:
            return own
        joint = first_in_accounts(_moves(found.messages), self._in_accounts)
        return min((time for time in (own, joint) if time is not None), default=None)


def first_of(found: Found, name: str | None) -> int | None:
    """When a subject had its first event of a name."""
    times = () if name is None else found.times.get(name, ())
    return times[0] if times else None


def _moves(messages: Iterable[ScannedMessage]) -> Iterator[tuple[int, str]]:
    """When a user came into each account, in order."""
    account: str | None = None
    for message in messages:
        if message[5] is not None and message[5] != account:
            account = message[5]
            yield message[1], account


def first_in_accounts(
    moves: Iterable[tuple[int, str]], times: Mapping[str, Sequence[int]]
) -> int | None:
    """The first of the times (in order, by account) at which somebody was in the account."""
    for (since, account), (end, _) in pairwise([*moves, (FAR, "")]):
        of_account = times.get(account, ())
        place = bisect_left(of_account, since)
        if place < len(of_account) and of_account[place] < end:
            return of_account[place]
    return None


# -- the figures ---------------------------------------------------------------------------


def _cut(times: Times, as_of: int) -> None:
    """Forget what came after an instant."""
    if as_of < FAR:
        every = (times.signups, times.conversions, *times.qualified.values())
        for found in every:
            for key in [key for key, time in found.items() if time > as_of]:
                del found[key]


def _judged(
    tx: ReadTransaction,
    definition: Definition,
    times: Times,
    question: Question,
    end: int,
    catalogue: Catalogue,
) -> Backtest:
    qualified = times.qualified[definition.name]
    wanted = members(tx, definition.subject, question.population, times.signups)
    signups, conversions = times.signups, times.conversions
    signed_up, others = list[Life](), list[Life]()
    for key in wanted:
        signup, converted = signups.get(key), conversions.get(key)
        into, start = (others, 0) if signup is None else (signed_up, signup)
        into.append(Life(start, qualified.get(key), converted))
    found = Backtest(
        definition,
        description_of(definition, Vocabulary(catalogue)),
        question,
        end,
        qualified,
        strict(chain(signed_up, others)),
        landmark(signed_up, end, question.landmark, question.horizon),
        _weekly(qualified.values(), times.signups.values(), end, question.capacity),
    )
    return replace(found, notes=list(_notes(found, catalogue, len(others))))


def _notes(found: Backtest, catalogue: Catalogue, without_signup: int) -> Iterator[str]:
    """What a reader has to know of the figures."""
    if catalogue.project.conversion is None:
        yield "[project] names no conversion event, so nobody counts as converted"
    if not found.strict.counts.population:
        yield f"nobody is in the population {found.question.population}"
    elif not found.landmark.counts.population:
        yield "nobody is old enough for the landmark form: choose a shorter landmark or horizon"
    if without_signup:
        yield f"{without_signup:,} of the population did not sign up: only the strict form has them"


def _weekly(
    qualified: Iterable[int], signups: Iterable[int], end: int, capacity: int | None
) -> Weekly:
    times = list(qualified)
    begin = min([*times, *signups], default=end)
    weeks = max(1, -(-(end - begin) // WEEK))
    counts = Counter(min(weeks - 1, max(0, end - time) // WEEK) for time in times)
    over = None if capacity is None else sum(n > capacity for n in counts.values())
    busiest = max(counts.values(), default=0)
    return Weekly(weeks, len(times) / weeks, busiest, counts[0], capacity, over)


def _add_overlaps(tx: ReadTransaction, found: dict[str, Backtest]) -> None:
    """Compare each set with the leads of the definitions in force, of the same kind of subject."""
    both: dict[str, Counter[str]] = {name: Counter() for name in found}
    totals: dict[Kind, Counter[str]] = {"user": Counter(), "account": Counter()}
    for definition, subject in tx.lead_subjects():
        kind = kind_of(subject)
        if kind is None:
            continue
        totals[kind][definition] += 1
        for name, result in found.items():
            both[name][definition] += subject in result.qualified
    for name, result in found.items():
        others = totals[result.definition.subject]
        overlaps = [
            Overlap(o, both[name][o], result.set_size - both[name][o], number - both[name][o])
            for o, number in sorted(others.items())
        ]
        found[name] = replace(result, overlaps=overlaps)
