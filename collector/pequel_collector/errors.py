"""One error type for everything a caller can do wrong.

PequelError
├── BadRequest      the request cannot be read as what it claims to be
├── Unauthorized    no key, or one that is unknown or may not do this
├── NotFound        the thing asked for was never seen
├── TooLarge        a body or an event is over its limit
├── Unsupported     an encoding or a scheme that is not spoken here
├── TooMany         a key has sent more than it may; trying again later works
├── Unavailable     the store cannot take writes now; trying again later may work
└── DefinitionError the definitions file does not say something meaningful
"""

from __future__ import annotations

from typing import Any


class PequelError(Exception):
    """A problem with a stable ``code``, a sentence for people, and evidence in ``details``."""

    code = "internal"

    def __init__(self, message: str, code: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.details = details


class BadRequest(PequelError):
    """The request cannot be read as what it claims to be."""

    code = "bad_request"


class Unauthorized(PequelError):
    """No key was given, or one that is unknown or may not do this."""

    code = "unauthorized"


class NotFound(PequelError):
    """The thing asked for was never seen."""

    code = "not_found"


class TooLarge(PequelError):
    """A body, or an event in it, is over its limit."""

    code = "too_large"


class Unsupported(PequelError):
    """An encoding or a scheme that is not spoken here."""

    code = "unsupported"


class TooMany(PequelError):
    """A key has sent more than it may, for now: ``retry_after`` seconds are in its details."""

    code = "too_many"


class Unavailable(PequelError):
    """The store cannot take writes now; the same request may succeed later."""

    code = "unavailable"


class DefinitionError(PequelError):
    """A definition cannot be understood; ``problems`` holds every reason found."""

    code = "bad_definition"

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(
            "\n".join(str(p) for p in problems), problems=[vars_of(p) for p in problems]
        )
        self.problems = problems


class Problem:
    """One fault in a definitions file: where it is, what stood there, what was expected."""

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
    """The fields of a problem as a plain dict, for JSON."""
    return {name: getattr(problem, name) for name in Problem.__slots__}
