"""What people and routes did with the leads of subjects, by lead, in order."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from itertools import chain
from typing import NamedTuple

from ..model import Transition, kind_of
from ..ports import ReadTransaction
from .states import in_order


class LeadKey(NamedTuple):
    """What tells the leads of one subject apart."""

    definition: str
    cycle: int


def transitions_of(
    tx: ReadTransaction, subjects: Collection[str]
) -> dict[str, dict[LeadKey, list[Transition]]]:
    """What people did with the leads of each subject, and with those of its other ids."""
    users = tx.ids_of([subject for subject in subjects if kind_of(subject) == "user"])
    return transitions_by_lead(tx, {each: users.get(each, [each]) for each in subjects})


def transitions_by_lead(
    tx: ReadTransaction, ids: Mapping[str, Collection[str]]
) -> dict[str, dict[LeadKey, list[Transition]]]:
    """What people did with the leads of each subject, given all of its ids."""
    by_id: dict[str, list[Transition]] = {id_: [] for each in ids.values() for id_ in each}
    for transition in tx.transitions_of(by_id):
        by_id[transition.subject].append(transition)
    found: dict[str, dict[LeadKey, list[Transition]]] = {subject: {} for subject in ids}
    for subject, each in ids.items():
        for made in sorted(chain.from_iterable(by_id[id_] for id_ in each), key=in_order):
            found[subject].setdefault(LeadKey(made.definition, made.cycle), []).append(made)
    return found
