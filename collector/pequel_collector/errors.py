"""One error type for every expected problem.

PequelError
├── BadRequest      the request is malformed
├── Unauthorized    no key, an unknown key, or one without the right
├── Forbidden       a partner's key, which may do less than others
├── NotFound        there is no such thing
├── Conflict        a lead's state does not allow this
├── Stale           a lead has changed since it was read
├── TooLarge        a body or an event is over its limit
├── Unsupported     an encoding or a scheme that is not supported
├── TooMany         a key is over its rate or quota; retry later
├── Unavailable     the store cannot take writes now; retry later
└── DefinitionError a definitions file has mistakes
"""

from __future__ import annotations

from typing import Any

MAX_PROBLEMS = 1_000
"""Mistakes of a definitions file that an error lists."""


class PequelError(Exception):
    """A problem with a stable ``code``, a sentence for people, and data in ``details``."""

    code = "internal"

    def __init__(self, message: str, code: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.details = details


class BadRequest(PequelError):
    """The request is malformed."""

    code = "bad_request"


class Unauthorized(PequelError):
    """There is no key, or it is unknown or has not the right for this request."""

    code = "unauthorized"


class Forbidden(PequelError):
    """A partner may not do this, whatever its leads are."""

    code = "forbidden"


class NotFound(PequelError):
    """There is no such thing."""

    code = "not_found"


class Conflict(PequelError):
    """The state of a thing does not allow this; ``details`` has what is ``allowed``."""

    code = "conflict"


class Stale(PequelError):
    """A thing has changed since the caller read it, and the caller asked for no change then."""

    code = "stale"


class TooLarge(PequelError):
    """A body, or an event in it, is over its limit."""

    code = "too_large"


class Unsupported(PequelError):
    """An encoding or a scheme that is not supported."""

    code = "unsupported"


class TooMany(PequelError):
    """A key is over its rate or quota; ``details`` has ``retry_after`` in seconds."""

    code = "too_many"


class Unavailable(PequelError):
    """The store cannot take writes now; the same request may succeed later."""

    code = "unavailable"


class DefinitionError(PequelError):
    """A definitions file has mistakes; ``problems`` lists all of them."""

    code = "bad_definition"

    def __init__(self, problems: list[Problem]) -> None:
        listed = problems[:MAX_PROBLEMS]
        lines = [str(problem) for problem in listed]
        if len(problems) > MAX_PROBLEMS:
            lines.append(f"and {len(problems) - MAX_PROBLEMS} more")
        super().__init__("\n".join(lines), problems=[vars_of(p) for p in listed])
        self.problems = problems


class Problem:
    """One mistake in a definitions file: its place, what was found, what was expected."""

    __slots__ = ("column", "expected", "file", "found", "line", "path")

    def __init__(
        self, expected: str, found: str, path: str, file: str, line: int, column: int
    ) -> None:
        self.expected, self.found, self.path = expected, found, path
        self.file, self.line, self.column = file, line, column

    def __str__(self) -> str:
        return (
            f"{self.file}:{self.line}:{self.column}: {self.path}: "
            f"found {self.found}, expected {self.expected}"
        )


def vars_of(problem: Problem) -> dict[str, Any]:
    """A problem as JSON."""
    return {name: getattr(problem, name) for name in Problem.__slots__}
