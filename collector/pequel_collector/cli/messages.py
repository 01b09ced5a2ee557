"""Messages as text for people."""

from __future__ import annotations

import json
from collections.abc import Iterator

from ..model import Message, anonymous_key, iso
from .output import printable

MAX_SHOWN = 200
"""Characters of a value."""


def told(message: Message) -> str:
    """A message in a few lines, as it would be stored."""
    name = message.name if message.type == "track" and message.name else ""
    return "\n".join([printable(f"{message.type} {name}".strip()), *_lines(message)])


def _lines(message: Message) -> Iterator[str]:
    subject = message.subject
    visitor = subject[2:] if subject.startswith("a:") else message.anonymous_id
    undated = "" if message.original is not None else " (none given: the time of the import)"
    nobody = " (no user given)" if subject == anonymous_key(message.mid) else ""
    values = {
        "user": message.user_id,
        "visitor": None if visitor is None else f"{visitor}{nobody}",
        "previous id": message.previous_id,
        "account": message.account,
        "time": iso(message.time) + undated,
        "message id": message.mid,
        "properties": json.dumps(message.properties) if message.properties else None,
        "traits": json.dumps(message.traits) if message.traits else None,
    }
    for label, value in values.items():
        if value is not None:
            shown = value if len(value) <= MAX_SHOWN else f"{value[:MAX_SHOWN]}…"
            yield f"  {label:<12} {printable(shown)}"
