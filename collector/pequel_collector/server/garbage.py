"""When a process that takes many events in looks for garbage that refers to itself."""

from __future__ import annotations

import gc

THRESHOLDS = 50_000, 20, 50
"""After how many new objects garbage is looked for among the youngest, and how often among others.

With Python's own numbers a seventh of the time of ingestion goes into it.
"""


def collect_seldom() -> None:
    """Look for garbage in circles less often: next to nothing here is, and all is looked through.

    What is there by now stays, and is not looked at again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
