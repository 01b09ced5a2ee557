"""Which exceptions in the application's thread the SDK must pass on to the caller."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import CodeType


def is_for_caller(error: BaseException) -> bool:
    """Whether an exception that the SDK caught is meant for the application.

    True for what is not an `Exception`, such as KeyboardInterrupt, and for what a signal handler
    raised, such as an alarm's or a soft time limit of Celery.
    """
    return not isinstance(error, Exception) or _raised_in_signal_handler(error)


def _raised_in_signal_handler(error: Exception) -> bool:
    import signal  # here, to keep the import of the package quick

    handlers = {_code(signal.getsignal(number)) for number in signal.valid_signals()} - {None}
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code not in handlers:
        trace = trace.tb_next
    return trace is not None


def _code(handler: object) -> CodeType | None:
    """The code object of a function or a method."""
    code: CodeType | None = getattr(getattr(handler, "__func__", handler), "__code__", None)
    return code
