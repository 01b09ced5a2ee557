"""The command line's options, made from the list of settings, and the variables behind them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ..config import SECRET, SETTINGS, Setting, Settings, from_environment
from ..errors import BadRequest

Command = TypeVar("Command", bound=Callable[..., Any])

FILE = click.Path(exists=True, dir_okay=False)

definitions_file = click.argument("file", type=FILE, required=False)

reason_option = click.option("--reason", metavar="TEXT", help="Why; kept in the audit log.")

NAMES = tuple(setting.name for setting in SETTINGS if setting.name not in SECRET)

INGEST = (
    "database",
    "config",
    "max_body",
    "max_event",
    "max_depth",
    "clock_tolerance",
    "junk_ids",
    "store_timeout",
    "database_connections",
    "history_cache",
)
"""The settings of a command that stores events."""


def settings_options(*names: str) -> Callable[[Command], Command]:
    """Add the options of these settings to a command; each has a PEQUEL_ variable too."""

    def add(command: Command) -> Command:
        for setting in reversed(SETTINGS):
            if setting.name in names:
                command = _option(setting)(command)
        return command

    return add


def settings_from(given: dict[str, Any]) -> Settings:
    """The settings of a command: its options, else their variables, else the defaults."""
    return Settings(**stated(given))


def stated(given: dict[str, Any]) -> dict[str, Any]:
    """The settings among these that an option or, without one, a variable sets.

    Raises UsageError for a variable that cannot be used. Those of other settings are not read.
    """
    options = {name: value for name, value in given.items() if value is not None}
    try:
        found = from_environment(given.keys() - options.keys(), os.environ)
    except BadRequest as error:
        raise click.UsageError(error.message) from None
    if "config" in found and not Path(found["config"]).is_file():
        raise click.UsageError(f"PEQUEL_CONFIG: File '{found['config']}' does not exist.")
    return found | options


def definitions_path(file: str | None) -> str:
    """The definitions file that a command checks: its argument, PEQUEL_CONFIG or the default."""
    path = settings_from({"config": file}).config
    if not Path(path).is_file():
        raise click.UsageError(f"File '{path}' does not exist.")
    return path


def example(*lines: str) -> str:
    """The example at the end of a command's help. Click does not wrap it."""
    return "\n".join(("\b", "Example:", *(f"  {line}" for line in lines)))


def _option(setting: Setting) -> Callable[[Command], Command]:
    return click.option(
        "--" + setting.name.replace("_", "-"),
        type=_type(setting),
        help=f"{setting.help}  [env var: {setting.variable}; default: {setting.default}]",
    )


def _type(setting: Setting) -> click.ParamType[Any]:
    if setting.name == "config":  # only its default may be missing
        return FILE
    if isinstance(setting.default, int):
        return click.IntRange(setting.least, setting.most)
    return click.STRING
