"""The command line's options, made from the list of settings."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, TypeVar

import click

from ..config import SETTINGS, Setting, Settings

Command = TypeVar("Command", bound=Callable[..., Any])

# A process list shows what is on a command line, so keys are given in the environment only.
SECRET = ("write_key", "read_key", "admin_key")
RANGES = {
    "port": (0, 65_535),
    "min_free": (0, None),
    "rate_limit": (0, None),
    "monthly_quota": (0, None),
}
"""The least and the most of a number; of others the least is 1."""

NAMES = tuple(setting.name for setting in SETTINGS if setting.name not in SECRET)


def settings_options(*names: str) -> Callable[[Command], Command]:
    """Add the options of these settings to a command; each is a PEQUEL_ variable as well."""

    def add(command: Command) -> Command:
        for setting in reversed(SETTINGS):
            if setting.name in names:
                command = _option(setting)(command)
        return command

    return add


def settings_from(given: dict[str, Any]) -> Settings:
    """The settings in force, given the values of a command's options."""
    return Settings.load(os.environ, **given)


def example(*lines: str) -> str:
    """The example at the end of a command's help, which Click leaves as it is laid out."""
    return "\n".join(("\b", "Example:", *(f"  {line}" for line in lines)))


def _option(setting: Setting) -> Callable[[Command], Command]:
    return click.option(
        "--" + setting.name.replace("_", "-"),
        type=_type(setting),
        # PEQUEL_HOST may be the SDK's, which is a URL: Settings.load tells them apart.
        envvar=None if setting.name == "host" else setting.variable,
        help=f"{setting.help}  [env var: {setting.variable}; default: {setting.default}]",
    )


def _type(setting: Setting) -> click.ParamType[Any]:
    if setting.name == "config":  # only its default may be missing
        return click.Path(exists=True, dir_okay=False)
    if isinstance(setting.default, int):
        return click.IntRange(*RANGES.get(setting.name, (1, None)))
    return click.STRING
