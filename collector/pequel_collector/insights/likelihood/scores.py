"""The likelihood of single subjects, from what they did in the first days after sign-up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from ...errors import BadRequest
from ...model import Kind, kind_of
from ...ports import Outline, ReadTransaction
from ...rules.engine.calendar import unit
from ..suggest.features import Feature, Use, early_values
from .model import Model, Term, stored

MAX_MESSAGES = 2_000
"""Messages of a subject, from the first on, that are looked at."""

HOW = "train one with pequel likelihood train, or POST /v1/likelihood"


class Score(NamedTuple):
    """A likelihood, and the terms of the model that hold, the heaviest first."""

    probability: float
    reasons: Sequence[Term]


class Scores:
    """Likelihoods in one transaction, by the models that are stored."""

    def __init__(self, tx: ReadTransaction) -> None:
        self._tx = tx
        kinds: tuple[Kind, ...] = ("user", "account")
        found = ((kind, stored(tx, kind)) for kind in kinds)
        self._models = {kind: model for kind, model in found if model is not None}

    def require(self, kind: str | None) -> None:
        """Raises BadRequest without a model of a kind of subject; for None, without any."""
        if not self._models or (kind is not None and kind not in self._models):
            whose = "" if kind is None else f" of {kind}s"
            raise BadRequest(
                f"sort: found likelihood, but there is no model{whose}: {HOW}",
                "no_model",
                field="sort",
                found="likelihood",
            )

    def of(self, keys: Iterable[str]) -> dict[str, Score]:
        """The likelihood of each of some subjects that has a model and a sign-up."""
        wanted = {key for key in keys if kind_of(key) in self._models}
        users = self._tx.ids_of({key for key in wanted if kind_of(key) == "user"})
        scores = ((key, self._score(key, users.get(key, [key]))) for key in sorted(wanted))
        return {key: score for key, score in scores if score is not None}

    def _score(self, key: str, ids: Sequence[str]) -> Score | None:
        kind = kind_of(key)
        if kind is None:
            return None
        model = self._models[kind]
        values = features_of(self._tx, model, key, ids)
        return None if values is None else Score(model.probability(values), model.holding(values))


def features_of(
    tx: ReadTransaction, model: Model, key: str, ids: Sequence[str]
) -> Mapping[Feature, int] | None:
    """The features of a subject that a model reads; None for one without a sign-up."""
    if kind_of(key) == "user":
        signup, events = _early(model, _messages(tx, ids))
    else:
        signup = _signup_of_first_member(tx, model, ids)
        until = None if signup is None else signup + model.landmark - 1
        events = list(_messages(tx, ids, signup, until))
    if signup is None:
        return None
    names = {term.condition.feature.event for term in model.terms}
    windows = {term.condition.feature.window for term in model.terms}
    named = (Use(m.time, m.name) for m in events if m.name is not None and m.name in names)
    return early_values(named, signup, sorted(windows), unit("@day", model.timezone))


def _early(model: Model, messages: Iterable[Outline]) -> tuple[int | None, list[Outline]]:
    """When a user signed up, and the messages up to the landmark after it."""
    signup, found = None, list[Outline]()
    for message in messages:
        if signup is not None and message.time >= signup + model.landmark:
            break
        found.append(message)
        if signup is None and message.name is not None and model.signup in (None, message.name):
            signup = message.time
    return signup, found


def _signup_of_first_member(tx: ReadTransaction, model: Model, ids: Sequence[str]) -> int | None:
    member = _first_member(tx, ids)
    if member is None:
        return None
    return _early(model, _messages(tx, tx.ids_of([member]).get(member, [member])))[0]


def _first_member(tx: ReadTransaction, ids: Sequence[str]) -> str | None:
    """The first user with a message in an account."""
    seen: set[str] = set()
    for message in _messages(tx, ids):
        sender = message.subject
        if sender in seen:
            continue
        seen.add(sender)
        person = tx.persons([sender]).get(sender, sender)
        if kind_of(person) == "user":
            return person
    return None


def _messages(
    tx: ReadTransaction, ids: Sequence[str], since: int | None = None, until: int | None = None
) -> Iterator[Outline]:
    return islice(tx.outlines(ids, since, until), MAX_MESSAGES)
