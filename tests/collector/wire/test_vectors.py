"""Every case in `tests/vectors/wire`: an event as it comes, and what is stored or why it is not."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pequel_collector.config import Settings
from pequel_collector.model import Message, RejectedEvent, iso, parse_iso
from pequel_collector.wire import decode
from pequel_collector.wire.normalise import normalise

VECTORS = Path(__file__).resolve().parents[2] / "vectors" / "wire"
Case = dict[str, Any]


def cases() -> list[Any]:
    found = []
    for path in sorted(VECTORS.glob("[!r]*.json")):
        content = json.loads(path.read_text())
        for case in content["cases"]:
            given = {"received": content["received"], **case}
            found.append(pytest.param(given, id=f"{path.stem}: {case['case']}"))
    return found


def answer(case: Case) -> Message | RejectedEvent:
    """What becomes of the event of a case."""
    raw = case["raw"] if "raw" in case else json.dumps(case["event"])
    if "path" in case:
        envelope = decode.single(raw.encode(), case["path"])
    else:
        shared = {name: case[name] for name in ("sentAt", "context") if name in case}
        body = json.dumps(shared)[:-1] + (", " if shared else "") + f'"batch": [{raw}]}}'
        envelope = decode.batch(body.encode())
    received = parse_iso(case["received"])
    assert received is not None
    given = count(1)
    messages, rejected = normalise(envelope, Settings(), received, lambda: f"given-{next(given)}")
    (only,) = [*messages, *rejected]
    return only


def shown(message: Message, name: str) -> Any:
    value = getattr(message, name)
    return iso(value) if name in ("time", "sent") and value is not None else value


@pytest.mark.parametrize("case", cases())
def test_an_event_is_stored_or_refused_as_its_case_says(case: Case) -> None:
    found = answer(case)
    if "stored" in case:
        assert isinstance(found, Message), found
        stored = {name: shown(found, name) for name in case["stored"]}
        assert repr(stored) == repr(case["stored"])
    else:
        assert isinstance(found, RejectedEvent), found
        assert {"code": found.code, "field": found.field} == case["rejected"]
        assert found.message
        assert found.payload
