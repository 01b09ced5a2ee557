"""Reading the collector's reply to a question: the answer, or the error that it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pequel.errors import NotFoundError, ReaderError, UnauthorizedError, UnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping

UNEXPECTED = "unexpected_answer"
_OK = 200
_FOR_A_WHILE = {429, 502, 503, 504}  # the same question may be answered a little later
_KINDS: dict[int, type[ReaderError]] = {
    401: UnauthorizedError,
    404: NotFoundError,
    **dict.fromkeys(_FOR_A_WHILE, UnavailableError),
}


def read(status: int, body: bytes, retry_after: float | None = None) -> dict[str, Any]:
    """The answer in a reply.

    Raises:
        ReaderError: it is an error, of the kind that belongs to its status; or it is not a
            collector's at all, such as somebody's login page.
    """
    answer = _object(body)
    if status == _OK and answer is not None:
        return answer
    error = (answer or {}).get("error")
    if isinstance(error, dict):
        kind = _KINDS.get(status, ReaderError)
        raise kind(
            str(error.get("code")),
            str(error.get("message")),
            status=status,
            details=error.get("details"),
            retry_after=retry_after,
        )
    kind = UnavailableError if status in _FOR_A_WHILE else ReaderError
    message = f"status {status}, and not in a collector's words; is it the right host?"
    raise kind(UNEXPECTED, message, status=status, retry_after=retry_after)


def part(answer: Mapping[str, Any], name: str, kind: type) -> Any:
    """A part that an answer must have. Raises ReaderError where it has not."""
    found = answer.get(name)
    if not isinstance(found, kind):
        message = f"an answer without {name}; is it the right host?"
        raise ReaderError(UNEXPECTED, message, status=_OK)
    return found


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None
