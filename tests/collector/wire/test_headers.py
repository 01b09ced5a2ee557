"""What headers say about events."""

from __future__ import annotations

import pytest

from pequel_collector.wire.event import Envelope
from pequel_collector.wire.headers import completed


@pytest.mark.parametrize(
    ("header", "anonymous"),
    [("YTE=", "a1"), ("YTE", "a1"), (" YTE= ", "a1"), ("w6k=", "é"), (None, None)]
    + [(junk, None) for junk in ("", "?", "a", "/w==", "AA==", "IA==")],
)
def test_the_anonymous_id_is_base64(header: str | None, anonymous: str | None) -> None:
    assert completed(Envelope([]), None, header).anonymous_id == anonymous


@pytest.mark.parametrize(
    ("body", "header", "expected"),
    [(None, "h", "h"), ("", "h", "h"), ("b", "h", "b"), ("b", None, "b"), (None, None, None)],
)
def test_the_time_of_sending_is_that_of_the_body_if_it_has_one(
    body: str | None, header: str | None, expected: str | None
) -> None:
    assert completed(Envelope([], sent_at=body), header, None).sent_at == expected
