"""The words of the language that this release does not know yet, by where they may stand.

Each is refused with that reason. To add one to the language, take it out of here and give it a
reader in the table of that place.
"""

from __future__ import annotations

LATER: dict[str, frozenset[str]] = {"file": frozenset({"route", "alert"})}
