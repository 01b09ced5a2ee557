"""What lies between two texts of definitions: in words, and on the data.

old    keen = used, at least 3 times           new    keen = used, at least 2 times
so     keen changed: when.gte 3 → 2; on the data 12 gained, none lost, 40 earlier
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..errors import NotFound
from ..marking.active import active_definitions
from ..ports import ReadTransaction
from ..rules.explain.description import description_of
from ..rules.explain.vocabulary import Vocabulary
from ..rules.language.definition import Catalogue
from ..rules.parser.catalogue import read_catalogue
from ..rules.parser.printer import shared_tables
from ..rules.parser.table_changes import Change, changes_between
from .backtest import Backtest, Question, backtest, end_of_data
from .bulk import Budget, OnProgress
from .completed import completed

Status = Literal["added", "removed", "changed"]

ACTIVE = "active"
"""Stands for the definitions in force."""

_VERSION = re.compile(r"(?P<name>[^\n]{1,128})@(?P<number>[1-9]\d{0,8})")


@dataclass(frozen=True, slots=True)
class OnData:
    """What a change of a definition does on the data, each subject with its time (ms).

    ``before`` and ``after`` are the backtests of both, None for a definition that is not there.
    """

    before: Backtest | None
    after: Backtest | None
    gained: Mapping[str, int]
    lost: Mapping[str, int]
    earlier: int
    later: int

    @property
    def gained_total(self) -> int:
        """How many are gained."""
        return len(self.gained)

    @property
    def lost_total(self) -> int:
        """How many are lost."""
        return len(self.lost)


@dataclass(frozen=True, slots=True)
class DefinitionDiff:
    """How one definition differs. ``before`` and ``after`` are its sentences."""

    name: str
    status: Status
    before: str | None
    after: str | None
    changes: Sequence[Change]
    on_data: OnData | None = None


@dataclass(frozen=True, slots=True)
class Diff:
    """How two texts of definitions differ. ``shared`` are changes of the other tables."""

    definitions: Sequence[DefinitionDiff] = ()
    shared: Sequence[Change] = field(default=())

    @property
    def is_same(self) -> bool:
        """Whether both mean the same."""
        return not self.definitions and not self.shared


def diff(old: Catalogue, new: Catalogue) -> Diff:
    """How two catalogues differ, in words."""
    names = dict.fromkeys(d.name for d in (*new.definitions, *old.definitions))
    found = [_definition_diff(name, old, new) for name in names]
    shared = changes_between(_shared(old), _shared(new))
    return Diff([each for each in found if each is not None], list(shared))


def diff_on_data(
    tx: ReadTransaction,
    old: Catalogue,
    new: Catalogue,
    question: Question,
    on_progress: OnProgress | None = None,
    budget: Budget | None = None,
) -> Diff:
    """How two catalogues differ, in words and on the data of a store."""
    found = diff(old, new)
    question = replace(question, end=end_of_data(tx) if question.end is None else question.end)
    names = [each.name for each in found.definitions]
    sides = []
    for catalogue in (old, new):
        there = [name for name in names if catalogue.named(name) is not None]
        results = backtest(tx, catalogue, there, question, on_progress, budget) if there else []
        sides.append({each.definition.name: each for each in results})
    before, after = sides
    definitions = [
        replace(each, on_data=_on_data(before.get(each.name), after.get(each.name)))
        for each in found.definitions
    ]
    return replace(found, definitions=definitions)


def resolved(tx: ReadTransaction | None, reference: str, file: str) -> Catalogue:
    """The catalogue that a text is, or names: ``active``, or ``set_up@3`` for a version.

    Raises NotFound for a version that the store does not have, or without a store.
    """
    named = _VERSION.fullmatch(reference.strip())
    if reference.strip() != ACTIVE and named is None:
        return read_catalogue(reference, file)
    if tx is None:
        raise NotFound(f"{reference.strip()!r} is in a database: name it with --database")
    active = active_definitions(tx)
    text = "" if active is None else active.text
    if named is None:
        return read_catalogue(text, ACTIVE)
    name, number = named["name"], int(named["number"])
    for version in tx.versions():
        if (version.name, version.version) == (name, number):
            return completed(version.text, text, reference)
    raise NotFound(f"there is no version {number} of a definition {name!r}")


# -- in words --------------------------------------------------------------------------------


def _definition_diff(name: str, before: Catalogue, after: Catalogue) -> DefinitionDiff | None:
    old, new = before.named(name), after.named(name)
    if old is not None and new is not None and old.hash == new.hash and old.source == new.source:
        return None
    was = None if old is None else description_of(old, Vocabulary(before))
    now = None if new is None else description_of(new, Vocabulary(after))
    status: Status = "added" if old is None else "removed" if new is None else "changed"
    both = [{} if each is None else each.source for each in (old, new)]
    changes = list(changes_between(*both)) if status == "changed" else []
    return DefinitionDiff(name, status, was, now, changes)


def _shared(catalogue: Catalogue) -> dict[str, Any]:
    return shared_tables(catalogue.text) if catalogue.text else {}


# -- on the data -----------------------------------------------------------------------------


def _on_data(before: Backtest | None, after: Backtest | None) -> OnData:
    old = {} if before is None else before.qualified
    new = {} if after is None else after.qualified
    both = [(old[key], time) for key, time in new.items() if key in old]
    return OnData(
        before,
        after,
        {key: time for key, time in new.items() if key not in old},
        {key: time for key, time in old.items() if key not in new},
        sum(later < earlier for earlier, later in both),
        sum(later > earlier for earlier, later in both),
    )
