"""Calls of the application's functions, and the log lines about drops."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any, TypeAlias

from pequel.log import LogOnce, logger
from pequel.messages.encode import encode
from pequel.messages.library import context_first
from pequel.sending.interrupts import is_for_caller

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pequel.errors import DroppedError, Reason
    from pequel.sending.transport import Mark

    OnError: TypeAlias = Callable[[DroppedError, dict[str, Any] | None], object]
    OnQualified: TypeAlias = Callable[[Mark], object]
    BeforeSend: TypeAlias = Callable[[dict[str, Any]], dict[str, Any] | None]


class Callbacks:
    """Passes every drop to `on_error`, and logs the first drop of each reason.

    A missing or unknown write key is logged as an error, and `on_error` gets it once, not for
    each event.
    """

    def __init__(
        self,
        on_error: OnError | None = None,
        on_qualified: OnQualified | None = None,
        before_send: BeforeSend | None = None,
    ) -> None:
        self.before_send = before_send
        self._before_send_errors = LogOnce("before_send", "so the event is dropped")
        self._on_error = on_error
        self._on_qualified = on_qualified
        self._on_qualified_failed = False
        self._key_warning_logged = False
        self._logged: set[Reason] = set()
        self._thread = threading.local()

    def mark_sender_thread(self) -> None:
        """From now on, no exception of the application ends the current thread."""
        self._thread.is_sender = True

    def raise_if_for_caller(self, error: BaseException) -> None:
        """Raise an exception that is meant for the application, unless this thread only sends."""
        if not getattr(self._thread, "is_sender", False) and is_for_caller(error):
            raise error

    def filtered(self, event: bytes) -> bytes | None:
        """The event as `before_send` returns it; None to drop it.

        Also None if `before_send` fails, since it may remove what must not be sent, and for an
        event that it tracks itself.
        """
        if self.before_send is None:
            return event
        if getattr(self._thread, "in_before_send", False):
            return None
        self._thread.in_before_send = True
        try:
            return self._filtered(self.before_send, event)
        finally:
            self._thread.in_before_send = False

    def _filtered(self, before_send: BeforeSend, event: bytes) -> bytes | None:
        with self._before_send_errors:
            try:
                kept = before_send(json.loads(event))
            except BaseException as error:
                self.raise_if_for_caller(error)
                raise
            if kept is None:
                return None
            if not isinstance(kept, dict):
                raise TypeError(f"it must return a dict or None, not {type(kept).__name__}")
            return encode(context_first(kept) if "context" in kept else kept)
        return None

    def dropped(self, error: DroppedError, event: bytes | None) -> None:
        """Report a dropped event; None stands for events whose content is lost."""
        first = error.reason not in self._logged
        self._logged.add(error.reason)
        if error.reason == "unauthorized":
            self._all_dropped(error, first)
            return
        if first:
            logger.warning("dropped an event, %s; later drops for this reason are counted", error)
        if self._on_error is not None:
            self._call_on_error(error, _message(event))

    def kept_in_spool(self, error: DroppedError) -> None:
        """Report, once, that events stay in the spool because the collector refuses the key."""
        if error.reason not in self._logged:
            self._logged.add(error.reason)
            logger.error("events stay in the spool, %s", error)
            self._call_on_error(error, None)

    def qualified(self, marks: Sequence[Mark] | None) -> None:
        """Report the leads in a receipt; None means that the receipt says nothing of leads."""
        if self._on_qualified is None:
            return
        if marks is None:
            self._warn_about_key()
        for mark in marks or ():
            self._call_on_qualified(self._on_qualified, mark)

    def _warn_about_key(self) -> None:
        if not self._key_warning_logged:
            logger.warning("on_qualified is never called: that needs a write+marks key")
        self._key_warning_logged = True

    def _call_on_qualified(self, on_qualified: OnQualified, mark: Mark) -> None:
        try:
            on_qualified(mark)
        except BaseException as error:  # noqa: BLE001 - the application's error must not become ours
            self.raise_if_for_caller(error)
            if not self._on_qualified_failed:
                logger.exception("on_qualified failed; later failures are not logged")
            self._on_qualified_failed = True

    def _all_dropped(self, error: DroppedError, first: bool) -> None:
        if first:
            logger.error("every event is dropped from now on, %s", error)
            self._call_on_error(error, None)

    def _call_on_error(self, error: DroppedError, message: dict[str, Any] | None) -> None:
        """Call `on_error`, unless `on_error` itself made the call that failed."""
        if self._on_error is None or getattr(self._thread, "in_on_error", False):
            return
        self._thread.in_on_error = True
        try:
            self._on_error(error, message)
        except BaseException as fault:  # noqa: BLE001 - the application's error must not become ours
            self.raise_if_for_caller(fault)
            logger.exception("on_error failed")
        finally:
            self._thread.in_on_error = False


def _message(event: bytes | None) -> dict[str, Any] | None:
    """The message of an event; None if it is unknown, or can no longer be read."""
    try:
        message = None if event is None else json.loads(event)
    except (ValueError, RecursionError):
        return None
    return message if isinstance(message, dict) else None
