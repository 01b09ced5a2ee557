"""The keys of ``[[alert]]`` that write into a CRM: which record gets which values."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any, TypeVar, get_args

from ....model import LeadState
from ...language.crm import DELIVERY_FIELDS, LEAD_FIELDS, FieldMap, Source, Sources
from ..handoff.outside import sent_variable, url
from ..items import Fields, Item, ItemParser, choice, read_all

MOST_FIELDS = 100
"""Fields of a record that an alert writes."""

MOST_SOURCES = 10
"""Sources of one field."""

T = TypeVar("T")

MOST_OWNERS = 1_000
MOST_TEXT = 1_000
STATES: tuple[LeadState, ...] = get_args(LeadState)

_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,199}")


def field_map(item: Item) -> FieldMap:
    """The fields of a record, each with where its value comes from."""
    children = list(item.table().children())
    if len(children) > MOST_FIELDS:
        raise item.wrong(f"at most {MOST_FIELDS} fields", f"{len(children)} fields")
    return MappingProxyType(dict(read_all(children, lambda one: (_field_name(one), sources(one)))))


def _field_name(item: Item) -> str:
    name = str(item.key)
    if not _FIELD.fullmatch(name):
        raise item.wrong_key("the name of a field: letters, digits and _", f'"{name[:60]}"')
    return name


def sources(item: Item) -> Sources:
    """One source, or a list of which the first that has a value counts."""
    if not isinstance(item.value, list):
        return (_source(item),)
    if not 1 <= len(item.value) <= MOST_SOURCES:
        raise item.wrong(f"a list of 1 to {MOST_SOURCES} sources", f"{len(item.value)} sources")
    return tuple(read_all(item.children(), _source))


def _source(item: Item) -> Source:
    if isinstance(item.value, dict):
        return Source(text=item.read({"text": short_text}).required("text"))
    if not isinstance(item.value, str):
        raise item.wrong('a path such as "traits.name", or { text = "…" }')
    path = _path(item.value)
    if path[0] not in (*LEAD_FIELDS, *DELIVERY_FIELDS) or not all(path):
        raise item.wrong('a path into the lead, such as "traits.name" or "evidence.sentence"')
    return Source(path)


def _path(text: str) -> tuple[str, ...]:
    """The first step, and the rest: a trait may have dots in its name."""
    first, dot, rest = text.partition(".")
    return (first, rest) if dot else (first,)


def table_of(
    parser: Callable[[Item], T], what: str, known: Collection[str] | None = None
) -> Callable[[Item], Mapping[str, T]]:
    """A parser of a table of like values; with ``known``, its keys are some of these words."""

    def pair(item: Item) -> tuple[str, T]:
        key = str(item.key)
        if known is not None and key not in known:
            raise item.wrong_key(item.near(key, known), f'"{key[:60]}"')
        return key, parser(item)

    def read(item: Item) -> Mapping[str, T]:
        children = list(item.table().children())
        if len(children) > MOST_OWNERS:
            raise item.wrong(f"at most {MOST_OWNERS} {what}", f"{len(children)} {what}")
        return MappingProxyType(dict(read_all(children, pair)))

    return read


def text_map(
    what: str, known: Collection[str] | None = None
) -> Callable[[Item], Mapping[str, str]]:
    """A parser of a table of texts."""
    return table_of(short_text, what, known)


def short_text(item: Item) -> str:
    """A text that is not empty and not long."""
    text = item.text()
    if len(text) > MOST_TEXT:
        raise item.wrong(f"a text of at most {MOST_TEXT} characters", f"{len(text)} characters")
    return text


HUBSPOT: dict[str, ItemParser] = {
    "token_env": sent_variable,
    "url": url,
    "email": sources,
    "domain": sources,
    "properties": field_map,
    "company_properties": field_map,
    "deal_properties": field_map,
    "companies": Item.boolean,
    "pipeline": short_text,
    "stages": text_map("stages", STATES),
    "owners": text_map("owners"),
    "id_property": short_text,
    "company_id_property": short_text,
}
"""The keys of the form ``hubspot``."""


def hubspot_needs(fields: Fields) -> None:
    """Note that there is no ``token_env``, or no stage in which a deal begins."""
    fields.required_all("token_env", "stages")
    stages: Mapping[str, Any] = fields.values["stages"]
    if "new" not in stages:
        raise fields.item.child("stages").wrong(
            'the stage in which a deal begins, such as new = "appointmentscheduled"', 'no "new"'
        )


def _version(item: Item) -> str:
    text = item.text()
    found = re.fullmatch(r"v(\d{2})\.0", text)
    if found is None or int(found[1]) < OLDEST_VERSION:
        raise item.wrong(f'a version such as "v62.0", from v{OLDEST_VERSION}.0 on')
    return text


def _api_name(item: Item) -> str:
    text = item.text()
    if not _FIELD.fullmatch(text):
        raise item.wrong('the API name of a field, such as "Pequel_Id__c"')
    return text


OLDEST_VERSION = 46
"""From here on, Salesforce answers an upsert with the id of the record."""

SALESFORCE: dict[str, ItemParser] = {
    "url": url,
    "client_id_env": sent_variable,
    "client_secret_env": sent_variable,
    "refresh_token_env": sent_variable,
    "version": _version,
    "object": choice("Lead", "Contact"),
    "id_field": _api_name,
    "account_id_field": _api_name,
    "properties": field_map,
    "account_properties": field_map,
    "stage_field": _api_name,
    "stages": text_map("stages", STATES),
    "owners": text_map("owners"),
    "allow_duplicates": Item.boolean,
}
"""The keys of the form ``salesforce``."""


def salesforce_needs(fields: Fields) -> None:
    """Note what is missing to log in."""
    fields.required_all("url", "client_id_env", "client_secret_env")
