"""The command line: one file for each command. May import every room; commands import it late."""

from __future__ import annotations

import sys

EXTRA = {"click", "flask", "granian", "marshmallow", "msgspec", "sqlite_utils"}


def main() -> None:
    """Run the command ``pequel``."""
    try:
        from .commands import pequel

        pequel(prog_name="pequel")
    except ModuleNotFoundError as missing:
        name = (missing.name or "").partition(".")[0]
        if name not in EXTRA:
            raise
        sys.stderr.write(f'pequel: {name} is not installed: install "pequel[collector]"\n')
        sys.exit(2)
