"""Telling of drops, one by one."""

import pytest

from pequel.errors import DroppedError
from pequel.sending.callbacks import Callbacks


@pytest.mark.parametrize("event", [b'{"price":$5.00}', b"\xff", b"[1]", b"[" * 100_000])
def test_an_event_that_cannot_be_read_any_more_is_told_without_a_message(event):
    """And so are all that were dropped along with it."""
    calls = []
    callbacks = Callbacks(lambda error, message: calls.append((error.reason, message)))
    for one in (event, b'{"type":"track"}'):
        callbacks.dropped(DroppedError("rejected", "no reason"), one)
    assert calls == [("rejected", None), ("rejected", {"type": "track"})]
