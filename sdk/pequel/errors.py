"""What can go wrong, and the reasons for which an event may be dropped.

PequelError
├── ConfigError     a setting is wrong; raised where the settings are given
└── DroppedError    an event was dropped; never raised to callers, handed to `on_error`
"""

from typing import Literal, get_args

Reason = Literal[
    "invalid",  # it lacks what its type needs, or has it in a shape that cannot be used
    "too_large",  # longer than an event may be, here or at the collector
    "queue_full",  # the queue held as many events, or bytes, as it may
    "rejected",  # the collector refused it for what it is
    "unauthorized",  # there is no write key, or the collector does not know it
    "retries_exhausted",  # the collector could not take it, time and again
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
