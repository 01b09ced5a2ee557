"""The errors, and the reasons for which an event may be dropped.

PequelError
├── ConfigError     a setting is wrong; raised by the call that takes it
├── DroppedError    an event was dropped; never raised, passed to `on_error`
└── ReaderError     a `Reader` got no answer
    ├── NotFoundError       the collector has never seen this user or account
    ├── ConflictError       the state of a lead does not allow a change
    ├── UnauthorizedError   the key is unknown, or may not read
    └── UnavailableError    the collector cannot be reached, or cannot answer now
"""

from typing import Any, Literal, get_args

Reason = Literal[
    "invalid",  # a required field is missing, or has the wrong type
    "too_large",  # larger than the client or the collector allows
    "before_send",  # `before_send` returned None, or failed
    "queue_full",  # the queue was full
    "rejected",  # the collector rejected it
    "unauthorized",  # there is no write key, or the collector does not know it
    "retries_exhausted",  # every try failed
    "spool_full",  # the spool was full, and this event the oldest
    "spool_unreadable",  # it could not be read back from the spool
    "shutdown",  # it waited when the client was shut down, or came later
]
REASONS: tuple[Reason, ...] = get_args(Reason)


class PequelError(Exception):
    """The base of all errors of this package."""


class ConfigError(PequelError, ValueError):
    """A setting is unknown, or a setting or an argument has a wrong value."""


class DroppedError(PequelError):
    """An event was dropped.

    Attributes:
        reason: one of `REASONS`.
        detail: the cause, for a person to read.
        field: the field at fault, if one is known.
        code: the collector's code, if the collector rejected the event.
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
    """A `Reader` got no answer.

    Attributes:
        code: the collector's code, such as "bad_parameter". The reader's own are "no_answer",
            "unexpected_answer" for the answer of another server, and "bad_id" for a wrong id.
        message: the cause, for a person to read.
        status: the HTTP status, if there was an answer.
        details: further data from the collector, such as the parameter at fault.
        retry_after: seconds that the collector asked to wait, if it did.
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
    """The collector has never seen this user, account or lead."""


class ConflictError(ReaderError):
    """The state of a lead does not allow a change, so nothing has changed.

    Attributes:
        state: the state that the lead has; None if the collector did not say.
        allowed: the states to which it can be taken.
    """

    @property
    def state(self) -> str | None:
        """The state that the lead has."""
        found = self.details.get("state")
        return found if isinstance(found, str) else None

    @property
    def allowed(self) -> list[str]:
        """The states to which the lead can be taken."""
        found = self.details.get("allowed")
        return [str(each) for each in found] if isinstance(found, list) else []


class UnauthorizedError(ReaderError):
    """The key is unknown, or may not do this."""


class UnavailableError(ReaderError):
    """The collector could not be reached, or could not answer now; a later try may succeed."""
