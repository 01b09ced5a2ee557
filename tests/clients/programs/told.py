"""What a program is told: `PROGRAM HOST KEY CALLS`, the calls as JSON."""

import json
import re
import sys
from datetime import datetime
from typing import Any

HOST, KEY = sys.argv[1:3]


def calls() -> list[tuple[str, dict[str, Any]]]:
    """The name of each call and its arguments, as libraries for Python have them."""
    told = json.loads(sys.argv[3], object_hook=_with_times)
    return [(call.pop("type"), {_snake(name): call[name] for name in call}) for call in told]


def failed(error: Exception, _events: object) -> None:
    """Say that a library gave up."""
    print("gave up:", error, file=sys.stderr)


def _with_times(found: dict[str, Any]) -> dict[str, Any]:
    if "timestamp" in found:
        found["timestamp"] = datetime.fromisoformat(found["timestamp"])
    return found


def _snake(name: str) -> str:
    return re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", name)
