"""What somebody needs to know of a lead besides its evidence, and which features were used."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from math import ceil
from typing import NamedTuple

from ..marking.snapshot import Snapshot
from ..model import JSON, Lead, account_key, id_of, kind_of
from ..rules.language.dates import instant_of
from ..rules.language.definition import Catalogue, pattern_of
from ..rules.language.quantities import DAY

TRIAL_ENDS_AT = "trial_ends_at"
"""The trait that says when the trial of a user or an account ends."""

Traits = Mapping[str, JSON]


class Trial(NamedTuple):
    """The free trial of a subject, as far as it is known. ``days_left`` are begun days."""

    started_at: int | None
    ends_at: int | None
    days_left: int | None


class Brief(NamedTuple):
    """What goes with a lead: what its version of the definition says, its account, and the trial.

    ``play`` is what to do, as the version says; ``description`` is the version in words, None where
    it cannot be read any more as it was meant.
    """

    title: str
    play: str | None
    description: str | None
    account_traits: Traits
    trial: Trial


class FeatureUse(NamedTuple):
    """Which events of a feature a subject has had, and which it has not."""

    name: str
    used_events: list[str]
    unused_events: list[str]

    @property
    def used(self) -> bool:
        """Whether there was any of its events."""
        return bool(self.used_events)


class Briefs:
    """Makes the briefs of several leads at the instant of a snapshot."""

    def __init__(
        self, snapshot: Snapshot, leads: Collection[Lead], traits: Mapping[str, Traits]
    ) -> None:
        self._snapshot, self._catalogue = snapshot, snapshot.evaluators.catalogue
        accounts = {account for lead in leads if (account := _account_of(lead)) is not None}
        self._traits = {**snapshot.tx.traits({key: [key] for key in accounts}), **traits}
        if self._catalogue.project.trial is not None:
            snapshot.load(accounts)

    def of(self, lead: Lead) -> Brief:
        """The brief of one of the leads."""
        account = _account_of(lead)
        own = [lead.subject] if account in (None, lead.subject) else [lead.subject, account]
        account_traits = {} if account is None else self._traits[account]
        words = self._snapshot.evaluators.words.of(lead.definition, lead.version)
        return Brief(*words, account_traits, self._trial(own))

    def _trial(self, keys: Collection[str]) -> Trial:
        """The trial of the first of some subjects that has one: a user, then the account."""
        started = next(filter(None, map(self._started_at, keys)), None)
        ends = next(filter(None, map(self._ends_at, keys)), None)
        left = None if ends is None else max(0, ceil((ends - self._snapshot.now) / DAY))
        return Trial(started, ends, left)

    def _started_at(self, key: str) -> int | None:
        if self._catalogue.project.trial is None:
            return None
        ctx = self._snapshot.ctx(key)
        return None if ctx is None else ctx.state.first_at("trial", self._snapshot.now)

    def _ends_at(self, key: str) -> int | None:
        zone = self._catalogue.project.timezone
        return instant_of(self._traits.get(key, {}).get(TRIAL_ENDS_AT), zone)


def _account_of(lead: Lead) -> str | None:
    """The key of the account of a lead."""
    if kind_of(lead.subject) == "account":
        return lead.subject
    return None if lead.account is None else account_key(lead.account)


def with_users(evidence: dict[str, JSON], subject: str) -> dict[str, JSON]:
    """Evidence or progress in which each event names its user, and old evidence has events.

    The events of a user's lead are all of this user, so the store does not repeat the id. Evidence
    from before events had times and properties names only messages.
    """
    user = id_of(subject) if kind_of(subject) == "user" else None
    leaves = [_leaf_with_users(leaf, user) for leaf in evidence.get("leaves", ())]
    return {**evidence, "leaves": leaves}


def _leaf_with_users(leaf: dict[str, JSON], user: str | None) -> dict[str, JSON]:
    events = [_event(each, user) for each in leaf.get("events", ())]
    return {**leaf, "events": events, "more_events": leaf.get("more_events", 0)}


def _event(event: JSON, user: str | None) -> dict[str, JSON]:
    if isinstance(event, str):
        return {"message_id": event, "time": None, "user": user, "properties": {}}
    return {**event, "user": event["user"] if user is None else user}


def features_used(catalogue: Catalogue, counts: Mapping[str, int]) -> list[FeatureUse]:
    """What was used of each feature, given how many events there were by name."""
    return [
        FeatureUse(
            name,
            [each for each in events if _is_used(each, counts)],
            [each for each in events if not _is_used(each, counts)],
        )
        for name, events in catalogue.features.items()
    ]


def _is_used(name: str, counts: Mapping[str, int]) -> bool:
    pattern = pattern_of([name])
    return any(pattern.matches(event) for event, count in counts.items() if count)
