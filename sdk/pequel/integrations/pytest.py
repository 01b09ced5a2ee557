"""Pytest: the fixture `pequel_events`, available wherever Pequel is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pequel.testing import Events


@pytest.fixture
def pequel_events() -> Iterator[Events]:
    """Record what the test tracks with the functions of the package, in place of sending it.

        def test_exporting_is_tracked(pequel_events):
            export_report()
            pequel_events.assert_tracked("report_exported", user_id="u1")

    For a part of a test, use `pequel.testing.capture`.
    """
    from pequel.testing import capture  # here, so that other tests do not pay for it

    with capture() as events:
        yield events
