"""The compiled definitions of a catalogue, for users and for accounts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING

from ..leads.basis import InForce
from ..leads.outbox import AlertRules
from ..model import Stored, account_key
from ..ports import ReadTransaction, Version
from ..rules.engine.conversions import conversion_names
from ..rules.engine.evaluator import Evaluator
from ..rules.engine.state import Fact
from ..rules.explain.description import description_of, parts_of
from ..rules.explain.vocabulary import Vocabulary
from ..rules.language.definition import Catalogue
from ..rules.parser.catalogue import read_catalogue
from .active import activations, active_definitions, backfill_progress
from .history import HistoryCache
from .versions import VersionWords

if TYPE_CHECKING:
    from .prepare import PreparedFold


LEAVES_UNDER_LOCK, FEW_LEAVES, MIN_UNDER_LOCK = 50_000, 10, 20
"""How many facts a brief write transaction folds again of one subject, times the leaves."""


class Evaluators:
    """The two evaluators of a catalogue, and the version number of each definition in force.

    ``since`` is since when a version is in force (ms), by name and hash, if that is not when it was
    recorded. A definition with ``on_change = "forward"`` counts from then on: ``activated`` has
    those by name. ``epoch`` is the number of the back-fill that made the histories. ``kept`` are
    the definitions that were taken out and keep their leads.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        versions: Iterable[Version],
        since: Mapping[tuple[str, str], int] | None = None,
        epoch: int = 0,
        kept: Collection[str] = (),
    ) -> None:
        self.catalogue = catalogue
        words = Vocabulary(catalogue)
        self.descriptions = {d.name: description_of(d, words) for d in catalogue.definitions}
        """Each definition as a sentence for people."""
        self.parts = {d.name: parts_of(d, words) for d in catalogue.definitions}
        """The leaves of each definition as phrases for people, by their exact form."""
        versions = list(versions)
        known = {(version.name, version.hash): version for version in versions}
        found = {d.name: known.get((d.name, d.hash)) for d in catalogue.definitions}
        self.versions = {name: 0 if v is None else v.version for name, v in found.items()}
        self.words = VersionWords(catalogue, versions, self.versions, self.descriptions)
        """The texts that the leads of each version show."""
        since = since or {}
        self.activated = {
            d.name: since.get((d.name, d.hash), version.created_at)
            for d in catalogue.definitions
            if d.on_change == "forward" and (version := found[d.name]) is not None
        }
        project = catalogue.project
        alerts = AlertRules(catalogue.alerts, project.alert_max_age)
        self.in_force = InForce(
            self.versions, self.activated, frozenset(kept), alerts, project.holdout
        )
        self.users = Evaluator("user", catalogue, self.activated)
        self.accounts = Evaluator("account", catalogue, self.activated)
        for evaluator in (self.users, self.accounts):
            evaluator.version += f".{epoch}"
        self.cache = HistoryCache(max_bytes=0)  # until they are used for ingestion
        self.prepared: list[PreparedFold] = []
        """Long folds that write transactions of these evaluators may use."""
        leaves = sum(len(rule.leaves) for e in (self.users, self.accounts) for rule in e.rules)
        self.facts_under_lock = max(MIN_UNDER_LOCK, LEAVES_UNDER_LOCK // max(FEW_LEAVES, leaves))
        self.has_conversions = bool(conversion_names(catalogue.project))
        """Whether events win leads."""
        self.cooling = {d.name for d in catalogue.definitions if d.cooldown is not None}
        """The definitions for which it matters when a lead was dismissed or lost."""
        self.has_clock = self.users.has_clock or self.accounts.has_clock
        """Whether a definition can qualify without a fact, as time passes."""
        asks = self.users.exports.any or self.accounts.exports.any
        self.alone = not (asks or self.has_clock)
        """Whether what is derived of a subject depends on its own messages and nothing else."""

    @property
    def version(self) -> str:
        """A fingerprint. Catalogues that mean the same have the same one."""
        return f"{self.users.version}-{self.accounts.version}"

    def of(self, key: str) -> Evaluator:
        """The evaluator for a subject."""
        return self.users if key.startswith("u:") else self.accounts

    def facts(self, stored: Stored) -> list[tuple[str, Fact]]:
        """A message as a fact of its user and of its account, if a definition looks at it."""
        _, account, person = stored
        found = []
        if person is not None and (fact := self.users.fact(stored)) is not None:
            found.append((person, fact))
        if account is not None and (fact := self.accounts.fact(stored)) is not None:
            found.append((account_key(account), fact))
        return found


def evaluators_of(tx: ReadTransaction, catalogue: Catalogue) -> Evaluators:
    """The evaluators of a catalogue, as they are or would be in force in a store."""
    progress = backfill_progress(tx)
    epoch = 0 if progress is None else progress.epoch
    active = active_definitions(tx)
    kept = () if active is None else active.kept
    return Evaluators(catalogue, tx.versions(), activations(active), epoch, kept)


def active_evaluators(tx: ReadTransaction) -> Evaluators:
    """The evaluators of the definitions in force in a store; without rules if there are none."""
    active = active_definitions(tx)
    return evaluators_of(tx, Catalogue() if active is None else read_catalogue(active.text))
