"""``[crm.NAME]``: what a CRM may write back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from ....model import LeadState
from ...language.crm import Crm
from ..handoff.outside import variables
from ..items import Item, ItemParser, choice, read_all
from .forms import table_of, text_map

MOST = 20
"""CRMs of a file."""

SETTABLE: tuple[LeadState, ...] = ("new", "assigned", "contacted", "won", "lost", "dismissed")
"""The states that a stage may mean: those that people set."""

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")


def crms(item: Item) -> Mapping[str, Crm]:
    """Each CRM by its name, which stands in the path of its webhooks."""
    children = list(item.table().children())
    if len(children) > MOST:
        raise item.wrong(f"at most {MOST} CRMs", f"{len(children)} CRMs")
    return MappingProxyType({crm.name: crm for crm in read_all(children, _crm)})


def _crm(item: Item) -> Crm:
    name = str(item.key)
    if not _NAME.fullmatch(name):
        raise item.wrong_key("a name of a-z, 0-9, - and _, such as hubspot", f'"{name[:60]}"')
    fields = item.read(CRM)
    fields.required("secret_env")
    return Crm(name, **fields.values)


CRM: dict[str, ItemParser] = {
    "secret_env": variables,
    "stages": table_of(choice(*SETTABLE), "stages"),
    "owners": text_map("owners"),
}
"""The keys of ``[crm.NAME]``."""
