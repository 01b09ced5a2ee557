"""Filters of leads that no index serves: each lead is read and tested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ..model import id_of
from ..ports import LeadFilter
from .answers import LeadAnswer
from .values import is_written_as
from .word_search import finds

MAX_TESTED = 2_000
"""Leads that one page of such a list looks at. So a page may be short, and have a next one."""

AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class LeadTests:
    """What leads must be besides what a ``LeadFilter`` says. None means any.

    ``q`` begins a word of the subject's id, e-mail address or name, or of the account's id or name.
    ``traits`` are values
    as text, by name. ``account`` is the account that the lead is of, or was in, ``owner`` who
    looks after it.
    """

    q: str | None = None
    holds_now: bool | None = None
    traits: Mapping[str, str] = field(default_factory=dict)
    account: str | None = None
    owner: str | None = None

    def __bool__(self) -> bool:
        stated = (self.q, self.holds_now, self.account, self.owner)
        return bool(self.traits) or any(each is not None for each in stated)

    @property
    def parts(self) -> tuple[object, ...]:
        """What tells a list with these tests from others."""
        if not self:
            return ()
        stated = (self.q, self.holds_now, sorted(self.traits.items()), self.account, self.owner)
        return stated if self.account is not None or self.owner is not None else stated[:3]

    def passes(self, answer: LeadAnswer) -> bool:
        """Whether a lead is wanted."""
        if self.holds_now is not None and answer.holds_now != self.holds_now:
            return False
        if not all(is_written_as(answer.traits.get(n), text) for n, text in self.traits.items()):
            return False
        if self.account is not None and answer.account != self.account:
            return False
        if self.owner is not None and answer.lead.owner != self.owner:
            return False
        return self.q is None or self._is_found(answer, self.q)

    @staticmethod
    def _is_found(answer: LeadAnswer, wanted: str) -> bool:
        own, of_account = answer.traits, answer.brief.account_traits
        names = [own.get("email"), own.get("name"), answer.account, of_account.get("name")]
        every = [id_of(answer.lead.subject), *(name for name in names if isinstance(name, str))]
        return any(finds(wanted, name) for name in every)


NO_TESTS = LeadTests()


def of_partner(partner: str, wanted: LeadFilter, tests: LeadTests) -> tuple[LeadFilter, LeadTests]:
    """A filter for a partner, and its tests: what it may not see of a lead selects no lead.

    An index knows every value. So ``country``, ``plan``, ``account`` and ``owner`` become tests,
    which look at a lead as the partner sees it.
    """
    wanted = replace(wanted, partner=partner, only_partners=True)
    stated = {"country": wanted.country, "plan": wanted.plan}
    traits = {name: value for name, value in stated.items() if value is not None}
    if not traits and wanted.account is None and wanted.owner is None:
        return wanted, tests
    seen = replace(
        tests,
        traits={**tests.traits, **traits},
        account=wanted.account or tests.account,
        owner=wanted.owner or tests.owner,
    )
    return replace(wanted, country=None, plan=None, account=None, owner=None), seen
