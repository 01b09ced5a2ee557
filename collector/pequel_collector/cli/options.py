"""The command line's options, made from the list of settings."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..config import SETTINGS, Setting, Settings

Command = TypeVar("Command", bound=Callable[..., Any])

# A process list shows command lines, so keys come from the environment only.
SECRET = ("write_key", "read_key", "admin_key")
RANGES = {
    "port": (0, 65_535),
    "min_free": (0, None),
    "rate_limit": (0, None),
    "monthly_quota": (0, None),
}
"""The minimum and the maximum of a number. By default the minimum is 1."""

FILE = click.Path(exists=True, dir_okay=False)

definitions_file = click.argument("file", type=FILE, default="pequel.toml", required=False)

NAMES = tuple(setting.name for setting in SETTINGS if setting.name not in SECRET)


def settings_options(*names: str) -> Callable[[Command], Command]:
    """Add the options of these settings to a command; each has a PEQUEL_ variable too."""

    def add(command: Command) -> Command:
        for setting in reversed(SETTINGS):
            if setting.name in names:
                command = _option(setting)(command)
        return command

    return add


def settings_from(given: dict[str, Any]) -> Settings:
    """The settings, from a command's options and the environment."""
    return Settings.load(os.environ, **given)


def example(*lines: str) -> str:
    """The example at the end of a command's help. Click does not wrap it."""
    return "\n".join(("\b", "Example:", *(f"  {line}" for line in lines)))


def _option(setting: Setting) -> Callable[[Command], Command]:
    return click.option(
        "--" + setting.name.replace("_", "-"),
        type=_type(setting),
        # PEQUEL_HOST may be a URL for the SDK; Settings.load ignores that.
        envvar=None if setting.name == "host" else setting.variable,
        help=f"{setting.help}  [env var: {setting.variable}; default: {setting.default}]",
    )


def _type(setting: Setting) -> click.ParamType[Any]:
    if setting.name == "config":  # only its default may be missing
        return FILE
    if isinstance(setting.default, int):
        return click.IntRange(*RANGES.get(setting.name, (1, None)))
    return click.STRING
