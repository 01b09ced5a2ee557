"""What the parts of a definition need to know about the rest of the file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from ...model import Kind
from ..language.addresses import EMAIL_DOMAIN
from ..language.definition import Metric, TraitPath, Window, trait_path
from .items import Item, UnreadableError, one_of, quoted

T = TypeVar("T")

DERIVED = (EMAIL_DOMAIN,)
"""The traits that are derived from others."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A number that is drawn from events: a metric, or one that an event leaf states itself.

    ``listed`` says whether the events are names that were written one by one; None where they
    could not be read.
    """

    metric: Metric
    listed: bool | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """The surroundings of a condition in the definition ``name``.

    ``subject`` is None where that could not be read. ``settings`` are the keys that [project]
    states. ``features``, ``metrics`` and ``subjects`` (of the definitions, by name) have None for
    what is stated and could not be read, and are None where none of them could. ``window`` is
    inherited by the leaves that set none; ``absence`` says whether a count may be asked to be low.
    Each name that a ``pql`` leaf states goes to ``calls``, with the definition that it stands in.
    """

    name: str = ""
    subject: Kind | None = "user"
    settings: Collection[str] = ()
    features: Mapping[str, tuple[str, ...] | None] | None = field(default_factory=dict)
    metrics: Mapping[str, Drawn | None] | None = field(default_factory=dict)
    subjects: Mapping[str, Kind | None] = field(default_factory=dict)
    window: Window = field(default_factory=Window)
    absence: bool = False
    among_users: bool = False
    calls: list[tuple[str, Item]] = field(default_factory=list)

    def feature(self, item: Item) -> tuple[str, ...]:
        """The events of the feature that an item names."""
        return _known(item, self.features, "feature", "a feature listed under [features]")

    def drawn(self, item: Item) -> Drawn:
        """The metric that an item names."""
        return _known(item, self.metrics, "metric", "a metric of this file, headed by [[metric]]")

    def trait(self, item: Item, path: str) -> TraitPath:
        """The trait that a path stands for: of the subject, or of a user's account."""
        if self.subject != "account" and path == "account.":
            raise item.wrong('the name of a trait after "account."')
        found = trait_path(path, knows_account=self.subject != "account")
        if found.path.startswith("@") and found.path not in DERIVED:
            raise item.wrong(one_of(DERIVED), f"the unknown trait {quoted(found.path)}")
        return found


def _known(item: Item, known: Mapping[str, T | None] | None, sort: str, expected: str) -> T:
    if known is None:
        raise UnreadableError
    if item.value not in known:
        found = f"the unknown {sort} {quoted(item.value)}"
        raise item.wrong(item.near(item.value, known) or expected, found)
    thing = known[item.value]
    if thing is None:
        raise UnreadableError
    return thing
