"""Telling what is raised to interrupt the application from what went wrong by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import CodeType


def is_for_the_caller(error: BaseException) -> bool:
    """Whether an error caught in a thread of the application is its own affair.

    So is all that is no `Exception`, and what a signal handler raises, such as the one of an
    alarm, or of a soft time limit of Celery.
    """
    return not isinstance(error, Exception) or _by_a_signal_handler(error)


def _by_a_signal_handler(error: Exception) -> bool:
    import signal  # here, so that an import of the package is quick

    handlers = {_code(signal.getsignal(number)) for number in signal.valid_signals()} - {None}
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code not in handlers:
        trace = trace.tb_next
    return trace is not None


def _code(handler: object) -> CodeType | None:
    """What a function or a method runs."""
    code: CodeType | None = getattr(getattr(handler, "__func__", handler), "__code__", None)
    return code
