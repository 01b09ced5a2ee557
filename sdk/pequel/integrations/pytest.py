"""Pytest: the fixture `pequel_events`, which is there wherever Pequel is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pequel.testing import Events


@pytest.fixture
def pequel_events() -> Iterator[Events]:
    """What is tracked by the functions of the package during the test, in place of sending it.

        def test_exporting_is_tracked(pequel_events):
            export_report()
            pequel_events.assert_tracked("report_exported", user_id="u1")

    For a part of a test, see `pequel.testing.capture`.
    """
    from pequel.testing import capture  # only when it is asked for

    with capture() as events:
        yield events
