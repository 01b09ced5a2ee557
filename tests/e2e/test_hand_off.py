"""A lead from its mark to the sale, with a collector that is killed in the middle of each step."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest

from support.hand_off import Database, HandOff


@pytest.mark.slow
def test_a_lead_is_handed_over_and_won_although_the_collector_dies_at_every_step(
    tmp_path: Path,
) -> None:
    with ExitStack() as stack:
        story = HandOff(tmp_path, Database(f"sqlite:///{tmp_path / 'pequel.db'}"), stack)
        story.tell_all()
        assert story.kills == 10
