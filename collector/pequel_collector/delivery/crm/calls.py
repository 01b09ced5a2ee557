"""Several JSON requests that make one attempt, within one budget of time."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any

import msgspec

from ...model import JSON
from ..http import Answer, Http
from ..records import Refused, Result, Retry

BUDGET = 40.0
"""Seconds in which the last request of an attempt may begin; each may take 15."""


class Failed(Exception):
    """A request has failed, and with it the attempt; ``result`` is what came of it."""

    def __init__(self, result: Refused | Retry) -> None:
        super().__init__(result.reason)
        self.result: Result = result


@dataclass
class Calls:
    """Sends the requests of one attempt to one API, until ``end`` by its clock."""

    http: Http
    base: str
    headers: Mapping[str, str]
    clock: Callable[[], float] = monotonic
    end: float | None = None

    def __post_init__(self) -> None:
        if self.end is None:
            self.end = self.clock() + BUDGET

    def call(self, method: str, path: str, body: JSON = None) -> Answer:
        """The answer to one request. Raises Unreachable, Forbidden, and Failed out of time."""
        if self.end is not None and self.clock() > self.end:
            raise Failed(Retry(f"the requests took over {BUDGET:g} seconds", is_endpoint=True))
        sent = {"Accept": "application/json", **self.headers}
        if body is None:
            return self.http.request(method, self.base + path, None, sent)
        sent["Content-Type"] = "application/json"
        return self.http.request(method, self.base + path, msgspec.json.encode(body), sent)


def json_of(answer: Answer) -> Any:
    """The body of an answer; None if it is no JSON."""
    try:
        return msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def in_short(text: str, longest: int = 400) -> str:
    """A text of a CRM on one line, cut to a reasonable length."""
    shown = "".join(c for c in " ".join(text.split()) if c.isprintable())
    return shown[:longest]
