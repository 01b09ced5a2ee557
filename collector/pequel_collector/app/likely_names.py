"""What arrives, with the name that was probably meant beside one that no definition uses."""

from __future__ import annotations

from collections.abc import Sequence

from ..lint.unknown_events import slips_in
from ..queries.events.following import Followed
from ..rules.language.definition import Catalogue


def with_likely_names(found: Sequence[Followed], catalogue: Catalogue) -> list[Followed]:
    """The same items; an event with nearly the name of one of the catalogue says that name."""
    names = {each.event.message.name for each in found if each.event is not None}
    meant = slips_in(names, catalogue) if names else {}
    if not meant:
        return list(found)
    return [
        each if each.event is None else each._replace(looks_like=meant.get(each.event.message.name))
        for each in found
    ]
