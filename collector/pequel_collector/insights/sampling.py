"""A sample out of a store: bounded work, whatever the store holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice

from ..marking.evaluators import Evaluators, evaluators_of
from ..marking.facts import with_persons
from ..marking.replay import Replay
from ..model import JSON, Stored, account_key, id_of, kind_of
from ..ports import ReadTransaction
from ..rules.language.definition import Catalogue, pattern_of
from .sample import Arrivals, Property, Sample, SampledSubject, tally

USERS = 5_000
LATEST = 50_000
MESSAGES = 200_000
"""Messages of users and accounts that are read; subjects that would need more are left out."""

KEPT = 100_000
"""Messages of users and accounts that are kept in memory; others are read again."""

_DEEPEST = 3
_FIRST_USER = "u:"


def take(
    tx: ReadTransaction, catalogue: Catalogue, now: int, messages: int | None = None
) -> Sample:
    """Up to 5,000 users with their accounts, up to 50,000 of the latest messages, and a dry run.

    Users are taken in the order of their ids, up to so many ``messages`` of theirs. In the dry run
    they are folded from their messages under this catalogue, whatever leads there are.
    """
    return _Sampler(tx, catalogue, now, MESSAGES if messages is None else messages).take()


class _Sampler:
    def __init__(self, tx: ReadTransaction, catalogue: Catalogue, now: int, messages: int) -> None:
        self.tx, self.catalogue, self.now = tx, catalogue, now
        self.left = messages
        self.lasts: dict[str, int] = {}
        self.signups: dict[str, int | None] = {}
        self.homes: dict[str, set[str]] = {}  # the accounts that each user was in
        self.read: dict[str, bool] = {}  # of each subject, whether all of it could be read
        self.kept: dict[str, list[Stored]] = {}  # messages of subjects, for the dry run
        self.room = KEPT

    def take(self) -> Sample:
        latest = self.tx.latest(LATEST)
        self._note(latest)
        keys = self.tx.subjects(_FIRST_USER, USERS + 1)
        users = list(self._users(keys[:USERS]))
        accounts = list(self._accounts())
        conversions = {account.key: account.converted for account in accounts}
        return Sample(
            until=self.tx.newest() or 0,
            events=arrivals(latest, self.tx),
            lasts=self.lasts,
            users=tuple(self._with_account(user, conversions) for user in users),
            accounts=tuple(accounts),
            marks=self._marks([*users, *accounts]),
            latest=len(latest),
            is_whole=len(keys) <= USERS and all(self.read.values()),
        )

    # -- subjects --------------------------------------------------------------------------

    def _users(self, keys: list[str]) -> Iterator[SampledSubject]:
        linked = self.tx.persons(keys)
        ids = self.tx.ids_of([key for key in keys if key not in linked])
        traits = self.tx.traits(ids)
        for key, own in ids.items():
            messages = self._messages(key, own)
            if self.read[key]:
                self.homes[key] = {account_key(s.account) for s in messages if s.account}
                yield self._user(key, messages, traits[key])

    def _user(self, key: str, messages: list[Stored], traits: Mapping[str, JSON]) -> SampledSubject:
        firsts, counts = tally(_names(messages))
        user = SampledSubject(key, None, self._converted(firsts), firsts, counts, traits)
        self.signups[key] = self._signup(user)
        return replace(user, signup=self.signups[key])

    def _accounts(self) -> Iterator[SampledSubject]:
        keys = sorted(set().union(*self.homes.values()))
        traits = self.tx.traits({key: [key] for key in keys})
        for key in keys:
            messages = self._messages(key, [key])
            if self.read[key]:
                yield self._account(key, messages, traits[key])

    def _account(
        self, key: str, messages: list[Stored], traits: Mapping[str, JSON]
    ) -> SampledSubject:
        persons = (stored.person for stored in with_persons(self.tx, messages))
        first = next((person for person in persons if person is not None), None)
        firsts, counts = tally(_names(messages))
        signup = None if first is None else self._signup_of(first)
        return SampledSubject(key, signup, self._converted(firsts), firsts, counts, traits)

    def _messages(self, key: str, ids: list[str]) -> list[Stored]:
        """The messages of a subject, up to as many as may still be read."""
        found = list(islice(self.tx.events(ids), self.left + 1))
        self.read[key] = len(found) <= self.left
        self.left = max(0, self.left - len(found))
        if self.read[key] and len(found) <= self.room:
            self.room -= len(found)
            self.kept[key] = found
        self._note(found)
        return found

    def _note(self, messages: list[Stored]) -> None:
        """Keep when the last event of each name was."""
        for name, time in _names(messages):
            self.lasts[name] = max(time, self.lasts.get(name, time))

    def can_read(self, key: str) -> bool:
        """Whether the rest of what may be read is enough for all messages of a subject."""
        if key not in self.read:
            self._messages(key, self.tx.ids_of([key])[key] if kind_of(key) == "user" else [key])
        return self.read[key]

    # -- sign-up and conversion ------------------------------------------------------------

    def _signup(self, subject: SampledSubject) -> int | None:
        return subject.first(pattern_of([self.catalogue.project.signup or "*"]))

    def _signup_of(self, user: str) -> int | None:
        """The sign-up of an account's first member, who may be outside of the sample."""
        if user not in self.signups:
            messages = self._messages(user, self.tx.ids_of([user])[user])
            self.signups[user] = self._signup(
                SampledSubject(user, firsts=tally(_names(messages))[0])
            )
        return self.signups[user]

    def _converted(self, firsts: Mapping[str, int]) -> int | None:
        return firsts.get(self.catalogue.project.conversion or "")

    def _with_account(
        self, user: SampledSubject, conversions: Mapping[str, int | None]
    ) -> SampledSubject:
        """A user, converted once one of their accounts is."""
        times = [user.converted, *map(conversions.get, self.homes[user.key])]
        converted = min((time for time in times if time is not None), default=None)
        return replace(user, converted=converted)

    # -- the dry run -----------------------------------------------------------------------

    def _marks(self, subjects: list[SampledSubject]) -> dict[str, dict[str, tuple[int, ...]]]:
        evaluators = evaluators_of(self.tx, self.catalogue)
        replay = _SampleReplay(self, evaluators)
        found: dict[str, dict[str, tuple[int, ...]]] = {}
        for subject in subjects:
            folded = replay.fold(subject.key)
            folded.advance(self.now)
            for index, marks in folded.head.marks.items():
                name = folded.evaluator.rules[index].name
                found.setdefault(name, {})[subject.key] = tuple(mark.time for mark in marks)
        return found


class _SampleReplay(Replay):
    """Replays subjects if all of their messages can be read; the others have no messages."""

    def __init__(self, sampler: _Sampler, evaluators: Evaluators) -> None:
        super().__init__(sampler.tx, evaluators, sampler.now)
        self._sampler = sampler

    def stored(self, key: str) -> Iterable[Stored]:
        """The messages of a subject as the store has them, read once where they could be kept."""
        if not self._sampler.can_read(key):
            return ()
        kept = self._sampler.kept.get(key)
        return super().stored(key) if kept is None else kept


def _names(messages: list[Stored]) -> Iterator[tuple[str, int]]:
    for stored in messages:
        if stored.message.name is not None:
            yield stored.message.name, stored.message.time


def arrivals(latest: list[Stored], tx: ReadTransaction) -> dict[str, Arrivals]:
    """The events among some messages, by name."""
    found: dict[str, Arrivals] = {}
    persons = tx.persons({stored.message.subject for stored in latest})
    for stored in latest:
        message = stored.message
        if message.name is not None:
            person = persons.get(message.subject, message.subject)
            _add(stored, person, found.setdefault(message.name, Arrivals()))
    return found


def _add(stored: Stored, person: str, to: Arrivals) -> None:
    to.count += 1
    is_user = kind_of(stored.message.subject) == "user"
    to.anonymous += not is_user
    to.homeless += is_user and stored.account is None
    if stored.account is not None and kind_of(person) == "user":
        to.teams.setdefault(stored.account, set()).add(id_of(person))
    for path, value in _flat(stored.message.properties):
        known = to.properties.setdefault(path, Property())
        known.count += 1
        known.last = max(known.last, stored.message.time)
        known.given.add((person, known.values.add(value)))


def _flat(
    values: Mapping[str, JSON], before: str = "", depth: int = 1
) -> Iterator[tuple[str, JSON]]:
    """Every property by its path, those inside of objects too."""
    for name, value in values.items():
        if value is None:
            continue
        yield before + name, value
        if isinstance(value, Mapping) and depth < _DEEPEST:
            yield from _flat(value, f"{before}{name}.", depth + 1)
