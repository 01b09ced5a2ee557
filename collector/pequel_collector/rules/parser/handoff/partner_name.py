"""The name of a partner, as a key of the partner can have it."""

from __future__ import annotations

from ...language.routing import PARTNER_NAME, is_partner_name
from ..items import Item


def partner_name(item: Item) -> str:
    """A text that names a partner."""
    name = item.text()
    require_partner_name(item, name)
    return name


def require_partner_name(item: Item, name: str) -> None:
    """Raise the mistake of an item whose text names a partner that cannot have a key."""
    if not is_partner_name(name):
        raise item.wrong(PARTNER_NAME)
