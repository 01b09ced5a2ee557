"""What can go wrong, and the reasons for which an event may be dropped.

PequelError
├── ConfigError     a setting is wrong; raised where the settings are given
├── DroppedError    an event was dropped; never raised to callers, handed to `on_error`
└── ReaderError     a question was not answered; raised to who asked
    ├── NotFoundError       the collector has never seen whom it was asked about
    ├── UnauthorizedError   there may be no reading with this key
    └── UnavailableError    the collector cannot be reached, or cannot answer now
"""

from typing import Any, Literal, get_args

Reason = Literal[
    "invalid",  # it lacks what its type needs, or has it in a shape that cannot be used
    "too_large",  # longer than an event may be, here or at the collector
    "queue_full",  # the queue held as many events, or bytes, as it may
    "rejected",  # the collector refused it for what it is
    "unauthorized",  # there is no write key, or the collector does not know it
    "retries_exhausted",  # the collector could not take it, time and again
    "spool_full",  # it was the oldest in the spool, and room was needed
    "spool_unreadable",  # it was in the spool, and could not be read back
    "shutdown",  # it was still waiting when the client was shut down, or came after that
]
REASONS: tuple[Reason, ...] = get_args(Reason)


class PequelError(Exception):
    """Every error of this package."""


class ConfigError(PequelError, ValueError):
    """A setting is unknown or its value is not one it can have."""


class DroppedError(PequelError):
    """An event was dropped.

    Attributes:
        reason: one of `REASONS`.
        detail: the same for a person to read.
        field: the field at fault, when one is known.
        code: the collector's own word for it, when it was the collector that refused.
    """

    def __init__(
        self, reason: Reason, detail: str, *, field: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.field = field
        self.code = code


class ReaderError(PequelError):
    """A question was not answered.

    Attributes:
        code: the collector's word for it, such as "bad_parameter"; "no_answer" when none came,
            "unexpected_answer" when it was not a collector's, "bad_id" when nothing was asked.
        message: the same for a person to read.
        status: of the answer, when there was one.
        details: what the collector says besides, such as the parameter at fault.
        retry_after: seconds that it asked to wait, if it did.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int | None = None,
        details: object = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status
        self.details: dict[str, Any] = dict(details) if isinstance(details, dict) else {}
        self.retry_after = retry_after


class NotFoundError(ReaderError):
    """The collector has never seen this user or account."""


class UnauthorizedError(ReaderError):
    """The key is unknown, or may not read."""


class UnavailableError(ReaderError):
    """The collector could not be reached, or could not answer now; later it may."""
