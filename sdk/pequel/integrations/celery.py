"""Celery: a task has the scope of whoever sent it, carried in a header of its message.

    from pequel.integrations.celery import connect

    connect()

Both the processes that send tasks and those that run them must do so.
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

_sending = LogOnce("carrying the scope", "and so a task has none")
_receiving = LogOnce("reading the scope", "and so a task has none")


def connect() -> None:
    """Carry the scope along with every task that this process sends, and set it in those it runs.

    It ends when the task does. Doing this again changes nothing.
    """
    signals.before_task_publish.connect(_send, weak=False, dispatch_uid=HEADER)
    signals.task_prerun.connect(_begin, weak=False, dispatch_uid=HEADER)
    signals.task_postrun.connect(_end, weak=False, dispatch_uid=HEADER)


def _send(headers: dict[str, Any] | None = None, **_more: object) -> None:
    with _sending:
        facts = current_context()
        if facts and headers is not None:
            headers[HEADER] = _text(_with_ids_as_text(facts))


def _text(facts: dict[str, Any]) -> str:
    """The scope as text; without all but the ids if that is too much for a header."""
    whole = encode(facts)
    if len(whole) > MAX_BYTES:
        whole = encode({name: facts[name] for name in IDS if name in facts})
    return whole.decode()


def _with_ids_as_text(facts: dict[str, Any]) -> dict[str, Any]:
    """The scope with ids as they are sent. Raises where one cannot be an id, but its text would."""
    return {n: identifier(n, fact) if n in IDS else fact for n, fact in facts.items()}


def _begin(task_id: str, task: Task, **_more: object) -> None:
    begin(_carried(task), task_id, shared=True)


def _end(task_id: str, **_more: object) -> None:
    end(task_id)


def _carried(task: Task) -> dict[str, Any]:
    with _receiving:
        return dict(json.loads(task.request.get(HEADER) or "{}"))
    return {}
