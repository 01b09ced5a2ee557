"""What an answer of the collector means: delivered, try again, split, or drop.

``http_transport`` decides it for requests without an answer, ``sender`` when to give up.
"""

from __future__ import annotations

import json
from typing import Any

from pequel.sending.transport import Mark, Outcome, Rejection, Verdict

_OK = 200
_PERMANENT = {501, 505}  # the server does not support the request, and never will
_VERDICTS = {
    401: Verdict.UNAUTHORIZED,
    408: Verdict.RETRY,
    413: Verdict.SPLIT,
    429: Verdict.RETRY,
}
_FIRST_CLIENT_ERROR, _FIRST_SERVER_ERROR = 400, 500


def read(status: int, body: bytes, count: int, retry_after: float | None = None) -> Outcome:
    """The outcome that an answer means for a batch of `count` events.

    Only a receipt counts as delivery: status 200 and JSON with `"success": true` and a number
    `accepted`. Only a collector can refuse a batch, with `"success": false`. After any other
    answer, such as a redirect, a login page or the 404 of another server, the batch is tried again.
    """
    answer = _json(body)
    if status == _OK and _is_receipt(answer):
        return Outcome(
            Verdict.DELIVERED,
            rejected=_rejections(answer.get("rejected"), count),
            qualified=_marks(answer["qualified"]) if "qualified" in answer else None,
        )
    detail = f"status {status}{_detail(answer)}"
    verdict = _VERDICTS.get(status, Verdict.REFUSED if _is_error(status) else Verdict.RETRY)
    if verdict is Verdict.REFUSED and answer.get("success") is not False:
        verdict = Verdict.RETRY
        detail = f"status {status}, which is not the answer of a collector; check the host"
    return Outcome(verdict, detail, retry_after)


def _is_error(status: int) -> bool:
    """Whether the same request would always have the same answer."""
    return _FIRST_CLIENT_ERROR <= status < _FIRST_SERVER_ERROR or status in _PERMANENT


def _is_receipt(answer: dict[str, Any]) -> bool:
    return answer.get("success") is True and _integer(answer.get("accepted")) is not None


def _integer(value: object) -> int | None:
    """An integer, also if a proxy rewrote it as 3.0; None for anything else."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def _rejections(entries: object, count: int) -> tuple[Rejection, ...]:
    found: dict[int, Rejection] = {}
    for entry in entries if isinstance(entries, list) else ():
        index = _integer(entry.get("index")) if isinstance(entry, dict) else None
        if index is not None and 0 <= index < count:
            found.setdefault(index, _rejection(index, entry))
    return tuple(found[index] for index in sorted(found))


def _rejection(index: int, entry: dict[str, Any]) -> Rejection:
    field = entry.get("field")
    return Rejection(
        index,
        code=str(entry.get("code") or ""),
        message=str(entry.get("message") or ""),
        field=None if field is None else str(field),
    )


def _marks(entries: object) -> tuple[Mark, ...]:
    found = [_mark(entry) for entry in entries] if isinstance(entries, list) else []
    return tuple(mark for mark in found if mark is not None)


def _mark(entry: object) -> Mark | None:
    subject = entry.get("subject") if isinstance(entry, dict) else None
    if not isinstance(entry, dict) or not isinstance(subject, dict):
        return None
    kind, id_ = subject.get("kind"), subject.get("id")
    if not isinstance(kind, str) or not isinstance(id_, str):
        return None
    lead, definition, at = (
        str(entry.get(k, "")) for k in ("lead_id", "definition", "qualified_at")
    )
    return Mark(lead, definition, kind, id_, at, entry)


def _detail(answer: dict[str, Any]) -> str:
    """The message of the collector, cut at 200 characters."""
    words = answer.get("message") or answer.get("error") or answer.get("code") or ""
    return f": {str(words)[:200]}" if words else ""


def _json(body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
