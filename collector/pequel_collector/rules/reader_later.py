"""The words of the language that this release does not know yet, by where they may stand.

Each is refused with that reason. To add one to the language, take it out of here and give it a
reader in the table of that place.
"""

from __future__ import annotations

LATER: dict[str, frozenset[str]] = {
    "file": frozenset({"metric", "persona", "route", "alert"}),
    "definition": frozenset({"requalify", "cooldown", "expires", "clock"}),
    "measure": frozenset({"metric", "users", "sequence", "score", "pql", "at_least", "of_these"}),
    "event": frozenset({"sum", "max", "last", "per", "from", "growth", "over", "base"}),
    "threshold": frozenset({"ratio", "of_trait"}),
    "anchor": frozenset({"trial", "first:", "trait:"}),  # a colon or a dot: whatever begins so
    "trait": frozenset({"account."}),
}


def is_later(place: str, text: str) -> bool:
    """Whether a text is, or begins with, a word that may stand in a place in a later release."""
    return any(text.startswith(word) if word[-1] in ":." else text == word for word in LATER[place])
