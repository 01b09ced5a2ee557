"""Names of what lies outside the file: environment variables and URLs."""

from __future__ import annotations

import re

from ..items import Item, list_of

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


def variable(item: Item) -> str:
    """The name of an environment variable. The error does not show a secret written in place."""
    if not isinstance(item.value, str) or not _VARIABLE.fullmatch(item.value):
        raise item.wrong(
            'the name of an environment variable, such as "ALERT_SECRET"', "something else"
        )
    return item.value


def sent_variable(item: Item) -> str:
    """The name of an environment variable whose value goes to the URL of an alert."""
    name = variable(item)
    if not item.source.may_send(name):
        raise item.wrong(
            "an environment variable that alerts may send: its name begins with PEQUEL_ and it is "
            "no setting of the collector, or --alert-env lists it",
            "another one",
        )
    return name


def variables(item: Item) -> tuple[str, ...]:
    """One name of an environment variable, or a list of them."""
    if isinstance(item.value, list):
        return list_of(variable, "a list of environment variables")(item)
    return (variable(item),)


def url(item: Item) -> str:
    """A URL with the scheme https or http; whether alerts may go there shows on sending."""
    text = item.text()
    if not re.match(r"https?://[^\s/]", text) or len(text) > 2_048:
        raise item.wrong('a URL such as "https://example.com/hooks"')
    return text
