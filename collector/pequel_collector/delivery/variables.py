"""What alerts read from the environment: secrets, URLs and the values of headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .records import Misconfigured

Options = Mapping[str, Any]
Environment = Mapping[str, str]


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
