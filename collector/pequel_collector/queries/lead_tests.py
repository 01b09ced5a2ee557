"""Filters of leads that no index serves: each lead is read and tested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..model import id_of
from .answers import LeadAnswer
from .values import is_written_as

MAX_TESTED = 2_000
"""Leads that one page of such a list looks at. So a page may be short, and have a next one."""

AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class LeadTests:
    """What leads must be besides what a ``LeadFilter`` says. None means any.

    ``q`` begins the subject's id, e-mail address or name, or the account. ``traits`` are values
    as text, by name.
    """

    q: str | None = None
    holds_now: bool | None = None
    traits: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return self.q is not None or self.holds_now is not None or bool(self.traits)

    @property
    def parts(self) -> tuple[object, ...]:
        """What tells a list with these tests from others."""
        return (self.q, self.holds_now, sorted(self.traits.items())) if self else ()

    def passes(self, answer: LeadAnswer) -> bool:
        """Whether a lead is wanted."""
        if self.holds_now is not None and answer.holds_now != self.holds_now:
            return False
        if not all(is_written_as(answer.traits.get(n), text) for n, text in self.traits.items()):
            return False
        return self.q is None or self._is_found(answer, self.q.lower())

    @staticmethod
    def _is_found(answer: LeadAnswer, prefix: str) -> bool:
        names = [answer.traits.get("email"), answer.traits.get("name"), answer.account]
        every = [id_of(answer.lead.subject), *(name for name in names if isinstance(name, str))]
        return any(name.lower().startswith(prefix) for name in every)


NO_TESTS = LeadTests()
