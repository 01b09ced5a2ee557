"""Celery: a task runs in the scope of the code that sent it, which a header carries.

    from pequel.integrations.celery import connect

    connect()

Call it in the processes that send tasks and in those that run them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from celery import signals

from pequel.log import LogOnce
from pequel.messages.compose import identifier
from pequel.messages.encode import encode
from pequel.scope import IDS, begin, current_context, end

if TYPE_CHECKING:
    from celery import Task

HEADER = "pequel_scope"
MAX_BYTES = 8192

_send_errors = LogOnce("writing the scope to a task", "so the task has none")
_receive_errors = LogOnce("reading the scope of a task", "so the task has none")


def connect() -> None:
    """Add the scope to every task that this process sends, and set it in every task that it runs.

    The scope ends with the task. Another call has no further effect.
    """
    signals.before_task_publish.connect(_send, weak=False, dispatch_uid=HEADER)
    signals.task_prerun.connect(_begin, weak=False, dispatch_uid=HEADER)
    signals.task_postrun.connect(_end, weak=False, dispatch_uid=HEADER)


def _send(headers: dict[str, Any] | None = None, **_more: object) -> None:
    with _send_errors:
        facts = current_context()
        if facts and headers is not None:
            headers[HEADER] = _text(_with_ids_as_text(facts))


def _text(facts: dict[str, Any]) -> str:
    """The scope as text; only the ids if the whole is too long for a header."""
    whole = encode(facts)
    if len(whole) > MAX_BYTES:
        whole = encode({name: facts[name] for name in IDS if name in facts})
    return whole.decode()


def _with_ids_as_text(facts: dict[str, Any]) -> dict[str, Any]:
    """The scope with ids as text. Raises InvalidMessageError for a value that is not an id."""
    return {n: identifier(n, fact) if n in IDS else fact for n, fact in facts.items()}


def _begin(task_id: str, task: Task, **_more: object) -> None:
    begin(_scope_of(task), task_id, shared=True)


def _end(task_id: str, **_more: object) -> None:
    end(task_id)


def _scope_of(task: Task) -> dict[str, Any]:
    with _receive_errors:
        return dict(json.loads(task.request.get(HEADER) or "{}"))
    return {}
