"""The logger of the SDK, and errors in the application's functions that are logged once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    _Adapter = logging.LoggerAdapter[logging.Logger]
else:
    _Adapter = logging.LoggerAdapter  # which Python 3.10 does not let us subscript


class _NamedLogger(_Adapter):
    """Begins a message with the name of its logger where the application has not set up logging.

    Python then prints warnings without it, as under gunicorn and uvicorn.
    """

    def process(
        self, msg: Any, kwargs: MutableMapping[str, Any]
    ) -> tuple[Any, MutableMapping[str, Any]]:
        return (msg if self.logger.hasHandlers() else f"{self.logger.name}: {msg}"), kwargs


logger = _NamedLogger(logging.getLogger("pequel"))


class LogOnce:
    """A `with` block whose exceptions are swallowed: the first is logged, later ones are not."""

    def __init__(self, what: str, consequence: str) -> None:
        """Log as "`what` failed, `consequence`", with the traceback."""
        self._what = what
        self._consequence = consequence
        self._logged = False

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if not isinstance(error, Exception):
            return False
        if not self._logged:
            self._logged = True
            logger.error("%s failed, %s", self._what, self._consequence, exc_info=error)
        return True
