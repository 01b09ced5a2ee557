"""Which group of a record is the account, and what the log had instead of it.

A product may have several types of group. The user says with ``--group`` which type is the account,
or which property names it.
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

from ..model import JSON
from .format import Record
from .line import BadLine

MAX_SHOWN = 15
"""Names in a sentence."""

MAX_NAME = 100
"""Characters of a name in a sentence."""

_REMEMBERED = 1_000


class Accounts:
    """Finds the account of each record, and notes what there was."""

    def __init__(self, group: str | None, what: str = "groups") -> None:
        self._group, self._what = group, what
        self._is_found = False
        self._names: dict[str, None] = {}
        self._several = 0

    def among(self, groups: Record) -> JSON:
        """The account among groups by type: of the type that the user says, or of the only one.

        Raises BadLine if there are several and the user has not said which are accounts.
        """
        self.note(groups)
        if self._group is not None:
            return self._first(groups.get(self._group))
        named = {type_: value for type_, value in groups.items() if value not in (None, "", [])}
        if len(named) > 1:
            types = ", ".join(sorted(named))
            raise BadLine("bad_value", f"found groups {types}: say with --group which are accounts")
        return self._first(next(iter(named.values()), None))

    def named_in(self, *properties: Record) -> JSON:
        """The account in the property that the user says."""
        if self._group is None:
            return None
        for each in properties:
            self.note(each)
        values = (each.get(self._group) for each in properties)
        return self._first(next((value for value in values if value not in (None, "")), None))

    def note(self, names: Iterable[str]) -> None:
        """Note the types of groups, or the properties, of a record."""
        if self._group is None or self._is_found:
            return
        for name in map(str, names):
            self._is_found = self._is_found or name == self._group
            if len(self._names) < _REMEMBERED:
                self._names[name[:MAX_NAME]] = None

    def doubts(self) -> list[str]:
        """What is likely a mistake, in sentences."""
        found = []
        if self._group is not None and not self._is_found:
            names = shown(_nearest_first(self._names, self._group))
            found.append(f"--group {self._group} is in no record; {self._what} found: {names}")
        if self._several:
            records = "1 record has" if self._several == 1 else f"{self._several:,} records have"
            found.append(f"{records} several accounts: the first one is taken")
        return found

    def _first(self, value: JSON) -> JSON:
        """The name of a group, of which there may be a list."""
        if not isinstance(value, list):
            return value
        self._several += len(value) > 1
        return value[0] if value else None


def _nearest_first(names: Iterable[str], meant: str) -> list[str]:
    """Names by how alike they are to what the user wrote."""
    alike = {name: SequenceMatcher(None, name.lower(), meant.lower()).ratio() for name in names}
    return sorted(alike, key=lambda name: -alike[name])


def shown(names: Iterable[str]) -> str:
    """The first names of many."""
    every = list(names)
    more = f" and {len(every) - MAX_SHOWN:,} more" if len(every) > MAX_SHOWN else ""
    return ", ".join(every[:MAX_SHOWN]) + more or "none"
