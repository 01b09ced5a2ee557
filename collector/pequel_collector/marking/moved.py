"""What subjects lose and gain when stored messages move to another person or account.

before    m1 of u:ann at 10, in no account         m2 of u:ann at 20, in acme
after     m1 of u:ada at 10, in no account         m2 of u:ada at 20, in acme
u:ann     loses m1 and m2                          since 10
u:ada     gains m1 and m2                          since 10
g:acme    loses m2, and gains it as one of ada     since 20
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from ..identity.people import Move
from ..model import Stored, account_key
from ..ports import ReadTransaction
from ..rules.engine.state import Fact
from .evaluators import Evaluators
from .facts import ends_of


class MovedFacts:
    """The ids of facts that are ``gone`` and the facts ``found``, by subject.

    All are at or after ``since``, which has every subject that is concerned. Of these, the facts of
    ``new`` messages are found too.
    """

    def __init__(
        self,
        tx: ReadTransaction,
        evaluators: Evaluators,
        moves: Sequence[Move],
        new: Iterable[Stored],
    ) -> None:
        self._evaluators = evaluators
        self.gone: defaultdict[str, set[str]] = defaultdict(set)
        self.found: defaultdict[str, list[Fact]] = defaultdict(list)
        self.since: dict[str, int] = {}
        for before, after in moves:
            self._move(before, after)
        for old, person, ends in _moved_ends(tx, evaluators, moves):
            self._move_ends(old, person, ends)
        if moves:
            self._add(new)

    def _move(self, before: Stored, after: Stored) -> None:
        time = before.message.time
        for key in {*_subjects(before), *_subjects(after)}:
            self.since[key] = min(time, self.since.get(key, time))
            self.gone[key].add(before.message.mid)
        for key, fact in self._evaluators.facts(after):
            self.found[key].append(fact)

    def _move_ends(self, old: str, person: str, ends: Sequence[Fact]) -> None:
        for key in (old, person):
            self.since[key] = min(self.since[key], *(fact.time for fact in ends))
            self.gone[key].update(fact.mid for fact in ends)
        self.found[person] += ends

    def _add(self, new: Iterable[Stored]) -> None:
        for each in new:
            for key, fact in self._evaluators.facts(each):
                if key in self.since:
                    self.since[key] = min(fact.time, self.since[key])
                    self.found[key].append(fact)


def _moved_ends(
    tx: ReadTransaction, evaluators: Evaluators, moves: Sequence[Move]
) -> Iterator[tuple[str, str, list[Fact]]]:
    """The ends of leads of each id that got another person: the old and the new one."""
    persons = {
        before.message.subject: (before.person, after.person)
        for before, after in moves
        if before.person != after.person
    }
    for id_, ends in ends_of(tx, evaluators, persons).items():
        old, new = persons[id_]
        if old is not None and new is not None:
            yield old, new, ends


def _subjects(stored: Stored) -> list[str]:
    """The subjects that a message is a fact of."""
    account = [] if stored.account is None else [account_key(stored.account)]
    return account if stored.person is None else [stored.person, *account]
