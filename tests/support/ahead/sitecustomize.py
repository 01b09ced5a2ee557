"""Puts the clock of a process ahead by the milliseconds in a file, which PEQUEL_TEST_AHEAD names.

Python imports this module by itself when it starts with this folder in PYTHONPATH.
"""

import os
import time
from pathlib import Path

_file = Path(os.environ["PEQUEL_TEST_AHEAD"])
_time_ns = time.time_ns


def _ahead() -> int:
    return _time_ns() + int(_file.read_text()) * 1_000_000


time.time_ns = _ahead
