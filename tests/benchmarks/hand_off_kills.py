"""Tells the whole story of one lead, and kills the collector before and after each write of it.

    python tests/benchmarks/hand_off_kills.py --database sqlite --rounds 3
    python tests/benchmarks/hand_off_kills.py --database postgresql --rounds 3

``tests/support/hand_off.py`` has the story: a German trial account qualifies, its partner is told,
claims it, is late, makes contact, and wins. A step that goes wrong raises.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.hand_off import Database, HandOff
from support.postgres import postgres


def main() -> None:
    """Tell it again and again, and print what was counted."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--database", choices=["sqlite", "postgresql"], default="sqlite")
    arguments = parser.parse_args()
    for number in range(1, arguments.rounds + 1):
        began = time.monotonic()
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url = f"sqlite:///{folder / 'pequel.db'}"
            if arguments.database == "postgresql":
                url = stack.enter_context(stack.enter_context(postgres()).database())
            story = HandOff(folder, Database(url), stack, is_long=True)
            story.tell_all()
            requests = sum(len(each.taken) for each in story.receivers.values())
        took = time.monotonic() - began
        print(f"round {number}: {story.kills} kills, {requests} webhooks, {took:.0f} s: all agree")


if __name__ == "__main__":
    main()
