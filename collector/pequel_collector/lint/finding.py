"""What the linter finds: single findings, and the report of all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from ..rules.language.quantities import many

Level = Literal["error", "warning", "note"]

TOO_FEW = "too few to say what never arrives; --coverage lists it"
"""How the last line ends where L04 could find nothing."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One likely mistake in one definition, with its place in the file.

    ``accepted`` is the reason that the definition gives for it; such a finding is no failure.
    """

    code: str
    level: Level
    definition: str
    file: str
    line: int
    column: int
    message: str
    accepted: str | None = None

    def __str__(self) -> str:
        said = self.message if self.accepted is None else f"{self.message} (why: {self.accepted})"
        level = self.level if self.accepted is None else "accepted"
        place = f"{self.file}:{self.line}:{self.column}"
        return f"{place}: {level} {self.code} [{self.definition}] {said}"


@dataclass(frozen=True, slots=True)
class Report:
    """Every finding, in the order of the file, and what was looked at besides it."""

    findings: tuple[Finding, ...]
    definitions: int
    sample: str | None = None
    is_sample_small: bool = False
    """Whether the sample has too few messages to say what never arrives."""

    def count(self, level: Level) -> int:
        """How many findings of a level are not accepted."""
        return sum(f.level == level and f.accepted is None for f in self.findings)

    @property
    def errors(self) -> int:
        """How many errors are not accepted."""
        return self.count("error")

    @property
    def warnings(self) -> int:
        """How many warnings are not accepted."""
        return self.count("warning")

    @property
    def notes(self) -> int:
        """How many notes are not accepted."""
        return self.count("note")

    @property
    def accepted(self) -> int:
        """How many findings are accepted with a reason."""
        return sum(f.accepted is not None for f in self.findings)

    def summary(self) -> str:
        """All of it in one line."""
        counts = [many(self.count(level), level) for level in ("error", "warning", "note")]
        counts += [f"{self.accepted} accepted"] if self.accepted else []
        looked = f"; looked at {self.sample}" if self.sample else ""
        few = f", {TOO_FEW}" if self.is_sample_small else ""
        return f"{many(self.definitions, 'definition')}: {', '.join(counts)}{looked}{few}"


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Findings in the order of the file."""
    return tuple(sorted(findings, key=lambda f: (f.line, f.column, f.code, f.message)))
