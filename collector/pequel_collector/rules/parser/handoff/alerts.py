"""``[[alert]]``: the keys that each has, and those of each form.

A form of another module is one more line in ``FORMS``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from jinja2 import TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from ...language.alerts import EVENTS, Alert
from ...language.lead_condition import parts_of
from ..crm.forms import HUBSPOT, SALESFORCE, hubspot_needs, salesforce_needs
from ..items import Fields, Item, ItemParser, choice, list_of, one_of, read_all
from ..project import check_names, tables
from .lead_conditions import MAX_CONDITIONS, LeadScope, lead_condition
from .outside import sent_variable, url, variable, variables

MOST = 50
"""Alerts of a file: each has threads of its own."""

MOST_TEXT = 20_000
"""Characters of a template."""

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}")
_ADDRESS = re.compile(r"[^@\s<>,;]{1,128}@[^@\s<>,;]{1,255}")
_KEPT = frozenset({"host", "content-length", "transfer-encoding", "connection"})


def alerts(item: Item, scope: LeadScope) -> tuple[Alert, ...]:
    """Every ``[[alert]]``, in the order of the text; ``when`` may name what is in the scope."""
    listed = tables(item, "alert")
    if len(listed) > MOST:
        raise item.wrong(f"at most {MOST} alerts", f"{len(listed)} alerts")
    check_names(listed)
    found = read_all(listed, lambda one: _alert(one, scope))
    conditions = sum(len(parts_of(alert.when)) for alert in found)
    if conditions > MAX_CONDITIONS:
        expected = f"at most {MAX_CONDITIONS} conditions in all alerts"
        raise item.wrong(expected, f"{conditions} conditions")
    return tuple(found)


def _alert(item: Item, scope: LeadScope) -> Alert:
    form = _form(item)
    fields = item.read({**COMMON, **FORMS[form]})
    fields.refine("when", lambda when: lead_condition(when, scope))
    fields.required_all("name", "on")
    if form in CHECKS:
        CHECKS[form](fields)
    options = {key: found for key, found in fields.values.items() if key not in COMMON}
    own = {key: found for key, found in fields.values.items() if key in COMMON}
    return Alert(**own, options=MappingProxyType(options))


def _form(item: Item) -> str:
    """The form that a table states; what it is decides which other keys it may have."""
    if "form" not in item.value:
        return "webhook"
    return choice(*FORMS)(item.child("form"))


# -- values --------------------------------------------------------------------------------


def _event(item: Item) -> str:
    """A word of ``on``; one that is written with ``lead.`` in front is meant too."""
    if not isinstance(item.value, str):
        raise item.wrong(one_of(EVENTS))
    word = item.value.removeprefix("lead.")
    if word not in EVENTS:
        raise item.wrong(item.near(word, EVENTS))
    return word


def headers_from_variables(item: Item) -> Mapping[str, str]:
    """The variables that hold the values of headers, by header."""
    found = {}
    for child in item.table().children():
        name = str(child.key)
        if not _HEADER.fullmatch(name) or name.lower() in _KEPT:
            raise child.wrong_key("the name of a header that is free to set", f'"{name[:60]}"')
        found[name] = sent_variable(child)
    return MappingProxyType(found)


def template(item: Item) -> str:
    """The text of a Jinja template. It is read here, and filled in when it is sent."""
    text = item.text()
    if len(text) > MOST_TEXT:
        raise item.wrong(f"a text of at most {MOST_TEXT:,} characters", f"{len(text):,} characters")
    try:
        ImmutableSandboxedEnvironment().parse(text)
    except TemplateSyntaxError as error:
        expected = f"a Jinja template: {error.message} in its line {error.lineno}"
        raise item.wrong(expected) from None
    return text


def address(item: Item) -> str:
    """One e-mail address."""
    if not isinstance(item.value, str) or not _ADDRESS.fullmatch(item.value):
        raise item.wrong('an e-mail address such as "sales@example.com"')
    return item.value


def _addresses(item: Item) -> tuple[str, ...]:
    if isinstance(item.value, list):
        return list_of(address, "a list of e-mail addresses")(item)
    return (address(item),)


def one_line(item: Item) -> str:
    """A text on one line."""
    text = item.text()
    if not text.isprintable() or len(text) > 500:
        raise item.wrong("a text on one line, of at most 500 characters")
    return text


# -- the forms -----------------------------------------------------------------------------


def needs_url(fields: Fields) -> None:
    """Note that there is no ``url`` and no ``url_env``, or both."""
    given = [key for key in ("url", "url_env") if key in fields.values or key in fields.failed]
    if not given:
        raise fields.item.wrong('the key "url" or "url_env"', 'no "url"')
    if len(given) > 1:
        raise fields.item.wrong('either "url" or "url_env"', "both")


COMMON: dict[str, ItemParser] = {
    "name": Item.name,
    "on": list_of(_event, f"a list of {one_of(EVENTS)}"),
    "form": Item.text,
    "when": Item.keep,
}

_WHERE: dict[str, ItemParser] = {"url": url, "url_env": sent_variable}

FORMS: dict[str, dict[str, ItemParser]] = {
    "webhook": {
        **_WHERE,
        "crm": Item.name,
        "secret_env": variables,
        "headers_env": headers_from_variables,
    },
    "post": {
        **_WHERE,
        "crm": Item.name,
        "template": template,
        "content_type": one_line,
        "secret_env": variables,
        "headers_env": headers_from_variables,
    },
    "slack": _WHERE,
    "email": {
        "to": _addresses,
        "from": address,
        "subject": template,
        "template": template,
        "smtp_env": variable,
    },
    "hubspot": HUBSPOT,
    "salesforce": SALESFORCE,
}
"""The keys of each form."""


def _needs_template(fields: Fields) -> None:
    needs_url(fields)
    fields.required("template")


def _needs_recipient(fields: Fields) -> None:
    fields.required("to")


CHECKS = {
    "webhook": needs_url,
    "slack": needs_url,
    "post": _needs_template,
    "email": _needs_recipient,
    "hubspot": hubspot_needs,
    "salesforce": salesforce_needs,
}
"""What each form asks of its keys together."""

__all__ = ["CHECKS", "FORMS", "address", "alerts", "needs_url", "url", "variable"]
