"""What alerts read from the environment: secrets, URLs and the values of headers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .records import Misconfigured

Options = Mapping[str, Any]
Environment = Mapping[str, str]


UNSENT = {"secret_env", "smtp_env"}
"""Keys whose variables go to no URL that the file chooses: one signs, one names its own server."""


def check_variables(options: Options, may_send: Callable[[str], bool]) -> None:
    """Raise Misconfigured if an alert would send a variable that is not meant for that."""
    for name in _sent(options):
        if not may_send(name):
            raise Misconfigured(
                f"alerts may not send the environment variable {name}: --alert-env has to list it"
            )


def _sent(options: Options) -> Iterator[str]:
    """The variables that an alert sends: the values of its keys whose names end in ``_env``."""
    for key, value in options.items():
        if key.endswith("_env") and key not in UNSENT:
            yield from value.values() if isinstance(value, Mapping) else (value,)


def required(environment: Environment, name: str) -> str:
    """The value of a variable, without blanks around it. Raises Misconfigured."""
    value = environment.get(name, "").strip()
    if not value:
        raise Misconfigured(f"the environment variable {name} is not set")
    return value


def url_of(options: Options, environment: Environment) -> str:
    """The URL of an alert, from the file or from a variable. Raises Misconfigured."""
    stated: str | None = options.get("url")
    return stated if stated is not None else required(environment, options["url_env"])


def headers_of(options: Options, environment: Environment) -> dict[str, str]:
    """The headers of an alert whose values are in variables. Raises Misconfigured."""
    found = {name: required(environment, v) for name, v in options.get("headers_env", {}).items()}
    for name, value in found.items():
        if not (value.isascii() and value.isprintable()):
            raise Misconfigured(f"the variable for the header {name} is not printable ASCII")
    return found
