"""Telling the application about drops and leads, and its operator about drops, by the log."""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING, Any, TypeAlias

from pequel.sending.interrupts import is_for_the_caller

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pequel.errors import DroppedError, Reason
    from pequel.sending.transport import Mark

    OnError: TypeAlias = Callable[[DroppedError, dict[str, Any] | None], object]
    OnQualified: TypeAlias = Callable[[Mark], object]

logger = logging.getLogger("pequel")


class Callbacks:
    """Hands every drop to `on_error`, and logs the first of each reason.

    That there is no write key, or that the collector does not know it, is told once and loudly,
    and not again for each event dropped for it.
    """

    def __init__(
        self, on_error: OnError | None = None, on_qualified: OnQualified | None = None
    ) -> None:
        self._on_error = on_error
        self._on_qualified = on_qualified
        self._qualified_failed = False
        self._never_told = False
        self._logged: set[Reason] = set()
        self._thread = threading.local()

    def settle(self) -> None:
        """This thread only sends: nothing that the application raises in it may end it."""
        self._thread.sends = True

    def pass_on(self, error: BaseException) -> None:
        """Raise again what is meant for the caller of this thread, such as KeyboardInterrupt."""
        if not getattr(self._thread, "sends", False) and is_for_the_caller(error):
            raise error

    def dropped(self, error: DroppedError, event: bytes | None) -> None:
        """Tell that an event was dropped, or events of which nothing else is known."""
        first = error.reason not in self._logged
        self._logged.add(error.reason)
        if error.reason == "unauthorized":
            self._stopped(error, first)
            return
        if first:
            logger.warning("an event was dropped, %s; more of the kind are only counted", error)
        if self._on_error is not None:
            self._tell(error, _message(event))

    def kept(self, error: DroppedError) -> None:
        """Tell, once, that nothing is delivered and all is kept for when it can be."""
        if error.reason not in self._logged:
            self._logged.add(error.reason)
            logger.error("events stay in the spool, %s", error)
            self._tell(error, None)

    def qualified(self, marks: Sequence[Mark] | None) -> None:
        """Tell of the leads that a batch brought about; None says that nobody tells us."""
        if self._on_qualified is None:
            return
        if marks is None:
            self._never_qualified()
        for mark in marks or ():
            self._qualify(self._on_qualified, mark)

    def _never_qualified(self) -> None:
        if not self._never_told:
            logger.warning("on_qualified is not called: write_key must be an admin key for that")
        self._never_told = True

    def _qualify(self, tell: OnQualified, mark: Mark) -> None:
        try:
            tell(mark)
        except BaseException as error:  # the application's fault must not become ours
            self.pass_on(error)
            if not self._qualified_failed:
                logger.exception("on_qualified failed; when it does so again, that is not logged")
            self._qualified_failed = True

    def _stopped(self, error: DroppedError, first: bool) -> None:
        if first:
            logger.error("every event is dropped from now on, %s", error)
            self._tell(error, None)

    def _tell(self, error: DroppedError, message: dict[str, Any] | None) -> None:
        """Call `on_error`, unless it is `on_error` that made the call which failed."""
        if self._on_error is None or getattr(self._thread, "telling", False):
            return
        self._thread.telling = True
        try:
            self._on_error(error, message)
        except BaseException as fault:  # the application's fault must not become ours
            self.pass_on(fault)
            logger.exception("on_error failed")
        finally:
            self._thread.telling = False


def _message(event: bytes | None) -> dict[str, Any] | None:
    """The message that an event was; None where it is not known, or cannot be read any more."""
    try:
        found = None if event is None else json.loads(event)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
