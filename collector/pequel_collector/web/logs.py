"""Log lines: one for each record, whatever its message holds."""

from __future__ import annotations

import logging
import re

from flask import Flask
from flask.logging import default_handler

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class OneLine(logging.Formatter):
    """Escapes control characters, and indents the lines of a traceback.

    An id may hold a line feed, and must not look like a line of the log.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the name in logging
        return _CONTROL.sub(_escaped, super().formatMessage(record))

    def formatException(self, ei: logging._SysExcInfoType) -> str:  # noqa: N802
        lines = super().formatException(ei).splitlines()
        return "\n".join(f"  {_CONTROL.sub(_escaped, line)}" for line in lines)


def install(app: Flask) -> None:
    """Write the log of an application, and of the collector below it, in this form."""
    default_handler.setFormatter(OneLine("[%(asctime)s] %(levelname)s in %(module)s: %(message)s"))
    if not app.logger.handlers:
        app.logger.addHandler(default_handler)


def _escaped(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]
