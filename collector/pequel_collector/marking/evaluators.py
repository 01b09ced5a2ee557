"""The compiled definitions of a catalogue, for users and for accounts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..model import Stored, account_key
from ..ports import ReadTransaction, Version
from ..rules.engine.evaluator import Evaluator
from ..rules.engine.state import Fact
from ..rules.language.definition import Catalogue
from ..rules.parser.catalogue import read_catalogue
from .active import activations, active_definitions, backfill_progress
from .history import HistoryCache


class Evaluators:
    """The two evaluators of a catalogue, and the version number of each definition in force.

    ``since`` says from when on a version is in force, by name and hash, where that is not when it
    was recorded. Definitions that look forward count from then on: ``activated`` has them by name.
    ``epoch`` is the number of the replay that their histories come from.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        versions: Iterable[Version],
        since: Mapping[tuple[str, str], int] | None = None,
        epoch: int = 0,
    ) -> None:
        self.catalogue = catalogue
        known = {(version.name, version.hash): version for version in versions}
        found = {d.name: known.get((d.name, d.hash)) for d in catalogue.definitions}
        self.versions = {name: 0 if v is None else v.version for name, v in found.items()}
        since = since or {}
        self.activated = {
            d.name: since.get((d.name, d.hash), version.created_at)
            for d in catalogue.definitions
            if d.on_change == "forward" and (version := found[d.name]) is not None
        }
        self.users = Evaluator("user", catalogue, self.activated)
        self.accounts = Evaluator("account", catalogue, self.activated)
        for evaluator in (self.users, self.accounts):
            evaluator.version += f".{epoch}"
        self.cache = HistoryCache()
        self.has_clock = self.users.has_clock or self.accounts.has_clock
        """Whether a definition can qualify without a fact, as time goes by."""
        asks = self.users.exports.any or self.accounts.exports.any
        self.alone = not (asks or self.has_clock)
        """Whether what is derived of a subject rests on its own messages, and on nothing else."""

    @property
    def version(self) -> str:
        """What the leads of a store follow: equal for catalogues that mean the same."""
        return f"{self.users.version}-{self.accounts.version}"

    def of(self, key: str) -> Evaluator:
        """The evaluator for a subject."""
        return self.users if key.startswith("u:") else self.accounts

    def facts(self, stored: Stored) -> list[tuple[str, Fact]]:
        """A message as a fact of its user and of its account, where some definition looks at it."""
        _, account, person = stored
        found = []
        if person is not None and (fact := self.users.fact(stored)) is not None:
            found.append((person, fact))
        if account is not None and (fact := self.accounts.fact(stored)) is not None:
            found.append((account_key(account), fact))
        return found


def evaluators_of(tx: ReadTransaction, catalogue: Catalogue) -> Evaluators:
    """The evaluators of a catalogue that is in force in a store, or would be."""
    replay = backfill_progress(tx)
    epoch = 0 if replay is None else replay.epoch
    return Evaluators(catalogue, tx.versions(), activations(tx), epoch)


def active_evaluators(tx: ReadTransaction) -> Evaluators:
    """The evaluators of the definitions that a store remembers; empty where it remembers none."""
    found = active_definitions(tx)
    return evaluators_of(tx, Catalogue() if found is None else read_catalogue(found.text))
