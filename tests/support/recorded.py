"""The requests in `tests/vectors/wire/requests*.json`: as libraries send them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pequel_collector.model import Message, iso

VECTORS = Path(__file__).resolve().parents[1] / "vectors" / "wire"
_TIMES = re.compile(r"\{(.)\*(\d+)\}")


@dataclass(frozen=True)
class Recorded:
    """One request and what has to come of it."""

    name: str
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    stored: list[dict[str, Any]]
    rejected: list[dict[str, Any]] = field(default_factory=list)
    duplicates: int = 0
    code: str | None = None
    shows: str = "application/json"
    chunked: bool = False

    @property
    def is_answered_with_counts(self) -> bool:
        """Whether the answer says what became of the events."""
        return self.status == 200 and self.method == "POST" and "/v1/m" not in self.path


def received() -> str:
    """The time at which all of them come in."""
    return str(_content(next(VECTORS.glob("requests*.json")))["received"])


def requests() -> Iterator[Recorded]:
    """Every request."""
    for path in sorted(VECTORS.glob("requests*.json")):
        for case in _content(path)["requests"]:
            yield _recorded(path.stem, case)


def shown(message: Message, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a message that are asked for, times as text."""
    found = {name: getattr(message, name) for name in wanted}
    return {name: iso(value) if name == "time" else value for name, value in found.items()}


def _content(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def _recorded(stem: str, case: dict[str, Any]) -> Recorded:
    text = _TIMES.sub(lambda found: found[1] * int(found[2]), case.get("body", ""))
    optional = ("rejected", "duplicates", "code", "shows", "chunked")
    return Recorded(
        f"{stem}: {case['client']}: {case['case']}",
        case["method"],
        case["path"],
        case["headers"],
        base64.b64decode(case["base64"]) if "base64" in case else text.encode(),
        case["status"],
        case["stored"],
        **{name: case[name] for name in optional if name in case},
    )
